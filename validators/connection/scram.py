"""SCRAM-SHA-256 as pure computations: bytes in, bytes out; no sockets, no randomness, no clock.

Source: RFC 5802 (the exchange), RFC 7677 (with SHA-256), RFC 5929 (`tls-server-end-point`), RFC 8265 (preparation).
"""

import hashlib
import hmac
import unicodedata
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

from precis_i18n import get_profile

from ..remembered import Remembered

__all__ = [
    "BOUND",
    "DEFAULT_ITERATIONS",
    "DIGEST_BYTES",
    "MAX_CHARACTERS",
    "MAX_ITERATIONS",
    "MIN_ITERATIONS",
    "NONCE_BYTES",
    "UNBOUND",
    "Exchange",
    "Keys",
    "ScramChallenge",
    "auth_message",
    "client_proof",
    "prepare",
    "proves",
    "server_signature",
    "stretch",
    "stretch_once",
]

DIGEST_BYTES: Final = 32  # SHA-256
NONCE_BYTES: Final = 18  # 144 random bits: 24 characters of base64 without padding
MIN_ITERATIONS: Final = 4_096  # RFC 7677, section 4
# OWASP's password storage advice for PBKDF2-HMAC-SHA256. Measured: 120 ms for the client, once per process and host.
DEFAULT_ITERATIONS: Final = 600_000
# A host must not be able to keep a client busy: about one second here. Leaves room for eight times today's advice.
MAX_ITERATIONS: Final = 5_000_000

# The GS2 flags of RFC 5802. "y" (could bind, but thinks that the host cannot) is never sent, and never accepted.
UNBOUND: Final = b"n"
BOUND: Final = b"p"

# The work on a text grows with its length, and whoever types one has an end in mind.
MAX_CHARACTERS: Final = 1_024

_OPAQUE: Final = get_profile("OpaqueString")
_WHY: Final = {
    "controls": "a control character",
    "old_hangul_jamo": "half a Hangul syllable",
    "precis_ignorable_properties": "an invisible character",
    "unassigned": f"a character that Unicode {unicodedata.unidata_version}, which this Python knows, does not have",
    "Cf": "an invisible character",
    "Co": "a private character",
    "Cs": "half a character",
}


def prepare(text: str) -> str:
    """Give the one form in which a passphrase or login is stretched and compared.

    That is the profile OpaqueString (RFC 8265, section 4.2, which succeeds SASLprep): every space becomes U+0020, then
    NFC; case and compatibility characters stay. Refused is what the FreeformClass of RFC 8264 leaves out: controls,
    invisible ones, variation selectors, joiners where no script needs them, private and unassigned characters, lone
    surrogates. The empty text is returned as it is: nobody can own it, see `Verifiers`.

    Raises:
        ValueError: A refused character, or more than `MAX_CHARACTERS`; the text says which, never the passphrase
            itself.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{len(text):,} characters: {MAX_CHARACTERS:,} are the most")
    if not text:
        return text
    try:
        return _OPAQUE.enforce(text)
    except UnicodeEncodeError as error:
        refused, kind = error.object[error.start], error.reason.partition("/")[2]
    # Out here, so that the error does not carry that one, which has the whole text.
    why = _WHY.get(kind) or _WHY.get(unicodedata.category(refused)) or "a character that does not stand like that"
    raise ValueError(f"{why} (U+{ord(refused):04X}): leave it out")


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What a passphrase stretches to: three keys of 32 bytes. A host keeps `stored` and `server` only."""

    client: bytes
    stored: bytes
    server: bytes


def stretch(passphrase: str, salt: bytes, iterations: int) -> Keys:
    """Derive the keys of a prepared passphrase: PBKDF2-HMAC-SHA256, then an HMAC for each (RFC 5802, section 3)."""
    salted = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return Keys(client, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))


# So that a client pays for the stretching once per process and host; 32 hosts are plenty, and a bound.
_stretched: Final[Remembered[bytes, Keys]] = Remembered(32)


