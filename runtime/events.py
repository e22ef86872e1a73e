"""What a host tells its operator: log records with a typed event on each, for programs that want more than text."""

import logging
from dataclasses import dataclass

__all__ = ["CodeCrossed", "Printed", "VisitOver", "announce", "one_line"]

code_log = logging.getLogger("emporion.code")
visit_log = logging.getLogger("emporion.visit")


@dataclass(frozen=True, slots=True)
class CodeCrossed:
    """A module crossed, or was kept from crossing. `direction` is "upload" or "download"."""

    module: str
    digest: str
    direction: str
    accepted: bool
    rule: str  # why not; for an accepted one what it was: "sent", or "known" where the text was here already
    peer: str  # the other end, as "identity@address"

    def __str__(self) -> str:
        verdict = "accepted" if self.accepted else "DENIED"
        module, rule = one_line(self.module), one_line(self.rule, 500)
        return f"{self.direction} of {module} {one_line(self.digest, 12)} {verdict} ({rule}), peer {self.peer}"


@dataclass(frozen=True, slots=True)
class VisitOver:
    """A visit has ended. `ended_by` is "" where its call simply returned."""

    agent: str
    peer: str
    wall_s: float
    calls: int
    ended_by: str

    def __str__(self) -> str:
        how = f"ended by {one_line(self.ended_by, 500)}" if self.ended_by else "done"
        spent = f"{self.wall_s * 1000:.1f} ms and {self.calls} calls"
        return f"visit of {one_line(self.agent)} from {self.peer} {how} after {spent}"


@dataclass(frozen=True, slots=True)
class Printed:
    """Lines that an agent printed."""

    agent: str
    peer: str
    text: str

    def __str__(self) -> str:
        return f"{one_line(self.agent)} from {self.peer} printed {one_line(self.text, 500)}"


Event = CodeCrossed | VisitOver | Printed


def announce(event: Event) -> None:
    """Log `event`; it is the record's attribute `event`."""
    log = code_log if isinstance(event, CodeCrossed) else visit_log
    log.log(_level(event), "%s", event, extra={"event": event})


def _level(event: Event) -> int:
    match event:
        case CodeCrossed(accepted=False):
            return logging.WARNING
        case CodeCrossed(rule="sent" | "known"):
            return logging.INFO
        case CodeCrossed():
            return logging.DEBUG  # "announced": asked for each object that goes; "sent" follows when it does
        case VisitOver(ended_by=why) if why:
            return logging.WARNING
    return logging.INFO


def one_line(text: str, most: int = 200) -> str:
    """Foreign text for a log: one line, printable, bounded: it can neither forge a line nor steer a terminal."""
    shown = "".join(c if c.isprintable() and c != "\\" else _escaped(c) for c in text[:most])
    return shown + ("..." if len(text) > most else "")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
