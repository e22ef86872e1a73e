"""Ready-made connection validators at a real host, as real clients meet them."""

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.runtime.connection.handshake import ClientHandshake
from emporion.tests.handshaking import Clock
from emporion.tests.harbour import ANSWER_S, PASSPHRASE, in_thread, listening, open_host, until
from emporion.validators.connection import (
    Connection,
    ConnectionValidator,
    all_of,
    allowed_networks,
    any_of,
    blocked_networks,
    by_host,
    lock_out,
    logins,
    max_connections,
    rate,
)

PEOPLE = emporion.Verifiers({"ann": "correct horse", "bob": "battery"}, iterations=4096)
BUSY, BLOCKED, SECURITY = (
    emporion.DenyReason.SERVER_TOO_BUSY,
    emporion.DenyReason.HOST_BLOCKED,
    emporion.DenyReason.SECURITY,
)


class Desk:
    @emporion.expose
    def who(self) -> str | None:
        return emporion.caller().identity


class Door:
    """A host that runs, and clients who knock."""

    def __init__(self, host: emporion.Host, stack: ExitStack) -> None:
        self.host = host
        self._uri = host.register(Desk(), "desk")
        self._stack = stack

    def enter(self, **options: Any) -> Any:
        """A proxy; stays connected until the test is over, or until it is left."""
        proxy = emporion.connect(self._uri, **{"passphrase": PASSPHRASE, **options})
        self._stack.callback(proxy.__exit__, None, None, None)
        return proxy

    def knock(self, **options: Any) -> emporion.DenyReason | None:
        """What a client is told that comes and, if it is let in, goes again."""
        before = len(self.host.connections())
        try:
            emporion.connect(self._uri, **{"passphrase": PASSPHRASE, **options}).__exit__(None, None, None)
        except emporion.ConnectionDenied as denied:
            return denied.reason
        until(lambda: len(self.host.connections()) == before)
        return None


@pytest.fixture
def door() -> Iterator[Door]:
    with open_host() as host, ExitStack() as stack:
        yield Door(host, stack)


def test_a_validator_changes_while_the_host_runs_and_open_connections_stay(door: Door) -> None:
    proxy = door.enter()
    seen: list[str] = []

    def decide(address: tuple[str, int]) -> bool:
        seen.append(address[0])
        return len(seen) > 1

    for validator, told in [
        (blocked_networks("127.0.0.0/8"), BLOCKED),
        (allowed_networks("127.0.0.0/8"), None),
        (by_host(decide), BLOCKED),
        (by_host(decide), None),
        (logins(PEOPLE), SECURITY),
    ]:
        door.host.set_connection_validator(validator)
        assert door.knock() is told
        assert proxy.who() is None
    assert seen == ["127.0.0.1"] * 2
    assert door.enter(login="bob", passphrase="battery").who() == "bob"


def test_of_many_clients_at_once_as_many_get_in_as_may(door: Door) -> None:
    door.host.set_connection_validator(max_connections(3, per_address=5))

    def come() -> Any:
        try:
            return door.enter()
        except emporion.ConnectionDenied as denied:
            return denied.reason

    came = [result() for result in [in_thread(come) for _ in range(16)]]
    inside = [one for one in came if not isinstance(one, emporion.DenyReason)]
    assert len(inside) == len(door.host.connections()) == 3
    assert [one for one in came if isinstance(one, emporion.DenyReason)] == [BUSY] * 13
    assert all(proxy.who() is None for proxy in inside)
    inside[0].__exit__(None, None, None)
    until(lambda: len(door.host.connections()) == 2)
    assert door.knock() is None


def test_each_identity_has_its_connections(door: Door) -> None:
    door.host.set_connection_validator(all_of(logins(PEOPLE), max_connections(per_identity=1)))
    ann: dict[str, str] = {"login": "ann", "passphrase": "correct horse"}
    proxy = door.enter(**ann)
    assert door.knock(**ann) is BUSY
    assert door.knock(login="bob", passphrase="battery") is None
    assert proxy.who() == "ann"
    (connection,) = door.host.connections()
    connection.close("enough")
    until(lambda: connection.closed)
    assert door.knock(**ann) is None


def test_clients_who_come_and_go_leave_no_place_taken(door: Door) -> None:
    door.host.set_connection_validator(max_connections(1, per_address=1))
    assert [door.knock() for _ in range(30)] == [None] * 30
    assert [door.knock(passphrase="wrong") for _ in range(5)] == [SECURITY] * 5
    assert door.knock() is None


