"""Where a host is, and which of its objects is meant: URIs as values.

    emporion://HOST:PORT/NAME?fp=sha256:...      TCP with TLS 1.3
    emporion+tcp://HOST:PORT/NAME                TCP in the clear
    emporion+unix:///PATH?object=NAME            a Unix socket

IPv6 addresses stand in brackets. Without NAME the host itself is meant. Everything is percent-encoded UTF-8 (RFC 3986).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from ...errors import ConfigurationError

__all__ = ["CLEAR", "TLS_SCHEME", "UNIX", "URI", "Listen"]

TLS_SCHEME: Final = "emporion"
CLEAR: Final = "emporion+tcp"
UNIX: Final = "emporion+unix"
_SCHEMES: Final = (TLS_SCHEME, CLEAR, UNIX)

MAX_URI_CHARACTERS: Final = 2_048
MAX_PATH_BYTES: Final = 107  # sun_path in Linux, without its closing zero
_FINGERPRINT: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
# RFC 1123 names, and underscores because people have them; dotted IPv4 addresses look like names too.
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where a host listens; `port` 0: the system picks one."""

    scheme: str = TLS_SCHEME
    host: str = ""  # without brackets; empty for a Unix socket
    port: int = 0
    path: str = ""  # only for a Unix socket, absolute

    def __post_init__(self) -> None:
        _check_place(self.scheme, self.host, self.port, self.path)

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Read ``HOST:PORT`` (TLS), ``emporion+tcp://HOST:PORT`` or ``emporion+unix:///PATH``.

        Raises:
            ConfigurationError: It is none of those; the text says what is wrong.
        """
        short = isinstance(text, str) and "://" not in text
        scheme, authority, path, query = _split(f"{TLS_SCHEME}://{text}" if short else text)
        if query or (scheme != UNIX and path not in ("", "/")):
            raise ConfigurationError("listen: only an address belongs there, objects get their names in register()")
        if scheme == UNIX:
            return cls(scheme=scheme, path=_socket_path(authority, path))
        host, port = _host_port(authority)
        return cls(scheme=scheme, host=host, port=port)

    @property
    def is_everywhere(self) -> bool:
        """Whether `host` means all addresses of this machine: good for listening, of no use in a URI elsewhere."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False

    def advertised(self, text: str) -> "Listen":
        """How clients are to reach a host that listens here: ``HOST`` or ``HOST:PORT``; port 0: the one it has here.

        Raises:
            ConfigurationError: It is no address that a client could use; the text says what is wrong.
        """
        if self.scheme == UNIX:
            raise ConfigurationError("advertise: a Unix socket is reached by its path alone: leave it out")
        if isinstance(text, str) and "://" not in text:
            text = f"{self.scheme}://{text}:0" if _has_no_port(text) else f"{self.scheme}://{text}"
        try:
            public = Listen.parse(text)
        except ConfigurationError as error:
            raise ConfigurationError(f'advertise takes "HOST" or "HOST:PORT": {error}') from None
        if public.scheme != self.scheme:
            raise ConfigurationError(f"advertise: this host speaks {self.scheme}://; give HOST:PORT alone")
        if public.is_everywhere:
            raise ConfigurationError(f"advertise: no client can connect to {public.host}: give a name or an address")
        return public

    def __str__(self) -> str:
        return _place(self.scheme, self.host, self.port, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class URI:
    """One hosted object, or a host; ``str(uri)`` is its text, `URI.parse` reads that back."""

    scheme: str = TLS_SCHEME
    host: str = ""  # without brackets; empty for a Unix socket
    port: int = 0  # 1 to 65535; 0 for a Unix socket
    path: str = ""  # only for a Unix socket, absolute
    name: str = ""  # the object's; empty: the host itself
    fingerprint: str = ""  # "sha256:" and 64 hex digits: what the host's certificate must have

    def __post_init__(self) -> None:
        _check_place(self.scheme, self.host, self.port, self.path)
        if self.scheme != UNIX and not self.port:
            raise ConfigurationError("URI: port 0 is no address: give the port that the host printed")
        if self.fingerprint and (self.scheme != TLS_SCHEME or not _FINGERPRINT.match(self.fingerprint)):
            raise ConfigurationError("URI: fp= is 'sha256:' and 64 lower-case hex digits, and only emporion:// has it")
        if any(not character.isprintable() for character in self.name):
            raise ConfigurationError("URI: an object's name has a character that cannot be printed: rename it")

    @classmethod
    def parse(cls, text: str) -> "URI":
        """Read a URI's text.

        Raises:
            ConfigurationError: It is no URI of ours; the text says what is wrong, without repeating secrets.
        """
        scheme, authority, path, query = _split(text)
        options = _options(query, ("object",) if scheme == UNIX else ("fp",) if scheme == TLS_SCHEME else ())
        if scheme == UNIX:
            return cls(scheme=scheme, path=_socket_path(authority, path), name=options.get("object", ""))
        host, port = _host_port(authority)
        name = _decode(path[1:])
        return cls(scheme=scheme, host=host, port=port, name=name, fingerprint=options.get("fp", ""))

    @property
    def address(self) -> tuple[str, int]:
        """(host, port) for a TCP connection."""
        return self.host, self.port

    def __str__(self) -> str:
        place = _place(self.scheme, self.host, self.port, self.path)
        if self.scheme == UNIX:
            return f"{place}?object={quote(self.name, safe='/')}" if self.name else place
        name = f"/{quote(self.name, safe='/')}" if self.name else ""
        return f"{place}{name}?fp={self.fingerprint}" if self.fingerprint else f"{place}{name}"


def _split(text: str) -> tuple[str, str, str, str]:
    """Scheme, authority, path (with its slash) and query of a URI's text."""
    if not isinstance(text, str):
        raise ConfigurationError(f"URI: {type(text).__name__} is no text")
    if len(text) > MAX_URI_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        text_rules = f"at most {MAX_URI_CHARACTERS} printable ASCII characters without spaces"
        raise ConfigurationError(f"URI: {text_rules}; percent-encode the others")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise ConfigurationError(f"URI: it has to begin with {', '.join(f'{known}://' for known in _SCHEMES)}")
    if "#" in rest:
        raise ConfigurationError("URI: '#' has no meaning here: percent-encode it as %23, or leave it out")
    before, _, query = rest.partition("?")
    authority, slash, path = before.partition("/")
    if "@" in authority:  # not repeated: what stands before it may be a passphrase
        raise ConfigurationError("URI: no user or passphrase in it: give connect() login= and passphrase=")
    return scheme, authority, slash + path, query


def _options(query: str, known: tuple[str, ...]) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, separator, value = part.partition("=")
        if key not in known or not separator or key in options:
            known_ones = f"what may stand there: {', '.join(known)}" if known else "nothing may stand there"
            raise ConfigurationError(f"URI: {key!r} has no meaning there, or stands twice; {known_ones}")
        options[key] = _decode(value)
    return options


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ConfigurationError("URI: what is percent-encoded must be UTF-8") from None


def _host_port(authority: str) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if ":" in host and not authority.startswith("["):
        raise ConfigurationError(f"URI: {authority!r}: an IPv6 address stands in brackets, as in [::1]:7766")
    if not colon or not (port.isdecimal() and len(port) <= 5) or int(port) > 65535:
        raise ConfigurationError(f"URI: {authority!r} is not HOST:PORT with a port up to 65535")
    if host.startswith("[") and host.endswith("]"):
        return str(_ipv6(_decode(host[1:-1]))), int(port)
    return host, int(port)


def _has_no_port(text: str) -> bool:
    return text.endswith("]") if text.startswith("[") else ":" not in text


def _ipv6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError:
        raise ConfigurationError(f"URI: {text!r} in brackets is no IPv6 address") from None


def _socket_path(authority: str, path: str) -> str:
    if authority:
        raise ConfigurationError(f"URI: {UNIX}:// is followed by an absolute path: three slashes in all")
    return _decode(path)


def _check_place(scheme: str, host: str, port: int, path: str) -> None:
    if scheme not in _SCHEMES:
        raise ConfigurationError(f"URI: scheme {scheme!r} is none of {', '.join(_SCHEMES)}")
    if scheme == UNIX:
        if host or port or not path.startswith("/") or "\0" in path or not 1 < len(path.encode()) <= MAX_PATH_BYTES:
            rules = f"an absolute path of at most {MAX_PATH_BYTES} bytes, and no host or port"
            raise ConfigurationError(f"URI: a Unix socket has {rules}")
        return
    if path or type(port) is not int or not 0 <= port <= 65535:
        raise ConfigurationError(f"URI: {scheme}:// has a host and a port from 1 to 65535, and no path of a socket")
    if ":" in host:
        _ipv6(host)
    elif not _HOST_NAME.match(host):
        raise ConfigurationError(f"URI: {host!r} is no host name or address (0.0.0.0 or [::] means all of them)")


def _place(scheme: str, host: str, port: int, path: str) -> str:
    if scheme == UNIX:
        return f"{scheme}://{quote(path, safe='/')}"
    shown = f"[{host.replace('%', '%25')}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}"
