"""Generators that are sent to, thrown into, closed, delegated to; pipelines of them."""


def averager():
    total, count, average = 0, 0, None
    while True:
        try:
            value = yield average
        except ValueError:
            total = count = 0
            average = None
            continue
        if value is None:
            return total, count
        total += value
        count += 1
        average = total / count


def collector(results):
    while True:
        result = yield from averager()
        results.append(result)


def guarded(log):
    try:
        yield "first"
        yield "second"
    except GeneratorExit:
        log.append("closing")
        raise
    finally:
        log.append("done")


def lines(text):
    yield from text.splitlines()


def numbers(source):
    for line in source:
        if (line := line.strip()) and not line.startswith("#"):
            yield int(line)


def running(source):
    total = 0
    for number in source:
        total += number
        yield number, total


def primes():
    found, candidate = [], 2
    while True:
        if all(candidate % prime for prime in found):
            found.append(candidate)
            yield candidate
        candidate += 1


class Tree:
    def __init__(self, value, *children):
        self.value, self.children = value, children

    def __iter__(self):
        yield self.value
        for child in self.children:
            yield from child

    def depth(self):
        return 1 + max((child.depth() for child in self.children), default=0)


class Agent:
    def run(self):
        results = []
        mean = collector(results)
        next(mean)
        sent = [mean.send(n) for n in (10, 20, 60)]
        sent.append(mean.throw(ValueError("start again")))
        sent += [mean.send(4), mean.send(None), mean.send(8)]
        mean.close()
        log = []
        guard = guarded(log)
        print(next(guard))
        guard.close()
        print(next(guard, "nothing more"))
        plain = averager()
        next(plain)
        plain.send(1)
        try:
            plain.send(None)
        except StopIteration as stop:
            returned = stop.value
        table = list(running(numbers(lines("# head\n3\n\n 4 \n5"))))
        prime = primes()
        first = [next(prime) for _ in range(10)]
        tree = Tree(1, Tree(2, Tree(3)), Tree(4))
        squares = (n * n for n in range(5) if n % 2)
        return sent, results, log, returned, table, first, list(tree), tree.depth(), sum(squares), list(squares)
