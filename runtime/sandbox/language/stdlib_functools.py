"""What of `functools`, `operator`, `abc` and `typing` reads or writes attributes for its caller, as an agent may do it.

The standard `update_wrapper` reads any attribute it is told to (``assigned=["__globals__"]``), `singledispatch`
evaluates annotations that are text, `attrgetter` reads dotted names, decorators set marks on whatever they are given.
Source: https://docs.python.org/3/library/functools.html, operator.html, abc.html, typing.html
"""

import abc
import functools
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, Final

from .guards import TYPE, store, type_of, write_name
from .ownership import is_own_function, may_store, require_own_class
from .watched import read

__all__ = [
    "abstractmethod",
    "attrgetter",
    "dataclass_transform",
    "final",
    "get_origin",
    "lru_cache",
    "methodcaller",
    "no_type_check",
    "runtime_checkable",
    "singledispatch",
    "singledispatchmethod",
    "total_ordering",
    "update_abstractmethods",
    "update_wrapper",
    "wraps",
]

_COPIED: Final = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__")


# --- functools -------------------------------------------------------------------------------------------------------


def update_wrapper(
    wrapper: Any, wrapped: Any, assigned: Iterable[str] = _COPIED, updated: Iterable[str] = ("__dict__",)
) -> Any:
    """`functools.update_wrapper` on something of the agent's own; reads and writes only what an agent may."""
    store(wrapper)
    for name in assigned:
        try:
            value = read(wrapped, name)
        except AttributeError:
            continue
        if name in ("__module__", "__qualname__", "__annotations__"):
            if is_own_function(wrapper):
                setattr(wrapper, name, value)
        else:
            write_name(wrapper, name)
            setattr(wrapper, name, value)
    if "__dict__" in tuple(updated) and is_own_function(wrapper) and is_own_function(wrapped):
        wrapper.__dict__.update(wrapped.__dict__)
    wrapper.__wrapped__ = wrapped
    return wrapper


def wraps(wrapped: Any, assigned: Iterable[str] = _COPIED, updated: Iterable[str] = ("__dict__",)) -> Any:
    """A decorator that makes a wrapper look like `wrapped` (see `update_wrapper`)."""
    return lambda wrapper: update_wrapper(wrapper, wrapped, assigned, updated)


def lru_cache(maxsize: Any = 128, typed: Any = False) -> Any:
    """`functools.lru_cache`; with `typed`, it tells arguments apart by the types that agents have.

    The library's keys then hold true types beside the arguments, and keys are compared item by item. With a hash made
    to fit, an agent's argument is compared with the type of a class: with `type` itself.
    """
    if callable(maxsize):
        return _typed_cache(maxsize, 128) if typed else functools.lru_cache(maxsize)
    return (lambda function: _typed_cache(function, maxsize)) if typed else functools.lru_cache(maxsize)


def _typed_cache(function: Callable[..., Any], maxsize: Any) -> Any:
    def call(types: tuple[Any, ...], /, *arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)

    by_types = functools.lru_cache(maxsize)(call)

    def cached(*arguments: Any, **keywords: Any) -> Any:
        types = tuple([type_of(value) for value in (*arguments, *keywords.values())])
        return by_types(types, *arguments, **keywords)

    made: Any = functools.update_wrapper(cached, function) if is_own_function(function) else cached
    made.__wrapped__ = function
    made.cache_info, made.cache_clear = by_types.cache_info, by_types.cache_clear
    made.cache_parameters = lambda: {**by_types.cache_parameters(), "typed": True}
    return made


def total_ordering(cls: Any) -> Any:
    """`functools.total_ordering` for an agent's own class."""
    require_own_class(cls, "total_ordering")
    return functools.total_ordering(cls)


def _first_annotation(function: Any) -> Any:
    """The class in the annotation of a function's first parameter; text is not evaluated."""
    annotations = dict(function.__annotations__) if is_own_function(function) else {}
    annotations.pop("return", None)
    for value in annotations.values():
        if isinstance(value, str):
            raise TypeError("register(): an annotation that is text is not evaluated here: write register(SomeClass)")
        return value
    raise TypeError("register(): give the class, or annotate the first parameter with it")


def singledispatch(function: Callable[..., Any]) -> Any:
    """`functools.singledispatch`; `register` takes a class, or a function whose annotation is a class and not text."""
    return _Dispatcher(function)


