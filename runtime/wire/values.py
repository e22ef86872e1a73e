"""Values into rows: what `encode_values` does before a codec writes a message. docs/protocol.md, "Values".

A worklist, no recursion: every container gets one row, numbered as it is met, so identity and cycles within a message
cost nothing. Lists of plain scalars, the bulk of most messages, go through at C speed.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from ...agents.state import is_whole
from ...errors import EmporionError, ValueNotPortable
from .audit import RECORD, TooMuch, audit, check_hashes
from .bounds import BOUNDS, Bounds
from .collected import COLLECTIONS, taken_apart
from .enums import enum_item
from .hooks import EncodeHooks, Mobile, Named
from .kinds import PLAIN, Item, Kind, Row, Tag
from .messages import Body
from .paths import path_of
from .portable import Portable, find
from .raised import Raised, raised
from .scalars import WRITE, mend

__all__ = ["EncodeHooks", "Mobile", "Named", "encode_values", "mend_body"]

_STR: Final = frozenset({str})
_SHARED_KEYS: Final = 32  # longer dicts are not looked up by their keys: that costs more than it saves


def encode_values(
    values: Sequence[object], hooks: EncodeHooks, *, label: Callable[[int], str], bounds: Bounds = BOUNDS
) -> tuple[Body, list[bytes]]:
    """The roots, rows and manifests for `values`, and the byte strings that travel behind the message's body.

    Args:
        values: The message's roots.
        hooks: Asked for each object that is neither a value nor registered: first for a capability, then for code.
        label: What to call root n in an error, such as ``args[0]``; called only for an error.
        bounds: What the other end takes.

    Raises:
        ValueNotPortable: Something among the values cannot travel; `path` says where it stands.
    """
    if PLAIN.issuperset(map(type, values)):
        return Body(list(values)), []
    encoder = _Encoder(hooks, label, bounds)
    return encoder.encode(values), encoder.blobs


def mend_body(body: Body) -> None:
    """Make a body writable whose ints exceed 64 bits or whose texts hold lone surrogates.

    These are so rare that nobody looks for them until a codec refuses to write the message.
    """
    body.roots[:] = map(mend, body.roots)
    for row in body.rows:
        row[1:] = map(mend, row[1:])


class _Encoder:
    """One message's rows in the making."""

    __slots__ = (
        *("_bounds", "_dicts", "_found", "_hooks", "_label", "_layouts", "_manifests", "_memo", "_nodes"),
        *("_nested", "_offset", "_records", "_referring", "_refusals", "_roots", "_rows", "_suspect", "blobs"),
        *("manifests", "signatures"),
    )

    def __init__(self, hooks: EncodeHooks, label: Callable[[int], str], bounds: Bounds) -> None:
        self._hooks = hooks
        self._label = label
        self._bounds = bounds
        self._memo: dict[int, list[Any]] = {}  # id of an object: the item that stands for it
        self._found: list[object] = []  # the objects by row; also keeps them alive while their ids count
        self._rows: list[Row] = []
        self._roots: list[Item] = []
        self._refusals: dict[int, str] = {}  # row: why the inline value met there cannot travel
        self._dicts: dict[tuple[str, ...], int] = {}  # keys: the first dict's row with them
        self._layouts: dict[type, int] = {}  # portable class: its first row
        self._manifests: dict[tuple[tuple[str, str], ...], int] = {}
        self._nested = 0  # tuples, frozensets and exceptions that refer to other rows
        self._referring: list[int] = []  # rows whose depth or hashing may matter
        self._nodes = 0
        self._records: list[int] = []  # MOBILE rows that are made whole
        self._offset = 0
        self._suspect = False  # whether keys refer to other rows
        self.blobs: list[bytes] = []
        self.manifests: list[dict[str, str]] = []
        self.signatures: list[tuple[int, str, str]] = []

    def encode(self, values: Sequence[object]) -> Body:
        self._roots = self._items(values)
        write = _WRITE_ROW
        rows = self._rows
        for obj in self._found:  # grows while we walk
            writer = write.get(type(obj))
            rows.append(writer(self, obj) if writer is not None else self._other(obj))
        self._nodes += len(rows)
        if self._nodes > self._bounds.max_nodes:
            limit = f"{self._bounds.max_nodes:,}"
            raise self._refusal(len(rows) - 1, f"one of more than {limit} objects in one message: send it in parts")
        self._audit()
        return Body(self._roots, rows, self.manifests, self.signatures)

    def _audit(self) -> None:
        """The costly look, where the rows give reason for one."""
        if not self._suspect and self._nested < self._bounds.max_depth:
            return
        kinds = [row[0] for row in self._rows]
        for number in self._records:
            kinds[number] = RECORD
        try:
            audit(self._rows, kinds, self._referring, self._bounds)
        except TooMuch as found:
            raise self._refusal(found.row, found.why) from None

    def _refusal(self, row: int, why: str) -> ValueNotPortable:
        return ValueNotPortable(path_of(row, self._roots, self._rows, self._label), why)

    def _items(self, values: Sequence[object]) -> list[Item]:
        """The items for `values`: scalars as they are, containers as references, the rest one by one."""
        plain, rows, memo, found, number = PLAIN, _WRITE_ROW, self._memo, self._found, len(self._found)
        items: list[Item] = []
        for value in values:
            kind = type(value)
            if kind in plain:
                items.append(value)
                continue
            item = memo.get(id(value))
            if item is None:
                if kind in rows:
                    memo[id(value)] = item = [number]
                    found.append(value)
                else:
                    item = self._other_item(kind, value)
                number = len(found)
            self._nodes += 1
            items.append(item)
        return items

    def _other_item(self, kind: type, obj: Any) -> Item:
        """The item for what is neither plain nor a container: inline, or a reference to the row it will have."""
        if kind is bytes:
            return self._bytes(obj)
        writer = WRITE.get(kind)
        try:
            item = writer(obj) if writer is not None else enum_item(obj)
        except Exception as error:
            self._refusals[len(self._found)] = str(error)
            item = None
        return self._number(obj) if item is None else item

    def _number(self, obj: object) -> list[Any]:
        self._memo[id(obj)] = item = [len(self._found)]
        self._found.append(obj)
        return item

    def _bytes(self, obj: bytes) -> list[Any]:
        item = [Tag.BYTES, self._offset, len(obj)]
        self._offset += len(obj)
        self.blobs.append(obj)  # which also keeps it alive while its id counts
        self._memo[id(obj)] = item
        return item

    # --- rows ---
    def _sequence(self, kind: int, obj: Any) -> Row:
        row = [kind, *obj]  # a copy first: another thread may be changing a list while we look at it
        return row if PLAIN.issuperset(map(type, row)) else self._items(row)

    def _list(self, obj: Any) -> Row:
        return self._sequence(Kind.LIST, obj)

    def _tuple(self, obj: Any) -> Row:
        row = self._sequence(Kind.TUPLE, obj)
        if list in map(type, row):
            self._eager()
        return row

    def _eager(self) -> None:
        self._nested += 1
        self._referring.append(len(self._rows))

    def _set(self, obj: Any) -> Row:
        items = [*obj]
        row = [Kind.SET if type(obj) is set else Kind.FROZENSET, *self._items(items)]
        self._check_keys(items, row)
        return row

    def _dict(self, obj: Any) -> Row:
        keys = tuple(obj)
        row: Row
        if _STR.issuperset(map(type, keys)):
            number = len(self._rows)
            first = self._dicts.setdefault(keys, number) if len(keys) <= _SHARED_KEYS else number
            row = [Kind.DICT, *keys] if first == number else [Kind.DICT_LIKE, first]
        else:
            row = self._items((Kind.DICT, *keys))
            self._check_keys(keys, row)
        values = [*obj.values()]
        if len(keys) != len(values):
            raise self._refusal(len(self._rows), "is being changed by another thread")
        row += values if PLAIN.issuperset(map(type, values)) else self._items(values)
        return row

    def _check_keys(self, keys: Sequence[object], row: Row) -> None:
        try:
            why = check_hashes(keys, self._bounds)
        except Exception as error:
            why = f"has a key whose hash cannot be computed: {error}"
        if why is not None:
            raise self._refusal(len(self._rows), why)
        if list in map(type, row):
            self._suspect = True
            self._referring.append(len(self._rows))

    def _bytearray(self, obj: Any) -> Row:
        return [Kind.BYTEARRAY, self._bytes(bytes(obj))]

    def _collection(self, obj: Any) -> Row:
        try:
            parameter, inner = taken_apart(obj)
        except (ValueError, RuntimeError) as error:  # RuntimeError: another thread is changing it
            raise self._refusal(len(self._rows), str(error)) from None
        return [Kind.COLLECTION, COLLECTIONS[type(obj)], parameter, *self._items([inner])]

    def _other(self, obj: object) -> Row:
        """An object that is no builtin value: registered, exposed, mobile, or an exception; else it stays here."""
        row = len(self._rows)
        if row in self._refusals:
            raise self._refusal(row, self._refusals[row])
        entry = find(type(obj))
        if entry is not None and entry.kind is object:
            return self._portable(entry, obj)
        told = raised(obj, known_only=True)
        if told is not None:
            return self._exception(told)
        payload = self._hooks.capability(obj)
        if payload is not None:
            return self._capability(payload)
        try:
            mobile = self._hooks.mobile(obj)
        except TypeError as error:  # an object whose state nobody can take
            if isinstance(error, EmporionError):
                raise
            raise self._refusal(row, str(error)) from None
        if mobile is not None:
            if is_whole(obj):
                self._records.append(row)
                self._eager()
            return self._mobile(mobile)
        told = raised(obj, known_only=False)
        if told is not None:
            return self._exception(told)
        raise self._refusal(row, _advice(obj))

    def _portable(self, entry: Portable, obj: object) -> Row:
        try:
            values = entry.read(obj)
        except AttributeError as error:
            raise self._refusal(len(self._rows), f"lacks a declared field: {error}") from None
        items = values if PLAIN.issuperset(map(type, values)) else self._items(values)
        first = self._layouts.setdefault(entry.cls, len(self._rows))
        if first != len(self._rows):
            return [Kind.PORTABLE_LIKE, first, *items]
        self._nodes += 1
        return [Kind.PORTABLE, entry.name, list(entry.fields), *items]

    def _exception(self, told: Raised) -> Row:
        self._eager()
        args = self._items([told.args])
        names = list(told.attributes)
        self._nodes += 1
        return [Kind.EXCEPTION, told.type_name, told.text, *args, names, *self._items(list(told.attributes.values()))]

    def _capability(self, payload: tuple[Any, ...]) -> Row:
        for part in payload:
            if type(part) is list and PLAIN.issuperset(map(type, part)):
                self._nodes += 1
            elif type(part) not in PLAIN:
                raise self._refusal(len(self._rows), f"its capability holds a {type(part).__name__}, not a scalar")
        return [Kind.CAPABILITY, *payload]

    def _mobile(self, mobile: Mobile | Named) -> Row:
        manifest = mobile.goods.manifest
        number = self._manifests.setdefault(tuple(manifest.items()), len(self.manifests))
        if number == len(self.manifests):
            self.manifests.append(dict(manifest))
            self.signatures += [(number, one.key, one.signature) for one in mobile.goods.signatures]
        if type(mobile) is Named:
            return [Kind.NAMED, number, mobile.module, mobile.qualname]
        assert type(mobile) is Mobile
        return [Kind.MOBILE, number, mobile.module, mobile.qualname, *self._items([mobile.state])]


_WRITE_ROW: Final[dict[type, Callable[[_Encoder, Any], Row]]] = {
    list: _Encoder._list,
    tuple: _Encoder._tuple,
    set: _Encoder._set,
    frozenset: _Encoder._set,
    dict: _Encoder._dict,
    bytearray: _Encoder._bytearray,
    **dict.fromkeys(COLLECTIONS, _Encoder._collection),
}


def _advice(obj: object) -> str:
    kind = type(obj)
    for base in (dict, list, tuple, set, frozenset, str, int, float, bytes):
        if isinstance(obj, base):
            return f"{kind.__qualname__} is not exactly {base.__name__}: convert it with {base.__name__}(...)"
    return (
        f"{kind.__qualname__} is neither a value type, nor exposed, nor mobile: "
        "leave it out of an agent's state with __getstate__, expose a member, or register it with emporion.portable"
    )
