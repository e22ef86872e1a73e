"""Hosts that call each other in a circle, until each of their threads waits for the other: nothing of it outlives the
caller."""

import threading
from contextlib import ExitStack
from typing import Any

import emporion
import pytest
from emporion.errors import CallTimeout, ConnectionLost
from emporion.tests.harbour import PASSPHRASE, Harbour, Stage, in_thread, open_host, until

THREADS = 2


class Ring:
    """Two hosts whose objects call each other, as deep as the caller says."""

    def __init__(self, stack: ExitStack) -> None:
        self.hosts = [stack.enter_context(open_host(threads=THREADS)) for _ in range(2)]
        self.uris = [host.register(Stage(self._play)) for host in self.hosts]
        self._ways = [stack.enter_context(emporion.connect(uri, passphrase=PASSPHRASE)) for uri in self.uris]

    def _play(self, depth: int) -> int:
        return 0 if depth == 0 else 1 + int(self._ways[depth % 2].go(depth - 1))

    @property
    def stuck(self) -> bool:
        """Whether a call waits for a thread, of which none is free."""
        return any(host._workers.pressed and not host._workers._idle for host in self.hosts)


@pytest.mark.parametrize("end", ["its time is over", "it leaves"])
def test_two_hosts_that_wait_for_each_other_serve_again_when_their_caller_is_gone(harbour: Harbour, end: str) -> None:
    with ExitStack() as stack:
        ring = Ring(stack)
        caller = harbour.connect(ring.uris[0], timeout_s=2.0 if end == "its time is over" else None)
        assert caller.go(2) == 2
        result = in_thread(lambda: caller.go(5 * THREADS))
        until(lambda: ring.stuck)
        if end == "it leaves":
            caller._peer.driver.close()
        with pytest.raises((CallTimeout, ConnectionLost)):
            result()
        for uri in ring.uris:
            assert in_thread(lambda uri=uri: harbour.connect(uri).go(1))() == 1  # type: ignore[misc]


def test_a_call_that_was_cancelled_before_a_thread_was_free_is_never_run(harbour: Harbour) -> None:
    ran: list[int] = []
    begun, go_on = threading.Semaphore(0), threading.Event()

    def play(number: int) -> int:
        ran.append(number)
        begun.release()
        assert go_on.wait(30)
        return number

    with open_host(threads=1) as host:
        uri = host.register(Stage(play))
        patient, hasty = harbour.connect(uri), harbour.connect(uri, timeout_s=0.5)
        first = in_thread(lambda: patient.go(1))
        assert begun.acquire(timeout=30)
        other: Any = in_thread(lambda: patient.go(2))
        until(lambda: host._workers.pressed)
        with pytest.raises(CallTimeout):
            hasty.go(3)
        # The third is answered already.
        until(lambda: sum(len(guest.driver._session.asked) for guest in host._doors.guests) == 2)
        go_on.set()
        assert (first(), other(), patient.go(4)) == (1, 2, 4)
    assert ran == [1, 2, 4]
