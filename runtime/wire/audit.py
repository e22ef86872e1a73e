"""Two costs that rows can hide: depth, and the work of hashing. Both ends judge them by the same walk.

Most messages need no audit: it is asked for when keys refer to other rows, or when more tuples refer to others than may
nest.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ...errors import ProtocolError
from .bounds import Bounds
from .kinds import SALTED, Item, Kind, Row

__all__ = ["EAGER", "RECORD", "TooMuch", "audit", "check_hashes", "hashed", "keys_of"]

# Stands for the kind of a MOBILE row whose object is made whole (`is_whole`), where its class is; never written.
RECORD: Final = -1

# Complete before anything may refer to them.
EAGER: Final = frozenset({Kind.TUPLE, Kind.FROZENSET, Kind.EXCEPTION, RECORD})
_HASHED: Final = frozenset({Kind.SET, Kind.FROZENSET, Kind.DICT})
# What hash() of a key may walk into: these, and fields of portable objects. A list or dict cannot be part of a key.
_FOLLOWED: Final = EAGER | {Kind.PORTABLE, Kind.PORTABLE_LIKE}


class TooMuch(Exception):
    """A bound is exceeded at `row`; each end says it in its own error."""

    def __init__(self, row: int, why: str) -> None:
        self.row = row
        self.why = why
        super().__init__(why)


def check_hashes(keys: Sequence[object], bounds: Bounds) -> str | None:
    """Why `keys` must not share one dict or set: too many of them have one hash. None if all is well.

    Each hash is computed once and compared as a number: the collisions themselves never happen.
    """
    if len(keys) <= bounds.max_equal_hashes or SALTED.issuperset(map(type, keys)):
        return None
    hashes = list(map(hash, keys))
    if len(set(hashes)) > len(hashes) - bounds.max_equal_hashes:
        return None
    counts: dict[int, int] = {}
    for one in hashes:
        counts[one] = counts.get(one, 0) + 1
    most = max(counts.values())
    if most <= bounds.max_equal_hashes:
        return None
    return f"{most:,} keys of one dict or set have equal hashes; {bounds.max_equal_hashes} is the most"


def hashed(keys: list[Any], build: Callable[[], Any], bounds: Bounds) -> Any:
    """What `build` makes with `keys`, if they may share a dict or set. Hashes can be foreign code, or missing.

    Raises:
        ProtocolError: They may not.
    """
    try:
        why = check_hashes(keys, bounds)
        made = () if why else build()
    except Exception as error:
        raise ProtocolError(f"a key that cannot be hashed: {error}"[:300]) from None
    if why:
        raise ProtocolError(why)
    if len(made) != len(keys):
        raise ProtocolError("a set or dict with equal keys")
    return made


def keys_of(row: Row) -> Sequence[Item]:
    """The items of a row that get hashed: all of a set, the first half of a dict."""
    if row[0] == Kind.DICT:
        return row[1 : (len(row) + 1) // 2]
    return row[1:] if row[0] in _HASHED else ()


def audit(rows: Sequence[Row], kinds: Sequence[int], referring: Sequence[int], bounds: Bounds) -> None:
    """Refuse rows whose building or hashing would go too deep or take too long. Iterative: it cannot fail itself.

    Args:
        rows: The rows as they are on the wire; those of lists are not looked into.
        kinds: Their first elements, or `RECORD`.
        referring: The rows that refer to others, in rising order; at least those that are hashed or eager.
        bounds: What is too deep or too long.

    Raises:
        TooMuch: A cycle through tuples only, too deep a nest, or too much hashing.
    """
    built = _Walk(rows, kinds, EAGER, bounds)
    hashed = _Walk(rows, kinds, _FOLLOWED, bounds)
    work = 0
    # Backwards: what a row refers to mostly stands behind it, so that each walk finds its children measured.
    for number in reversed(referring):
        kind = kinds[number]
        if kind in EAGER:
            built.measure(number)
        if kind in _HASHED:
            work += hashed.weigh_keys(number)
            if work > bounds.max_hash_work:
                raise TooMuch(number, f"hashing its keys takes more than {bounds.max_hash_work:,} steps")


class _Walk:
    """Depth and weight of rows along references to the kinds in `followed`."""

    def __init__(self, rows: Sequence[Row], kinds: Sequence[int], followed: frozenset[int], bounds: Bounds) -> None:
        self._rows = rows
        self._kinds = kinds
        self._followed = followed
        self._max_depth = bounds.max_depth
        self._depth: dict[int, int] = {}  # 0 while a row is being measured
        self._weight: dict[int, int] = {}

    def weigh_keys(self, number: int) -> int:
        """How many scalars hash() visits in the keys of this set or dict."""
        work = 0
        for item in keys_of(self._rows[number]):
            if type(item) is not list:
                work += 1
            elif len(item) != 1:
                work += _inline_weight(item)
            elif self._follows(item[0]):
                self.measure(item[0])
                work += self._weight[item[0]]
        return work

    def measure(self, start: int) -> None:
        """Fill in depth and weight of `start` and all that is followed from it, children first."""
        if start in self._depth:
            return
        if self._settle(start):
            return
        self._depth[start] = 0
        stack: list[tuple[int, Iterator[int]]] = [(start, iter(self._children(start)))]
        while stack:
            number, children = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                self._settle(number, final=True)
            elif child not in self._depth:
                self._depth[child] = 0
                stack.append((child, iter(self._children(child))))
            elif self._depth[child] == 0 and self._closes_a_cycle(child, stack):
                raise TooMuch(child, "is part of a tuple, frozenset or exception that contains itself")

    def _follows(self, number: object) -> bool:
        return type(number) is int and 0 <= number < len(self._rows) and self._kinds[number] in self._followed

    def _children(self, number: int) -> list[int]:
        references = (item[0] for item in self._rows[number] if type(item) is list and len(item) == 1)
        return [child for child in references if self._follows(child)]

    def _closes_a_cycle(self, child: int, stack: Sequence[tuple[int, object]]) -> bool:
        """Whether all from `child` to the top of the stack is eager: an object in between breaks the cycle."""
        path = [number for number, _ in stack]
        return all(self._kinds[number] in EAGER for number in path[path.index(child) :])

    def _settle(self, number: int, *, final: bool = False) -> bool:
        """Measure `number` from its children; false if one of these is not measured yet and must be first."""
        row, kinds, depths, followed = self._rows[number], self._kinds, self._depth, self._followed
        deepest, total = 0, len(row)
        for item in row:
            if type(item) is not list:
                continue
            child = item[0] if len(item) == 1 else None
            if child is None:
                total += _inline_weight(item)
            elif type(child) is int and 0 <= child < len(kinds) and kinds[child] in followed:
                depth = depths.get(child, 0)
                if not depth and not final:
                    return False
                if depth > deepest:
                    deepest = depth
                total += self._weight.get(child, 1)
        self._depth[number] = deepest + 1
        self._weight[number] = total
        if deepest >= self._max_depth:
            raise TooMuch(number, f"is nested more than {self._max_depth} deep in tuples or in a key")
        return True


def _inline_weight(item: list[Any]) -> int:
    """Hashing a long int or Decimal walks its digits every time."""
    return 1 + sum(len(part) // 16 for part in item if type(part) is str)
