"""Annotations under the future import: text that nobody evaluates, also where it makes no sense yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
    get_type_hints,
)

if TYPE_CHECKING:
    from nowhere import Unknown

T = TypeVar("T")
limit: int = 3
later: NotDefinedYet  # noqa: F821


@dataclass
class Node:
    value: int
    left: Node | None = None
    right: Node | None = None
    tags: list[str] = field(default_factory=list)
    made: ClassVar[int] = 0

    def insert(self, value: int) -> Self:
        side: Literal["left", "right"] = "left" if value < self.value else "right"
        child: Node | None = getattr(self, side)
        if child is None:
            setattr(self, side, Node(value))
        else:
            child.insert(value)
        return self

    def __iter__(self) -> Iterator[int]:
        yield from self.left or ()
        yield self.value
        yield from self.right or ()


class Row(NamedTuple):
    key: str
    node: Node | None = None


class Options(TypedDict, total=False):
    depth: int
    unknown: Unknown


class Visitor(Protocol):
    def visit(self, node: Node) -> Unknown: ...


class Printer:
    seen: list[int]
    style: str = "plain"

    def __init__(self) -> None:
        self.seen: list[int] = []

    def visit(self, node: Node) -> None:
        self.seen.append(node.value)


def walk(node: Node | None, visitor: Visitor, *args: Any, depth: int = 0, **rest: dict[str, Any]) -> int:
    if node is None:
        return depth
    visitor.visit(node)
    return max(walk(child, visitor, depth=depth + 1) for child in (node.left, node.right))


def checked(function: Callable[..., T]) -> Callable[..., T]:
    """Checks keyword arguments against the annotations."""

    def wrapper(**values: Any) -> T:
        hints = get_type_hints(function)
        for name, value in values.items():
            if not isinstance(value, hints[name]):
                raise TypeError(f"{name} is {value!r}, which is no {hints[name]}")
        return function(**values)

    return wrapper


@checked
def scale(node: Node, factor: int | float = 1) -> float:
    return node.value * factor


def later_on(function: Callable[[T], Awaitable[T]], items: AsyncIterator[T]) -> Whatever[T]:  # noqa: F821
    return function


class Agent:
    def run(self) -> dict[str, Any]:
        root: Node = Node(5)
        for value in (2, 8, 1, 9, 6):
            root.insert(value)
        printer = Printer()
        depth = walk(root, printer)
        options: Options = {"depth": depth}
        print(list(root), printer.seen, options)
        for function, values in ((scale, {"node": 3}), (lambda: get_type_hints(later_on), {})):
            try:
                function(**values)
            except (TypeError, NameError) as error:
                print(error)
        (undone): int  # noqa: F842
        return {
            "walk": walk.__annotations__,
            "later": later_on.__annotations__["return"],
            "fields": [(f.name, f.type) for f in fields(Node)],
            "printer": Printer.__annotations__,
            "row": [tuple(Row("a")), Row._fields, Row._field_defaults],
            "made": Node.made,
            "hints": {name: str(hint) for name, hint in get_type_hints(Node).items()},
            "scaled": scale(node=root, factor=1.5),
            "limit": limit,
        }
