"""Handles: what the host holds of a mobile object. Its code is never here; its state only while it is on its way."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ...errors import ProtocolError
from ...validators.consignment import Consignment
from ..events import one_line
from ..wire.hooks import Mobile, Named
from ..wire.messages import Op

if TYPE_CHECKING:
    from .scope import Scope

__all__ = ["OUTSIDE", "Handle", "Reference", "remember", "settle"]


OUTSIDE: Final = (
    "a handle goes on in the thread of its call, or by asyncio.to_thread: this thread serves none, or the call is over"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a mobile object is: its code, its module's label, a name there; of its class, or (`named`) its own."""

    goods: Consignment
    module: str
    qualname: str
    named: bool = False

    @property
    def lasting(self) -> bool:
        """Whether it is all there is to know: what goes by its name alone has no state that could have changed."""
        return self.named and bool(self.goods.manifest)

    @property
    def name(self) -> tuple[str, str, bool]:
        """Which part of its goods it is: module, name there, and whether that name is its own."""
        return self.module, self.qualname, self.named

    def taken_apart(self, state: object) -> Mobile | Named:
        """As it travels, with its `state` where it has one."""
        if self.named:
            return Named(self.goods, self.module, self.qualname)
        return Mobile(self.goods, self.module, self.qualname, state)

    def __str__(self) -> str:
        return one_line(f"{self.module}.{self.qualname}")  # a visit can name its objects as it likes


class Handle:
    """The host's stand-in of a mobile object. Its public methods and attributes are used as if it were here; those of
    functions, classes, and objects that can be called are called.

    Works while the call that it came with is running; later use raises `VisitEnded`. What it returns is a stranger's:
    plain values, handles of the same visit, and the host's own objects. Names with a leading ``_`` cannot be reached.
    """

    __slots__ = ("__weakref__", "_methods", "_number", "_reference", "_scope", "_state")
    _methods: frozenset[str]
    _number: int
    _reference: Reference
    _scope: "Scope"
    _state: object

    def __init__(self, scope: "Scope", reference: Reference) -> None:
        put = object.__setattr__
        put(self, "_scope", scope)
        put(self, "_reference", reference)
        put(self, "_state", None)  # as it arrived, or as it was when the visit last gave it
        put(self, "_number", 0)  # in the visit, once it is there
        put(self, "_methods", frozenset())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} of an agent cannot be reached: private and special names stay in the visit")
        visit = self._scope.visit()
        if not self._number:
            visit.receive()  # it came later than the others, as the answer to a question
        if name in self._methods:
            return lambda *args, **kwargs: visit.call(self, Op.CALL, name, args, kwargs)
        return visit.call(self, Op.GET, name, (), {})

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} of an agent cannot be reached: private and special names stay in the visit")
        self._scope.visit().call(self, Op.SET, name, (value,), {})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._scope.visit().call(self, Op.CALL, "__call__", args, kwargs)

    def __repr__(self) -> str:
        return f"<handle of {self._reference!s}>"

    def __reduce__(self) -> Any:
        raise TypeError("a handle belongs to its visit: return it from the hosted method, or ask it for values")


def settle(handle: Handle, number: int, methods: list[Any]) -> None:
    """Tie a handle to its object in the visit: the number there, and the names that can be called.

    Raises:
        ProtocolError: The visit's description makes no sense.
    """
    if number <= 0 or len(methods) > 10_000 or not all(type(name) is str for name in methods):
        raise ProtocolError("a visit described a mobile object wrongly")
    object.__setattr__(handle, "_number", number)
    object.__setattr__(handle, "_methods", frozenset(methods))


def remember(handle: Handle, state: object, reference: Reference | None = None) -> None:
    """Give a handle its object's state: as it came from the sender, or as the visit says it is now."""
    object.__setattr__(handle, "_state", state)
    if reference is not None:
        object.__setattr__(handle, "_reference", reference)
