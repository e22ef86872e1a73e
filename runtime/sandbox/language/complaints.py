"""What the language policy has to say about source: one complaint for each construct that it refuses."""

from dataclasses import dataclass

from ....errors import EmporionError

__all__ = ["Complaint", "PolicyRefused"]


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
