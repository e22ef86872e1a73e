"""Where in a message a value stands, in the words of who sent it: ``args[0].basket[3]``. Only errors ask."""

from collections.abc import Callable, Sequence
from typing import Final

from .kinds import Item, Kind, Row

__all__ = ["path_of"]

_LONGEST_KEY: Final = 40  # characters of a key shown
_DEEPEST: Final = 60  # steps shown: beyond, the nearest steps are what helps


def path_of(row: int, roots: Sequence[Item], rows: Sequence[Row], label: Callable[[int], str]) -> str:
    """The path to what row `row` describes, found backwards from the rows before it.

    Args:
        row: Its number; it need not be written yet.
        roots: The message's roots, as items.
        rows: The rows written so far; who refers to `row` is among them.
        label: What the caller calls root n.
    """
    named = {item[0]: place for place, item in reversed(list(enumerate(roots))) if _is_reference(item)}
    parents = _parents(rows)
    steps: list[str] = []
    while row not in named and row in parents and len(steps) < _DEEPEST:
        steps.append(_step(row, rows, parents))
        row = parents[row][0]
    start = label(named[row]) if row in named else "..."
    return start + "".join(reversed(steps))


def _is_reference(item: Item) -> bool:
    return type(item) is list and len(item) == 1 and type(item[0]) is int


def _parents(rows: Sequence[Row]) -> dict[int, tuple[int, int]]:
    """For each row: the first row that refers to it, and where in that row."""
    parents: dict[int, tuple[int, int]] = {}
    for parent, content in enumerate(rows):
        for place, item in enumerate(content):
            if _is_reference(item) and item[0] > parent:  # rows are numbered as they are met: a parent comes first
                parents.setdefault(item[0], (parent, place))
    return parents


def _step(row: int, rows: Sequence[Row], parents: dict[int, tuple[int, int]]) -> str:
    """How to get from its parent to row `row`."""
    parent, place = parents[row]
    content = rows[parent]
    match content[0]:
        case Kind.LIST | Kind.TUPLE:
            return f"[{place - 1}]"
        case Kind.SET | Kind.FROZENSET:
            return "{set item}"
        case Kind.DICT | Kind.DICT_LIKE:
            above = parents.get(parent)
            return _dict_step(content, place, rows, above is not None and rows[above[0]][0] == Kind.MOBILE)
        case Kind.PORTABLE:
            return f".{content[2][place - 3]}"
        case Kind.PORTABLE_LIKE:
            return f".{rows[content[1]][2][place - 2]}"
        case Kind.EXCEPTION:
            return ".args" if place == 3 else f".{content[4][place - 5]}"
    return ""  # a mobile object's state: the next step names the attribute


def _dict_step(content: Row, place: int, rows: Sequence[Row], is_state: bool) -> str:
    if content[0] == Kind.DICT_LIKE:
        key = rows[content[1]][place - 1]
    else:
        half = (len(content) - 1) // 2
        if place <= half:
            return "{dict key}"
        key = content[place - half]
    if type(key) is list:
        return "[...]"
    if is_state and type(key) is str and key.isidentifier():
        return f".{key}"
    shown = repr(key)
    return f"[{shown if len(shown) <= _LONGEST_KEY else shown[:_LONGEST_KEY] + '...'}]"
