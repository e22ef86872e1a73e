"""Names that are harmless on some objects only: found first, then judged by what was found.

Judging the result and not the road keeps `super()`, unbound methods, aliases and inherited methods in one rule.
"""

import abc
import types
from collections.abc import Callable
from typing import Any, Final

from .formatting import format_functions
from .guards import private, store, type_of, write_name
from .names import Kind, kind_of, why_denied
from .ownership import Mark, class_dict, class_mro, describe, is_own_class, is_own_function, is_own_module, may_store

__all__ = ["read", "safe_format", "safe_format_map", "watched"]

_BOUND: Final = (types.MethodType, types.MethodWrapperType, types.BuiltinMethodType)
_STR_FORMAT: Final = str.__dict__["format"]
_STR_FORMAT_MAP: Final = str.__dict__["format_map"]


def read(target: Any, name: str) -> Any:
    """What ``target.name`` gives an agent; `name` is any exact string.

    Raises:
        AttributeError: There is no such attribute, or none for agents.
        TypeError: `name` is not exactly a string.
    """
    if type(name) is not str:  # one of an agent's own class could say that it does not start with an underscore
        raise TypeError(f"attribute name must be a string, not {describe(name)}")
    kind = kind_of(name)
    if kind is Kind.FREE:
        return getattr(target, name)
    if kind is Kind.PRIVATE:
        return private(target, name)
    if kind is Kind.WATCHED:
        return watched(target, name)
    raise AttributeError(f"agents may not read {name!r} of {describe(target)}: {why_denied(name)[0]}")


safe_format, safe_format_map = format_functions(read)


def _refuse(target: object, name: str) -> AttributeError:
    return AttributeError(f"agents may not read {name!r} of {describe(target)}")


def _is_own_callable(value: object) -> bool:
    if type(value) is types.MethodType:
        value = value.__func__
    return is_own_function(value)


def _format(target: Any, name: str) -> Any:
    """``.format``: decided by what was found, so that no road to it (super, unbound, inherited) matters."""
    found = getattr(target, name)
    if found is _STR_FORMAT:
        return safe_format
    if found is _STR_FORMAT_MAP:
        return safe_format_map
    if type(found) in _BOUND and issubclass(type(found.__self__), str) and not _is_own_callable(found):
        text, safe = found.__self__, safe_format if name == "format" else safe_format_map
        return lambda *arguments, **keywords: safe(text, *arguments, **keywords)
    return found


def _register(target: Any, name: str) -> Any:
    """``.register`` of an ABC alters what others see: only one's own classes can be registered."""
    found = getattr(target, name)
    if type(found) is not types.MethodType or found.__func__ is not abc.ABCMeta.register:
        return found

    def register(cls: type) -> type:
        if not (issubclass(type(cls), type) and is_own_class(cls)):
            raise TypeError(f"agents register only their own classes, not {describe(cls)}")
        if "__subclasshook__" in class_dict(cls):  # every class with the right methods would be registered with it
            raise TypeError(f"agents register no protocols: {describe(cls)} stands for classes that are not yours")
        found(cls)
        return cls

    return register


def _obj(target: Any, name: str) -> Any:
    """``.obj`` of an AttributeError is whatever object lacked the attribute, be it the host's."""
    kind = type(target)
    if kind is memoryview or (is_own_class(kind) and not issubclass(kind, AttributeError)):
        return getattr(target, name)
    if is_own_module(target) or is_own_function(target) or (issubclass(kind, type) and is_own_class(target)):
        return getattr(target, name)
    raise _refuse(target, name)


def _true_instance(target: Any, name: str, found: Any) -> Any:
    """`target` itself, if `found` is its own method `name`.

    C checks that by itself. A function of the library, called on something else, could write elsewhere:
    `typing.List.__setattr__` writes into whatever its first argument calls its origin.
    """
    if type(found) is types.WrapperDescriptorType:
        return target
    if any(class_dict(cls).get(name) is found for cls in class_mro(type(target))):
        return target
    raise TypeError(f"{name} of another class does not apply to {describe(target)}")


