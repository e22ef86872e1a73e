"""What the values' rows leave to the session: capabilities and mobile objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...validators.consignment import Consignment

__all__ = ["DecodeHooks", "EncodeHooks", "Mobile", "Named"]


@dataclass(frozen=True, slots=True, eq=False)
class Mobile:
    """A mobile object taken apart: its code by manifest and class, and its state, a value of the same message."""

    goods: Consignment
    module: str
    qualname: str
    state: object


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Something of mobile code that travels by its name alone: a class, a function, a member of an enum."""

    goods: Consignment
    module: str
    qualname: str


class EncodeHooks(Protocol):
    """Asked, in this order, for each object that is neither a value nor registered."""

    def capability(self, obj: object) -> tuple[Any, ...] | None:
        """The payload that stands for `obj` (scalars but no bytes, and lists of these); None if nothing is exposed."""

    def mobile(self, obj: object) -> Mobile | Named | None:
        """`obj` taken apart, or None if it is not mobile code."""


class DecodeHooks(Protocol):
    """Makes what arrives as no value. What it raises leaves `decode_values` as it is."""

    def capability(self, payload: Sequence[Any]) -> object:
        """The object or proxy that `payload` (scalars and lists of scalars, as a peer sent them) stands for."""

    def mobile(self, goods: Consignment, module: str, qualname: str) -> object:
        """A shell for a mobile object: new, without state; or an `Unbuilt`, where there is none without its state.

        `module` is in the manifest; all names are well-formed.
        """

    def named(self, goods: Consignment, module: str, qualname: str) -> object:
        """What stands under a name in mobile code. `module` is in the manifest; all names are well-formed."""

    def fill(self, shell: object, state: object) -> None:
        """Give a shell its state, once; shells that it contains were filled before, unless they contain it in turn."""
