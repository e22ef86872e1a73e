"""The host's side of compiling foreign source: each module in a jailed process of its own, its code taken as bytes.

The parser and compiler of CPython were not written for enemies (deep nesting, huge constants, exponential folding):
what they do to a process must not be done to the host's.
"""

from typing import Final

from ..errors import CodeDenied, ConnectionLost, EmporionError, LimitExceeded
from .connection.channel import Channel
from .connection.driver import Driver
from .connection.transport import PlainTransport
from .options import Limits
from .peer import DIRECTORY, Peer
from .sandbox.language.complaints import Need, Refused
from .sandbox.supervisor import Jailed, Jailer
from .wire.codecs import CODECS
from .wire.messages import Op

__all__ = ["COMPILE_LIMITS", "Compiled", "compile_jailed"]


class Compiled(bytes):
    """A module's marshalled code, which only a visit may open; `needs` is what it imports and agents are not given.

    These may be modules of its own closure; see `needs_of`.
    """

    needs: tuple[Need, ...] = ()



# Modules of 850 to 960 KB of plain functions took 7 to 10 s here, so the largest that may travel has room.
# It is spent for code that a validator has accepted; what needs more is made to need more.
COMPILE_LIMITS: Final = Limits(cpu_s=20.0, wall_s=40.0, memory_mib=1024)
MAX_CODE_BYTES: Final = 64 * 1024 * 1024
MAX_NEEDS: Final = 1_000  # that are looked at; a module that imports more has been told enough
EXIT_WAIT_S: Final = 2.0


def compile_jailed(jailer: Jailer, name: str, digest: str, source: str, language: bool) -> Compiled:
    """Compile one module of somebody else's.

    Raises:
        Refused: The language policy refused.
        CodeDenied: The compiler refused, or did not survive it.
        SandboxUnavailable: This machine cannot build the jail.
    """
    jailed = jailer.open(COMPILE_LIMITS, role="compile")
    try:
        peer = Peer("a compiler")
        channel = Channel(PlainTransport(jailed.socket), codecs=CODECS.values(), max_frame_bytes=MAX_CODE_BYTES)
        peer.driver = Driver(channel, peer, initiator=True)
        try:
            answer = peer.call(DIRECTORY, Op.CALL, "compile", (name, digest, source, language), {})
        except CodeDenied:
            raise
        except EmporionError as error:
            raise CodeDenied(name, "upload", _why(jailed, error)) from None
        finally:
            peer.driver.close()
    finally:
        jailed.close()
        jailer.refill()
    match answer:
        case [bytes(code), [*rows], str(complaints)] if code or complaints:
            needs = tuple([need for row in rows[:MAX_NEEDS] if (need := _need(row)) is not None])
            if complaints:
                raise Refused(name, complaints, needs)
            compiled = Compiled(code)
            compiled.needs = needs
            return compiled
    raise CodeDenied(name, "upload", "the compiler gave no code")


def _need(row: object) -> Need | None:
    """What the compiler says a module needs; it may be the module that speaks."""
    match row:
        case [str(module), str(name), int(line), int(column), str(construct)]:
            return Need(module, name, line, column, construct)
    return None


def _why(jailed: Jailed, error: EmporionError) -> str:
    if isinstance(error, ConnectionLost):
        try:
            reason = jailed.wait(EXIT_WAIT_S).reason
        except TimeoutError:
            reason = "it closed its connection and went on"
        limit: LimitExceeded | None = jailed.limit_error()
        return f"compiling it hit a limit: {limit}" if limit else f"the compiler did not survive it ({reason})"
    return f"it does not compile: {error}"
