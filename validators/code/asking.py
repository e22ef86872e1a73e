"""How a code validator is asked and its answer read, and what every block has in common.

A validator is any callable ``(name, module, address)``; a plain function always works. For code that comes in (a
client uploads to a host, or a client asks its own validator about a download) all three are given; for code that is
to go out only the name is, the other two are None.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...errors import ConfigurationError
from ..consignment import Consignment
from ..verdict import MAX_REASON_CHARS, Verdict, read_verdict
from .parameters import extras_of

__all__ = [
    "MAX_REASON_CHARS",
    "Address",
    "Answer",
    "Block",
    "CodeValidator",
    "Question",
    "Undecided",
    "Validator",
    "ask",
    "broken",
    "check_callable",
    "is_block",
    "judge",
    "judge_closure",
    "settled",
    "shown",
]

Address = tuple[str, int]


class CodeValidator(Protocol):
    """Decides on one module: its dotted name, its source and its sender's (ip, port), or the name alone going out.

    The answer is a bool, 0 or 1, or a `Verdict`; anything else, and any exception, denies. A validator with a
    parameter named ``caller`` is given the caller by that name too, one with ``consignment`` the `Consignment` that
    the module belongs to, or None.
    """

    def __call__(self, name: str, module: str | None, address: Address | None, /) -> bool | int | Verdict: ...


Validator = Callable[..., Any]  # what is really taken: also callables with the further parameters
OnError = Callable[[Exception], None]


def judge(
    validator: Validator | None,
    name: str,
    module: str | None,
    address: Address | None,
    *,
    caller: object = None,
    consignment: Consignment | None = None,
    on_error: OnError | None = None,
    peek: bool = False,
) -> Verdict:
    """Ask `validator` about one module and read its answer strictly; whatever is not a clear yes denies.

    Args:
        validator: None (the object has no validator) denies.
        name: The module's dotted name.
        module: Its source when the code comes in, None when it is to go out.
        address: The sender's (ip, port) when the code comes in, None when it is to go out.
        caller: Given to validators that have a parameter of that name.
        consignment: What the module came with; the same object for all modules of one upload. Given to validators
            that have a parameter of that name.
        on_error: Called with what the validator raised, e.g. to log the traceback. The verdict is a denial whose
            `reason` has the exception's type and text; its `told_reason`, for the peer, has neither.
        peek: The question is asked out of curiosity: blocks that count (`rate`) do not count it.
    """
    if validator is None:
        return Verdict(False, "the object has no code validator")
    return settled(ask(validator, Question(name, module, address, caller, consignment, on_error, peek)))


def judge_closure(
    validator: Validator | None,
    sources: Mapping[str, str] | Mapping[str, None],
    address: Address | None,
    caller: object = None,
    *,
    consignment: Consignment | None = None,
    on_error: OnError | None = None,
) -> tuple[str, Verdict] | None:
    """Ask about every module of a closure, {name: source} or {name: None} going out, in the order of their names.

    Returns None when all are accepted, else the first denied name with its verdict: a closure is accepted whole or
    not at all.
    """
    for name in sorted(sources):
        verdict = judge(
            validator, name, sources[name], address, caller=caller, consignment=consignment, on_error=on_error
        )
        if not verdict:
            return name, verdict
    return None


@dataclass(slots=True, eq=False)
class Question:
    """What is asked about one module; never changed (frozen ones cost three times as much to make)."""

    name: str
    module: str | None
    address: Address | None
    caller: object = None
    consignment: Consignment | None = None
    on_error: OnError | None = None
    peek: bool = False

    @property
    def incoming(self) -> bool:
        return bool(self.module) and bool(self.address)

    @property
    def outgoing(self) -> bool:
        return self.module is None and self.address is None


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither yes nor no: a validator that raised, or a block without what it judges by. Denies, also under `not_`.

    `verdict` is that denial; `fault` says that it is the validator's own: it raised, or its answer is none.
    """

    verdict: Verdict
    fault: bool = False

    @classmethod
    def because(cls, reason: str) -> "Undecided":
        return cls(Verdict(False, reason))


