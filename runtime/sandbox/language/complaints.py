"""What the language policy has to say about source: one complaint for each construct that it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ....errors import CodeDenied, EmporionError

__all__ = ["MAX_COMPLAINTS", "Complaint", "Need", "PolicyRefused", "Refused", "in_one_line"]

MAX_COMPLAINTS: Final = 20  # of one module, in one refusal


@dataclass(frozen=True)
class Complaint:
    """One construct that agents may not use: where it stands (both from 1), why not, and what to write instead."""

    line: int
    column: int
    construct: str
    why: str
    instead: str

    def __str__(self) -> str:
        advice = f"; instead: {self.instead}" if self.instead else ""
        return f"line {self.line}, column {self.column}: {self.construct}: {self.why}{advice}"


class PolicyRefused(EmporionError):
    """The language policy does not let this module in; `complaints` holds all that is wrong with it, in order."""

    def __init__(self, module: str, complaints: tuple[Complaint, ...]) -> None:
        self.module = module
        self.complaints = complaints
        lines = "\n".join(f"  {complaint}" for complaint in complaints)
        super().__init__(f"module {module!r} is not in the language of agents:\n{lines}")


_NO_FILES: Final = "ask a hosted object for data: there are no files here"
_NO_NETWORK: Final = "ask a hosted object: there is no network here"
_ONE_THREAD: Final = "do one thing after another: a visit has one thread, and no other processes"
_ASK: Final = "do without it, or ask the host's operator to allow it"
_INSTEAD: Final[dict[str, str]] = {
    **dict.fromkeys(("glob", "io", "os", "pathlib", "shutil", "tempfile"), _NO_FILES),
    **dict.fromkeys(("http", "requests", "socket", "ssl", "urllib"), _NO_NETWORK),
    **dict.fromkeys(("asyncio", "concurrent", "multiprocessing", "subprocess", "threading"), _ONE_THREAD),
    **dict.fromkeys(("marshal", "pickle", "shelve"), "use json"),
    "emporion": "do what needs it at home: an agent has its hosts' objects only",
    "logging": "use print",
    "sys": "return, or raise an exception",
}


@dataclass(frozen=True, slots=True)
class Need:
    """An import of what agents are not given, as in `Complaint`; `name` is "" where the whole `module` is missing."""

    module: str
    name: str
    line: int
    column: int
    construct: str

    @property
    def complaint(self) -> Complaint:
        """What to tell the author."""
        if self.name:
            why = f"needs {self.module}.{self.name}, which the host does not offer"
            instead = "do without it, or write it yourself"
        else:
            why = f"needs {self.module}, which the host does not offer"
            instead = _INSTEAD.get(self.module.partition(".")[0], _ASK)
        return Complaint(self.line, self.column, self.construct, why, instead)


class Refused(CodeDenied):
    """An uploaded module that the language policy refused, and what it `needs` besides."""

    def __init__(self, module: str, reason: str, needs: Sequence[Need] = ()) -> None:
        super().__init__(module, "upload", reason)
        self.needs = needs


def in_one_line(complaints: Sequence[Complaint]) -> str:
    """Complaints of one module for one line of text, the first 20 of them in full."""
    more = len(complaints) - MAX_COMPLAINTS
    return "; ".join(map(str, complaints[:MAX_COMPLAINTS])) + (f"; and {more} more" if more > 0 else "")
