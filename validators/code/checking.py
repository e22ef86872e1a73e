"""A checker for validators of one's own: does it give a clear answer to every question that can be asked?"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..consignment import Consignment
from .asking import Block, Question, Undecided, Validator, ask, shown

__all__ = ["check_validator"]

_SOURCES: Final = ("x = 1\n", "import json\n", "class Größe:\n    pass\n", "this is (no Python\n", "\n")
_ADDRESSES: Final = (("192.0.2.1", 4711), ("2001:db8::1", 4711))  # documentation's own: RFC 5737, RFC 3849
_NAMES: Final = ("agent", "agent.shopping", "objects.goods", "größe.deep.er", "x" * 200)


@dataclass(frozen=True)
class _Somebody:
    """As much of a caller as any validator may count on."""

    identity: str | None
    address: tuple[str, int]
    certificate: None = None
    connection: None = None


def check_validator(validator: Validator, *names: str) -> list[str]:
    """Ask `validator` about code of both directions; gives a line for each answer that is no clear one.

    Clear are a bool, 0, 1 and a `Verdict`. None (a forgotten ``return``), a coroutine, anything else and an exception
    deny, which is safe and surely not meant. Of a block, the validators inside are asked one by one. An empty list
    says nothing about whether the decisions are the ones you want: `emporion policy test` shows those.

    Args:
        names: Names of modules to ask about, in addition to some ordinary ones.
    """
    questions = _questions((*_NAMES, *names))
    return _faults(validator, questions)


def _faults(validator: Validator, questions: list[Question]) -> list[str]:
    """The faults of what is inside; its own where there are none: a block passes on what it is made of."""
    inner = [line for part in _parts(validator) for line in _faults(part, questions)]
    if inner:
        return inner
    found = []
    for question in questions:
        answer = ask(validator, question)
        if isinstance(answer, Undecided) and answer.fault:
            way = "coming in" if question.incoming else "going out"
            found.append(f"{shown(validator)}, asked about {question.name!r} {way}: {answer.verdict.reason}")
    return list(dict.fromkeys(found))


def _parts(validator: Validator) -> Iterable[Validator]:
    return validator._parts() if isinstance(validator, Block) else ()


def _questions(names: tuple[str, ...]) -> list[Question]:
    found = []
    for name, (ip, port), identity in itertools.product(names, _ADDRESSES, (None, "nora")):
        caller = _Somebody(identity, (ip, port))
        found.append(Question(name, None, None, caller, peek=True))
        for source in _SOURCES:
            goods = Consignment({name: "0" * 64})
            found.append(Question(name, source, (ip, port), caller, goods, peek=True))
    return found