Answer = Verdict | Undecided


def broken(reason: str, *, fault: bool = False) -> Undecided:
    """A validator that cannot do its work: the operator's trouble, of which the peer learns no details."""
    return Undecided(Verdict(False, reason[:MAX_REASON_CHARS], told=False, instead="the validator failed"), fault)


def settled(answer: Answer) -> Verdict:
    """What an answer comes to for who has to act on it."""
    return answer.verdict if isinstance(answer, Undecided) else answer


def is_block(validator: Validator) -> bool:
    """Whether it answers in three values; a subclass that has its own ``__call__`` is asked as it wishes to be."""
    return isinstance(validator, Block) and type(validator).__call__ is Block.__call__


def ask(validator: Validator, question: Question) -> Answer:
    """One validator's answer, kept in three values for the sake of `not_`."""
    if isinstance(validator, Block) and is_block(validator):
        return _weighed(validator, question)
    try:
        extra = {name: getattr(question, name) for name in extras_of(validator)}
        answer = validator(question.name, question.module, question.address, **extra)
        verdict = read_verdict(answer)
    except Exception as error:
        return _raised(error, question)
    if verdict is answer or type(answer) is bool or (type(answer) is int and answer in (0, 1)):
        return verdict
    return Undecided(verdict, fault=True)


def _weighed(block: "Block", question: Question) -> Answer:
    try:
        return block._weigh(question)
    except Exception as error:
        return _raised(error, question)


def _raised(error: Exception, question: Question) -> Undecided:
    if question.on_error:
        question.on_error(error)
    return broken(f"the validator raised {type(error).__name__}: {error}", fault=True)


class Block(ABC):
    """A code validator with a readable `repr` that gives reasons and can `explain` itself."""

    def __call__(
        self,
        name: str,
        module: str | None,
        address: Address | None,
        caller: object = None,
        consignment: Consignment | None = None,
    ) -> Verdict:
        return settled(_weighed(self, Question(name, module, address, caller, consignment)))

    def explain(
        self,
        name: str,
        module: str | None,
        address: Address | None,
        caller: object = None,
        consignment: Consignment | None = None,
    ) -> str:
        """What this block and each block inside it say to one question: a line each, inner ones indented.

        For the operator: reasons are shown that peers do not hear. Asking counts for nothing (see `rate`).
        """
        return "\n".join(self._lines(Question(name, module, address, caller, consignment, peek=True), 0))

    @abstractmethod
    def _weigh(self, question: Question) -> Answer: ...

    def _parts(self) -> Iterable[Validator]:
        return ()

    def _lines(self, question: Question, depth: int) -> list[str]:
        lines = [_line(self, ask(self, question), depth)]
        for part in self._parts():
            if isinstance(part, Block):
                lines += part._lines(question, depth + 1)
            else:
                lines.append(_line(part, ask(part, question), depth + 1))
        return lines


def _line(validator: Validator, answer: Answer, depth: int) -> str:
    word = "cannot tell" if type(answer) is Undecided else "accepts" if settled(answer) else "denies"
    reason = settled(answer).reason
    return f"{'  ' * depth}{shown(validator)} {word}{': ' + reason if reason else ''}"


def shown(validator: Validator) -> str:
    """A validator's name for people: a block's `repr`, a function's own name."""
    return repr(validator) if isinstance(validator, Block) else getattr(validator, "__qualname__", repr(validator))


def check_callable(block: str, validator: object) -> None:
    """Refuse what is no validator, when the block is made.

    Raises:
        ConfigurationError: It cannot be called.
    """
    if not callable(validator):
        raise ConfigurationError(f"{block}() takes validators, not {validator!r}: text patterns go into names(...)")