def test_new_connections_come_no_more_often_than_they_may(door: Door) -> None:
    clock = Clock()
    door.host.set_connection_validator(rate(3, 60, clock=clock))
    assert [door.knock() for _ in range(5)] == [None, None, None, BUSY, BUSY]
    clock.now_s += 60
    assert door.knock() is None


def test_a_client_who_guesses_is_locked_out_and_told_nothing_more(door: Door) -> None:
    clock = Clock()
    door.host.set_connection_validator(lock_out(logins(PEOPLE), after=3, per="login", clock=clock))

    def texts(login: str) -> list[str]:
        found = []
        for passphrase in ("a", "b", "c", "correct horse", "correct horse"):
            with pytest.raises(emporion.ConnectionDenied) as caught:
                door.enter(login=login, passphrase=passphrase)
            assert caught.value.reason is SECURITY
            found.append(str(caught.value))
        return found

    with listening() as ears:
        assert len({*texts("ann"), *texts("nobody")}) == 1
        denials = [record.getMessage() for record in ears.records
                   if record.getMessage().startswith("denied ")]  # fmt: skip
    assert [("locked" in line) for line in denials] == [False, False, True, True, True] * 2
    assert "wrong password; at this login locked for 1 s now" in denials[2]
    assert "locked for 1 s more after too many failures at this login" in denials[4]
    assert door.enter(login="bob", passphrase="battery").who() == "bob"
    clock.now_s += 1
    assert door.enter(login="ann", passphrase="correct horse").who() == "ann"


def test_neighbours_come_without_login_and_others_with_one_also_under_tls() -> None:
    for network, by_name_only in (("127.0.0.0/8", False), ("10.0.0.0/8", True)):
        validator = any_of(allowed_networks(network), lock_out(logins(PEOPLE)))
        with emporion.Host("127.0.0.1:0", allow_anonymous=True, connection_validator=validator) as host, \
                ExitStack() as stack:  # fmt: skip
            door = Door(host, stack)
            assert door.knock(passphrase=None) is (SECURITY if by_name_only else None)
            assert door.enter(login="ann", passphrase="correct horse").who() == "ann"
            with pytest.raises(emporion.ConnectionDenied):
                door.enter(login="ann", passphrase="battery")


def test_peers_of_a_unix_socket_are_in_no_network_and_count_as_one_user(tmp_path: Path) -> None:
    with emporion.Host(f"emporion+unix://{tmp_path / 'socket'}") as host, ExitStack() as stack:
        door = Door(host, stack)
        for validator, told in [
            (allowed_networks("0.0.0.0/0", "::/0"), BLOCKED),
            (blocked_networks("0.0.0.0/0", "::/0"), None),
            (max_connections(per_address=1), None),
        ]:
            host.set_connection_validator(validator)
            assert door.knock(passphrase=None) is told
        door.enter(passphrase=None)
        assert door.knock(passphrase=None) is BUSY


# --- Connection.closed


class Keeping(ConnectionValidator):
    """The default; keeps each connection that it sees."""

    def __init__(self) -> None:
        self.seen: list[Connection] = []

    def accept_host(self, host: Any, connection: Connection) -> Any:
        self.seen.append(connection)
        return super().accept_host(host, connection)


def silent_peer(host: emporion.Host) -> Callable[[], None]:
    """Somebody who says HELLO and nothing more; gives what makes it leave."""
    sock = socket.create_connection(("127.0.0.1", host.uri.port), ANSWER_S)
    handshake = ClientHandshake(ConnectionValidator(), identity=None, uri=None, peer_address=None, binding=None,
                                codec="msgpack", random=secrets.token_bytes)  # fmt: skip
    sock.sendall(handshake.start())
    assert sock.recv(1)  # asked
    return sock.close


def test_a_connection_says_that_it_is_over_however_it_ended(door: Door) -> None:
    keeping = Keeping()
    door.host.set_connection_validator(keeping)
    proxy, other = door.enter(), door.enter()
    leave = silent_peer(door.host)
    assert door.knock(passphrase="wrong") is SECURITY
    there, ended, half_open, denied = keeping.seen
    assert [one.closed for one in keeping.seen] == [False, False, False, True]
    ended.close("enough")
    leave()
    until(lambda: ended.closed and half_open.closed)
    assert not there.closed and proxy.who() is None
    with pytest.raises(emporion.ConnectionLost):
        other.who()
    proxy.__exit__(None, None, None)
    until(lambda: there.closed)
    assert denied.closed and door.host.connections() == []
