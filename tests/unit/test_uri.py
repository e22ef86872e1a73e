"""URIs and listen addresses: what is read, what is written, what is refused."""

import pytest
from emporion.errors import ConfigurationError
from emporion.runtime.connection.uri import URI, Listen
from hypothesis import given
from hypothesis import strategies as st

FP = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("emporion://127.0.0.1:7766/mall", URI(host="127.0.0.1", port=7766, name="mall")),
        (f"emporion://shop.example:1/mall?fp={FP}", URI(host="shop.example", port=1, name="mall", fingerprint=FP)),
        ("emporion://[::1]:7766/a/b", URI(host="::1", port=7766, name="a/b")),
        ("emporion://[fe80::1%25eth0]:7766", URI(host="fe80::1%eth0", port=7766)),
        (
            "emporion+tcp://localhost:65535/%C3%A9%3F",
            URI(scheme="emporion+tcp", host="localhost", port=65535, name="é?"),
        ),
        ("emporion+unix:///run/e.sock?object=mall", URI(scheme="emporion+unix", path="/run/e.sock", name="mall")),
        ("emporion+unix:///run/a%20b%3F", URI(scheme="emporion+unix", path="/run/a b?")),
    ],
)
def test_a_uri_reads_back_as_it_was_written(text: str, uri: URI) -> None:
    assert URI.parse(text) == uri
    assert str(uri) == text


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=40))
def test_any_printable_name_survives(name: str) -> None:
    for uri in (URI(host="h", port=1, name=name), URI(scheme="emporion+unix", path="/x", name=name)):
        assert URI.parse(str(uri)) == uri


@given(st.text(max_size=60))
def test_any_text_is_a_uri_or_a_configuration_error(text: str) -> None:
    for candidate in (text, f"emporion://{text}", f"emporion://h:1/{text}", f"emporion+unix:///{text}"):
        try:
            uri = URI.parse(candidate)
        except ConfigurationError:
            continue
        assert URI.parse(str(uri)) == uri


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "emporion://"),
        ("http://h:1/x", "emporion://"),
        ("PYRO://h:1/x", "emporion://"),
        ("emporion:/h:1", "emporion://"),
        ("emporion://h", "HOST:PORT"),
        ("emporion://h:", "HOST:PORT"),
        ("emporion://h:0/x", "port 0"),
        ("emporion://h:65536/x", "65535"),
        ("emporion://h:+1/x", "HOST:PORT"),
        ("emporion://h:-1/x", "HOST:PORT"),
        ("emporion://:7766/x", "no host name"),
        ("emporion://::1:7766/x", "brackets"),
        ("emporion://[::g]:7766/x", "IPv6"),
        ("emporion://a..b:1/x", "no host name"),
        ("emporion://-a:1/x", "no host name"),
        ("emporion://h:1/x?fp=md5:00", "fp="),
        (f"emporion://h:1/x?fp={FP.upper()}", "fp="),
        (f"emporion+tcp://h:1/x?fp={FP}", "nothing may stand there"),
        (f"emporion://h:1/x?fp={FP}&fp={FP}", "twice"),
        ("emporion://h:1/x?object=y", "what may stand there: fp"),
        ("emporion://h:1/x?fp", "no meaning"),
        ("emporion://h:1/x#y", "%23"),
        ("emporion://h:1/a b", "percent-encode"),
        ("emporion://h:1/a\nb", "percent-encode"),
        ("emporion://h:1/\u00e9", "percent-encode"),
        ("emporion://h:1/%FF", "UTF-8"),
        ("emporion://h:1/%0A", "cannot be printed"),
        ("emporion://h:1/" + "x" * 2048, "2048"),
        ("emporion+unix://relative", "three slashes"),
        ("emporion+unix://", "absolute path"),
        ("emporion+unix:///", "absolute path"),
        ("emporion+unix:///" + "x" * 107, "107"),
        ("emporion+unix:///a%00b", "absolute path"),
    ],
)
def test_a_wrong_uri_says_what_is_wrong(text: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        URI.parse(text)
    assert hint in str(caught.value)


def test_a_passphrase_in_a_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        URI.parse("emporion://harry:hush@h:1/mall")
    assert "passphrase=" in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:0", Listen(host="127.0.0.1")),
        ("[::]:7766", Listen(host="::", port=7766)),
        ("emporion://localhost:1", Listen(host="localhost", port=1)),
        ("emporion+tcp://0.0.0.0:1", Listen(scheme="emporion+tcp", host="0.0.0.0", port=1)),
        ("emporion+unix:///run/e.sock", Listen(scheme="emporion+unix", path="/run/e.sock")),
    ],
)
def test_a_listen_address_is_read(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen
    assert Listen.parse(str(listen)) == listen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7766",
        ":7766",
        "h",
        "emporion://h:1/mall",
        f"h:1?fp={FP}",
        "emporion+unix://",
        "emporion+unix:///x?object=y",
    ],
)
def test_a_wrong_listen_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Listen.parse(text)
