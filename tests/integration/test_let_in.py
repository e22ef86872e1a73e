"""The moment in which a client is let in: what may come between the door and the session, and who keeps a place."""

import contextlib
import errno
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import emporion
import pytest
from emporion.runtime.connection.driver import Driver
from emporion.runtime.connection.handshake import HostHandshake
from emporion.runtime.connection.transport import Transport
from emporion.tests.door import LONG_S, open_door
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, Ears, in_thread, open_host, until
from emporion.tests.strangers import Shop, Stranger
from emporion.validators.connection import Connection, ConnectionValidator


def test_a_connection_that_is_closed_a_moment_late_is_closed_by_its_session(ears: Ears) -> None:
    """`Connection.close` on another thread, which began when there was no session yet."""
    with open_door(handshake_s=LONG_S) as door:
        ended: list[str] = []
        early: list[Callable[[str], object]] = []

        def admitted(transport: Transport, connection: Connection, handshake: HostHandshake) -> None:
            assert connection._on_close is not None
            early.append(connection._on_close)
            connection.attach(ended.append)
            door.guests.append((transport, connection))

        door.listener.admitted = admitted
        door.lets_in()
        until(lambda: not door.listener._walking)

        early[0]("too late for the door")

        assert ended == ["too late for the door"]


class Sudden(ConnectionValidator):
    """Closes the first connection as soon as the host can hear of it."""

    def __init__(self) -> None:
        self.closed: list[Connection] = []

    def accept_identity(self, host: Any, connection: Connection) -> bool:
        attach = connection.attach

        def attach_and_close(on_close: Callable[[str], object]) -> None:
            attach(on_close)
            if not self.closed:
                self.closed.append(connection)
                connection.close("second thoughts")

        connection.attach = attach_and_close  # type: ignore[method-assign]
        return True


def test_who_is_sent_away_in_the_moment_of_being_let_in_keeps_no_place() -> None:
    validator = Sudden()
    with open_host(max_connections=1, connection_validator=validator) as host:
        uri = host.register(Shop(), "shop")
        with pytest.raises(emporion.ConnectionLost):
            emporion.connect(uri, passphrase=PASSPHRASE)
        until(lambda: host.connections() == [])
        assert validator.closed[0].closed
        with emporion.connect(uri, passphrase=PASSPHRASE) as shop:
            assert shop.stock() == 3


class Keeping(ConnectionValidator):
    """Remembers whom it has seen."""

    def __init__(self) -> None:
        self.seen: list[Connection] = []

    def accept_identity(self, host: Any, connection: Connection) -> bool:
        self.seen.append(connection)
        return True


@pytest.mark.parametrize("step", ["__init__", "start"])
def test_who_cannot_be_served_after_all_keeps_no_place(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    validator = Keeping()
    with open_host(max_connections=1, connection_validator=validator) as host:
        uri = host.register(Shop(), "shop")

        def fail(*_: Any, **__: Any) -> None:
            raise OSError(errno.ENOMEM, "no memory")

        with monkeypatch.context() as patched:
            patched.setattr(Driver, step, fail)
            with closing(Stranger(uri)) as unlucky:
                unlucky.shake()
                unlucky.rest()
        until(lambda: host.connections() == [])
        until(lambda: validator.seen[0].closed)
        with emporion.connect(uri, passphrase=PASSPHRASE) as shop:
            assert shop.stock() == 3


def test_of_two_that_are_let_in_side_by_side_one_gets_the_last_place(ears: Ears) -> None:
    together = threading.Barrier(2, timeout=ANSWER_S)

    class Patient(ConnectionValidator):
        def accept_identity(self, host: Any, connection: Connection) -> bool:
            together.wait()  # the host had room when each of them came
            return True

    with open_host(max_connections=1, connection_validator=Patient()) as host:
        uri = host.register(Shop(), "shop")
        coming = [in_thread(lambda: emporion.connect(uri, passphrase=PASSPHRASE)) for _ in range(2)]
        shops = []
        for one in coming:
            with contextlib.suppress(emporion.ConnectionLost):
                shops.append(one())
        (shop,) = shops
        assert shop.stock() == 3
        assert len(host.connections()) == 1
        assert sum("sent away: the host is full" in record.getMessage() for record in ears.records) == 1
        shop.__exit__(None, None, None)


@pytest.mark.parametrize("after", [False, True], ids=["at once", "as it was let in"])
def test_a_connection_closed_by_its_validator_does_not_stay(after: bool, ears: Ears) -> None:
    class Regretful(ConnectionValidator):
        def accept_identity(self, host: Any, connection: Connection) -> bool:
            if not after:
                connection.close("second\nthoughts")
                connection.close("third ones")
            return True

    with open_door(validator=Regretful(), handshake_s=LONG_S) as door:
        let_in = door.listener.admitted
        ended: list[str] = []

        def admitted(transport: Transport, connection: Connection, handshake: HostHandshake) -> None:
            if after:
                connection.close("too late")  # the session is not there yet, and hears of it all the same
                connection.attach(ended.append)
            let_in(transport, connection, handshake)

        door.listener.admitted = admitted
        stranger = Stranger(door.uri)
        half = stranger.handshake()
        stranger.send(half.start())
        stranger.send(half.receive(stranger.message()))
        if after:
            until(lambda: ended == ["too late"])
        else:
            stranger.rest()
            assert door.guests == []
            told = [r.getMessage() for r in ears.records if "before it was let in" in r.getMessage()]
            assert len(told) == 1 and told[0].endswith("second\\nthoughts")
        stranger.close()
