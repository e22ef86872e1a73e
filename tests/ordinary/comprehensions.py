"""All kinds of comprehensions, nested, with walruses, in classes and in other scopes."""

ROWS = ["3 apples", "x pears", "12 plums", ""]


def parse(text):
    count, _, name = text.partition(" ")
    return (int(count), name) if count.isdigit() else None


def primes(limit):
    return [n for n in range(2, limit) if all(n % d for d in range(2, int(n**0.5) + 1))]


def transposed(rows):
    return [[row[i] for row in rows] for i in range(len(rows[0]))]


class Board:
    size = 3
    cells = [(x, y) for x in range(3) for y in range(3) if x <= y]
    names = {y: [f"{y}{x}" for x in "ab"] for y in range(2)}
    scaled = [n * 2 for n in range(size)]

    def around(self, x, y):
        offsets = (-1, 0, 1)
        return {
            (x + dx, y + dy)
            for dx in offsets
            for dy in offsets
            if (dx, dy) != (0, 0)
            if 0 <= x + dx < self.size and 0 <= y + dy < self.size
        }


class Agent:
    factor = 3

    def run(self):
        good = [found for row in ROWS if (found := parse(row)) is not None]
        total = 0
        running = [total := total + count for count, _ in good]
        longest = max((name := row.split()[-1]) for row in ROWS if row)
        lookup = {name: count for count, name in good}
        inverse = {count: name for name, count in lookup.items()}
        letters = {letter for word in lookup for letter in word if letter not in "aeiou"}
        flat = [cell for row in [[1, 2], [3], []] for cell in row]
        lazy = (self.factor * n for n in (1, 2, 3))
        print(next(lazy), list(lazy), name)
        x = "outer"
        shadow = [x for x in range(3)], x
        functions = [lambda: n for n in range(3)]
        bound = [lambda n=n: n for n in range(3)]
        any_big = any((big := n) > 10 for n in (4, 11, 20))
        while (line := ROWS[len(running)]) and len(running) < 3:
            running.append(line)
        if (size := len(running)) > 2:
            print(f"{size=} {(half := size // 2)} {half!r:>3}")
        pyramid = ["".join("*" if abs(c - 2) <= r else "." for c in range(5)) for r in range(3)]
        conditional = ["even" if n % 2 == 0 else "odd" for n in range(3)]
        nested = {k: {v: [w for w in range(v)] for v in range(k)} for k in range(3)}
        pairs = [(a, b) for a, (b, *_) in [(1, (2, 3)), (4, [5])]]
        return {
            "good": good,
            "running": running,
            "longest": longest,
            "inverse": inverse,
            "letters": sorted(letters),
            "flat": flat,
            "shadow": shadow,
            "functions": [f() for f in functions] + [f() for f in bound],
            "any": (any_big, big),
            "primes": primes(40),
            "transposed": transposed([(1, 2, 3), (4, 5, 6)]),
            "board": [Board.cells, Board.names, Board.scaled, sorted(Board().around(0, 0))],
            "pyramid": pyramid,
            "conditional": conditional,
            "nested": nested,
            "pairs": pairs,
            "sums": [sum(n * n for n in range(4)), sorted(-n for n in range(3)), dict((n, n) for n in range(2))],
        }
