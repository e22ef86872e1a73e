"""Verdicts: what every validator gives back, and how strictly answers are read."""

from dataclasses import dataclass
from typing import Final

from ..errors import DenyReason

__all__ = ["ACCEPT", "MAX_REASON_CHARS", "Verdict", "deny", "read_verdict"]

MAX_REASON_CHARS: Final = 500  # a reason goes into logs and to the peer: an exception's text may be of any length


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reason; true when accepted.

    `code` is what a denied connection is told; code validators ignore it. The log gets `reason`; a peer whose code is
    denied gets `told_reason`: the same where `told` is true, else `instead`.
    """

    accepted: bool
    reason: str = ""
    code: DenyReason = DenyReason.UNSPECIFIED
    told: bool = True
    instead: str = "denied by the host's policy"

    def __bool__(self) -> bool:
        return self.accepted

    @property
    def told_reason(self) -> str:
        """What the peer may hear."""
        return self.reason if self.told else self.instead


ACCEPT: Final = Verdict(True)


def deny(reason: DenyReason = DenyReason.UNSPECIFIED, text: str = "") -> Verdict:
    """A verdict that says no; `text` goes to the log, and to the peer only where a policy lets it."""
    return Verdict(False, text, reason)


def read_verdict(answer: object) -> Verdict:
    """Read what a validator returned: a bool, 0 or 1, or a `Verdict`; anything else denies.

    A forgotten ``return`` (None) or a coroutine that was never awaited must not open a door: truthiness is not enough.
    Nor may a `Verdict` whose fields have other types than they should.
    """
    if type(answer) is Verdict:
        texts = (answer.reason, answer.instead)
        if type(answer.accepted) is type(answer.told) is bool and all(type(text) is str for text in texts):
            return answer
        return Verdict(False, "the validator returned a Verdict whose fields have wrong types")
    if type(answer) is bool or (type(answer) is int and answer in (0, 1)):
        return Verdict(bool(answer), "" if answer else "the validator said no")
    if hasattr(answer, "close") and hasattr(answer, "send"):
        answer.close()  # a coroutine: close it, or Python warns that nobody awaited it
    return Verdict(False, f"the validator returned {type(answer).__name__}, not a bool or a Verdict")
