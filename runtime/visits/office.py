"""What a host needs to hold visits, and how it runs what is asked of its objects: for clients and for agents alike."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType
from typing import Any, Protocol

from ...errors import EmporionError
from ..code.admission import Admission, Realm
from ..context import Caller
from ..exports import Export
from ..exposure import Interface
from ..options import Isolation, Limits
from ..peer import perform
from ..sandbox.supervisor import Jailer
from ..wire.messages import Op

__all__ = ["Office", "Registered"]


class Registered(Protocol):
    """What an operator decided for an object that stands in the host's register."""

    @property
    def interface(self) -> Interface: ...
    @property
    def realm(self) -> Realm: ...


class Office:
    """One for each host.

    Args:
        jailers: Gives the jailer for visits with these walls and modules.
        registration_of: What the host's register says of an object; None for one that is reached through another.
        later: Runs a job, which waits for nothing, on another thread in a moment.
        refill: Has that jailer make good for a process that was used; waits for nothing.
        limits: Gives what a visit may use, of an object with these limits, by this caller.
    """

    def __init__(self, admission: Admission, jailers: Callable[[Isolation], Jailer],
                 registration_of: Callable[[object], Registered | None],
                 later: Callable[[Callable[[], None]], None], refill: Callable[[Isolation], None],
                 limits: Callable[[Limits, Caller], Limits]) -> None:
        self.admission = admission
        self.jailer = jailers
        self.registration_of = registration_of
        self.later = later
        self.refill = refill
        self.limits = limits

    def perform(self, export: Export, op: int, member: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Do what a call asks of a hosted object; a coroutine to its end; under the object's lock if it has one."""
        lock = export.realm.lock
        if lock is None or self.registration_of(export.obj) is None:
            if op == Op.CALL:
                result = getattr(export.obj, member)(*args, **kwargs)
            else:
                result = perform(export.obj, op, member, args, kwargs)
            return _run(result) if type(result) is CoroutineType else result
        with lock:
            result = perform(export.obj, op, member, args, kwargs)
            return _run(result) if type(result) is CoroutineType else result


def _run(result: Any) -> Any:
    # An agent that a hosted coroutine called may ask for another one, on this thread, whose loop is busy with the
    # first. That one stands still until the answer is here, as any caller does; the second has a loop of its own.
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return asyncio.run(result)
    except asyncio.CancelledError:  # no Exception: it would go past whoever answers the call
        raise EmporionError("the hosted coroutine was cancelled") from None
    finally:
        asyncio._set_running_loop(outer)
