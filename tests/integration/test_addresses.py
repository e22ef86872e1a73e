"""Where a host listens, what its URIs say, and what it sees of its clients: IPv4, IPv6, both, and behind NAT."""

import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.errors import ConfigurationError
from emporion.runtime.connection.ports import address_of
from emporion.runtime.connection.uri import CLEAR, UNIX, URI, Listen
from emporion.tests.harbour import PASSPHRASE, WORKER, Ears, Shelf
from emporion.validators.connection import Connection, ConnectionValidator
from emporion.validators.connection.verifiers import Verifiers

VERIFIERS = Verifiers([PASSPHRASE], iterations=4096)


class Desk:
    @emporion.expose
    def take(self, agent: Any) -> None:
        """Its code has passed the validator by now."""

    @emporion.expose
    def address(self) -> tuple[str, int]:
        return emporion.caller().address


class Seeing(ConnectionValidator):
    """Remembers the addresses that it was asked about."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def accept_host(self, host: Any, connection: Connection) -> bool:
        self.seen.append(connection.address[0])
        return True


def at(uri: emporion.URI, host: str) -> emporion.URI:
    """The same object, reached by another address."""
    return URI(scheme=uri.scheme, host=host, port=uri.port, name=uri.name, fingerprint=uri.fingerprint)


# --- advertise=


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mall.example.org", "mall.example.org", None),
        ("mall.example.org:80", "mall.example.org", 80),
        ("mall.example.org:0", "mall.example.org", None),
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7:7766", "192.0.2.7", 7766),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("[2001:db8::7]:7766", "2001:db8::7", 7766),
        ("emporion+tcp://mall.example.org:7766", "mall.example.org", 7766),
    ],
)
def test_what_is_advertised_goes_into_uris(text: str, host: str, port: int | None) -> None:
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=VERIFIERS) as plain:
        own = plain.uri.port
    with emporion.Host(f"emporion+tcp://127.0.0.1:{own}", passphrases=VERIFIERS, advertise=text) as behind:
        uri = behind.register(Desk(), "desk")
    assert (uri.host, uri.port, uri.name) == (host, port or own, "desk")
    assert URI.parse(str(uri)) == uri


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "HOST"), (":7766", "HOST"), ("a b", "HOST"), ("mall:", "HOST:PORT"), ("mall:x", "HOST:PORT"),
        ("mall:99999", "65535"), ("mall/desk", "only an address"), ("2001:db8::7", "brackets"), ("[nonsense]", "IPv6"),
        ("user:secret@mall:1", "passphrase"), ("0.0.0.0", "no client can"), ("[::]:7766", "no client can"),
        ("emporion://mall:7766", "HOST:PORT alone"), ("http://mall", "begin with"), ("\u00e9clair", "ASCII"),
        (7766, "text"),
    ],
)
def test_an_address_that_is_none_is_not_advertised(text: Any, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint) as caught:
        emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=VERIFIERS, advertise=text)
    assert "advertise" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_unix_socket_has_nothing_to_advertise() -> None:
    with pytest.raises(ConfigurationError, match="advertise: a Unix socket"):
        Listen(scheme=UNIX, path="/tmp/x").advertised("mall")


@pytest.mark.parametrize("everywhere", ["0.0.0.0:0", "[::]:0", "emporion+tcp://0.0.0.0:0"])
def test_a_host_on_all_addresses_says_that_its_uris_are_of_no_use_elsewhere(everywhere: str, ears: Ears) -> None:
    def warned() -> bool:
        return any("advertise=" in record.getMessage() for record in ears.records)

    with emporion.Host(everywhere, passphrases=VERIFIERS, advertise="mall.example.org"):
        assert not warned()
    with emporion.Host("127.0.0.1:0", passphrases=VERIFIERS):
        assert not warned()
    with emporion.Host(everywhere, passphrases=VERIFIERS):
        assert warned()


# --- IPv6


@pytest.mark.parametrize("scheme", ["", "emporion+tcp://"], ids=["tls", "plain"])
def test_an_ipv6_host_is_reached_by_its_uri(scheme: str) -> None:
    with emporion.Host(f"{scheme}[::1]:0", passphrases=VERIFIERS) as host:
        uri = host.register(Desk(), "desk")
        assert f"//[::1]:{uri.port}/desk" in str(uri) and uri.port
        with emporion.connect(str(uri), passphrase=PASSPHRASE) as desk:
            ip, port = desk.address()
            assert (ip, host.connections()[0].address) == ("::1", (ip, port))


@pytest.mark.parametrize("scheme", ["", "emporion+tcp://"], ids=["tls", "plain"])
def test_a_dual_stack_host_sees_ipv4_clients_by_their_ipv4_address_everywhere(
    scheme: str, ears: Ears, tmp_path: Path
) -> None:
    validator = Seeing()
    asked: list[str] = []

    def judge(name: str, module: str | None, address: tuple[str, int] | None) -> bool:
        asked.append(address[0] if address else "")
        return True

    open_host = emporion.Host(f"{scheme}[::]:0", passphrases=VERIFIERS, connection_validator=validator)
    with closing(Shelf(tmp_path)) as shelf, open_host as host:
        uri = host.register(Desk(), "desk", code_validator=judge)
        agent = shelf.agent(WORKER)
        for way, seen in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            with emporion.connect(at(uri, way), passphrase=PASSPHRASE, mobile_code=True) as desk:
                ip, port = desk.address()
                desk.take(agent)
                assert ip == seen == validator.seen[-1] == asked[-1]
                assert type(ip) is str and type(port) is int
                assert [connection.address[0] for connection in host.connections()][-1] == seen
        told = [record.getMessage() for record in ears.records]
        assert any(text.startswith("accepted 127.0.0.1:") for text in told)
        assert not any("::ffff" in text for text in told)


@pytest.mark.parametrize("scheme", ["", "emporion+tcp://"], ids=["tls", "plain"])
def test_a_zone_says_by_which_way_and_is_nothing_of_the_hosts(scheme: str) -> None:
    with emporion.Host(f"{scheme}[::1]:0", passphrases=VERIFIERS) as host:
        uri = at(host.register(Desk(), "desk"), "::1%1")
        assert "[::1%251]" in str(uri) and URI.parse(str(uri)) == uri
        with emporion.connect(uri, passphrase=PASSPHRASE) as desk:
            assert desk.address()[0] == "::1"


def test_a_link_local_client_keeps_its_zone() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        assert address_of(sock, ("fe80::1%eth0", 5, 0, 2)) == ("fe80::1%eth0", 5)
        assert address_of(sock, ("::ffff:192.0.2.7", 5, 0, 0)) == ("192.0.2.7", 5)


# --- ports


def test_port_0_is_one_that_is_free_and_stands_in_the_uri() -> None:
    with emporion.Host(passphrases=VERIFIERS) as one, emporion.Host(passphrases=VERIFIERS) as other:
        assert one.uri.port and other.uri.port and one.uri.port != other.uri.port


@pytest.mark.parametrize(
    ("listen", "hint"),
    [
        ("192.0.2.7:0", "no such address; 0.0.0.0"),
        ("[2001:db8::7]:0", "no such address; 0.0.0.0"),
        ("no.such.name.invalid:0", "spelled right"),
        ("[fe80::1%25no-such-zone]:0", "cannot listen on"),
    ],
)
def test_an_address_that_cannot_be_had_says_what_to_do(listen: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        emporion.Host(listen, passphrases=VERIFIERS)


def cannot_listen(listen: str) -> bool:
    with pytest.raises(ConfigurationError, match="is another host running there"):
        emporion.Host(listen, passphrases=VERIFIERS)
    return True


@pytest.mark.parametrize("ip", ["127.0.0.1", "[::1]", "0.0.0.0", "[::]"])
def test_a_port_in_use_says_so(ip: str) -> None:
    with emporion.Host(f"{CLEAR}://{ip}:0", passphrases=VERIFIERS, advertise="localhost") as host:
        assert cannot_listen(f"{CLEAR}://{ip}:{host.uri.port}")


def test_a_dual_stack_host_and_one_for_ipv4_do_not_share_a_port_by_accident() -> None:
    with emporion.Host(f"{CLEAR}://[::]:0", passphrases=VERIFIERS, advertise="localhost") as host:
        assert cannot_listen(f"{CLEAR}://0.0.0.0:{host.uri.port}")
