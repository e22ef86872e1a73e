"""What a connection validator does of the handshake: only adds a condition (a gate), or proves in its own way."""

import logging
import traceback
from enum import Enum, auto
from typing import Any, Final

from ...errors import ConfigurationError, ConnectionDenied, DenyReason
from ..verdict import Verdict, deny, read_verdict
from .by_certificate import certificates
from .steps import Connection, ConnectionValidator

__all__ = [
    "Around",
    "Question",
    "check_validator_type",
    "misled",
    "needs_certificate",
    "proves",
    "question_of",
    "raised",
    "shown",
    "tried",
]

# Whoever overrides one of these proves in a way of its own; all others leave the proof to the default.
_PROOF: Final = (
    "accept_identification",
    "check_host_proof",
    "create_auth_challenge",
    "create_auth_token",
    "create_host_proof",
)


class Question(Enum):
    """Whose challenge a validator's proof answers. One handshake has one."""

    HOSTS = auto()  # the default's: SCRAM with the host's passphrases
    OWN = auto()
    NONE = auto()  # a client certificate is shown before, and nothing is asked


class Around(ConnectionValidator):
    """A validator made of others: its type does not show what it does.

    Subclasses that override steps count as what these steps make them, like any other validator's.
    """

    _needs_certificate: bool
    _stock: type["Around"]  # the class of ours whose steps are only handed on
    _proves: bool
    _question: Question

    def _misled(self, connection: Connection) -> bool:
        """Whether the connection's token was wrong though `accept_identification` said yes, for another reason."""
        return False


def proves(validator: ConnectionValidator) -> bool:
    """Whether it has a proof of its own; else it is a gate before the default one."""
    if isinstance(validator, Around):
        return validator._proves or _overrides(validator, validator._stock, *_PROOF)
    return _overrides(validator, ConnectionValidator, *_PROOF)


def needs_certificate(validator: ConnectionValidator) -> bool:
    """Whether it lets nobody in who shows no client certificate, as far as can be said of it."""
    return validator._needs_certificate if isinstance(validator, Around) else isinstance(validator, certificates)


def question_of(validator: ConnectionValidator) -> Question:
    """Whose challenge its proof answers."""
    base = validator._stock if isinstance(validator, Around) else ConnectionValidator
    if _overrides(validator, base, "create_auth_token"):
        return Question.OWN
    if _overrides(validator, base, "create_auth_challenge"):
        return Question.NONE if _overrides(validator, base, "check_certificate") else Question.OWN
    return validator._question if isinstance(validator, Around) else Question.HOSTS


def _overrides(validator: ConnectionValidator, base: type[ConnectionValidator], *steps: str) -> bool:
    functions = [getattr(getattr(validator, step), "__func__", None) for step in steps]
    return any(function is not getattr(base, step) for function, step in zip(functions, steps, strict=True))


def misled(validator: ConnectionValidator, connection: Connection) -> bool:
    """Whether `validator`, which has just said yes, was given a wrong token with it."""
    return isinstance(validator, Around) and validator._misled(connection)


def check_validator_type(block: str, validator: object) -> None:
    """Refuse what is no connection validator, when the block is made.

    Raises:
        ConfigurationError: The text says what to write.
    """
    if not isinstance(validator, ConnectionValidator):
        raise ConfigurationError(
            f"{block} takes connection validators, not {validator!r:.100}: a function goes into by_host(...), and a "
            "class is called first"
        )


def shown(validator: ConnectionValidator) -> str:
    """A validator for people: its `repr` where it has one of its own, else its class."""
    if type(validator).__repr__ is object.__repr__:
        return f"{type(validator).__name__}()"
    return repr(validator)


def tried(validator: ConnectionValidator, connection: Connection, step: str, *arguments: Any) -> Verdict:
    """Ask one of several validators for a step that decides; what it raises denies, and is logged."""
    try:
        return read_verdict(getattr(validator, step)(*arguments))
    except BaseException as error:
        return raised(step, error, connection, of=f" of {type(validator).__name__}")


def raised(step: str, error: BaseException, connection: Connection, *, of: str = "") -> Verdict:
    """The verdict on what a step raised: `ConnectionDenied` denies with its code; all else is told to the operator with
    its traceback, also what is no `Exception`, for whoever quits has not said yes."""
    if isinstance(error, ConnectionDenied):
        code = error.reason if type(error.reason) is DenyReason else DenyReason.UNSPECIFIED
        return deny(code, str(error.text))
    stack = "".join(traceback.format_tb(error.__traceback__))
    # The exception's text may quote the peer: escaped and cut, it cannot write lines of its own into the log.
    what = "".join(traceback.format_exception_only(error)).strip()
    text = what if len(what) <= 200 else what[:200] + "..."
    line = "validator step %s%s raised %r\nTraceback (most recent call last):\n%s"
    connection.tell(logging.ERROR, line, step, of, text, stack)
    return deny(DenyReason.UNSPECIFIED, f"{step} raised {type(error).__name__}")
