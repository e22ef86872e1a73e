"""Walks everything agents can reach from the facades and the builtins by names they may spell."""

import enum
import types
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import pytest
from emporion.runtime.sandbox.language import watched
from emporion.runtime.sandbox.language.builtin_table import agent_builtins
from emporion.runtime.sandbox.language.facade import Facade
from emporion.runtime.sandbox.language.facades import FACADES, made_by_the_library
from emporion.runtime.sandbox.language.guards import TYPE, may_private, type_of
from emporion.runtime.sandbox.language.names import INTROSPECTION, Kind, kind_of
from emporion.runtime.sandbox.language.ownership import may_store
from emporion.runtime.sandbox.language.receivers import is_careless
from emporion.runtime.sandbox.language.watched import read

FORBIDDEN: Final = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType, types.CellType)
MUTABLE: Final = (list, dict, set, bytearray, deque)
WRAPPERS: Final = (
    types.BuiltinMethodType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
)
MOST_SEEN: Final = 30_000  # objects; they are about 4,000
LEAVES: Final = (str, bytes, int, float, complex, bool, type(None))


class Joined:
    """Catches what a read-only view hands to an object that is joined to it."""

    def __ror__(self, other: Any) -> Any:
        return other


def behind(view: Any) -> Any:
    return view | Joined()


def neighbours(value: Any) -> Iterator[tuple[str, Any]]:
    """What an agent can get from `value` without calling it: spellable attributes, its type, its items."""
    for name in sorted(set(object.__dir__(value)) | (set(type.__dir__(value)) if isinstance(value, type) else set())):
        kind = kind_of(name)
        if kind is Kind.DENIED or (kind is Kind.PRIVATE and not may_private(value, name)):
            continue
        try:
            found = read(value, name)
            # A container that is made anew at each look is the agent's own.
            again = read(value, name)
            if isinstance(found, types.MappingProxyType) and behind(found) is not behind(again):
                continue
            if not isinstance(found, MUTABLE) or again is found:
                yield name, found
        except (AttributeError, TypeError, ValueError):
            continue
    yield "type()", type_of(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, types.MappingProxyType):
        yield "behind the view", behind(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"[{key!r}]", item


def reached() -> dict[int, tuple[str, Any]]:
    todo: list[tuple[str, Any]] = [(f"import {name}", facade) for name, facade in FACADES.items()]
    table = agent_builtins(lambda text: None, lambda *arguments: None)
    todo += [(name, value) for name, value in table.items() if name.isidentifier() and not name.startswith("__")]
    todo += [(type(value).__name__, type_of(value)) for value in made_by_the_library()]
    seen: dict[int, tuple[str, Any]] = {}
    while todo:
        assert len(seen) < MOST_SEEN, f"the walk does not end: {todo[-1][0]}"
        path, value = todo.pop()
        # Slots, and the guards' own wrappers, are made anew at each look and lead to nothing but more of their kind.
        if id(value) in seen or isinstance(value, (*LEAVES, *WRAPPERS)) or path.count(".") > 9:
            continue
        if isinstance(value, types.FunctionType) and value.__module__ == watched.__name__:
            continue
        seen[id(value)] = path, value
        todo += [(f"{path}.{name}", other) for name, other in neighbours(value)]
    return seen


@pytest.fixture(scope="module")
def world() -> list[tuple[str, Any]]:
    return list(reached().values())


def test_the_walk_gets_far(world: list[tuple[str, Any]]) -> None:
    assert len(world) > 2000
    assert any(value is Facade or isinstance(value, Facade) for _, value in world)


def test_no_module_frame_or_code_can_be_reached(world: list[tuple[str, Any]]) -> None:
    assert [path for path, value in world if isinstance(value, FORBIDDEN)] == []


def test_no_metaclass_can_be_reached(world: list[tuple[str, Any]]) -> None:
    found = [path for path, value in world if isinstance(value, type) and value is not TYPE and issubclass(value, type)]

    assert found == []


def test_no_empty_enumeration_of_the_library_can_be_reached(world: list[tuple[str, Any]]) -> None:
    """Calling one makes a class out of a dict."""
    found = [path for path, value in world if type(value) is enum.EnumType and not value.__members__]

    assert found == []


def test_no_shared_container_can_be_reached(world: list[tuple[str, Any]]) -> None:
    assert [path for path, value in world if isinstance(value, MUTABLE)] == []


def test_nothing_shared_can_be_written(world: list[tuple[str, Any]]) -> None:
    assert [path for path, value in world if may_store(value)] == []


def test_no_method_of_the_library_takes_any_object_for_its_own(world: list[tuple[str, Any]]) -> None:
    """One that writes into its ``self``, or calls its class, would do that to whatever an agent calls it on."""
    careless = [(path, value) for path, value in world if is_careless(value) and value.__module__ != Facade.__module__]
    methods = [path for path, value in careless if "." in value.__qualname__.rpartition("<locals>.")[2]]

    assert [path for path in methods if not path.endswith(".__new__")] == []
    assert careless, "functions are held to nothing: the test looks at the right things"


def test_every_introspection_name_of_this_python_is_known() -> None:
    async def coroutine() -> None: ...
    async def agen() -> Any:
        yield

    function = coroutine()
    things: list[Any] = [(x for x in ""), function, agen(), (lambda: 0).__code__]
    types_ = [type(thing) for thing in things] + [types.FrameType, types.TracebackType]
    names = {name for kind in types_ for name in dir(kind) if not name.startswith("_")}
    function.close()

    harmless = {"send", "throw", "close", "asend", "athrow", "aclose", "clear", "replace"}
    assert names - INTROSPECTION == harmless
