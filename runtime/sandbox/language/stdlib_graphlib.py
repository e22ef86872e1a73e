"""The `graphlib` module for agents: the library's sorter inside an object whose insides they cannot replace.

The standard class writes into whatever its private table holds for a node: a subclass of an agent's could put anybody's
class there.
Source: https://docs.python.org/3/library/graphlib.html
"""

import graphlib
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["TopologicalSorter"]


class TopologicalSorter:
    """`graphlib.TopologicalSorter`; raises what that raises."""

    __slots__ = ("__dict__", "__weakref__", "_sorter")
    _sorter: graphlib.TopologicalSorter[Any]

    def __init__(self, graph: Mapping[Any, Iterable[Any]] | None = None) -> None:
        # Not to a `__setattr__` of an agent's subclass: the object inside is the library's.
        object.__setattr__(self, "_sorter", graphlib.TopologicalSorter(graph))

    def __class_getitem__(cls, item: Any) -> Any:
        return types.GenericAlias(cls, item)

    def __bool__(self) -> bool:
        return self.is_active()

    def add(self, node: Any, *predecessors: Any) -> None:
        """Add a node that comes after all `predecessors`."""
        self._sorter.add(node, *predecessors)

    def prepare(self) -> None:
        """End the building of the graph; CycleError when it has a cycle."""
        self._sorter.prepare()

    def is_active(self) -> bool:
        """Whether there is more to come."""
        return self._sorter.is_active()

    def get_ready(self) -> tuple[Any, ...]:
        """All nodes that are ready now."""
        return self._sorter.get_ready()

    def done(self, *nodes: Any) -> None:
        """Mark nodes that `get_ready` gave as processed."""
        self._sorter.done(*nodes)

    def static_order(self) -> Iterator[Any]:
        """All nodes in one possible order."""
        return iter(self._sorter.static_order())


TopologicalSorter.__module__ = "graphlib"
