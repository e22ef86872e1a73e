"""Verdicts: what every validator gives back, and how strictly answers are read."""

from dataclasses import dataclass
from typing import Final

from ..errors import DenyReason

__all__ = ["ACCEPT", "Verdict", "deny", "read_verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reason; true when accepted.

    `code` is what a denied connection is told; code validators ignore it.
    """

    accepted: bool
    reason: str = ""
    code: DenyReason = DenyReason.UNSPECIFIED

    def __bool__(self) -> bool:
        return self.accepted


ACCEPT: Final = Verdict(True)


def deny(reason: DenyReason = DenyReason.UNSPECIFIED, text: str = "") -> Verdict:
    """A verdict that says no; `text` goes to the log, and to the peer only where a policy lets it."""
    return Verdict(False, text, reason)


def read_verdict(answer: object) -> Verdict:
    """Read what a validator returned: a bool, 0 or 1, or a `Verdict`; anything else denies.

    A forgotten ``return`` (None) or a coroutine that was never awaited must not open a door: truthiness is not enough.
    """
    if type(answer) is Verdict:
        return answer
    if type(answer) is bool or (type(answer) is int and answer in (0, 1)):
        return Verdict(bool(answer), "" if answer else "the validator said no")
    if hasattr(answer, "close") and hasattr(answer, "send"):
        answer.close()  # a coroutine: close it, or Python warns that nobody awaited it
    return Verdict(False, f"the validator returned {type(answer).__name__}, not a bool or a Verdict")
