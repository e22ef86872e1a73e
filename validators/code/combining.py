"""Blocks around other validators: by direction, inverted, all or any of several, silent towards the peer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ...errors import ConfigurationError
from ..verdict import ACCEPT, Verdict
from .asking import MAX_REASON_CHARS, Answer, Block, Question, Undecided, Validator, ask, check_callable, settled, shown

__all__ = ["all_of", "any_of", "downloads", "not_", "quiet", "uploads"]


class _Around(Block):
    """A block with one validator inside."""

    def __init__(self, validator: Validator) -> None:
        check_callable(type(self).__name__, validator)
        self.validator = validator

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self.validator)})"

    def _parts(self) -> tuple[Validator, ...]:
        return (self.validator,)


class uploads(_Around):
    """Accepts what comes in and what the validator inside accepts of it; denies what is to go out."""

    def _weigh(self, question: Question) -> Answer:
        if question.incoming:
            return ask(self.validator, question)
        no = f"{question.name!r} is no upload"
        return Verdict(False, no) if question.outgoing else Undecided.because(_HALF)


class downloads(_Around):
    """Accepts what is to go out and what the validator inside accepts of it; denies what comes in."""

    def _weigh(self, question: Question) -> Answer:
        if question.outgoing:
            return ask(self.validator, question)
        no = f"{question.name!r} is no download"
        return Verdict(False, no) if question.incoming else Undecided.because(_HALF)


_HALF: Final = "source and address must both be given (code comes in) or both be None (code goes out)"


def _faces_away(validator: Validator, question: Question) -> bool:
    """Whether it is for the other direction only."""
    return (isinstance(validator, uploads) and question.outgoing) or (
        isinstance(validator, downloads) and question.incoming
    )


class not_(_Around):
    """Accepts what the validator inside denies. A validator that raises or cannot tell still ends in a denial."""

    def __init__(self, validator: Validator) -> None:
        super().__init__(validator)
        self._silent = _has_quiet(validator)

    def _weigh(self, question: Question) -> Answer:
        answer = ask(self.validator, question)
        if type(answer) is Undecided:
            return answer
        verdict = settled(answer)
        if not verdict:
            return ACCEPT
        # The reason shows the validator, and with it what a quiet one inside keeps to itself.
        return Verdict(False, f"{shown(self.validator)} accepts it", told=verdict.told and not self._silent)


class quiet(_Around):
    """Decides as the validator inside does; its reasons reach the log and `explain`, but not the peer.

    The peer hears "denied by the host's policy".
    """

    def _weigh(self, question: Question) -> Answer:
        answer = ask(self.validator, question)
        silent = replace(settled(answer), told=False, instead=_QUIET)
        return replace(answer, verdict=silent) if isinstance(answer, Undecided) else silent


_QUIET: Final = Verdict(False).instead


def _has_quiet(validator: Validator) -> bool:
    return isinstance(validator, quiet) or (isinstance(validator, Block) and any(map(_has_quiet, validator._parts())))


class _Several(Block):
    """A block with one or more validators inside, asked from left to right."""

    def __init__(self, *validators: Validator) -> None:
        if not validators:
            raise ConfigurationError(f"{type(self).__name__}() needs at least one validator")
        for validator in validators:
            check_callable(type(self).__name__, validator)
        self.validators = validators

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(shown, self.validators))})"

    def _parts(self) -> tuple[Validator, ...]:
        return self.validators


class all_of(_Several):
    """Accepts what every validator inside accepts; the reason of a denial is that of the first which does not.

    Nobody is asked after a denial: put what is cheap first, and `rate` last.
    """

    def _weigh(self, question: Question) -> Answer:
        undecided: Answer | None = None
        accepted: list[Verdict] = []
        for validator in self.validators:
            answer = ask(validator, question)
            if isinstance(answer, Undecided):
                undecided = undecided or answer
            elif not answer:
                return answer
            elif answer.reason:
                accepted.append(answer)
        return undecided or (_joined(True, accepted) if accepted else ACCEPT)


class any_of(_Several):
    """Accepts what at least one validator inside accepts; the reason of a denial joins all of theirs.

    That an upload is no download is no reason that helps anybody: those of the other direction are left out.
    """

    def _weigh(self, question: Question) -> Answer:
        answers: list[Answer] = []
        reasons: list[Verdict] = []
        for validator in self.validators:
            answer = ask(validator, question)
            if type(answer) is Verdict and answer:
                return answer
            answers.append(answer)
            if not _faces_away(validator, question):
                reasons.append(settled(answer))
        denial = _joined(False, reasons or [settled(answer) for answer in answers])
        return Undecided(denial) if any(type(answer) is Undecided for answer in answers) else denial


def _joined(accepted: bool, verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict with the reasons of all, for the log; and for the peer with what it may hear of them."""
    reason = "; ".join(verdict.reason for verdict in verdicts if verdict.reason)[:MAX_REASON_CHARS]
    if all(verdict.told for verdict in verdicts):
        return Verdict(accepted, reason)
    told = dict.fromkeys(verdict.told_reason for verdict in verdicts if verdict.told_reason)
    return Verdict(accepted, reason, told=False, instead="; ".join(told)[:MAX_REASON_CHARS])
