"""A host under fuzzing, and what must hold of it whatever a visit says."""

import contextlib
import gc
import logging
import threading
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import emporion
from emporion.errors import AgentError, CodeDenied, EmporionError, LimitExceeded, NotExposed, ProtocolError, VisitEnded
from emporion.runtime.jails import _key
from emporion.runtime.options import Isolation, Limits
from emporion.runtime.visits.handle import Handle
from emporion.tests.fuzz.conversations import Conversation, Shop, Stage, agents_module, kept
from emporion.tests.fuzz.mutations import Choices, altered
from emporion.tests.fuzz.puppets import PuppetJailer
from emporion.tests.harbour import anything_goes, open_host, until

__all__ = ["DOCUMENTED", "Ordeal", "ordeal"]

# What a hosted method can be raised by a handle; docs/threats.md and the classes' own words.
DOCUMENTED: Final = (AgentError, VisitEnded, LimitExceeded, NotExposed, CodeDenied)
# What can stop what an agent left behind on its way out of the host, or into its client.
ON_THE_WAY_HOME: Final = (*DOCUMENTED, emporion.ValueNotPortable, emporion.RemoteError)
FOR_THE_CLIENT_TO_KNOW: Final = ("the state of ", "an object came without its class: ")
ANSWER_S: Final = 20.0  # a conversation takes milliseconds
LIMITS: Final = Limits(bytes_in=4_000_000, bytes_out=4_000_000, calls=100, capabilities=100, output_lines=20)


class Ordeal:
    """One host whose visits are puppets, and one client of it; beside them honest visits go on."""

    def __init__(self, host: emporion.Host, module: Any) -> None:
        self.conversations = kept()
        self.examples = 0
        self.endings: dict[str, int] = {}  # how examples ended: to see what the fuzzer reaches
        self._host = host
        self._module = module
        self._stage = Stage()
        self._real = host._jails.of(Isolation())
        self._real.start()
        self._puppets = PuppetJailer(self._real)
        weak = Isolation(os=False)  # a puppet has no process to hold
        host._jails._jailers[_key(weak)] = self._puppets  # type: ignore[assignment]  # has what a host uses of one
        self._ears = _Ears()
        self._thread_errors: list[str] = []
        uri = host.register(self._stage, "stage", code_validator=anything_goes, isolation=weak, limits=LIMITS)
        self._proxy = emporion.connect(uri, passphrase="pw", mobile_code=True, timeout_s=ANSWER_S)
        uri = host.register(Stage(), "neighbour", code_validator=anything_goes)
        self._neighbour = emporion.connect(uri, passphrase="pw", mobile_code=True, timeout_s=ANSWER_S)
        self._before: tuple[int, int] | None = None

    # --- one example --------------------------------------------------------------------------------------------

    def one(self, data: bytes) -> None:
        """Let a visit say what `data` makes of the conversations; raises `AssertionError` where the host minds."""
        self.play(altered(self.conversations, Choices(data)))

    def play(self, conversation: Conversation) -> object:
        """Let a visit say this; gives what the client got."""
        self.examples += 1
        self._stage.outcomes.clear()
        self._stage.shop.taken.clear()
        self._stage.shop._label = "shop"
        self._puppets.script = conversation.steps
        agents = self._module.Agent(), self._module.Agent()
        try:
            answer = self._proxy.go(*agents, conversation.scene)
        except ON_THE_WAY_HOME as error:
            answer = error
        except EmporionError as error:
            # Whether there is such a class, and what its state may be, is known where the code runs: not at the host.
            if not (isinstance(error, ProtocolError) and str(error).startswith(FOR_THE_CLIENT_TO_KNOW)):
                raise AssertionError(f"the client got {error!r}") from error
            answer = error
        except Exception as error:  # raised by the hosted method itself, of values that it was given
            assert any(type(error) is type(one) for one in self._stage.outcomes), f"the client got {error!r}"
            answer = error
        self._puppets.join()
        self._check_what_the_hosted_method_saw()
        assert self._proxy.hello() == "hello", "the connection that the agent came by is disturbed"
        assert not Shop.broken_into, Shop.broken_into
        assert not self._ears.alarms, self._ears.alarms
        assert not self._thread_errors, self._thread_errors
        self.endings[_ending(answer)] = self.endings.get(_ending(answer), 0) + 1
        return answer

    def _check_what_the_hosted_method_saw(self) -> None:
        for outcome in self._stage.outcomes:
            if isinstance(outcome, BaseException):
                own = isinstance(outcome, TypeError | AttributeError) and _raised_here(outcome)
                assert isinstance(outcome, DOCUMENTED) or own, f"the hosted method was raised {outcome!r}"
            else:
                _check_value(outcome)
        for args, kwargs in self._stage.shop.taken:
            _check_value([args, kwargs])

    # --- many ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """After many examples: see that nothing of them is left."""
        until(lambda: not any(guest._scopes for guest in list(self._host._doors.guests)))
        until(lambda: not self._host.office.admission.store._holds)  # type: ignore[attr-defined]
        gc.collect()
        until(lambda: sum(one.pid > 0 for one in list(self._keeper._live.values())) == len(self._keeper._live))
        counts = self._counts()
        if self._before is None:
            self._before = counts
            return
        until(lambda: self._counts()[0] <= self._before[0] + 1)  # type: ignore[index]
        assert self._counts()[1] <= self._before[1] + 4, "threads are left"  # idle workers come and go

    @property
    def _keeper(self) -> Any:
        assert self._real._keeper is not None
        return self._real._keeper

    @staticmethod
    def _counts() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    @contextlib.contextmanager
    def neighbours(self) -> Iterator[None]:
        """Honest visits in real sandboxes, one after the other, while the block runs; each must go well."""
        enough, failures, visits = threading.Event(), [], [0]

        def keep_visiting() -> None:
            try:
                while not enough.is_set():
                    begun_s = monotonic()
                    seen, home = self._neighbour.go(self._module.Agent(), self._module.Agent(), "ask")
                    assert seen == home.seen == [100] * 3
                    assert monotonic() - begun_s < ANSWER_S / 2
                    visits[0] += 1
                    enough.wait(0.02)  # it is not to be a burden, only to be there
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=keep_visiting, daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join(ANSWER_S * 2)
        assert not thread.is_alive() and not failures, f"the neighbours are disturbed: {failures}"
        assert visits[0] > 0

    # --- around -------------------------------------------------------------------------------------------------

    def __enter__(self) -> "Ordeal":
        logging.getLogger("emporion").addHandler(self._ears)
        self._hook, threading.excepthook = threading.excepthook, self._hear
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        threading.excepthook = self._hook
        logging.getLogger("emporion").removeHandler(self._ears)
        for proxy in (self._proxy, self._neighbour):
            proxy.__exit__(None, None, None)

    def _hear(self, args: Any) -> None:
        self._thread_errors.append(repr(args.exc_value))