def stretch_once(passphrase: str, salt: bytes, iterations: int) -> Keys:
    """As `stretch`, for a client: the keys are kept, for the life of the process; the passphrase is not.

    What stands in its place is its SHA-256, salted: who can read this process can try passphrases against it.
    """
    # The numbers end where the blanks are, and tell where the salt ends: no two questions are spelled alike.
    asked = b"%d %d " % (iterations, len(salt)) + salt + passphrase.encode()
    return _stretched.get(hashlib.sha256(asked).digest(), lambda: stretch(passphrase, salt, iterations))


def auth_message(
    login: str,
    client_nonce: str,
    host_nonce: str,
    salt: bytes,
    iterations: int,
    binding: bytes | None,
    context: bytes = b"",
) -> bytes:
    """Give the text that both proofs are made over, as RFC 5802 spells it.

    Args:
        login: Prepared; empty for "any passphrase".
        client_nonce: Printable ASCII without a comma; `host_nonce` likewise, without the client's in front.
        binding: The `tls-server-end-point` value of the certificate as this end sees it; None without TLS.
        context: What else is to be proved, as an extension ``x=`` of the last client message; empty: no extension.
    """
    name = login.replace("=", "=3D").replace(",", "=2C")
    nonce = client_nonce + host_nonce
    header = b"n,," if binding is None else b"p=tls-server-end-point,," + binding
    extension = f",x={_base64(context)}" if context else ""
    first = f"n={name},r={client_nonce}"
    answer = f"r={nonce},s={_base64(salt)},i={iterations}"
    return f"{first},{answer},c={_base64(header)},r={nonce}{extension}".encode()


def client_proof(keys: Keys, message: bytes) -> bytes:
    """The client's proof over `message` (`auth_message`): 32 bytes that do not reveal the client key."""
    return _xor(keys.client, hmac.digest(keys.stored, message, "sha256"))


def proves(stored: bytes, message: bytes, proof: bytes) -> bool:
    """Whether `proof` was made by who knows the client key of `stored`, in time that depends on neither.

    A proof that is not 32 bytes proves nothing.
    """
    if len(proof) != DIGEST_BYTES:
        return False
    client = _xor(proof, hmac.digest(stored, message, "sha256"))
    return hmac.compare_digest(hashlib.sha256(client).digest(), stored)


def server_signature(server: bytes, message: bytes) -> bytes:
    """The host's proof over the same `message`: 32 bytes."""
    return hmac.digest(server, message, "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What both ends know when the host has heard HELLO and drawn its nonce; each has its *own* view of `binding`.

    `context` is the SHA-256 of the client's first bytes: the proofs cover version, codecs and login.
    """

    login: str
    client_nonce: bytes  # NONCE_BYTES
    host_nonce: bytes  # NONCE_BYTES
    binding: bytes | None = field(repr=False)
    context: bytes = field(repr=False)

    def scram(self, salt: bytes, iterations: int) -> "ScramChallenge":
        """The default scheme's challenge for this exchange; `salt` is 8 to 64 bytes."""
        return ScramChallenge(
            login=self.login,
            client_nonce=self.client_nonce,
            host_nonce=self.host_nonce,
            binding=self.binding,
            context=self.context,
            salt=salt,
            iterations=iterations,
        )

    def bound(self, raw: bytes) -> bytes:
        """The 16 bytes that stand for a challenge `raw` of somebody's own scheme, made alike at both ends.

        Both nonces are in it, so that it is fresh even if `raw` is not; so is this end's own view of the certificate:
        behind a relay the two ends get different bytes.
        """
        seen = b"n" if self.binding is None else b"p" + len(self.binding).to_bytes(2) + self.binding
        fixed = b"emporion challenge 1\0" + self.context + self.client_nonce + self.host_nonce
        return hashlib.sha256(fixed + seen + raw).digest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScramChallenge(Exchange):
    """The default challenge. ``bytes(challenge)`` gives 16 bytes that are fresh and bound to the channel."""

    salt: bytes
    iterations: int

    @property
    def message(self) -> bytes:
        """What both proofs are made over; see `auth_message`."""
        nonces = _base64(self.client_nonce), _base64(self.host_nonce)
        return auth_message(self.login, *nonces, self.salt, self.iterations, self.binding, self.context)

    def __bytes__(self) -> bytes:
        return self.bound(self.message)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(DIGEST_BYTES)
