"""The library's caches, mended: an agent's key that claims to equal another's would be found for that other's.

``re.compile("abc", Flags())``, where `Flags` is an int with `__hash__` and `__eq__` of its own, would decide what the
next module's ``re.compile("abc")`` gives. Keys of the exact type cannot lie. Importing this module is what mends.
"""

import _strptime  # type: ignore[import-not-found]  # private: no stub has it
import dataclasses
import fractions
import functools
import operator
import re
import types
import typing
from collections.abc import Callable
from typing import Any

from .facade import Frozen
from .ownership import may_store

__all__: list[str] = []

# What is mended here are private names, which no stub has. A Python without one of them fails as this is imported.
_dataclasses: Any = dataclasses
_re: Any = re
_typing: Any = typing


def _exact(value: Any) -> Any:
    """`value`, or its plain text, bytes or number where its class derives from one of those."""
    kind = type(value)
    for plain in (str, bytes):
        if kind is not plain and issubclass(kind, plain):
            return plain.__getitem__(value, slice(None))
    return operator.index(value) if kind is not int and issubclass(kind, int) else value


def _with_exact(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*map(_exact, arguments))

    return call


def _mend_re() -> None:
    compile_pattern = _re._compile

    def compile_exact(pattern: Any, flags: Any) -> Any:
        return compile_pattern(pattern, flags if type(flags) is int else operator.index(flags))

    _re._compile = compile_exact
    for name in ("_compile_repl", "_compile_template"):  # until and since Python 3.12
        if hasattr(re, name):
            setattr(re, name, _with_exact(getattr(re, name)))

    # From Python 3.12 on, C keeps the cached function once it has used it; what it caches comes from this one.
    parse_template = _re._parser.parse_template

    def parse_exact(source: Any, pattern: Any) -> Any:
        if _exact(source) is not source:
            raise TypeError("a template must be str or bytes, not of a class of your own")
        return parse_template(source, pattern)

    if hasattr(re, "_compile_template"):
        _re._parser.parse_template = parse_exact

    def missing(cls: Any, value: Any) -> Any:
        return super(re.RegexFlag, cls)._missing_(_exact(value))  # it is kept under this value

    _re.RegexFlag._missing_ = classmethod(missing)


def _call_alias(self: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call ``Shop[int]``: the result remembers the alias, if it is an agent's own.

    The library would write that into whatever comes back, and the alias may stand for a function that gives back
    anybody's class.
    """
    if not self._inst:
        name = f"Type {self._name or self.__origin__.__name__}"
        raise TypeError(f"{name} cannot be instantiated; use {self.__origin__.__name__}() instead")
    made = self.__origin__(*arguments, **keywords)
    if may_store(made):
        made.__orig_class__ = self
    return made


def _mend_typing() -> None:
    """Without its caches: their keys are any objects at all."""
    _typing._BaseGenericAlias.__call__ = _call_alias
    for owner in [typing, *vars(typing).values()]:
        if not hasattr(owner, "__dict__") or (isinstance(owner, types.ModuleType) and owner is not typing):
            continue
        for name, value in list(vars(owner).items()):
            plain = _uncached(value)
            if plain is not None:
                setattr(owner, name, plain)


def _uncached(value: Any) -> Any:
    """What stands behind a function that `typing` caches; None when `value` is no such function."""
    if isinstance(value, classmethod):
        plain = _uncached(value.__func__)
        return None if plain is None else classmethod(plain)
    if not isinstance(value, types.FunctionType) or "_tp_cache" not in value.__code__.co_qualname:
        return None
    return getattr(value, "__wrapped__", None)


_mend_re()
_mend_typing()
if hasattr(fractions, "_hash_algorithm"):  # since Python 3.12: its keys are numerators of any class
    fractions._hash_algorithm = fractions._hash_algorithm.__wrapped__
_strptime._strptime = _with_exact(_strptime._strptime)
# One for all fields without metadata, and behind a view that gives its dict away.
_dataclasses._EMPTY_METADATA = types.MappingProxyType(Frozen({}))
