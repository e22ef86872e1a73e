"""The handshake's messages, byte by byte: a small fixed encoding of its own, the same whatever codec follows.

A message is a 4-byte big-endian length (of what follows), a type byte, and fields. The client's first one comes after
`PREFACE`. Source: docs/handshake.md.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from ...errors import DenyReason, ProtocolError
from ...validators.connection.scram import NONCE_BYTES, Exchange, ScramChallenge
from ...validators.connection.verifiers import MAX_LOGIN_BYTES

__all__ = [
    "ANONYMOUS",
    "MAX_MESSAGE_BYTES",
    "OWN",
    "PREFACE",
    "SCRAM",
    "Challenge",
    "Denied",
    "Hello",
    "Inbox",
    "Message",
    "Token",
    "Welcome",
    "challenge_message",
    "challenge_seen",
    "decode_untrusted",
    "encode",
]

PREFACE: Final = b"EMPORION\x01"  # the magic, then the protocol's version
MAX_MESSAGE_BYTES: Final = 4_096  # a stranger's message; the largest real one is about 700 bytes
MAX_CODECS: Final = 8
MAX_CODEC_BYTES: Final = 32
MAX_DEPTH: Final = 4  # of tuples in challenges and tokens of somebody's own scheme
MAX_ITEMS: Final = 32  # in one tuple
MAX_INT_BYTES: Final = 64

ANONYMOUS, SCRAM, OWN = 0, 1, 2  # what kind of identity a client has; as a challenge's scheme 0 says: nothing is asked

Value = Any  # None | bool | int | str | bytes | tuple of those: what challenges, tokens and proofs may be


@dataclass(frozen=True, slots=True)
class Hello:
    """Client to host, first: who I say I am, how I see the channel, what I can read."""

    kind: int  # ANONYMOUS, SCRAM or OWN
    binding: bytes  # the GS2 flag: b"p" under TLS, b"n" without
    nonce: bytes  # NONCE_BYTES
    login: str  # only with SCRAM; empty: any passphrase
    codecs: tuple[str, ...]  # in the order of the client's preference, 1 to 8


@dataclass(frozen=True, slots=True)
class Challenge:
    """Host to client: what to answer."""

    scheme: int  # ANONYMOUS, SCRAM or OWN
    nonce: bytes  # NONCE_BYTES
    iterations: int = 0  # SCRAM
    salt: bytes = b""  # SCRAM, 8 to 64 bytes
    value: Value = None  # OWN


@dataclass(frozen=True, slots=True)
class Token:
    """Client to host: the answer."""

    value: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class Welcome:
    """Host to client, last: you are in, this is my proof, and these codecs I read."""

    proof: Value = field(repr=False)
    codecs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """Host to client, last: you are not in; the code is all that you learn."""

    reason: DenyReason


Message = Hello | Challenge | Token | Welcome | Denied


class Inbox:
    """Cuts a stream into messages; holds at most one, of at most `MAX_MESSAGE_BYTES`, and what one read adds to it."""

    def __init__(self, preface: bytes = b"") -> None:
        self._preface = preface  # still to come, at a host
        self._data = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Add what came in; the next message whole (type byte and fields), or None: more is needed.

        Raises:
            ProtocolError: It is no Emporion client, or announces too much: found at the first wrong byte.
        """
        self._data += data
        if self._preface and not self._greeted():
            return None
        if len(self._data) < 4:
            return None
        length = int.from_bytes(self._data[:4])
        if not 1 <= length <= MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a handshake message of {length} bytes: 1 to {MAX_MESSAGE_BYTES} are allowed")
        if len(self._data) < 4 + length:
            return None
        body = bytes(self._data[4 : 4 + length])
        del self._data[: 4 + length]
        return body

    def rest(self) -> bytes:
        """Take what came after the last message."""
        rest = bytes(self._data)
        self._data.clear()
        return rest

    def _greeted(self) -> bool:
        seen = bytes(self._data[: len(self._preface)])
        if not self._preface.startswith(seen):
            if seen[:-1] == self._preface[:-1]:
                raise ProtocolError(f"the client speaks version {seen[-1]}, this host {self._preface[-1]}: update one")
            raise ProtocolError("this is no Emporion client: connect with emporion.connect()")
        if len(seen) < len(self._preface):
            return False
        del self._data[: len(self._preface)]
        self._preface = b""
        return True