class _Dispatcher:
    # A generic function: dispatches on the type of its first argument. Its docstring is that of the agent's function.
    __slots__ = ("__doc__", "__name__", "__wrapped__", "_generic", "dispatch")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._generic = functools.singledispatch(lambda *arguments, **keywords: function(*arguments, **keywords))
        self.__wrapped__ = function
        self.__name__ = getattr(function, "__name__", "singledispatch function")
        self.__doc__ = getattr(function, "__doc__", None)
        self.dispatch = self._generic.dispatch

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if not arguments:
            raise TypeError(f"{self.__name__} requires at least 1 positional argument")
        return self.dispatch(type(arguments[0]))(*arguments, **keywords)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def register(self, cls: Any, method: Callable[..., Any] | None = None) -> Any:
        """Add an implementation; usable as a decorator with or without a class."""
        if is_own_function(cls) and method is None:
            self._generic.register(_first_annotation(cls), cls)
            return cls
        if method is None:
            return lambda method: self.register(cls, method)
        self._generic.register(cls, method)
        return method


class singledispatchmethod:
    """`functools.singledispatchmethod`: dispatches on the first argument after the receiver."""

    __slots__ = ("_dispatcher",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._dispatcher = singledispatch(function)

    def register(self, cls: Any, method: Callable[..., Any] | None = None) -> Any:
        """Add an implementation for `cls`, or for the class that annotates its first parameter after `self`."""
        return _dispatcher_of(self).register(cls, method)

    def __get__(self, instance: Any, owner: Any = None) -> Callable[..., Any]:
        dispatch = _dispatcher_of(self).dispatch

        def method(*arguments: Any, **keywords: Any) -> Any:
            found = dispatch(type(arguments[0]))
            bound = found.__get__(instance, owner) if hasattr(type(found), "__get__") else found
            return bound(*arguments, **keywords)

        return method


_DISPATCHER: Final[Any] = singledispatchmethod.__dict__["_dispatcher"]


def _dispatcher_of(method: singledispatchmethod) -> _Dispatcher:
    """What `method` was made with.

    A dispatcher is given the true types of arguments, `type` itself when one is a class. An agent's subclass could
    offer another object by its `__getattr__`, or in a state that travelled.
    """
    dispatcher = _DISPATCHER.__get__(method)
    if type(dispatcher) is not _Dispatcher:
        raise TypeError("a singledispatchmethod without its function: call its __init__")
    return dispatcher


# --- operator --------------------------------------------------------------------------------------------------------


def _dotted(value: Any, path: list[str]) -> Any:
    for name in path:
        value = read(value, name)
    return value


def attrgetter(name: str, /, *names: str) -> Callable[[Any], Any]:
    """`operator.attrgetter`; AttributeError where an agent may not read the attribute."""
    paths = []
    for text in (name, *names):
        if type(text) is not str:
            raise TypeError("attribute name must be a string")
        paths.append(text.split("."))
    if len(paths) == 1:
        return lambda value: _dotted(value, paths[0])
    return lambda value: tuple([_dotted(value, path) for path in paths])


def methodcaller(name: str, /, *arguments: Any, **keywords: Any) -> Callable[[Any], Any]:
    """`operator.methodcaller`; the method is found as an agent finds it."""
    if type(name) is not str:
        raise TypeError("method name must be a string")
    return lambda value: read(value, name)(*arguments, **keywords)


# --- abc and typing --------------------------------------------------------------------------------------------------


def abstractmethod(function: Any) -> Any:
    """`abc.abstractmethod` for an agent's own function, or a descriptor around one."""
    if isinstance(function, (property, classmethod, staticmethod)):
        return function  # they take the mark from the function they hold
    store(function)
    return abc.abstractmethod(function)


def update_abstractmethods(cls: Any) -> Any:
    """`abc.update_abstractmethods` for an agent's own class."""
    require_own_class(cls, "update_abstractmethods")
    return abc.update_abstractmethods(cls)


def final(thing: Any) -> Any:
    """`typing.final`; it leaves a mark only on what is the agent's own."""
    return typing.final(thing) if may_store(thing) else thing


def no_type_check(thing: Any) -> Any:
    """`typing.no_type_check`; nobody here evaluates type hints, so it leaves no mark."""
    return thing


def dataclass_transform(**options: Any) -> Callable[[Any], Any]:
    """`typing.dataclass_transform`, which speaks to type checkers only: it leaves no mark."""
    return no_type_check


def runtime_checkable(cls: Any) -> Any:
    """`typing.runtime_checkable` for an agent's own protocol."""
    require_own_class(cls, "runtime_checkable")
    return typing.runtime_checkable(cls)


def get_origin(alias: Any) -> Any:
    """`typing.get_origin`; for ``type[X]`` the `type` that agents have."""
    origin = typing.get_origin(alias)
    return TYPE if origin is not None and issubclass(type(origin), type) and issubclass(origin, type) else origin


