"""`typing.get_type_hints` for agents: annotations that are text are read, never run.

The standard function evaluates such text. Here it is taken apart, and only names, dotted names, subscripts, ``|``,
lists, tuples and constants mean something; each is looked up as agent code would look it up.
Source: https://docs.python.org/3/library/typing.html#typing.get_type_hints
"""

import ast
import functools
import operator
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .names import is_dunder
from .ownership import class_dict, class_mro, describe, is_own_class, is_own_function, namespace_of
from .watched import read

__all__ = ["get_type_hints"]

_MOST_CHARACTERS: Final = 2_000  # of one annotation: the parser's memory grows with it, and with how deep it nests
_PRIVATE: Final[Any] = typing  # names that no stub has
_TYPING_ALIAS: Final = _PRIVATE._GenericAlias
_TRUE_ANNOTATIONS: Final[Any] = type.__dict__["__annotations__"].__get__  # noqa: RUF063  (no agent's code runs)

_Namespaces = Sequence[Mapping[str, Any]]


def get_type_hints(obj: Any, globalns: Any = None, localns: Any = None, include_extras: bool = False) -> dict[str, Any]:
    """The annotations of a function or class of the agent's own, text resolved.

    Args:
        obj: The function; or the class, whose own bases count too.
        globalns, localns: Dicts where names are looked up before the module's own.
        include_extras: Keep `Annotated`, `Required` and `NotRequired`.

    Raises:
        NameError: A name in a text is not there.
        TypeError: `obj` is something else, or a text holds more than types are written with.
    """
    given = [space for space in (localns, globalns) if type(space) is dict]
    hints: dict[str, Any] = {}
    if is_own_function(obj):
        space = obj.__globals__
        _add(hints, obj.__annotations__, [*given, space, space["__builtins__"]])
    elif issubclass(type(obj), type) and is_own_class(obj):
        for base in reversed(class_mro(obj)):
            if is_own_class(base):
                space = namespace_of(class_dict(base)["__module__"])
                _add(hints, _TRUE_ANNOTATIONS(base), [*given, space, class_dict(base), space["__builtins__"]])
    else:
        raise TypeError(f"get_type_hints() takes a function or class of your own, not {describe(obj)}")
    if include_extras:
        return hints
    return {name: _PRIVATE._strip_annotations(hint) for name, hint in hints.items()}


def _add(hints: dict[str, Any], annotations: Mapping[str, Any], spaces: _Namespaces) -> None:
    for name, value in annotations.items():
        hints[name] = types.NoneType if (found := _resolved(value, spaces)) is None else found


def _resolved(value: Any, spaces: _Namespaces) -> Any:
    """An annotation with all text in it resolved, however deep in subscripts it stands."""
    kind = type(value)
    if kind is typing.ForwardRef:
        return _resolved(value.__forward_arg__, spaces)
    if kind is str:
        return _resolved(_read_text(value, spaces), spaces)
    if kind is list:  # of a Callable's arguments
        return [_resolved(each, spaces) for each in value]
    is_typing = issubclass(kind, _TYPING_ALIAS) and value.__origin__ is not typing.Literal  # where text is just that
    if not (is_typing or kind in (types.GenericAlias, types.UnionType)):
        return value
    arguments = tuple(_resolved(each, spaces) for each in value.__args__)
    if all(map(operator.is_, arguments, value.__args__)):
        return value
    if is_typing:
        return value.copy_with(arguments)
    if kind is types.UnionType:
        return functools.reduce(operator.or_, arguments)
    return types.GenericAlias(value.__origin__, arguments)


def _read_text(text: str, spaces: _Namespaces) -> Any:
    if len(text) > _MOST_CHARACTERS:
        raise TypeError(f"an annotation of {len(text)} characters is longer than {_MOST_CHARACTERS}: name its parts")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SyntaxError(f"an annotation that is no type: {text[:80]!r}") from None
    return _meaning(tree.body, spaces)


def _meaning(node: ast.expr, spaces: _Namespaces) -> Any:
    match node:
        case ast.Name(id=name):
            return _looked_up(name, spaces)
        case ast.Constant(value=value):
            return value
        case ast.Attribute(value=owner, attr=name):
            return read(_meaning(owner, spaces), name)
        case ast.Subscript(value=owner, slice=index):
            return _meaning(owner, spaces)[_meaning(index, spaces)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _meaning(left, spaces) | _meaning(right, spaces)
        case ast.Tuple(elts=parts):
            return tuple([_meaning(part, spaces) for part in parts])
        case ast.List(elts=parts):
            return [_meaning(part, spaces) for part in parts]
    raise TypeError("an annotation holds more than names, subscripts and |: write the type out")


def _looked_up(name: str, spaces: _Namespaces) -> Any:
    # A module's namespace also holds, under names with underscores on both sides, what no agent may have.
    for space in () if is_dunder(name) else spaces:
        if name in space:
            return space[name]
    raise NameError(f"name {name!r} is not defined", name=name)


get_type_hints.__module__ = "typing"
