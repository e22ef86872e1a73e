"""Abstract classes: shapes that have to say their area, containers that get the rest for free."""

import math
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Hashable, Mapping, MutableSequence, Sequence, Set


class Shape(ABC):
    def __init__(self, **labels):
        self.labels = labels

    @property
    @abstractmethod
    def area(self):
        """In square metres."""

    @classmethod
    @abstractmethod
    def unit(cls):
        ...

    @staticmethod
    @abstractmethod
    def sides():
        return 0

    def __str__(self):
        return f"{type(self).__name__.lower()} of {self.area:.2f}"


class Circle(Shape):
    def __init__(self, radius, **labels):
        super().__init__(**labels)
        self.radius = radius

    @property
    def area(self):
        return math.pi * self.radius**2

    @classmethod
    def unit(cls):
        return cls(1, made_by="unit")

    @staticmethod
    def sides():
        return Shape.sides() + 1


class Half(Shape):
    @property
    def area(self):
        return 0.5


class Countdown(Sequence):
    def __init__(self, start):
        self._start = start

    def __len__(self):
        return self._start

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._start - index % len(self)


class Bag(Set):
    def __init__(self, items):
        self._items = sorted(set(items))

    def __contains__(self, item):
        return item in self._items

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)


class Defaults(Mapping):
    def __init__(self, **values):
        self._values = values

    def __getitem__(self, key):
        return self._values[key]

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)


class Doubled(MutableSequence):
    def __init__(self):
        self.items = []

    def __getitem__(self, index): return self.items[index]
    def __setitem__(self, index, value): self.items[index] = value * 2
    def __delitem__(self, index): del self.items[index]
    def __len__(self): return len(self.items)
    def insert(self, index, value): self.items.insert(index, value * 2)


class Square:
    area = 4


class Solid(metaclass=ABCMeta):
    @abstractmethod
    def volume(self): ...


class Cube(Solid):
    def volume(self):
        return 8


Shape.register(Square)


class Agent:
    def run(self):
        problems = []
        for cls in (Shape, Half, Solid):
            try:
                cls()
            except TypeError:
                problems.append(cls.__name__)
        circle = Circle.unit()
        print(circle, circle.labels, circle.sides())
        down, bag, doubled = Countdown(4), Bag([3, 1, 3]), Doubled()
        doubled.extend([1, 2])
        doubled += [5]
        doubled[0] = 7
        doubled.remove(4)
        defaults = Defaults(a=1, b=2)
        return (
            problems,
            [list(down), 3 in down, down.index(2), down.count(9), list(reversed(down)), down[1:3], down[-1]],
            [list(bag & {1, 9}), sorted(bag | Bag([2])), bag <= {1, 2, 3}, bag.isdisjoint([5]), list(bag - {1})],
            [doubled.items, doubled.pop(), doubled.index(14)],
            [dict(defaults), defaults.get("z", 0), list(defaults.items()), defaults == {"a": 1, "b": 2}],
            [Cube().volume(), isinstance(Square(), Shape), isinstance(down, Sequence), isinstance([], Hashable)],
        )
