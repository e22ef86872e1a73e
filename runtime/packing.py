"""Objects taken apart for the way: whichever connection they go by."""

from enum import Enum
from types import FunctionType

from ..agents.closure import Closure, closure_of
from ..agents.state import capture, name_of
from ..errors import ConfigurationError
from ..validators.consignment import Consignment
from .wire.hooks import Mobile, Named

__all__ = ["Definition", "definition_of", "pack", "take_apart"]

Definition = type | FunctionType  # what a module defines, and what travels by its name alone


def definition_of(obj: object) -> Definition:
    """`obj` itself where it is a class or function; else its class."""
    return obj if isinstance(obj, type | FunctionType) else type(obj)


def take_apart(obj: object, goods: Consignment, module: str, path: str) -> Mobile | Named:
    """How `obj` travels: by name (classes, functions, members of an enum), or with its state.

    Args:
        path: Of `definition_of(obj)` in its module.

    Raises:
        TypeError: It keeps contents where no state can reach, or combines flags without a name.
    """
    if isinstance(obj, type | FunctionType):
        return Named(goods, module, path)
    if isinstance(obj, Enum):
        return Named(goods, module, f"{path}.{name_of(obj).rpartition('.')[2]}")
    return Mobile(goods, module, path, capture(obj))


def pack(obj: object) -> tuple[Closure, Mobile | Named] | None:
    """The closure of an object of this process's own classes, and how it travels.

    None for an exception whose class does not travel: its text goes all the same.

    Raises:
        TypeError: It cannot travel; the text says why, and what to do.
    """
    try:
        closure = closure_of(definition_of(obj))  # type: ignore[arg-type]
    except ConfigurationError as error:
        if isinstance(obj, BaseException):
            return None
        raise TypeError(str(error)) from None
    return closure, take_apart(obj, Consignment(closure.manifest), closure.module, closure.qualname)
