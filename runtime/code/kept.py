"""What a code store knows of a module beside its text: whose it was, when it was used, what the operator decided."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ...errors import ConfigurationError, LimitExceeded
from ..events import one_line

__all__ = ["MAX_LABELS", "Kept", "Label", "checked_digest", "checked_peer", "checked_why", "leaving", "yank_reason"]

MAX_LABELS: Final = 20  # a digest: who comes every day under another name shall not fill the store with names
MAX_PEER_CHARS: Final = 200
MAX_WHY_CHARS: Final = 500
SHOWN_DIGITS: Final = 16  # of a digest, in what people read: nobody finds two texts that agree in 64 bits by accident

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Label:
    """A name under which a text came, and from whom: "identity@ip", without the port, which says nothing later."""

    name: str
    peer: str
    first_s: float  # seconds since the epoch, as all times here
    last_s: float


@dataclass(frozen=True, slots=True)
class Kept:
    """One line of a store's list. Its labels are foreign text."""

    digest: str
    size: int | None  # bytes of UTF-8; None: only a decision is kept, not the text
    used_s: float | None
    pinned: bool
    yanked: str | None  # why
    labels: tuple[Label, ...] = ()


def checked_digest(digest: str) -> str:
    """Give back a digest that is one.

    Raises:
        ConfigurationError: It is no 64 lowercase hexadecimal digits.
    """
    if type(digest) is not str or not _DIGEST.fullmatch(digest):
        raise ConfigurationError(f"{digest!a:.100} is no digest: 64 lowercase hexadecimal digits are needed")
    return digest


def checked_why(why: str) -> str:
    """A reason as it is kept: one printable line, since logs, peers and terminals get to see it.

    Raises:
        ConfigurationError: There is none: whoever meets it later wants to know.
    """
    text = one_line(why.strip(), MAX_WHY_CHARS)
    if not text:
        raise ConfigurationError("say why the code is yanked: its senders and your successors will ask")
    return text


def checked_peer(peer: str) -> str:
    """The other end as labels have it: printable and bounded."""
    return one_line(peer, MAX_PEER_CHARS)


def yank_reason(digest: str, why: str) -> str:
    """Why code with a yanked digest is refused, for whoever is refused."""
    return f"digest {digest[:SHOWN_DIGITS]} was yanked: {why}"


def leaving(
    least_used_first: Iterable[tuple[str, int]],
    *,
    wanted: tuple[int, int],
    bounds: tuple[int, int],
) -> list[str]:
    """Which texts must go so that a new one fits.

    Args:
        least_used_first: (digest, bytes) of what may go.
        wanted: The bytes and the number of texts that there would be with the new one.
        bounds: The most bytes, and the most texts, that there may be.

    Raises:
        LimitExceeded: Not even all of them would make room; then none must go.
    """
    over_bytes, over_modules = wanted[0] - bounds[0], wanted[1] - bounds[1]
    found = []
    for digest, size in least_used_first:
        if over_bytes <= 0 and over_modules <= 0:
            break
        found.append(digest)
        over_bytes -= size
        over_modules -= 1
    if over_bytes > 0:
        raise LimitExceeded("max_bytes", over_bytes + bounds[0], bounds[0])
    if over_modules > 0:
        raise LimitExceeded("max_modules", over_modules + bounds[1], bounds[1])
    return found
