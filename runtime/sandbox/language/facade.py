"""What agents get when they import a library module: a frozen object with listed names, never the module."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Facade", "Frozen", "make_facade"]


class Facade:
    """A module as agents see it: slots only, so there is no ``__dict__`` that a library could be made to update."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"agents cannot alter module {type(self).__name__!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"agents cannot alter module {type(self).__name__!r}")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"module {type(self).__name__!r} has no {name!r} for agents")

    def __repr__(self) -> str:
        return f"<module {type(self).__name__!r} for agents>"


class Frozen(Mapping[Any, Any]):
    """A mapping that stays as it is. `types.MappingProxyType` does not: compared with an agent's object, or joined to
    it by ``|``, it hands over the dict behind it."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Any, Any]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


def make_facade(name: str, members: Mapping[str, Any]) -> Facade:
    """A frozen object with exactly `members`, beside ``__name__`` and ``__all__``."""
    values = {**members, "__name__": name, "__all__": tuple(members)}
    cls = type(name, (Facade,), {"__slots__": tuple(values), "__module__": __name__})
    facade: Facade = cls()
    for key, value in values.items():
        object.__setattr__(facade, key, value)
    return facade
