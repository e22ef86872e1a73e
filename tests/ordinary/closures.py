"""Closures, nonlocal through several levels, lambdas with defaults, late and early binding."""

total = 0


def counter(start=0):
    def up(by=1):
        nonlocal start
        start += by
        return start

    def peek():
        return start

    return up, peek


def account(balance):
    history = []

    def move(amount):
        nonlocal balance

        def note(text):
            nonlocal history
            history = [*history, f"{text} {abs(amount)}"]

        if balance + amount < 0:
            note("refused")
            return False
        balance += amount
        note("in" if amount > 0 else "out")
        return True

    return move, lambda: (balance, history)


def compose(*functions):
    def composed(value):
        for function in functions:
            value = function(value)
        return value

    return composed


def tally(amount):
    global total
    total += amount
    return total


def outer():
    level = "outer"

    class Inner:
        level = "class"
        seen = [level for _ in range(2)]

        def read(self):
            return level

    def change():
        nonlocal level
        level = "changed"

    before = Inner().read()
    change()
    return before, Inner().read(), Inner.level, Inner.seen


def curry(function, *args):
    return lambda *more, **named: function(*args, *more, **named)


class Agent:
    def run(self):
        up, peek = counter(10)
        up()
        up(by=5)
        move, state = account(50)
        moves = [move(amount) for amount in (20, -100, -30)]
        late = [lambda: i for i in range(3)]
        early = [lambda i=i, *, k=i * 2: (i, k) for i in range(3)]
        shape = compose(str.strip, str.title, lambda text: f"<{text}>")
        tally(3)
        tally(4)
        print(shape("  hello there "), peek(), total)
        recursive = (lambda f: lambda n: f(f, n))(lambda self, n: 1 if n < 2 else n * self(self, n - 1))
        return (
            moves,
            state(),
            [f() for f in late],
            [f() for f in early],
            early[0](5, k=6),
            outer(),
            recursive(6),
            curry(max, 3)(1, 9, key=lambda n: -n),
            counter()[0](by=2),
        )
