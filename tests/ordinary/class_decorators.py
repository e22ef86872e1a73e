"""Decorators that work on classes: they add methods, replace __init__, register, and make one object of a class."""

REGISTRY = {}


def comparable(key):
    def decorate(cls):
        made = cls.__init__

        def __init__(self, *args, **kwargs):
            made(self, *args, **kwargs)
            self.known = key(self)

        cls.__init__ = __init__
        for name, wanted in (("__lt__", {-1}), ("__le__", {-1, 0}), ("__eq__", {0})):
            def compare(self, other, wanted=wanted):
                return (key(self) > key(other)) - (key(self) < key(other)) in wanted

            setattr(cls, name, compare)
        return cls

    return decorate


def registered(cls):
    REGISTRY[cls.__name__] = cls
    return cls


def singleton(cls):
    made = {}

    def instance(*args):
        if cls not in made:
            made[cls] = cls(*args)
        return made[cls]

    return instance


def counted(cls):
    class Counted(cls):
        made = 0

        def __init__(self, *args, **kwargs):
            type(self).made += 1
            super().__init__(*args, **kwargs)

    Counted.__name__ = cls.__name__
    return Counted


def delegated(*names, to):
    def decorate(cls):
        for name in names:
            setattr(cls, name, lambda self, *args, _name=name: getattr(getattr(self, to), _name)(*args))
        return cls

    return decorate


@registered
@comparable(key=lambda parcel: parcel.weight)
class Parcel:
    def __init__(self, weight):
        self.weight = weight


@singleton
class Depot:
    def __init__(self, place):
        self.place = place


@registered
@counted
@delegated("append", "__len__", "__getitem__", "__contains__", to="parcels")
class Van:
    def __init__(self):
        self.parcels = []


class Agent:
    def run(self):
        light, heavy = Parcel(1), Parcel(weight=5)
        van = Van()
        van.append(light)
        van.append(heavy)
        Van()
        Parcel.__repr__ = lambda self: f"<{self.weight} kg>"
        print(light, van[1], [heavy])
        return (
            [light.known, light < heavy, heavy <= light, light == Parcel(1), min(heavy, light).weight],
            [len(van), van[0] is light, heavy in van, Van.made, Van.__name__],
            [Depot("north") is Depot("south"), Depot("west").place],
            list(REGISTRY),
        )
