"""What a validator wants to know beyond name, module and address: told by the names of its parameters."""

import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Final
from weakref import WeakKeyDictionary

__all__ = ["EXTRAS", "extras_of"]

EXTRAS: Final = ("caller", "consignment")  # given by name to who has a parameter of that name

_KNOWN: Final[WeakKeyDictionary[FunctionType, tuple[str, ...]]] = WeakKeyDictionary()


def extras_of(validator: Callable[..., object]) -> tuple[str, ...]:
    """Those of `EXTRAS` that `validator` takes; reading a signature takes 15 us, so functions are remembered."""
    function: object = validator
    if not isinstance(function, FunctionType | MethodType):
        function = inspect.getattr_static(type(validator), "__call__", None)  # an object's class
    if isinstance(function, MethodType):
        function = function.__func__
    if not isinstance(function, FunctionType):
        return _read(validator)
    wanted = _KNOWN.get(function)
    if wanted is None:
        wanted = _KNOWN[function] = _read(function)
    return wanted


def _read(function: Callable[..., object]) -> tuple[str, ...]:
    """Read the signature: a wrapper with ``**kwargs`` takes what the function it wraps takes."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters
        inner = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()  # some callables made in C tell nothing: three arguments then
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = {name: parameters.get(name) or (inner.get(name) if open_ended else None) for name in EXTRAS}
    return tuple(name for name, parameter in found.items() if parameter is not None and parameter.kind in by_name)
