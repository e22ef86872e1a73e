"""What belongs to agents: how the guards tell an agent's own classes, functions and modules from everybody else's.

Every class statement of agent code stores its module's `Mark` as the class's ``__module__`` (the compiler writes it,
agents cannot), and every module of agent code keeps the mark in its namespace under a name that no source can spell.
"""

import contextlib
import types
from collections.abc import Iterable, Iterator
from enum import EnumType
from typing import Any, Final
from weakref import WeakKeyDictionary

from .names import GUARD, INERT_PRIVATE, is_risky

__all__ = [
    "MARK",
    "PURE",
    "WRITABLE",
    "Mark",
    "class_dict",
    "class_mro",
    "describe",
    "is_own_class",
    "is_own_function",
    "is_own_module",
    "is_pure",
    "making",
    "may_store",
    "namespace_of",
    "replaced_below",
    "require_exact",
    "require_own_class",
]

MARK: Final = GUARD + "mark"


class Mark(str):
    """The dotted name of an agent's module, with the closure that identifies it and its namespace.

    The latter stands under a private name: should library code ever hand a mark to an agent, it says nothing more.
    """

    __slots__ = ("_namespace", "closure")
    closure: str
    _namespace: dict[str, Any]

    def __new__(cls, name: str, closure: str = "", namespace: dict[str, Any] | None = None) -> "Mark":
        mark = super().__new__(cls, name)
        mark.closure = closure
        mark._namespace = {} if namespace is None else namespace
        return mark


def namespace_of(mark: Mark) -> dict[str, Any]:
    """The globals of the module that `mark` stands for."""
    return mark._namespace


# A class's true namespace, past whatever the class or its metaclass defines.
class_dict: Final[Any] = type.__dict__["__dict__"].__get__

# A class's true bases, itself first.
class_mro: Final[Any] = type.__dict__["__mro__"].__get__

# Types whose instances an agent may read and write under any name of its own: classes of agents none of whose foreign
# bases has private names. Filled as types are met; compiled code looks here first. Keyed by `type(x)`, never by what an
# agent's object says about itself.
PURE: Final[set[type]] = set()

# Library classes whose instances an agent makes for itself and may alter; the facades add to it.
WRITABLE: Final[set[type]] = {BaseException, types.SimpleNamespace}


def is_own_class(cls: type) -> bool:
    """Whether a module of an agent made `cls`."""
    return type(class_dict(cls).get("__module__")) is Mark


def is_own_function(value: object) -> bool:
    """Whether `value` is a Python function defined by a module of an agent."""
    return type(value) is types.FunctionType and type(value.__globals__.get(MARK)) is Mark


def is_own_module(value: object) -> bool:
    """Whether `value` is a module of an agent."""
    return type(value) is types.ModuleType and type(value.__dict__.get(MARK)) is Mark


def is_pure(kind: type) -> bool:
    """Whether `kind` belongs in `PURE`; it is added when it does."""
    if kind in PURE:
        return True
    if issubclass(kind, type) or not is_own_class(kind):
        return False
    for base in class_mro(kind):
        if not is_own_class(base) and any(is_risky(name) and name not in INERT_PRIVATE for name in class_dict(base)):
            return False
    PURE.add(kind)
    return True


def may_store(target: object) -> bool:
    """Whether an agent may set and delete attributes of `target`."""
    kind = type(target)
    if kind in PURE or is_pure(kind):
        return True
    if issubclass(kind, type):
        return is_own_class(target)  # type: ignore[arg-type]  # a class, by `kind`
    if kind is types.FunctionType:
        return is_own_function(target)
    if kind is types.ModuleType:
        return is_own_module(target)
    # By the true bases: some writable classes are ABCs, and `issubclass` would ask what agents registered with them.
    return is_own_class(kind) or not WRITABLE.isdisjoint(class_mro(kind))


