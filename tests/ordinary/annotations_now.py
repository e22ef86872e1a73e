"""Annotations of every kind that are evaluated at once."""

import typing
from typing import (
    Annotated,
    Any,
    Callable,
    Concatenate,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    ParamSpec,
    Required,
    TypeAlias,
    TypedDict,
    TypeGuard,
    TypeVar,
    TypeVarTuple,
    Union,
    Unpack,
    final,
    get_args,
    get_origin,
    get_type_hints,
)

P = ParamSpec("P")
R = TypeVar("R", int, str)
Ts = TypeVarTuple("Ts")
UserId = NewType("UserId", int)
Pair: TypeAlias = tuple[R, R]
MAX: Final = 3
Positive = Annotated[int, "above zero", {"least": 1}]


class Movie(TypedDict):
    title: Required[str]
    year: NotRequired[int]


class Point(NamedTuple):
    x: int
    y: "int" = 0

    def norm(self) -> float:
        return (self.x**2 + self.y**2) ** 0.5


class Arguments(Generic[Unpack[Ts]]):
    def __init__(self, *args: Unpack[Ts]) -> None:
        self.args = args


@final
class Logged(Generic[P, R]):
    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        self.calls.append(args)
        return self.function(*args, **kwargs)


def with_limit(function: Callable[Concatenate[int, P], R]) -> Callable[P, R]:
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(MAX, *args, **kwargs)

    return inner


@with_limit
def cut(limit: int, text: str, mode: Literal["left", "right"] = "left") -> str:
    return text[:limit] if mode == "left" else text[-limit:]


def is_texts(items: list[object]) -> TypeGuard[list[str]]:
    return all(isinstance(item, str) for item in items)


def old(
    a: Optional[int] = None, *rest: Union[int, str], key: "Movie | None" = None, **more: typing.Dict[str, Any]
) -> Pair:
    return (a, key)


class Agent:
    count: int = 0
    names: typing.ClassVar[typing.List[str]] = []

    def run(self) -> dict:
        logged: Logged[[int], str] = Logged(lambda n: "x" * n)
        logged(3), logged(n=2)
        movie: Movie = Movie(title="Up")
        local: Positive = 4
        self.count: int = local
        print(cut("abcdef"), cut("abcdef", mode="right"), movie, Point(3, 4).norm(), UserId(5) + 1)
        print(Optional[int], Union[int, str], Callable[[int], str], Literal["a", 1], Positive, list[Point] | None)
        return {
            "old": {name: str(value) for name, value in old.__annotations__.items()},
            "args": [
                get_args(Union[int, None])[0] is int,
                get_origin(dict[str, int]) is dict,
                get_args(Literal[1, "b"]),
            ],
            "positive": get_args(Positive)[1:],
            "movie": sorted(Movie.__annotations__),
            "point": [str(Point(1)), Point.__annotations__["x"] is int],
            "guard": [is_texts(["a"]), is_texts([1])],
            "arguments": Arguments(1, "b").args,
            "calls": logged.calls,
            "hints": [str(get_type_hints(thing)) for thing in (old, Movie, Agent)],
            "extras": str(get_type_hints(Movie, include_extras=True)["title"]),
            "cls": {name: str(kind) for name, kind in Agent.__annotations__.items()},
            "names": [UserId.__name__, P.__name__, str(R), typing.TYPE_CHECKING],
            "isinstance": [isinstance(3, int | str), isinstance(None, int | None)],
        }
