"""Library objects that are a plain container inside, and little besides: those of `collections`, and `random.Random`.

Source: https://docs.python.org/3/library/collections.html, https://docs.python.org/3/library/random.html
"""

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

from ...errors import ProtocolError

__all__ = ["COLLECTIONS", "begin", "finish", "taken_apart"]

COLLECTIONS: Final[dict[type, str]] = {one: one.__name__ for one in (Counter, OrderedDict, defaultdict, deque, Random)}

# What a defaultdict may make: classes that both ends have. One of an agent's own would be called where it is not.
_FACTORIES: Final[dict[str, Callable[[], Any]]] = {
    one.__name__: one for one in (bool, bytes, dict, float, frozenset, int, list, set, str, tuple)
}
_NAMES: Final = {factory: name for name, factory in _FACTORIES.items()}


def taken_apart(obj: Any) -> tuple[str | int | None, list[Any] | dict[Any, Any]]:
    """The parameter of a collection (the longest deque, the name of a defaultdict's factory) and what is in it.

    Raises:
        ValueError: it has what would not arrive: attributes, or a factory that the other end does not have.
    """
    kind = type(obj)
    if kind is Random and vars(obj).keys() == {"gauss_next"}:
        version, numbers, gauss = obj.getstate()
        return None, [version, *numbers, gauss]
    if getattr(obj, "__dict__", None):
        raise ValueError(f"a {kind.__name__} with attributes of its own: keep them in an object beside it")
    if kind is deque:
        return obj.maxlen, list(obj)
    if kind is not defaultdict or obj.default_factory is None:
        return None, dict(obj)
    try:
        return _NAMES[obj.default_factory], dict(obj)
    except (KeyError, TypeError):
        raise ValueError(
            f"a defaultdict whose default_factory is none of {', '.join(_FACTORIES)}: use one, or a dict's setdefault()"
        ) from None


def begin(name: object, parameter: object, inner: type) -> Any:
    """A collection that is empty yet, for contents of the type `inner`.

    Raises:
        ValueError: there is none like that.
    """
    if name == "deque" and inner is list and (parameter is None or type(parameter) is int):
        if parameter is not None and not 0 <= parameter <= sys.maxsize:
            raise ValueError(f"a deque of at most {parameter} items")
        return deque(maxlen=parameter)
    if name == "Random" and inner is list and parameter is None:
        return Random(0)
    if name == "defaultdict" and inner is dict and (parameter is None or parameter in _FACTORIES):
        return defaultdict(None if parameter is None else _FACTORIES[str(parameter)])
    if name in ("Counter", "OrderedDict") and inner is dict and parameter is None:
        return Counter() if name == "Counter" else OrderedDict()
    raise ValueError("a collection that there is not")


def finish(made: Any, inner: Any) -> None:
    """Put the contents in.

    Raises:
        ProtocolError: Nothing that a `Random` can go on from.
    """
    if type(made) is Random:
        _go_on(made, inner)
    elif type(made) is deque:
        made.extend(inner)
    elif type(made) is Counter:
        dict.update(made, inner)  # its own update counts
    else:
        made.update(inner)


def _go_on(made: Random, state: list[Any]) -> None:
    version, *numbers, gauss = state if len(state) > 1 else (None, None)
    try:
        if version != made.VERSION or not (gauss is None or type(gauss) is float):
            raise ValueError("of another version")
        made.setstate((version, tuple(numbers), gauss))
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"a Random that cannot go on from there: {error}"[:300]) from None
