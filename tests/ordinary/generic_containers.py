"""Generic classes and protocols."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NewType, Protocol, TypeVar, cast, get_args, get_origin, overload, runtime_checkable

T = TypeVar("T")
K = TypeVar("K", bound="Comparable")
Metres = NewType("Metres", float)


class Comparable(Protocol):
    def __lt__(self, other: object, /) -> bool: ...


@runtime_checkable
class Sized(Protocol):
    def size(self) -> int: ...


class Stack(Generic[T]):
    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items: list[T] = list(items)

    def push(self, item: T) -> "Stack[T]":
        self._items.append(item)
        return self

    def pop(self) -> T:
        if not self._items:
            raise IndexError("pop from an empty stack")
        return self._items.pop()

    def size(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return reversed(self._items)

    def map(self, function: Callable[[T], K]) -> "Stack[K]":
        return Stack(function(item) for item in self._items)


class Table(Generic[K, T]):
    def __init__(self) -> None:
        self._rows: dict[K, T] = {}

    def put(self, key: K, value: T) -> None:
        self._rows[key] = value

    def in_order(self) -> list[tuple[K, T]]:
        return sorted(self._rows.items(), key=lambda row: row[0])


class IntStack(Stack[int]):
    def total(self) -> int:
        return sum(self)


@overload
def double(x: int) -> int: ...
@overload
def double(x: str) -> str: ...
def double(x):
    return x * 2


def biggest(items: Iterable[K]) -> K:
    return max(items)


class Agent:
    def run(self) -> tuple:
        stack = Stack[int]([1, 2]).push(3)
        texts = stack.map(str)
        table: Table[str, list[int]] = Table()
        table.put("b", [2])
        table.put("a", [])
        numbers = IntStack([4, 5])
        try:
            Stack[str]().pop()
        except IndexError as error:
            print(type(error).__name__, error)
        print(list(stack), list(texts), table.in_order(), numbers.total())
        print(Stack[int], get_origin(dict[str, int]), get_args(dict[str, list[int]]), int | None)
        return (
            isinstance(stack, Sized),
            isinstance([], Sized),
            issubclass(IntStack, Stack),
            double(4),
            double("ab"),
            biggest(["pear", "plum"]),
            Metres(3.5) + 1,
            cast("int", "unchanged"),
            list[int]((1, 2)),
            stack.pop() + stack.size(),
            type(Stack[int]()).__name__,
        )
