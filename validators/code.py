"""Who decides which code may cross: how a code validator is asked, and blocks to build one from.

A validator is any callable ``(name, module, address)``; a plain function always works. For code that comes in (a
client uploads to a host, or a client asks its own validator about a download) all three are given; for code that is
to go out only the name is, the other two are None.
"""

import hashlib
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import FunctionType, MethodType
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from ..errors import ConfigurationError
from .verdict import ACCEPT, Verdict, read_verdict

__all__ = [
    "Address",
    "Block",
    "CodeValidator",
    "all_of",
    "any_of",
    "digests",
    "downloads",
    "judge",
    "judge_closure",
    "max_size",
    "names",
    "not_",
    "uploads",
]

Address = tuple[str, int]
MAX_REASON_CHARS: Final = 500  # a reason goes into logs and to the peer: an exception's text may be of any length


class CodeValidator(Protocol):
    """Decides on one module: its dotted name, its source and its sender's (ip, port), or the name alone going out.

    The answer is a bool, 0 or 1, or a `Verdict`; anything else, and any exception, denies. A validator with a
    parameter named ``caller`` is given the caller by that name too.
    """

    def __call__(self, name: str, module: str | None, address: Address | None, /) -> bool | int | Verdict: ...


Validator = Callable[..., Any]  # what is really taken: also callables with a parameter `caller`


def judge(
    validator: Validator | None,
    name: str,
    module: str | None,
    address: Address | None,
    *,
    caller: object = None,
    on_error: Callable[[Exception], None] | None = None,
) -> Verdict:
    """Ask `validator` about one module and read its answer strictly; whatever is not a clear yes denies.

    Args:
        validator: None (the object has no validator) denies.
        name: The module's dotted name.
        module: Its source when the code comes in, None when it is to go out.
        address: The sender's (ip, port) when the code comes in, None when it is to go out.
        caller: Given to validators that have a parameter of that name.
        on_error: Called with what the validator raised, e.g. to log the traceback. The verdict is a denial with the
            exception's type and text as its reason.
    """
    if validator is None:
        return Verdict(False, "the object has no code validator")
    return _settled(_ask(validator, _Question(name, module, address, caller, on_error)))


def judge_closure(
    validator: Validator | None,
    sources: Mapping[str, str] | Mapping[str, None],
    address: Address | None,
    caller: object = None,
    *,
    on_error: Callable[[Exception], None] | None = None,
) -> tuple[str, Verdict] | None:
    """Ask about every module of a closure, {name: source} or {name: None} going out, in the order of their names.

    Returns None when all are accepted, else the first denied name with its verdict: a closure is accepted whole or
    not at all.
    """
    for name in sorted(sources):
        verdict = judge(validator, name, sources[name], address, caller=caller, on_error=on_error)
        if not verdict:
            return name, verdict
    return None


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    module: str | None
    address: Address | None
    caller: object
    on_error: Callable[[Exception], None] | None = None

    @property
    def incoming(self) -> bool:
        return bool(self.module) and bool(self.address)

    @property
    def outgoing(self) -> bool:
        return self.module is None and self.address is None


@dataclass(frozen=True, slots=True)
class _Undecided:
    """Neither yes nor no: a validator that raised, or a block without what it judges by. Denies, also under `not_`."""

    reason: str


_Answer = Verdict | _Undecided


def _settled(answer: _Answer) -> Verdict:
    return answer if type(answer) is Verdict else Verdict(False, answer.reason)


def _ask(validator: Validator, question: _Question) -> _Answer:
    """One validator's answer, kept in three values for the sake of `not_`."""
    if isinstance(validator, Block) and type(validator).__call__ is Block.__call__:
        return validator._weigh(question)
    extra = {"caller": question.caller} if _wants_caller(validator) else {}
    try:
        answer = validator(question.name, question.module, question.address, **extra)
        verdict = read_verdict(answer)
    except Exception as error:
        if question.on_error:
            question.on_error(error)
        return _Undecided(f"the validator raised {type(error).__name__}: {error}"[:MAX_REASON_CHARS])
    if type(answer) in (bool, Verdict) or (type(answer) is int and answer in (0, 1)):
        return verdict
    return _Undecided(verdict.reason)


_WANTS_CALLER: Final[WeakKeyDictionary[FunctionType, bool]] = WeakKeyDictionary()


