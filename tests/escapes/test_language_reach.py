"""What agents can reach from the facades and the builtins by names they may spell: everything is walked."""

import enum
import types
from typing import Any

import pytest
from emporion.runtime.sandbox.language.facade import Facade
from emporion.runtime.sandbox.language.guards import TYPE
from emporion.runtime.sandbox.language.names import INTROSPECTION
from emporion.runtime.sandbox.language.ownership import may_store
from emporion.runtime.sandbox.language.reach import FORBIDDEN, MAX_SEEN, MUTABLE, agents_roots, dangers, reached
from emporion.runtime.sandbox.language.receivers import is_careless


@pytest.fixture(scope="module")
def world() -> list[tuple[str, Any]]:
    return list(reached(agents_roots()).values())


def test_the_walk_gets_far_and_ends(world: list[tuple[str, Any]]) -> None:
    assert 2000 < len(world) < MAX_SEEN
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


def _imports_late() -> Any:
    import socket

    return socket


class _Reader:
    def read(self) -> Any:
        return self._inner()

    def _inner(self) -> Any:
        return _imports_late()


@pytest.mark.parametrize(("value", "kind"), [
    (types, "module"), ((lambda: 0).__code__, "interpreter"), (type, "class maker"), (enum.IntFlag, "class maker"),
    ([], "shared"), (types.SimpleNamespace(x=1), "shared"), (open, "outside"), (lambda: exec("x"), "outside"),
    (_imports_late, "outside"), (_Reader, "outside"),
])  # fmt: skip
def test_what_is_dangerous_is_told_when_it_can_be_reached(value: Any, kind: str) -> None:
    """The walk that the tests above rest on, and `emporion check --module`, sees it two steps away."""
    found = dangers(reached([("import x", (types.MappingProxyType({"y": value}),))]))
    assert kind in {one.kind for one in found if one.path.startswith("import x")}


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