def encode(message: Message) -> bytes:
    """The message's bytes, length first.

    Raises:
        ValueError: A field or value that the encoding has no place for; the text says which.
    """
    body: bytes = _ENCODERS[type(message)](message)
    if len(body) > MAX_MESSAGE_BYTES:
        raise ValueError(f"{type(message).__name__} takes {len(body)} bytes: {MAX_MESSAGE_BYTES} are allowed")
    return len(body).to_bytes(4) + body


def _encode_hello(message: Hello) -> bytes:
    login = message.login.encode()
    if len(login) > MAX_LOGIN_BYTES:
        raise ValueError(f"a login of {len(login)} bytes: {MAX_LOGIN_BYTES} are allowed")
    who = bytes([message.kind]) + message.binding + message.nonce + bytes([len(login)]) + login
    return b"H" + who + _encode_codecs(message.codecs)


def _encode_challenge(message: Challenge) -> bytes:
    head = b"C" + bytes([message.scheme]) + message.nonce
    if message.scheme == SCRAM:
        if not (0 < message.iterations < 2**32 and 8 <= len(message.salt) <= 64):
            raise ValueError("a ScramChallenge has 1 to 2**32 - 1 iterations and a salt of 8 to 64 bytes")
        return head + message.iterations.to_bytes(4) + bytes([len(message.salt)]) + message.salt
    return head + _encode_value(message.value) if message.scheme == OWN else head


_ENCODERS: Final[dict[type, Any]] = {
    Hello: _encode_hello,
    Challenge: _encode_challenge,
    Token: lambda message: b"T" + _encode_value(message.value),
    Welcome: lambda message: b"W" + _encode_value(message.proof) + _encode_codecs(message.codecs),
    Denied: lambda message: b"D" + bytes([message.reason.value]),
}


def _encode_codecs(codecs: tuple[str, ...]) -> bytes:
    names = [name.encode("ascii") for name in codecs]
    if not 1 <= len(names) <= MAX_CODECS or not all(0 < len(name) <= MAX_CODEC_BYTES for name in names):
        raise ValueError(f"codecs {codecs!r}: 1 to {MAX_CODECS} names of at most {MAX_CODEC_BYTES} letters")
    return bytes([len(names)]) + b"".join(bytes([len(name)]) + name for name in names)


def _encode_value(value: Value, depth: int = 0) -> bytes:
    """Exact types only: what a subclass would lose on the way is not lost silently."""
    kind = type(value)
    if value is None or kind is bool:
        return b"0" if value is None else b"+" if value else b"-"
    if kind is int:
        size = value.bit_length() // 8 + 1
        if size > MAX_INT_BYTES:
            raise ValueError(f"an int of {size} bytes in a challenge, token or proof: {MAX_INT_BYTES} are allowed")
        return b"i%c" % size + bytes(value.to_bytes(size, signed=True))
    if kind is bytes or kind is str:
        data: bytes = value.encode() if kind is str else value
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"{len(data)} bytes in a challenge, token or proof: too many for one message")
        return (b"s" if kind is str else b"b") + len(data).to_bytes(2) + data
    if kind is tuple and depth < MAX_DEPTH and len(value) <= MAX_ITEMS:
        return b"(" + bytes([len(value)]) + b"".join(_encode_value(item, depth + 1) for item in value)
    raise ValueError(
        f"{kind.__name__} in a challenge, token or proof: use None, bool, int, str, bytes, or tuples of"
        f" at most {MAX_ITEMS} of those, at most {MAX_DEPTH} deep"
    )


def challenge_message(raw: Any, nonce: bytes) -> Challenge:
    """How the challenge `raw` that a validator made is sent."""
    if raw is None:
        return Challenge(ANONYMOUS, nonce)
    if type(raw) is ScramChallenge:
        return Challenge(SCRAM, nonce, raw.iterations, raw.salt)
    return Challenge(OWN, nonce, value=raw)


