"""What collections has, and subclasses of it."""

import collections
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque, namedtuple

Point = namedtuple("Point", "x y", defaults=[0])


class Vector(namedtuple("Vector", ["x", "y", "z"])):
    __slots__ = ()

    def __add__(self, other):
        return Vector(*(a + b for a, b in zip(self, other)))

    @property
    def squared(self):
        return sum(n * n for n in self)

    @classmethod
    def zero(cls):
        return cls(0, 0, 0)


class CaseInsensitive(UserDict):
    def __getitem__(self, key):
        return super().__getitem__(key.lower())

    def __setitem__(self, key, value):
        super().__setitem__(key.lower(), value)

    def __contains__(self, key):
        return super().__contains__(key.lower())


class Sorted(UserList):
    def append(self, item):
        super().append(item)
        self.data.sort()


class Slug(UserString):
    def __init__(self, text):
        super().__init__("-".join(text.lower().split()))


class Tally(Counter):
    def share(self, key):
        return f"{self[key] / self.total():.0%}"


class Recent(OrderedDict):
    def __init__(self, size, *args):
        self.size = size
        super().__init__(*args)

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self.size:
            self.popitem(last=False)


class Agent:
    def run(self):
        words = "the cat and the dog and the bird".split()
        count = Counter(words)
        count.update(["cat"])
        count.subtract({"dog": 3})
        groups = defaultdict(list)
        for word in words:
            groups[len(word)].append(word)
        tree = defaultdict(lambda: defaultdict(int))
        tree["a"]["b"] += 2
        settings = ChainMap({}, {"colour": "red"}, {"colour": "blue", "size": 3})
        settings["size"] = 4
        child = settings.new_child({"colour": "green"})
        line = deque("abcd", maxlen=4)
        line.append("e")
        line.rotate(1)
        line.extendleft("x")
        names = CaseInsensitive(A=1)
        names["B"] = 2
        names.update(C=3)
        items = Sorted([3])
        items.append(1)
        items += [0]
        recent = Recent(2)
        recent["a"] = recent["b"] = recent["a"] = recent["c"] = 1
        print(count.most_common(2), Point(1), Vector(1, 2, 3) + Vector.zero(), names, items, Slug("Two Words"), line)
        return {
            "count": [count["dog"], count["fish"], +count == count, sorted((count + Counter("a")).items())],
            "ops": [sorted((Counter("aab") & Counter("ab")).elements()), dict(Counter("a") | Counter("aab"))],
            "groups": dict(groups),
            "tree": {key: dict(value) for key, value in tree.items()},
            "chain": [child["colour"], child.parents["colour"], dict(settings), settings.maps[2], len(child)],
            "line": [list(line), line.maxlen, line.popleft(), line.index("c"), line.count("e")],
            "point": [
                Point(1)._asdict(),
                Point._make([3, 4]).y,
                Point(1)._replace(y=5) == (1, 5),
                Point._field_defaults,
            ],
            "vector": [Vector(1, 2, 2).squared, Vector.zero()._fields, [*Vector(7, 8, 9)]],
            "names": ["b" in names, names["C"], names.get("z"), sorted(names), names == {"a": 1, "b": 2, "c": 3}],
            "items": [list(items), items[1:].data, type(items[:1]).__name__, 3 in items],
            "slug": [str(Slug("A b").upper()), len(Slug("a")), Slug("x y") + "!" == "x-y!"],
            "tally": Tally("aab").share("a"),
            "recent": list(recent),
            "ordered": [list(reversed(OrderedDict(a=1, b=2))), OrderedDict(a=1, b=2) == OrderedDict(b=2, a=1)],
            "abc": isinstance(names, collections.abc.MutableMapping),
        }
