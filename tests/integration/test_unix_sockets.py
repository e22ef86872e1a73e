"""Unix sockets: whose they are, who is at the other end, and what is left in the file system."""

import os
import socket
import stat
import threading
from pathlib import Path

import emporion
import pytest
from emporion.runtime.connection import ports
from emporion.tests.pki import Desk


def place(path: Path) -> str:
    return f"emporion+unix://{path}"


class Peer:
    @emporion.expose
    def address(self) -> list[object]:
        return list(emporion.caller().address)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_socket_is_its_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with emporion.Host(place(tmp_path / "host")) as host:
            assert stat.S_IMODE((tmp_path / "host").stat().st_mode) == 0o600
            with emporion.connect(host.register(Peer(), "peer")) as peer:
                assert peer.address() == [f"uid={os.getuid()},pid={os.getpid()}", 0]
    finally:
        assert os.umask(before) == umask  # all threads share it
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_given_passphrases_wants_them_though_it_began_without(tmp_path: Path) -> None:
    with emporion.Host(place(tmp_path / "host")) as host:
        uri = host.register(Desk(), "desk")
        with emporion.connect(uri) as desk:
            host.set_allowed_identifications(emporion.Verifiers({"ann": "pw"}, iterations=4096))
            with pytest.raises(emporion.ConnectionDenied):
                emporion.connect(uri)
            with emporion.connect(uri, passphrase="pw") as other:
                assert other.who()[0] == "ann"
            assert desk.who() == [None, None]
        host.set_allowed_identifications(None)
        with emporion.connect(uri) as desk:
            assert desk.who() == [None, None]


def test_a_client_without_passphrase_takes_no_other_users_host_for_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes first to a path in /tmp may listen there, and send code to those who take it."""
    with emporion.Host(place(tmp_path / "host")) as host:
        uri = host.register(Desk(), "desk")
        emporion.connect(uri).__exit__(None, None, None)
        monkeypatch.setattr(ports, "_credentials", lambda sock: (os.getpid(), os.geteuid() + 1))
        with pytest.raises(emporion.ConnectionDenied, match="did not prove itself"):
            emporion.connect(uri)
        emporion.connect(uri, verify_host=False).__exit__(None, None, None)


def test_a_dead_hosts_socket_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "host"))
        dead.listen()
    assert (tmp_path / "host").exists()
    with emporion.Host(place(tmp_path / "host")) as host, emporion.connect(host.register(Desk(), "desk")) as desk:
        assert desk.who() == [None, None]


def test_a_running_hosts_socket_is_not(tmp_path: Path) -> None:
    with emporion.Host(place(tmp_path / "host")) as host:
        with pytest.raises(emporion.ConfigurationError, match="another host is running"):
            emporion.Host(place(tmp_path / "host"))
        with emporion.connect(host.register(Desk(), "desk")) as desk:
            assert desk.who() == [None, None]


def test_nor_is_one_with_a_full_backlog(tmp_path: Path) -> None:
    """Whose owner is busy: asking there must not wait for it."""
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(tmp_path / "host"))
        busy.listen(0)
        first.connect(str(tmp_path / "host"))
        with pytest.raises(emporion.ConfigurationError, match="another host is running"):
            emporion.Host(place(tmp_path / "host"))


def test_a_file_of_another_kind_stays(tmp_path: Path) -> None:
    (tmp_path / "host").write_text("mine")
    with pytest.raises(emporion.ConfigurationError, match="another kind"):
        emporion.Host(place(tmp_path / "host"))
    assert (tmp_path / "host").read_text() == "mine"


def test_a_host_that_closes_leaves_its_successors_socket(tmp_path: Path) -> None:
    """It may be long in closing, when the next one has begun already."""
    first = emporion.Host(place(tmp_path / "host"))
    first.start()
    entered, leave = threading.Event(), threading.Event()
    closing = first.tickets.close

    def late(error: Exception) -> None:
        entered.set()
        leave.wait(60)
        closing(error)

    first.tickets.close = late  # type: ignore[method-assign]
    thread = threading.Thread(target=first.close)
    thread.start()
    assert entered.wait(60)
    try:
        with emporion.Host(place(tmp_path / "host")) as host:
            leave.set()
            thread.join(60)
            with emporion.connect(host.register(Desk(), "desk")) as desk:
                assert desk.who() == [None, None]
    finally:
        leave.set()
        thread.join(60)