def challenge_seen(message: Challenge, exchange: Exchange) -> Any:
    """The challenge as the steps of this end get it: bound to this end's own view of the channel."""
    if message.scheme == ANONYMOUS:
        return None
    if message.scheme == SCRAM:
        return exchange.scram(message.salt, message.iterations)
    bound = exchange.bound(encode(message))
    return (*message.value, bound) if type(message.value) is tuple else bound


def decode_untrusted(body: bytes) -> Message:
    """Read one message as `Inbox` gave it.

    Raises:
        ProtocolError: Anything but exactly one well-formed message, in the one way in which it can be spelled.
    """
    fields = _Fields(body)
    reader = _READERS.get(fields.take(1))
    if reader is None:
        raise ProtocolError(f"no handshake message has type {body[0]}")
    message: Message = reader(fields)
    fields.end()
    return message


class _Fields:
    """A message's bytes, read from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) != count:
            raise ProtocolError("a handshake message ends in the middle of a field")
        self._at += count
        return piece

    def number(self, size: int = 1) -> int:
        return int.from_bytes(self.take(size))

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise ProtocolError("a handshake message has text that is not UTF-8") from None

    def within(self, low: int, high: int) -> int:
        number = self.number()
        if not low <= number <= high:
            raise ProtocolError(f"a handshake message has {number} where {low} to {high} belongs")
        return number

    def end(self) -> None:
        if self._at != len(self._data):
            raise ProtocolError(f"a handshake message has {len(self._data) - self._at} bytes too many")


def _read_hello(fields: _Fields) -> Hello:
    kind = fields.within(ANONYMOUS, OWN)
    binding = fields.take(1)
    if binding not in (b"n", b"p", b"y"):
        raise ProtocolError(f"a HELLO has flag {binding!r}: n, p and y are known")
    nonce = fields.take(NONCE_BYTES)
    login = fields.text(fields.number())
    if login and kind != SCRAM:
        raise ProtocolError("a HELLO without passphrase names a login")
    return Hello(kind, binding, nonce, login, _read_codecs(fields))


def _read_challenge(fields: _Fields) -> Challenge:
    scheme = fields.within(ANONYMOUS, OWN)
    nonce = fields.take(NONCE_BYTES)
    if scheme == SCRAM:
        iterations = fields.number(4)
        if not iterations:
            raise ProtocolError("a CHALLENGE asks for 0 iterations")
        return Challenge(scheme, nonce, iterations, fields.take(fields.within(8, 64)))
    return Challenge(scheme, nonce, value=_read_value(fields) if scheme == OWN else None)


def _read_codecs(fields: _Fields) -> tuple[str, ...]:
    names = []
    for _ in range(fields.within(1, MAX_CODECS)):
        name = fields.text(fields.within(1, MAX_CODEC_BYTES))
        if not (name.isascii() and name.isprintable()):
            raise ProtocolError("a handshake message names a codec in letters that are not ASCII")
        names.append(name)
    return tuple(names)


_READERS: Final[dict[bytes, Any]] = {
    b"H": _read_hello,
    b"C": _read_challenge,
    b"T": lambda fields: Token(_read_value(fields)),
    b"W": lambda fields: Welcome(_read_value(fields), _read_codecs(fields)),
    b"D": lambda fields: Denied(DenyReason(fields.within(0, len(DenyReason) - 1))),
}


def _read_value(fields: _Fields, depth: int = 0) -> Value:
    kind = fields.take(1)
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if kind == b"i":
        size = fields.within(1, MAX_INT_BYTES)
        number = int.from_bytes(fields.take(size), signed=True)
        if number.bit_length() // 8 + 1 != size:
            raise ProtocolError("a handshake message spells an int longer than it needs to be")
        return number
    if kind == b"b":
        return fields.take(fields.number(2))
    if kind == b"s":
        return fields.text(fields.number(2))
    if kind == b"(" and depth < MAX_DEPTH:
        return tuple(_read_value(fields, depth + 1) for _ in range(fields.within(0, MAX_ITEMS)))
    raise ProtocolError(f"a handshake message has a value of an unknown kind ({kind!r}), or too deep a tuple")


_CONSTANTS: Final[dict[bytes, Value]] = {b"0": None, b"-": False, b"+": True}