def require_own_class(cls: object, what: str) -> None:
    """Raise TypeError unless an agent made `cls`: `what` would alter it."""
    if not (issubclass(type(cls), type) and is_own_class(cls)):  # type: ignore[arg-type]  # a class, by its type
        raise TypeError(f"{what} alters the class it is given: it takes a class of your own, not {describe(cls)}")


def require_exact(keywords: Iterable[object]) -> None:
    """Raise TypeError unless all names (of keyword arguments, or of fields) are exact strings.

    One of an agent's own class could be unlike "metaclass" when we look, and like it when the library looks.
    """
    if any(type(name) is not str for name in keywords):
        raise TypeError("names must be exact strings here, not of a class of your own")


def describe(value: object) -> str:
    """`value` for an error message, without running any code of its own."""
    kind = type(value)
    if issubclass(kind, type):
        return f"class {type.__dict__['__name__'].__get__(value)!r}"
    if kind in (types.FunctionType, types.BuiltinFunctionType):
        return f"function {value.__name__!r}"  # type: ignore[attr-defined]  # a function, by `kind`
    return f"{type.__dict__['__name__'].__get__(kind)!r} object"


def _overridden(names: Iterable[str], bases: Iterable[type]) -> str | None:
    """The first private name that replaces one of a foreign class among `bases`, or of a class of theirs.

    Args:
        names: The private names of the class body; those of the agent's own classes among `bases` are added, for a
            mixin comes before the library's class too, and those that its methods were told they may write there.
    """
    classes = [each for base in bases for each in class_mro(base)]
    foreign = [each for each in classes if not is_own_class(each)]
    makers = [each for base in bases for each in class_mro(type(base)) if each not in (type, object)]
    every = set(names)
    for each in filter(is_own_class, classes):
        every.update(filter(is_risky, class_dict(each)), _PROMISED.get(each, ()))
    for name in sorted(every - INERT_PRIVATE):
        if any(name in class_dict(each) for each in makers):
            return name
        # enum writes _sunder_ names into each class
        if not name.endswith("_") and any(name in class_dict(each) for each in foreign):
            return name
    return None


# The bases of the classes whose bodies run at this moment: what a body writes into a base counts as written before.
_UNDER_WAY: Final[list[tuple[type, ...]]] = []

# Private names that may have been written into an agent's class since they were checked: a method's when it is entered,
# those of ``+=`` before the right side is computed. What makes a class in between finds them here.
_PROMISED: Final[WeakKeyDictionary[type, set[str]]] = WeakKeyDictionary()


# What the makers of classes write into each class, and believe afterwards: a class without its own cache would use, and
# spoil, that of the library's class that it inherits from; an enumeration fills what its `_member_type_` makes.
_KEPT_BY_MAKERS: Final = frozenset({"_abc_impl"})


@contextlib.contextmanager
def making(name: object, names: Iterable[str], bases: tuple[type, ...]) -> Iterator[None]:
    """Around whatever makes a class of `bases` with the private `names`: nothing in it may replace a library's.

    Raises:
        TypeError: A method or attribute would step into a library class's private workings.
    """
    # Before there is a class: its bases' `__init_subclass__` would see it.
    private = _overridden(names, bases)
    if private is not None:
        text = f"class {name!r} may not define {private!r}: it is private to a library class it inherits from"
        raise TypeError(text)
    _UNDER_WAY.append(bases)
    try:
        yield
    finally:
        _UNDER_WAY.remove(bases)


def replaced_below(cls: type, name: str) -> bool:
    """Whether private `name`, written into class `cls`, would replace a library's in a class that has both.

    Where it would not, no class that has both can be made any more.
    """
    if name in _KEPT_BY_MAKERS or (issubclass(type(cls), EnumType) and name.endswith("_")):
        return True
    below = [cls]
    for each in below:  # grows while we walk
        below += type.__subclasses__(each)
    under_way = [bases for bases in _UNDER_WAY if any(cls in class_mro(base) for base in bases)]
    if any(_overridden((name,), bases) == name for bases in (*((each,) for each in below), *under_way)):
        return True
    _PROMISED.setdefault(cls, set()).add(name)
    return False
