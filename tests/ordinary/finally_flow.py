"""What finally, else, break, continue and return do to each other."""


def returns():
    try:
        return "try"
    finally:
        return "finally"


def swallowed():
    try:
        raise ValueError("lost")
    finally:
        return "no error"


def order(log, fail):
    try:
        log.append("try")
        if fail:
            raise KeyError("k")
    except KeyError:
        log.append("except")
        return log
    else:
        log.append("else")
    finally:
        log.append("finally")
    log.append("after")
    return log


def loops():
    seen = []
    for n in range(5):
        try:
            if n == 1:
                continue
            if n == 3:
                break
            seen.append(n)
        finally:
            seen.append(f"f{n}")
    else:
        seen.append("never")
    while n:
        n -= 1
        if n == 7:
            break
    else:
        seen.append("ran out")
    return seen


def value_kept():
    value = [1]
    try:
        return value
    finally:
        value.append(2)
        value = [3]


def generator(log):
    try:
        yield 1
        yield 2
    finally:
        log.append("cleaned")


def deep():
    for outer in range(3):
        for inner in range(3):
            try:
                try:
                    if inner == 1:
                        raise StopIteration(outer)
                finally:
                    if outer == 1:
                        break
            except StopIteration as stop:
                yield stop.value, inner


class Agent:
    def run(self):
        log = []
        for number in generator(log):
            print(number, log)
        return (
            returns(),
            swallowed(),
            order([], False),
            order([], True),
            loops(),
            value_kept(),
            log,
            list(deep()),
            self.handled(),
        )

    def handled(self):
        outcome = "unset"
        try:
            try:
                {}["x"]
            except IndexError:
                outcome = "wrong"
            else:
                outcome = "none"
            finally:
                outcome += "+"
        except LookupError as error:
            outcome += f" {error!r}"
        return outcome
