"""Context managers as classes and as generators, nested, stacked, swallowing and not."""

from contextlib import ContextDecorator, ExitStack, closing, contextmanager, nullcontext, suppress


class Log:
    def __init__(self):
        self.lines = []

    def __call__(self, *words):
        self.lines.append(" ".join(map(str, words)))


class Door:
    def __init__(self, name, log, swallow=()):
        self.name, self.log, self.swallow = name, log, swallow

    def __enter__(self):
        self.log("open", self.name)
        return self

    def __exit__(self, kind, error, traceback):
        self.log("close", self.name, kind.__name__ if kind else "-", error)
        return kind is not None and issubclass(kind, self.swallow)

    def close(self):
        self.log("closing", self.name)


@contextmanager
def indented(log, depth=1):
    log("[" * depth)
    try:
        yield depth + 1
    except ZeroDivisionError as error:
        log("mended", error)
    finally:
        log("]" * depth)


class Traced(ContextDecorator):
    def __init__(self, log):
        self.log = log

    def __enter__(self):
        self.log("in")
        return self

    def __exit__(self, *what):
        self.log("out", what[0])


class Agent:
    def run(self):
        log = Log()
        with Door("front", log) as front, Door("back", log, (KeyError,)):
            {}[front.name]
        with (
            Door("a", log),
            Door("b", log) as b,
        ):
            log("inside", b.name)
        with indented(log) as depth, indented(log, depth):
            1 / 0

        @Traced(log)
        def work(x):
            log("work", x)
            return x + 1

        with ExitStack() as stack:
            doors = [stack.enter_context(Door(str(n), log)) for n in range(2)]
            stack.callback(log, "called back")
            stack.push(lambda kind, error, traceback: log("pushed", kind) or True)
            raise LookupError("swallowed by the stack")
        with suppress(IndexError, KeyError):
            [][1]
        with closing(Door("shed", log)), nullcontext(5) as five:
            log(five, work(five), len(doors))
        try:
            with Door("last", log, (KeyError,)):
                raise ValueError("out it goes")
        except ValueError as error:
            log("caught", error)
        for where in "ab":
            with nullcontext():
                if where == "a":
                    continue
                break
        print(*log.lines, sep="\n")
        return log.lines