class _Ears(logging.Handler):
    """Hears what a host says only when something has gone wrong in it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.alarms: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info or record.levelno >= logging.ERROR:
            self.alarms.append(f"{text}: {record.exc_info}")
        if not all(character.isprintable() for character in text):
            self.alarms.append(f"a log line of {text!r}")


@contextlib.contextmanager
def ordeal() -> Iterator[Ordeal]:
    """A host under fuzzing, with everything around it."""
    log = logging.getLogger("emporion")
    before = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False  # pytest keeps every record of a test
    try:
        with agents_module() as module, open_host() as host, Ordeal(host, module) as under:
            yield under
    finally:
        log.setLevel(before[0])
        log.propagate = before[1]


def _ending(answer: object) -> str:
    if isinstance(answer, VisitEnded):
        return "broke the rules" if "broke the rules" in str(answer) else "ended"
    return type(answer).__name__ if isinstance(answer, BaseException) else "went well"


def _raised_here(error: BaseException) -> bool:
    """Whether the scene itself raised it, which takes what comes for what it hoped for."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and Path(trace.tb_frame.f_code.co_filename).name == "conversations.py"


def _check_value(value: object) -> None:
    """Values, handles, capabilities of the visit's, and the host's own objects: nothing else comes out of a visit."""
    seen: set[int] = set()
    left = [value]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, list | tuple | set | frozenset):
            assert type(one) in (list, tuple, set, frozenset), f"a {type(one)} came out"
            left.extend(one)
        elif isinstance(one, dict):
            assert type(one) is dict, f"a {type(one)} came out"
            left.extend([*one, *one.values()])
        else:
            assert type(one) in _MAY_COME, f"a {type(one)} came out"


_MAY_COME: Final = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, range, slice, type(...), date, time, datetime}
    | {timedelta, timezone, ZoneInfo, Decimal, Fraction, UUID, Handle, Shop}
)
