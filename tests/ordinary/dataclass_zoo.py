"""Dataclasses of all kinds."""

from dataclasses import (
    KW_ONLY,
    FrozenInstanceError,
    InitVar,
    asdict,
    astuple,
    dataclass,
    field,
    fields,
    is_dataclass,
    make_dataclass,
    replace,
)
from typing import ClassVar


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int = 0
    label: str = field(default="", compare=False)

    def bump(self, **changes):
        return replace(self, **changes)


@dataclass(slots=True, kw_only=True)
class Setting:
    name: str
    value: object = None
    history: list = field(default_factory=list, repr=False)


@dataclass
class Box:
    width: float
    height: float = 1.0
    scale: InitVar[float] = 1.0
    _: KW_ONLY
    colour: str = "red"
    area: float = field(init=False)
    made: ClassVar[int] = 0

    def __post_init__(self, scale):
        self.area = self.width * self.height * scale
        type(self).made += 1


@dataclass
class Crate(Box):
    weight: int = field(default=5, metadata={"unit": "kg"})

    def __post_init__(self, scale):
        super().__post_init__(scale)
        self.label = f"{self.colour} crate"


@dataclass(eq=False)
class Node:
    name: str
    children: list["Node"] = field(default_factory=list)


@dataclass(unsafe_hash=True)
class Key:
    a: int
    _b: int = 2


class Agent:
    def run(self):
        one, two = Version(1, 5, "old"), Version(2)
        try:
            one.major = 3
        except FrozenInstanceError as error:
            frozen = str(error)
        setting = Setting(name="depth", value=3)
        setting.history.append(2)
        try:
            setting.nmae = 1
        except AttributeError:
            frozen += ", slots"
        try:
            Setting("depth")
        except TypeError as error:
            print(error)
        crate = Crate(2, 3, 2, colour="blue")
        tree = Node("root", [Node("leaf")])
        Point = make_dataclass("Point", [("x", int), ("y", int, field(default=0))], frozen=True)
        print(one, two, setting, crate, tree, Point(3), sep="\n")
        match crate:
            case Crate(width, height, colour="blue", area=area):
                matched = (width, height, area)
        return {
            "frozen": frozen,
            "order": [one < two, max(one, two).major, Version(1, 5) == one, hash(Version(1, 5)) == hash(one)],
            "bump": str(one.bump(minor=6)),
            "crate": [asdict(crate), crate.label, Box.made, Crate.made],
            "tuple": astuple(tree),
            "fields": [(f.name, f.init, dict(f.metadata)) for f in fields(Crate)],
            "is": [is_dataclass(tree), is_dataclass(3)],
            "keys": len({Key(1), Key(1), Key(1, 3)}),
            "eq": Node("a") == Node("a"),
            "matched": matched,
            "doc": Key.__doc__,
            "match_args": Version.__match_args__,
        }
