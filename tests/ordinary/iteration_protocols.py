"""Everything that can be iterated, counted, looked into and called."""

import operator


class Squares:
    """The old protocol: items until IndexError."""

    def __init__(self, count):
        self.count = count

    def __getitem__(self, index):
        if index >= self.count:
            raise IndexError(index)
        return index * index

    def __len__(self):
        return self.count


class Down:
    def __init__(self, start):
        self.start = start

    def __iter__(self):
        return self

    def __next__(self):
        if self.start <= 0:
            raise StopIteration
        self.start -= 1
        return self.start


class Ring:
    def __init__(self, *items):
        self.items = items

    def __iter__(self):
        return iter(self.items)

    def __reversed__(self):
        return iter(self.items[::-1])

    def __contains__(self, item):
        return item in self.items or item == "anything"

    def __length_hint__(self):
        return 99

    def __call__(self, *args, **kwargs):
        return args, kwargs

    def __getitem__(self, index):
        return self.items[index % len(self.items)]

    def __bytes__(self):
        return bytes(self.items)

    def __missing__(self, key):
        return "unused"


class Words(dict):
    def __missing__(self, key):
        self[key] = value = len(key)
        return value


class Index:
    def __init__(self, n):
        self.n = n

    def __index__(self):
        return self.n


class Record:
    def keys(self):
        return ["a", "b"]

    def __getitem__(self, key):
        return key * 2


class Agent:
    def run(self):
        squares, ring, words = Squares(5), Ring(1, 2, 3), Words(x=0)
        stack = [1, 2, 3]
        a, b, *c = squares
        for number in Down(2):
            print(number, end=" ")
        print(*ring)
        popped = list(iter(stack.pop, 1))
        iterator = iter(ring)
        taken = [next(iterator), next(iterator), next(iterator), next(iterator, "end")]
        zipped = list(zip(Down(3), ring, strict=False))
        try:
            list(zip([1], [1, 2], strict=True))
        except ValueError as error:
            print(error)
        try:
            iter(5)
        except TypeError as error:
            print(error)
        return (
            [list(squares), 9 in squares, 10 in squares, list(reversed(squares)), max(squares), a, b, c],
            [list(Down(3)), sum(Down(4)), sorted(Down(3)), tuple(Down(0)), dict(enumerate(Down(2), 5))],
            [list(reversed(ring)), 2 in ring, "anything" in ring, operator.length_hint(ring), ring(1, k=2), ring[7]],
            [bytes(ring), words["hello"], dict(words), words.get("no"), popped, taken, zipped],
            [[10, 20, 30][Index(1)], "ab" * Index(2), list(range(Index(2))), bin(Index(5)), (1, 2, 3)[: Index(2)]],
            [{**Record()}, dict(Record()), (lambda **k: k)(**Record())],
            [any(n > 3 for n in squares), all(ring), min(ring, key=lambda n: -n), max([], default=None)],
            [
                list(map(pow, [2, 3], [3, 2])),
                list(filter(None, [0, 1, ""])),
                list(map(lambda x, y: x + y, ring, squares)),
            ],
            [callable(ring), callable(3), sum([[1], [2]], []), sum([0.1] * 10)],
        )
