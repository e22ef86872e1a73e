"""Objects taken apart for the way: whichever connection they go by."""

from enum import Enum

from ..agents.closure import Closure, closure_of
from ..agents.state import capture, is_combination, name_of, subject_of
from ..errors import ConfigurationError
from ..validators.consignment import Consignment, Signature
from .wire.hooks import Mobile, Named

__all__ = ["pack", "take_apart"]


def take_apart(obj: object, goods: Consignment, module: str, path: str) -> Mobile | Named:
    """How `obj` travels: by name (classes, functions, members of an enum), or with its state.

    Args:
        path: Of `subject_of(obj)`, its class or itself, in its module.

    Raises:
        TypeError: It keeps contents where no state can reach, or combines bits that its class does not name.
    """
    if subject_of(obj) is obj:
        return Named(goods, module, path)
    if isinstance(obj, Enum) and not is_combination(obj):
        return Named(goods, module, f"{path}.{name_of(obj).rpartition('.')[2]}")
    return Mobile(goods, module, path, capture(obj))


def pack(obj: object, *, signed: bool = False) -> tuple[Closure, Mobile | Named] | None:
    """The closure of an object of this process's own classes, and how it travels.

    None for an exception whose class does not travel: its text goes all the same.

    Args:
        signed: With the signatures that lie beside the source: for an author's end.

    Raises:
        TypeError: It cannot travel; the text says why, and what to do.
    """
    try:
        closure = closure_of(subject_of(obj))
    except ConfigurationError as error:
        if isinstance(obj, BaseException):
            return None
        advice = "" if subject_of(obj) is obj else "; or leave it out of an agent's state with __getstate__"
        raise TypeError(f"{error}{advice}") from None
    signatures: tuple[Signature, ...] = ()
    if signed and closure.origin:
        from ..agents.signing import signatures_beside  # visits pack too, and sign nothing

        signatures = signatures_beside(closure.origin, closure.manifest)
    return closure, take_apart(obj, Consignment(closure.manifest, signatures), closure.module, closure.qualname)