def _wants_caller(validator: Validator) -> bool:
    """Whether `validator` has a parameter ``caller``; reading a signature takes 15 us, so functions are remembered."""
    function: object = validator
    if not isinstance(function, FunctionType | MethodType):
        function = inspect.getattr_static(type(validator), "__call__", None)  # an object's class
    if isinstance(function, MethodType):
        function = function.__func__
    if not isinstance(function, FunctionType):
        return _reads_caller(validator)
    wanted = _WANTS_CALLER.get(function)
    if wanted is None:
        wanted = _WANTS_CALLER[function] = _reads_caller(function)
    return wanted


def _reads_caller(function: Callable[..., object]) -> bool:
    """Read the signature: a wrapper with ``**kwargs`` takes what the function it wraps takes."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters
        inner = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False  # some callables made in C tell nothing: three arguments then
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    found = parameters.get("caller") or (inner.get("caller") if open_ended else None)
    return found is not None and found.kind in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )


class Block(ABC):
    """A code validator with a readable `repr` that gives reasons and can `explain` itself."""

    def __call__(self, name: str, module: str | None, address: Address | None, caller: object = None) -> Verdict:
        return _settled(self._weigh(_Question(name, module, address, caller)))

    def explain(self, name: str, module: str | None, address: Address | None, caller: object = None) -> str:
        """What this block and each block inside it say to one question: a line each, inner ones indented."""
        return "\n".join(self._lines(_Question(name, module, address, caller), 0))

    @abstractmethod
    def _weigh(self, question: _Question) -> _Answer: ...

    def _parts(self) -> tuple[Validator, ...]:
        return ()

    def _lines(self, question: _Question, depth: int) -> list[str]:
        lines = [_line(self, self._weigh(question), depth)]
        for part in self._parts():
            if isinstance(part, Block):
                lines += part._lines(question, depth + 1)
            else:
                lines.append(_line(part, _ask(part, question), depth + 1))
        return lines


def _line(validator: Validator, answer: _Answer, depth: int) -> str:
    word = "cannot tell" if type(answer) is _Undecided else "accepts" if _settled(answer) else "denies"
    reason = f": {answer.reason}" if answer.reason else ""
    return f"{'  ' * depth}{_shown(validator)} {word}{reason}"


def _shown(validator: Validator) -> str:
    return repr(validator) if isinstance(validator, Block) else getattr(validator, "__qualname__", repr(validator))


class names(Block):
    """Accepts modules whose dotted name fits one of `patterns`: shell style, case counts, ``*`` also spans dots.

    ``agent.*`` is everything inside the package `agent`, but not `agent` itself.
    """

    def __init__(self, *patterns: str) -> None:
        if not patterns or not all(type(pattern) is str and pattern for pattern in patterns):
            raise ConfigurationError('names() needs one or more patterns, e.g. names("agent.*")')
        self.patterns = patterns

    def __repr__(self) -> str:
        return f"names({', '.join(map(repr, self.patterns))})"

    def _weigh(self, question: _Question) -> _Answer:
        if any(fnmatchcase(question.name, pattern) for pattern in self.patterns):
            return ACCEPT
        return Verdict(False, f"the name {question.name!r} fits none of {', '.join(map(repr, self.patterns))}")


class digests(Block):
    """Accepts incoming modules by the SHA-256 of their source: those in `allow` (None: all) that are not in `deny`.

    Going out, where a validator is given no source, it cannot tell, and so denies.
    """

    def __init__(self, *, allow: Iterable[str] | None = None, deny: Iterable[str] = ()) -> None:
        self.allow = None if allow is None else _digest_set(allow)
        self.deny = _digest_set(deny)
        if self.allow is None and not self.deny:
            raise ConfigurationError("digests() needs allow= or deny=, each a list of SHA-256 digests")

    def __repr__(self) -> str:
        listed = (("allow", self.allow), ("deny", self.deny))
        shown = (f"{word}=<{len(found)}>" for word, found in listed if found or (word == "allow" and found is not None))
        return f"digests({', '.join(shown)})"

    def _weigh(self, question: _Question) -> _Answer:
        if question.module is None:
            return _Undecided("only incoming code has a source to take the digest of")
        digest = hashlib.sha256(question.module.encode("utf-8", "surrogatepass")).hexdigest()
        if digest in self.deny:
            return Verdict(False, f"the digest {digest[:16]}... of {question.name!r} is on the deny list")
        if self.allow is not None and digest not in self.allow:
            return Verdict(False, f"the digest {digest[:16]}... of {question.name!r} is not on the allow list")
        return ACCEPT


def _digest_set(found: Iterable[str]) -> frozenset[str]:
    if isinstance(found, str):
        raise ConfigurationError("digests() takes lists of digests, not one text")
    kept = frozenset(found)
    for digest in kept:
        if type(digest) is not str or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ConfigurationError(f"{digest!r} is no SHA-256 digest: 64 lowercase hexadecimal digits are needed")
    return kept


class max_size(Block):
    """Accepts incoming modules of at most `max_bytes` bytes of UTF-8. Going out it cannot tell, and so denies."""

    def __init__(self, max_bytes: int) -> None:
        if type(max_bytes) is not int or max_bytes < 1:
            raise ConfigurationError(f"max_size({max_bytes!r}): a positive number of bytes is needed")
        self.max_bytes = max_bytes

    def __repr__(self) -> str:
        return f"max_size({self.max_bytes})"

    def _weigh(self, question: _Question) -> _Answer:
        if question.module is None:
            return _Undecided("only incoming code has a source to measure")
        size = len(question.module.encode("utf-8", "surrogatepass"))
        if size <= self.max_bytes:
            return ACCEPT
        return Verdict(False, f"{question.name!r} has {size} bytes, {self.max_bytes} are allowed")


class _Around(Block):
    """A block with one validator inside."""

    def __init__(self, validator: Validator) -> None:
        _check_callable(type(self).__name__, validator)
        self.validator = validator

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_shown(self.validator)})"

    def _parts(self) -> tuple[Validator, ...]:
        return (self.validator,)


class uploads(_Around):
    """Accepts what comes in and what the validator inside accepts of it; denies what is to go out."""

    def _weigh(self, question: _Question) -> _Answer:
        if question.incoming:
            return _ask(self.validator, question)
        return Verdict(False, f"{question.name!r} is no upload") if question.outgoing else _Undecided(_HALF)


class downloads(_Around):
    """Accepts what is to go out and what the validator inside accepts of it; denies what comes in."""

    def _weigh(self, question: _Question) -> _Answer:
        if question.outgoing:
            return _ask(self.validator, question)
        return Verdict(False, f"{question.name!r} is no download") if question.incoming else _Undecided(_HALF)


_HALF: Final = "source and address must both be given (code comes in) or both be None (code goes out)"


class not_(_Around):
    """Accepts what the validator inside denies. A validator that raises or cannot tell still ends in a denial."""

    def _weigh(self, question: _Question) -> _Answer:
        answer = _ask(self.validator, question)
        if type(answer) is _Undecided:
            return answer
        return Verdict(False, f"{_shown(self.validator)} accepts it") if _settled(answer) else ACCEPT


class _Several(Block):
    """A block with one or more validators inside, asked from left to right."""

    def __init__(self, *validators: Validator) -> None:
        if not validators:
            raise ConfigurationError(f"{type(self).__name__}() needs at least one validator")
        for validator in validators:
            _check_callable(type(self).__name__, validator)
        self.validators = validators

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(_shown, self.validators))})"

    def _parts(self) -> tuple[Validator, ...]:
        return self.validators


class all_of(_Several):
    """Accepts what every validator inside accepts; the reason is that of the first which does not."""

    def _weigh(self, question: _Question) -> _Answer:
        undecided: _Answer | None = None
        for validator in self.validators:
            answer = _ask(validator, question)
            if type(answer) is _Undecided:
                undecided = undecided or answer
            elif not answer:
                return answer
        return undecided or ACCEPT


class any_of(_Several):
    """Accepts what at least one validator inside accepts; the reason of a denial joins all of theirs."""

    def _weigh(self, question: _Question) -> _Answer:
        answers: list[_Answer] = []
        for validator in self.validators:
            answer = _ask(validator, question)
            if type(answer) is Verdict and answer:
                return answer
            answers.append(answer)
        reason = "; ".join(answer.reason for answer in answers)[:MAX_REASON_CHARS]
        undecided = any(type(answer) is _Undecided for answer in answers)
        return _Undecided(reason) if undecided else Verdict(False, reason)


def _check_callable(block: str, validator: object) -> None:
    if not callable(validator):
        raise ConfigurationError(f"{block}() takes validators, not {validator!r}: text patterns go into names(...)")
