"""`emporion code`: what a host keeps of others' code, and the operator's decisions about it.

Works on the file in the host's state folder, also while the host runs: what is yanked here is refused there at once.
"""

import difflib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
from rich.table import Table
from rich.text import Text

from ...errors import ConfigurationError
from ..code.disk import DiskCodeStore
from ..code.kept import SHOWN_DIGITS, Kept
from .screen import console, plain

__all__ = ["decide", "diff", "list_code", "parse_digest", "show"]

MAX_NAMED: Final = 5  # of the digests that an abbreviation could mean, and of the names in a line of the table


def parse_digest(text: str) -> str:
    """A digest as it is typed: 8 to 64 hexadecimal digits.

    Raises:
        typer.BadParameter: `text` is none.
    """
    found = text.lower()
    if not re.fullmatch(r"[0-9a-f]{8,64}", found):
        raise typer.BadParameter(f"{text!a}: write 8 to 64 digits of it, as `emporion code list` shows it")
    return found


def list_code(folder: Path, *, as_json: bool) -> None:
    """Show all that is kept, last used first.

    Raises:
        ConfigurationError: There is no store in `folder`, or none that can be used.
    """
    with _store(folder) as store:
        everything = store.listing()
    if as_json:
        for kept in everything:
            typer.echo(json.dumps(_record(kept)))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("digest", width=SHOWN_DIGITS)
    table.add_column("bytes", justify="right", no_wrap=True)
    for head in ("names", "from", "last used", "decided"):
        table.add_column(head, overflow="fold")
    for kept in everything:
        size = "" if kept.size is None else f"{kept.size:,}"
        names, peers = ([label.name for label in kept.labels], [label.peer for label in kept.labels])
        cells = kept.digest[:SHOWN_DIGITS], size, _few(names), _few(peers), _time(kept.used_s), _decided(kept)
        table.add_row(*map(Text, map(plain, cells)))
    console().print(table)


def show(folder: Path, digest: str, *, raw: bool) -> None:
    """Print a module's source: to a terminal made harmless unless `raw`, to a file or pipe as it is.

    Raises:
        ConfigurationError: Not kept, or not known by that abbreviation.
    """
    with _store(folder) as store:
        source = _text(store, _full(store.listing(), digest, folder))
    if raw or not sys.stdout.isatty():
        # The very bytes: `sha256sum` gives the digest.
        sys.stdout.buffer.write(source.encode())
        sys.stdout.buffer.flush()
        return
    for line in _lines(source):
        typer.echo(_harmless(line))


def diff(folder: Path, old: str, new: str) -> None:
    """Print how two texts differ, as a unified diff; to a terminal made harmless.

    Raises:
        ConfigurationError: As `show`.
    """
    with _store(folder) as store:
        everything = store.listing()
        digests = [_full(everything, digest, folder) for digest in (old, new)]
        before, after = [_lines(_text(store, digest)) for digest in digests]
    here, there = (digest[:SHOWN_DIGITS] for digest in digests)
    lines = list(difflib.unified_diff(before, after, here, there, lineterm=""))
    for line in lines or ["no line differs" + (": only how lines end" if here != there else "")]:
        typer.echo(_harmless(line) if sys.stdout.isatty() else line.encode())


def decide(folder: Path, what: str, digests: list[str], why: str = "") -> None:
    """Do `what` ("pin", "unpin", "yank", "unyank") to each digest, or to none where one is not known.

    A whole digest may be yanked before its text has ever come.

    Raises:
        ConfigurationError: A digest is not known, or fits several; the decision cannot be written down.
    """
    with _store(folder) as store:
        everything = store.listing()
        ahead = what == "yank"
        chosen = [one if ahead and len(one) == 64 else _full(everything, one, folder) for one in digests]
        known = {kept.digest: kept for kept in everything}
        for digest in chosen:
            if what == "unpin" and not known[digest].pinned:
                raise ConfigurationError(f"{digest} is not pinned")
            if what == "unyank" and known[digest].yanked is None:
                raise ConfigurationError(f"{digest} is not yanked")
        for digest in chosen:
            if what == "yank":
                store.yank(digest, why)
            else:
                getattr(store, what)(digest)
            names = _few(label.name for label in known[digest].labels) if digest in known else "not seen yet"
            done = {"pin": "pinned", "unpin": "unpinned", "yank": "yanked", "unyank": "no longer yanked"}[what]
            typer.echo(f"{done}  {digest[:SHOWN_DIGITS]}  {plain(names)}".rstrip())


@contextmanager
def _store(folder: Path) -> Iterator[DiskCodeStore]:
    store = DiskCodeStore(folder, make=False)
    try:
        yield store
    finally:
        store.close()


def _full(everything: list[Kept], digest: str, folder: Path) -> str:
    """The one digest that begins like that."""
    found = [kept.digest for kept in everything if kept.digest.startswith(digest)]
    if not found:
        raise ConfigurationError(f"nothing with the digest {digest} is kept in {folder}: see `emporion code list`")
    if len(found) > 1:
        which = ", ".join(found[:MAX_NAMED]) + (", ..." if len(found) > MAX_NAMED else "")
        raise ConfigurationError(f"{digest} is the beginning of {len(found)} digests: write more of one of {which}")
    return found[0]


def _text(store: DiskCodeStore, digest: str) -> str:
    source = store.text(digest)
    if source is None:
        raise ConfigurationError(f"the text of {digest} is not kept (any more), only what was decided about it")
    return source


def _lines(source: str) -> list[str]:
    """Lines as Python's compiler counts them; `str.splitlines` would break at characters that may stand in a line."""
    lines = re.split(r"\r\n|\r|\n", source)
    return lines if lines[-1] else lines[:-1]


def _harmless(line: str) -> str:
    # Not cut: whoever reads code before letting it in must see the end of a long line.
    line = line.expandtabs(8)
    return plain(line, len(line))


def _few(texts: Iterable[str]) -> str:
    every = list(dict.fromkeys(texts))
    return ", ".join(every[:MAX_NAMED]) + (f", ... {len(every)} in all" if len(every) > MAX_NAMED else "")


def _decided(kept: Kept) -> str:
    return "; ".join(["pinned"] * kept.pinned + ([] if kept.yanked is None else [f"yanked: {kept.yanked}"]))


def _time(at_s: float | None) -> str:
    return "" if at_s is None else datetime.fromtimestamp(at_s).strftime("%Y-%m-%d %H:%M")


def _record(kept: Kept) -> dict[str, Any]:
    def iso(at_s: float | None) -> str | None:
        return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")

    labels = [
        {"name": label.name, "peer": label.peer, "first": iso(label.first_s), "last": iso(label.last_s)}
        for label in kept.labels
    ]
    flags = {"pinned": kept.pinned, "yanked": kept.yanked}
    shown = {name: value for name, value in asdict(kept).items() if name in ("digest", "size")}
    return {**shown, "used": iso(kept.used_s), **flags, "labels": labels}