def _mutator(target: Any, name: str) -> Any:
    """Methods that alter the object they are called on: `__init__` again on a shared constant, say."""
    found = getattr(target, name)
    if _is_own_callable(found):
        return found
    if type(found) in _BOUND:
        store(found.__self__)
        return found

    def unbound(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return found(_true_instance(store(self), name, found), *arguments, **keywords)

    return unbound


def _attribute_writer(target: Any, name: str) -> Any:
    """`__setattr__` and `__delattr__`: the attribute's name comes at run time."""
    found = getattr(target, name)
    if _is_own_callable(found):
        return found
    if type(found) in _BOUND:
        receiver = found.__self__

        def bound(key: str, *value: Any) -> None:
            write_name(receiver, key)
            found(key, *value)

        return bound

    def unbound(self: Any, key: str, *value: Any) -> None:
        write_name(self, key)
        found(_true_instance(self, name, found), key, *value)

    return unbound


def _only_own(target: Any, name: str) -> Any:
    found = getattr(target, name)
    if _is_own_callable(found):
        return found
    raise _refuse(target, name)


_BINDERS: Final = (types.FunctionType, types.MethodType, property, classmethod, staticmethod)


def _get(target: Any, name: str) -> Any:
    """`__get__` of `cached_property`, say, writes into whatever it is given; a classmethod passes on what it holds."""
    if type(target) is classmethod and hasattr(type(target.__func__), "__get__"):
        return getattr(target, name) if type(target.__func__) is types.FunctionType else _only_own(target, name)
    return getattr(target, name) if type(target) in _BINDERS else _only_own(target, name)


def _new(target: Any, name: str) -> Any:
    found = getattr(target, name)
    if issubclass(type(target), type) and issubclass(target, type):
        raise _refuse(target, name)
    maker = getattr(found, "__self__", None)
    if maker is not None and issubclass(type(maker), type) and issubclass(maker, type):
        raise _refuse(target, name)
    return found


def _dict(target: Any, name: str) -> Any:
    """An own instance's true dict; of an own class, what an agent could read one by one, in a copy."""
    kind = type(target)
    if issubclass(kind, type):
        if not is_own_class(target):
            raise _refuse(target, name)
        names = {key: value for key, value in class_dict(target).items() if _is_listed(key)}
        return types.MappingProxyType(names)
    if not may_store(target) or kind in (types.FunctionType, types.ModuleType):
        raise _refuse(target, name)
    return object.__getattribute__(target, "__dict__")


def _is_listed(name: object) -> bool:
    return type(name) is str and kind_of(name) in (Kind.FREE, Kind.PRIVATE)


def _class(target: Any, name: str) -> Any:
    return type_of(target)


def _module(target: Any, name: str) -> Any:
    found = getattr(target, name)
    return str(found) if type(found) is Mark else found


def _annotations(target: Any, name: str) -> Any:
    """A copy: what is written into the true one, `dataclass` would turn into attributes unread by any compiler."""
    if is_own_function(target) or (issubclass(type(target), type) and is_own_class(target)):
        return dict(getattr(target, name))
    raise _refuse(target, name)


def _view(target: Any, name: str) -> Any:
    """A read-only view, on a copy: compared with an agent's object, the true one would hand its dict over."""
    found = getattr(target, name)
    return types.MappingProxyType(dict(found)) if type(found) is types.MappingProxyType else found


def _slots(target: Any, name: str) -> Any:
    """A library class's list of slots would be one that all share."""
    if (issubclass(type(target), type) and is_own_class(target)) or is_own_class(type(target)):
        return getattr(target, name)
    raise _refuse(target, name)


def _wrapped(target: Any, name: str) -> Any:
    """Of an own function; of what the library wrapped around one (a cache, say), the function."""
    found = getattr(target, name)
    if is_own_function(target) or is_own_function(found):
        return found
    raise _refuse(target, name)


_WATCHED: Final[dict[str, Callable[[Any, str], Any]]] = {
    "format": _format,
    "format_map": _format,
    "register": _register,
    "obj": _obj,
    "__init__": _mutator,
    "__init_subclass__": _mutator,
    "__set_name__": _only_own,
    "__set__": _only_own,
    "__delete__": _only_own,
    "__get__": _get,
    "__getattr__": _only_own,
    "__getstate__": _only_own,
    "__setstate__": _only_own,
    "__post_init__": _only_own,
    "__setattr__": _attribute_writer,
    "__delattr__": _attribute_writer,
    "__new__": _new,
    "__dict__": _dict,
    "__class__": _class,
    "__module__": _module,
    "__annotations__": _annotations,
    "__slots__": _slots,
    "__wrapped__": _wrapped,
    "__members__": _view,
    "groupindex": _view,
}


def watched(target: Any, name: str) -> Any:
    """The value of a name that is harmless on some objects only; AttributeError or TypeError on the others."""
    return _WATCHED[name](target, name)
