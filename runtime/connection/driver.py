"""The threads of one connection: who reads, who waits, who runs.

The contract (docs/protocol.md, "Chains"):

* At most one thread reads. It is one that waits for something, or a worker that the selector woke.
* Who reads gives reading up before it runs anything foreign or hosted: to another thread that waits, else to the
  selector, which wakes a worker when bytes come.
* What belongs to a chain in which a thread of this end waits runs on that thread; what begins a chain runs on the
  worker that read it, or on another one.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any, Final

from ...errors import CallTimeout, ConnectionLost, EmporionError, ProtocolError, ValueNotPortable
from ..events import one_line
from ..wire.messages import Call, Cancel, Code, Fault, Goodbye, Message, NeedCode, Result
from ..workers import Parking, Workers
from .channel import Arrived, Channel
from .line import Line, Waiter
from .serving import Recall, Server, fault, logged
from .session import CANCELLED, Asked, Chain, Kind, Notice, Pending, Session

__all__ = ["Answer", "Driver"]

log = logging.getLogger("emporion.driver")

# How long a worker waits for the next call before it gives the connection back to the selector. A hop through the
# selector costs more than a whole call; a client that pauses for longer than this does not notice it.
LINGER_S: Final = 0.005

# How often one connection is read in a row while all workers are busy and others may have something to say.
MOST_LOOKS: Final = 8

# Pongs and refusals that wait for the peer to take them: more than one read of 256 KiB can ask for.
MAX_UNSAID: Final = 50_000

Answer = Result | Fault | Code


class _Local(threading.local):
    """What each thread knows of one connection."""

    chain: Chain | None = None  # the one that it works in
    spare: Chain | None = None  # the last one that it began, to be used again


class Driver(Line):
    """Runs one session over one transport.

    Args:
        initiator: True at the end that opened the connection.
        parking, workers: Where idle connections and new chains go. Both None at an end with one thread (a visit):
            there `run` reads, and what begins a chain runs in it.
    """

    def __init__(
        self,
        channel: Channel,
        server: Server,
        *,
        initiator: bool,
        parking: Parking | None = None,
        workers: Workers | None = None,
    ) -> None:
        super().__init__(channel, parking=parking, workers=workers)
        self._server = server
        self._session = Session(initiator=initiator)
        self._local = _Local()
        self._starts: list[Asked] = []
        self._serves = workers is not None or not initiator  # somebody here runs what the peer begins

    # --- asking -------------------------------------------------------------------------------------------------

    def request(
        self,
        message: Call | NeedCode,
        blobs: Sequence[bytes] = (),
        *,
        wants: type[Result] | type[Code] = Result,
        deadline_s: float | None = None,
        recall: Recall | None = None,
    ) -> tuple[Answer, Any]:
        """Send `message` and wait for its answer, serving the peer's calls of the same chain.

        Args:
            message: Its `call` and `chain` are filled in here.
            deadline_s: On the clock of `time.monotonic`; at that moment the call is cancelled.
            recall: For whoever may want to call it off.

        Raises:
            ValueNotPortable: The message is too large for a frame; nothing was sent.
            CallTimeout, ConnectionLost, ProtocolError: No answer will come.
        """
        # A call takes some 15 us in the kernel, both ends together, and about as much in Python. So what is on its way
        # is written out: `acquire` and `release` take half the time of `with`, and no function does two lines.
        local, session, lock, me = self._local, self._session, self._lock, get_ident()
        lock.acquire()
        try:
            if self._error is not None:
                raise self._gone()
            chain = local.chain
            if chain is None:
                pending = session.open_own(local.spare, wants)
                chain = local.spare = pending.chain
            else:
                pending = session.open_call(chain, wants)
            # Whoever expects an answer reads before it can come, or the selector wakes another thread for it.
            reading = not self._reader and self._take_reading(me)
        finally:
            lock.release()
        message.call = pending.id
        message.chain = chain.id
        try:
            if recall is not None:
                recall.begun(lambda: self.call_off(pending))
            self._send_one(message, blobs)
            if recall is not None and recall.off:
                self.call_off(pending)  # what was said before the call itself was out, nobody heard
            if session.outbox:
                self._flush()
        except BaseException:
            with lock:
                session.unsent(pending)
                self._pass_on(me)
            raise
        try:
            first: list[Arrived] | EmporionError | None = None
            if reading and deadline_s is None and self._reader == me:
                # This thread reads, so nobody else can have brought the answer: the books can wait until bytes are
                # here. Mostly they are the answer and nothing else.
                first = self._receive(None)
                if type(first) is list and len(first) == 1 and self._channel.broken is None:
                    answer, came, _, _ = first[0]
                    lock.acquire()
                    try:
                        if session.settle(pending, answer):
                            assert type(answer) is Result
                            if answer.body.rows:
                                self._server.arriving(answer.body.rows)
                            self._pass_on(me)
                            return answer, came
                    finally:
                        lock.release()
            return self._await(pending, chain, deadline_s, me, first)
        except BaseException:
            self._give_up(pending, me)
            raise

    def _await(self, pending: Pending, chain: Chain, deadline_s: float | None, me: int,
               first: list[Arrived] | EmporionError | None) -> tuple[Answer, Any]:
        """`first`: what this thread has received already."""
        lock, session = self._lock, self._session
        lock.acquire()
        try:
            if first is not None:
                self._hand_out(first)
                for asked in self._new_starts() if self._starts else ():
                    self._submit(asked)  # new chains that came along: nobody else will look for them
            while True:
                if pending.answer is not None:
                    return session.take(pending)
                if chain.inbox:
                    asked = chain.inbox.popleft()
                    self._pass_on(me)
                    lock.release()
                    try:
                        self._serve(asked)
                    finally:
                        lock.acquire()
                elif self._error is not None:
                    raise self._gone()
                else:
                    self._wait_turn(chain, deadline_s, me)
        finally:
            try:
                self._pass_on(me)
            finally:
                lock.release()
            if session.outbox:
                self._flush()

    def _wait_turn(self, chain: Chain, deadline_s: float | None, me: int) -> None:
        """With the lock held: read once, or sleep until whoever reads has something for `chain`."""
        left_s = None if deadline_s is None else deadline_s - time.monotonic()
        if left_s is not None and left_s <= 0:
            raise CallTimeout("no answer within the time given: the call was cancelled")
        if self._reader == me or self._take_reading(me):
            self._read(left_s)
            if self._starts:
                for asked in self._new_starts():
                    self._submit(asked)
            return
        waiter = chain.waiting
        if waiter is None:
            waiter = chain.waiting = Waiter()
        self._sleep(waiter, left_s)

    def _give_up(self, pending: Pending, me: int) -> None:
        """The caller will not take the answer: tell the peer, unless it cannot hear."""
        with self._lock:
            self._pass_on(me)
            if pending.id not in self._session.pending or self._error is not None:
                return
            try:
                self._session.abandon(pending)
            except EmporionError as broken:
                self._fail(broken)
                self._pass_on(me)
                return
        self._flush()

    def call_off(self, pending: Pending) -> None:
        """Say, on another thread, that the answer to `pending` is no longer wanted; whoever waits for it still does."""
        with self._lock:
            if self._error is not None or pending.answer is not None or pending.id not in self._session.pending:
                return
            self._session.outbox.append(Cancel(pending.id))
        if self._workers is not None:
            self._workers.submit(self._flush)

    # --- serving ------------------------------------------------------------------------------------------------

    def _serve(self, asked: Asked, *, resume: bool = False) -> None:
        """Run one call of the peer's and answer it; with `resume`, take reading over before the answer goes out."""
        local = self._local
        before, local.chain = local.chain, asked.chain
        asked.waiting_bytes = 0
        answer: Message
        blobs: Sequence[bytes]
        try:
            if asked.cancelled:
                answer, blobs = fault(asked, CANCELLED, "cancelled before it began"), ()
            else:
                answer, blobs = self._server.serve(asked)
        except BaseException as error:
            # No Exception: Ctrl-C, or hosted code that quits. It goes on in this thread; the caller learns of it too.
            answer, blobs = fault(asked, type(error).__name__, "the call was broken off"), ()
            resume = False
            raise
        finally:
            local.chain = before
            try:
                self._respond(asked, answer, blobs, resume=resume)
            finally:
                self._server.answered(asked)

    def _respond(self, asked: Asked, answer: Message, blobs: Sequence[bytes], *, resume: bool) -> None:
        self._lock.acquire()
        try:
            if self._error is not None:
                return
            self._session.answered(asked)
            if resume and not self._reader:
                # Whoever answers expects the next call: be there first, or the selector wakes another thread for it.
                self._take_reading(get_ident())
        finally:
            self._lock.release()
        try:
            try:
                self._send_one(answer, blobs, asked.codec)
            except ValueNotPortable as error:
                self._send(fault(asked, "emporion.errors.ValueNotPortable", str(error)), (), asked.codec)
            if self._session.outbox:
                self._flush()
        except EmporionError:
            pass  # the connection is over, and whoever waited on it has been told

    def run(self) -> None:
        """Read and serve on this thread until the connection ends: for an end that has no other."""
        me = get_ident()
        while self._error is None:
            with self._lock:
                if self._take_reading(me):
                    self._read(None)
                starts = self._new_starts()
                self._pass_on(me)
            for asked in starts:
                self._serve(asked)

    def _work(self) -> None:
        workers = self._workers
        assert workers is not None
        me = get_ident()
        with self._lock:
            if not self._take_reading(me):
                return
        while self._reader == me:  # only this thread can make it itself, and nobody else can take it away
            arrived = self._receive(0.0 if workers.pressed else LINGER_S)
            with self._lock:
                if arrived is not None:
                    self._hand_out(arrived)
                    if not self._starts and self._error is None:
                        continue
                starts = self._new_starts()
                for asked in starts[1:]:
                    self._submit(asked)
                self._pass_on(me)
            if starts:
                self._serve_apart(starts[0], resume=not workers.pressed)

    def _look(self) -> None:
        me = get_ident()
        with self._lock:
            if not self._take_reading(me):
                return
            try:
                for _ in range(MOST_LOOKS):
                    if self._error is not None or not self._read(0.0):
                        break
                    for asked in self._new_starts():
                        self._submit(asked)
            finally:
                self._pass_on(me)

    def _serve_apart(self, asked: Asked, *, resume: bool = False) -> None:
        """On a worker: hosted code that raises what is no Exception (it quits) ends its call and nothing else."""
        try:
            self._serve(asked, resume=resume)
        except Exception:
            raise  # ours: `serve` raises none
        except BaseException:
            log.exception("a hosted method quit; its caller was told")

    def _submit(self, asked: Asked) -> None:
        """With the lock held: a thread for a new chain."""
        if self._workers is None:
            self._starts.append(asked)
        else:
            asked.queued = True
            try:
                self._workers.submit(lambda: self._begin(asked))
            except RuntimeError as error:
                self._fail_without_thread(error)

    def _begin(self, asked: Asked) -> None:
        """On a worker: a call's turn has come, unless it was cancelled meanwhile."""
        with self._lock:
            if not asked.queued:
                return
            asked.queued = False
        self._serve_apart(asked)

    def _new_starts(self) -> list[Asked]:
        starts = self._starts
        self._starts = []
        return starts

    # --- reading ------------------------------------------------------------------------------------------------

    def _read(self, timeout_s: float | None) -> bool:
        """As the reader, with the lock held: receive once and hand out what came; False when nothing did in time."""
        self._lock.release()
        try:
            arrived = self._receive(timeout_s)
        finally:
            self._lock.acquire()
        if arrived is None:
            return False
        self._hand_out(arrived)
        return True

    def _hand_out(self, arrived: list[Arrived] | EmporionError) -> None:
        """With the lock held: enter what came into the books, and wake whom it concerns."""
        if isinstance(arrived, EmporionError):
            self._fail(arrived)
            return
        receive = self._session.receive
        try:
            for message, blobs, codec, size in arrived:
                body = getattr(message, "body", None)
                if body is not None and body.rows:
                    self._server.arriving(body.rows)
                delivery = receive(message, blobs, codec, size)
                if isinstance(delivery, Chain):
                    if delivery.waiting is not None:
                        delivery.waiting.ring()
                elif isinstance(delivery, Asked):
                    if not self._serves:
                        raise ProtocolError("a call out of nowhere: the other end of this connection only answers")
                    self._starts.append(delivery)
                elif delivery.kind is not Kind.NOTHING:
                    self._heed(delivery)
            if len(self._session.outbox) > MAX_UNSAID:
                raise ProtocolError("the peer asks on and on, and takes no answers")
            if self._channel.broken is not None:
                raise self._channel.broken  # what came before the broken frame has been handed out
        except EmporionError as broken:
            self._fail(broken)
            return
        if self._session.outbox:
            self._lock.release()
            try:
                self._flush()
            finally:
                self._lock.acquire()

    def _heed(self, notice: Notice) -> None:
        if notice.kind is Kind.CANCEL:
            assert notice.asked is not None
            self._server.cancelled(notice.asked)
        elif notice.kind is Kind.RELEASE:
            self._server.released(notice.counts)
        elif notice.kind is Kind.NEWS:
            assert notice.news is not None
            self._server.news(notice.news)
        else:
            raise ConnectionLost(f"the other end said goodbye: {one_line(notice.reason) or 'closed'}")

    # --- sending and ending -------------------------------------------------------------------------------------

    def _send(self, message: Message, blobs: Sequence[bytes], codec: int = 0) -> None:
        self._send_one(message, blobs, codec)
        if self._session.outbox:
            self._flush()  # what others left while this thread was sending

    def later(self, job: Callable[[], object]) -> None:
        """Run `job` on a worker; what it raises goes to the log."""
        assert self._workers is not None
        self._workers.submit(lambda: logged(job))

    def post(self, message: Message) -> None:
        """Send a message that has no answer."""
        self._send(message, ())

    def _flush(self) -> None:
        """Say what the session wants to say. While another thread sends, it is left to that one: a peer that asks and
        takes no answers holds one thread here, not all of them."""
        while self._session.outbox and not self._channel.sending:
            with self._lock:
                out, self._session.outbox = self._session.outbox, []
            with contextlib.suppress(EmporionError):
                for message in out:
                    self._send_one(message, ())

    def close(self, error: EmporionError | None = None, *, goodbye: str | None = None) -> None:
        """As `Line.close`, after a word to the peer where `goodbye` is given; that one is not waited for."""
        if goodbye is not None and self._error is None:
            self._channel.say_last(Goodbye(goodbye))
        super().close(error)

    def _over(self, error: EmporionError) -> None:
        self._server.closed(error)
