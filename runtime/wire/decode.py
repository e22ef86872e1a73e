"""Rows into values: what `decode_values` does after a codec has read a message. docs/protocol.md, "Values".

Every byte is a peer's. Mutable objects are made empty first and filled afterwards, so cycles need no recursion; tuples,
frozensets and exceptions are built when first referred to, after their depth is known to be bounded.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...agents.state import Unbuilt
from ...errors import ProtocolError
from ...validators.consignment import Consignment
from .audit import EAGER, RECORD, TooMuch, audit, check_hashes, hashed
from .blobs import Blobs
from .bounds import BOUNDS, Bounds
from .collected import begin, finish
from .enums import read_enum, read_flag
from .hooks import DecodeHooks
from .kinds import PLAIN, Item, Kind, Row, Tag
from .manifests import check_class_name, consignments
from .messages import Body
from .order import inner_first, references
from .portable import Portable, find_named
from .raised import Raised, rebuild
from .scalars import READ

__all__ = ["DecodeHooks", "decode_values"]


_INT: Final = frozenset({int})
_ITEMS: Final = PLAIN | {list}
_MISSING: Final = object()
_READY, _WAITING, _BUSY = 0, 1, 2  # a row: complete; to be filled or built; being built, or filled


def decode_values(body: Body, blobs: memoryview, hooks: DecodeHooks, *, bounds: Bounds = BOUNDS) -> list[object]:
    """The roots of a message. Uses up `body`: its lists become the values' lists.

    Args:
        body: As a codec has read it.
        blobs: What came behind the message's body.
        hooks: Make capabilities and mobile objects.
        bounds: What one message may cost.

    Raises:
        ProtocolError: The body is not one that `encode_values` writes, or exceeds the bounds.
    """
    roots = body.roots
    if not body.rows and not body.manifests and not body.signatures and PLAIN.issuperset(map(type, roots)):
        return roots
    try:
        return _Decoder(body, blobs, hooks, bounds).decode(roots)
    except RecursionError:
        raise ProtocolError("values nested too deeply for this thread's stack") from None


class _Decoder:
    """One message's rows becoming objects."""

    __slots__ = (
        *("_blobs", "_bounds", "_collections", "_completed", "_goods", "_hooks", "_keys", "_kinds", "_layouts"),
        *("_looked_at", "_objects", "_rows", "_shells", "_state", "_suspect", "_unbuilt", "_waiting"),
    )

    def __init__(self, body: Body, blobs: memoryview, hooks: DecodeHooks, bounds: Bounds) -> None:
        rows = body.rows
        if len(rows) > bounds.max_nodes:
            raise ProtocolError(f"a message with {len(rows):,} objects; {bounds.max_nodes:,} is the most")
        self._rows = rows
        self._goods = consignments(body.manifests, body.signatures) if body.manifests or body.signatures else []
        self._blobs = Blobs(blobs)
        self._hooks = hooks
        self._bounds = bounds
        try:
            self._kinds: list[int] = [row[0] for row in rows]
        except IndexError:
            raise ProtocolError("an empty row") from None
        if not _INT.issuperset(map(type, self._kinds)):
            raise ProtocolError("a row whose kind is no number")
        self._objects: list[Any] = [_MISSING] * len(rows)
        self._state = bytearray(len(rows))
        self._keys: dict[int, list[Any]] = {}  # DICT rows with plain keys: these
        self._layouts: dict[int, tuple[Portable, tuple[str, ...]]] = {}  # PORTABLE rows read so far
        self._waiting: list[int] = []  # rows to fill or build
        self._shells: list[int] = []  # MOBILE rows
        self._unbuilt: dict[int, Unbuilt] = {}  # MOBILE rows that are made whole
        self._collections: dict[int, int] = {}  # rows of contents: of which COLLECTION row
        self._completed: set[int] = set()  # rows whose hash may be taken
        self._looked_at: list[int] = []  # rows that a hash will look into, not all of them complete
        self._suspect = False  # whether keys refer to other rows

    def decode(self, roots: list[Item]) -> list[object]:
        for number, row in enumerate(self._rows):
            opener = _OPEN.get(self._kinds[number])
            if opener is None:
                raise ProtocolError(f"a row of unknown kind {self._kinds[number]}")
            opener(self, number, row)
        order = inner_first(self._rows, self._shells) if len(self._shells) > 1 else self._shells
        self._audit()
        for number in self._waiting:
            if self._state[number] == _WAITING:
                self._finish(number)
        for inner, number in self._collections.items():
            finish(self._objects[number], self._objects[inner])
        values = roots if self._plain(roots) else self._values(roots)
        for number in order:
            self._fill_shell(number)
        return values

    def _audit(self) -> None:
        """The costly look, where the rows give reason for one: so many cannot nest deeper than allowed."""
        if not self._suspect:
            if len(self._waiting) < self._bounds.max_depth:
                return
            if sum(self._kinds[number] in EAGER for number in self._waiting) < self._bounds.max_depth:
                return
        try:
            audit(self._rows, self._kinds, self._waiting, self._bounds)
        except TooMuch as found:
            raise ProtocolError(f"a value that {found.why}") from None

    # --- items ---
    def _plain(self, items: Sequence[Item]) -> bool:
        """Whether these are scalars only; whatever is no item at all is refused here, by whichever codec it came."""
        if PLAIN.issuperset(map(type, items)):
            return True
        if _ITEMS.issuperset(map(type, items)):
            return False
        raise ProtocolError("something that is neither a scalar nor an array where a value should be")

    def _values(self, items: Sequence[Item]) -> list[object]:
        value, objects, last = self._value, self._objects, len(self._objects) - 1
        return [
            item
            if type(item) is not list
            else objects[item[0]]  # the common case without a call: a reference to what is there already
            if len(item) == 1 and type(item[0]) is int and 0 <= item[0] <= last and objects[item[0]] is not _MISSING
            else value(item)
            for item in items
        ]

    def _value(self, item: list[Any]) -> object:
        """What a reference or an inline value means."""
        if len(item) == 1:
            number = item[0]
            if type(number) is not int or not 0 <= number < len(self._objects):
                raise ProtocolError("a reference to a row that is not there")
            made = self._objects[number]
            return self._build(number) if made is _MISSING else made
        if len(item) < 2 or type(item[0]) is not int:
            raise ProtocolError("an array that is neither a reference nor an inline value")
        if item[0] == Tag.BYTES:
            return self._blobs.take(item)
        reader = _READ.get(item[0])
        if reader is None:
            raise ProtocolError(f"an inline value with unknown tag {item[0]}")
        try:
            return reader(item)
        except ProtocolError:
            raise
        except (TypeError, ValueError, ArithmeticError, LookupError, OSError, ImportError) as error:
            raise ProtocolError(f"an inline value with tag {item[0]} that cannot be read: {error}"[:300]) from None

    # --- first pass: what is plain is done at once, mutable objects begin empty ---
    def _wait(self, number: int) -> None:
        self._state[number] = _WAITING
        self._waiting.append(number)

    def _open_list(self, number: int, row: Row) -> None:
        if self._plain(row):
            del row[0]  # the row itself becomes the list: nothing is copied
            self._objects[number] = row
        else:
            self._objects[number] = []
            self._wait(number)

    def _open_tuple(self, number: int, row: Row) -> None:
        if self._plain(row):
            self._objects[number] = tuple(row[1:])
        else:
            self._wait(number)

    def _open_set(self, number: int, row: Row) -> None:
        frozen = self._kinds[number] == Kind.FROZENSET
        if self._plain(row):
            items = row[1:]
            self._objects[number] = hashed(items, lambda: frozenset(items) if frozen else set(items), self._bounds)
            return
        self._suspect = True
        if not frozen:
            self._objects[number] = set()
        self._wait(number)

    def _open_dict(self, number: int, row: Row) -> None:
        if len(row) % 2 == 0:
            raise ProtocolError("a dict with a key too many")
        half = (len(row) + 1) // 2
        keys = row[1:half]
        if self._plain(keys):
            self._keys[number] = keys
            self._start_dict(number, keys, row[half:])
        else:
            self._suspect = True
            self._objects[number] = {}
            self._wait(number)

    def _open_dict_like(self, number: int, row: Row) -> None:
        first = self._earlier(number, row, Kind.DICT)
        keys = self._keys.get(first)
        if keys is not None and len(row) == len(keys) + 2 and PLAIN.issuperset(map(type, row)):
            self._objects[number] = dict(zip(keys, row[2:], strict=True))  # the first dict has proved these keys
            return
        size = (len(self._rows[first]) - 1) // 2
        if len(row) - 2 != size:
            raise ProtocolError("a dict with more or fewer values than the keys it refers to")
        if keys is not None:
            self._start_dict(number, keys, row[2:])
        else:  # keys that must be made first: from here on a dict like any other
            row[:] = [Kind.DICT, *self._rows[first][1 : size + 1], *row[2:]]
            self._kinds[number] = Kind.DICT
            self._objects[number] = {}
            self._wait(number)

    def _start_dict(self, number: int, keys: list[Item], values: list[Item]) -> None:
        """Make a dict whose keys are plain; None stands for values that are not there yet."""
        plain = self._plain(values)
        if len(keys) > self._bounds.max_equal_hashes and (why := check_hashes(keys, self._bounds)):
            raise ProtocolError(why)
        self._objects[number] = made = dict(zip(keys, values, strict=True)) if plain else dict.fromkeys(keys)
        if len(made) != len(keys):
            raise ProtocolError("a dict with equal keys")
        if not plain:
            self._wait(number)

    def _open_bytearray(self, number: int, row: Row) -> None:
        if len(row) != 2 or type(row[1]) is not list or row[1][:1] != [Tag.BYTES]:
            raise ProtocolError("a bytearray without its bytes")
        self._objects[number] = bytearray(self._blobs.take(row[1], share=False))

    def _open_collection(self, number: int, row: Row) -> None:
        match row:
            case [_, str() | None as name, str() | int() | None as parameter, [int() as inner]]:
                kind = self._kinds[inner] if 0 <= inner < len(self._kinds) else None
                if kind in (Kind.LIST, Kind.DICT, Kind.DICT_LIKE) and inner not in self._collections:
                    self._collections[inner] = number
                    with contextlib.suppress(ValueError):
                        self._objects[number] = begin(name, parameter, list if kind == Kind.LIST else dict)
                        return
        raise ProtocolError("a collection that there is not, or whose contents are not its own")

    def _open_capability(self, number: int, row: Row) -> None:
        payload = row[1:]
        for part in payload:
            if not PLAIN.issuperset(map(type, part if type(part) is list else (part,))):
                raise ProtocolError("a capability with more than scalars and lists of scalars")
        self._objects[number] = self._hooks.capability(payload)

    def _open_mobile(self, number: int, row: Row) -> None:
        if tuple(map(type, row[1:4])) != (int, str, str) or len(row) != 5:
            raise ProtocolError("a mobile object without manifest, module, class and state")
        _, index, module, qualname, _ = row
        shell = self._hooks.mobile(self._goods_of(index, module, qualname), module, qualname)
        if type(shell) is Unbuilt:
            self._unbuilt[number] = shell
            self._kinds[number] = RECORD
            self._wait(number)
            return
        self._objects[number] = shell
        self._shells.append(number)
        self._state[number] = _WAITING

    def _open_named(self, number: int, row: Row) -> None:
        if tuple(map(type, row[1:])) != (int, str, str):
            raise ProtocolError("a named part of mobile code without manifest, module and name")
        _, index, module, qualname = row
        self._objects[number] = self._hooks.named(self._goods_of(index, module, qualname), module, qualname)

    def _goods_of(self, index: int, module: str, qualname: str) -> Consignment:
        if not 0 <= index < len(self._goods):
            raise ProtocolError("a mobile object whose manifest is not there")
        check_class_name(self._goods[index].manifest, module, qualname)
        return self._goods[index]

    def _open_portable(self, number: int, row: Row) -> None:
        if len(row) < 3 or type(row[2]) is not list:
            raise ProtocolError("a portable object without class and fields")
        entry = find_named(row[1])
        if entry is None or entry.kind is not object:
            raise ProtocolError(f"no class {row[1]!r} is registered here: both ends need emporion.portable"[:300])
        names: tuple[Any, ...] = tuple(row[2])
        if not {str}.issuperset(map(type, names)) or sorted(names) != sorted(entry.fields):
            raise ProtocolError(f"{entry.name} has other fields here: both ends need the same version of the class")
        self._layouts[number] = entry, names
        self._start_portable(number, row, entry, names, row[3:])

    def _open_portable_like(self, number: int, row: Row) -> None:
        entry, names = self._layouts[self._earlier(number, row, Kind.PORTABLE)]
        self._start_portable(number, row, entry, names, row[2:])

    def _start_portable(
        self, number: int, row: Row, entry: Portable, names: tuple[str, ...], values: list[Item]
    ) -> None:
        if len(values) != len(names):
            raise ProtocolError(f"{entry.name} with {len(values)} values for {len(names)} fields")
        self._objects[number] = made = object.__new__(entry.cls)
        if self._plain(values):
            entry.write(made, names, values)
        else:
            self._wait(number)

    def _open_exception(self, number: int, row: Row) -> None:
        if tuple(map(type, row[1:5])) != (str, str, list, list) or len(row) != 5 + len(row[4]):
            raise ProtocolError("an exception without type, text, arguments and attributes")
        if not {str}.issuperset(map(type, row[4])) or len(set(row[4])) != len(row[4]):
            raise ProtocolError("an exception with wrong attribute names")
        self._plain(row)
        self._wait(number)

    def _earlier(self, number: int, row: Row, kind: int) -> int:
        """The number of the row before this one that it takes its keys or its class from."""
        first = row[1] if len(row) > 1 else None
        if type(first) is not int or not 0 <= first < number or self._kinds[first] != kind:
            raise ProtocolError("a row that says it is like another, which is not there or of another kind")
        return first

    # --- second pass: filling and building ---
    def _finish(self, number: int) -> None:
        """Fill a mutable object, or build an immutable one."""
        if self._kinds[number] in EAGER:
            self._build(number)
            return
        self._state[number] = _BUSY
        row = self._rows[number]
        kind = self._kinds[number]
        made = self._objects[number]
        if kind == Kind.LIST:
            made += self._values(row[1:])
        elif kind == Kind.SET:
            items = self._complete_all(row[1:])
            made |= hashed(items, lambda: set(items), self._bounds)
        elif kind in (Kind.DICT, Kind.DICT_LIKE):
            self._fill_dict(number, row, made)
        else:
            first = number if kind == Kind.PORTABLE else row[1]
            entry, names = self._layouts[first]
            entry.write(made, names, self._values(row[3 if kind == Kind.PORTABLE else 2 :]))

    def _fill_dict(self, number: int, row: Row, made: dict[Any, Any]) -> None:
        like = self._kinds[number] == Kind.DICT_LIKE
        known = self._keys.get(row[1] if like else number)
        half = 2 if like else (len(row) + 1) // 2
        if known is not None:
            made.update(zip(known, self._values(row[half:]), strict=True))
            return
        keys, values = self._complete_all(row[1:half]), self._values(row[half:])
        made |= hashed(keys, lambda: dict(zip(keys, values, strict=True)), self._bounds)

    def _build(self, number: int) -> Any:
        """Build what is `EAGER`. Recursive: `audit`, or their small number, bounds the depth."""
        if self._state[number] == _BUSY:
            raise ProtocolError("a tuple, frozenset or exception that contains itself")
        self._state[number] = _BUSY
        row = self._rows[number]
        kind = self._kinds[number]
        made: object
        if kind == Kind.TUPLE:
            made = tuple(self._values(row[1:]))
        elif kind == Kind.FROZENSET:
            items = self._complete_all(row[1:])
            made = hashed(items, lambda: frozenset(items), self._bounds)
        elif kind == RECORD:
            made = self._unbuilt[number].build(*self._values([row[4]]))
        else:
            made = self._exception(row)
        self._objects[number] = made
        return made

    def _exception(self, row: Row) -> Exception:
        args = self._value(row[3])
        if type(args) is not tuple:
            raise ProtocolError("an exception whose arguments are no tuple")
        return rebuild(Raised(row[1], row[2], args, dict(zip(row[4], self._values(row[5:]), strict=True))))

    def _complete_all(self, items: Sequence[Item]) -> list[object]:
        """Values that are going to be hashed now: complete, as far as their hash can look."""
        values = self._values(items)  # which also finds wrong references
        self._looked_at += references(items, len(self._rows))
        while self._looked_at:  # no recursion: objects in keys may lead from one to the next without end
            self._complete(self._looked_at.pop())
        return values

    def _complete(self, number: int) -> None:
        """Finish one row that a key's hash may look into: a tuple, or an object's fields; what is in it comes next."""
        if self._state[number] == _READY or number in self._completed:
            return
        self._completed.add(number)
        kind = self._kinds[number]
        if kind in (Kind.TUPLE, Kind.PORTABLE, Kind.PORTABLE_LIKE, RECORD):
            if self._state[number] == _WAITING:
                self._finish(number)
            self._looked_at += references(self._rows[number], len(self._rows))
        elif kind == Kind.MOBILE:
            state = self._rows[number][4:]
            self._values(state)  # builds the pair of dicts that a class with slots has
            for part in references(state, len(self._rows)):
                pair = references(self._rows[part], len(self._rows)) if self._kinds[part] == Kind.TUPLE else [part]
                for each in pair:
                    self._complete_attributes(each)
            self._fill_shell(number)

    def _complete_attributes(self, number: int) -> None:
        if self._kinds[number] in (Kind.DICT, Kind.DICT_LIKE) and self._state[number] != _READY:
            if self._state[number] == _WAITING:
                self._finish(number)
            self._looked_at += references(self._rows[number], len(self._rows))

    # --- mobile objects ---
    def _fill_shell(self, number: int) -> None:
        if self._state[number] != _WAITING:
            return
        self._state[number] = _BUSY
        state = self._values([self._rows[number][4]])
        self._hooks.fill(self._objects[number], state[0])


_READ: Final[dict[int, Callable[[list[Any]], object]]] = {**READ, Tag.ENUM: read_enum, Tag.FLAG: read_flag}

_OPEN: Final[dict[int, Callable[[_Decoder, int, Row], None]]] = {
    Kind.LIST: _Decoder._open_list,
    Kind.TUPLE: _Decoder._open_tuple,
    Kind.SET: _Decoder._open_set,
    Kind.FROZENSET: _Decoder._open_set,
    Kind.DICT: _Decoder._open_dict,
    Kind.DICT_LIKE: _Decoder._open_dict_like,
    Kind.BYTEARRAY: _Decoder._open_bytearray,
    Kind.CAPABILITY: _Decoder._open_capability,
    Kind.MOBILE: _Decoder._open_mobile,
    Kind.NAMED: _Decoder._open_named,
    Kind.PORTABLE: _Decoder._open_portable,
    Kind.PORTABLE_LIKE: _Decoder._open_portable_like,
    Kind.EXCEPTION: _Decoder._open_exception,
    Kind.COLLECTION: _Decoder._open_collection,
}
