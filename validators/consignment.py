"""Goods shipped together: the modules of one upload by name and digest, and who has signed for them.

What is signed is the whole manifest, so that no module can be exchanged, added or left out.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from ..errors import ConfigurationError, ProtocolError
from .remembered import Remembered

__all__ = [
    "KEY_PREFIX",
    "MAX_SIGNATURES",
    "Consignment",
    "Signature",
    "check_signatures",
    "key_text",
    "short_key",
    "signed_bytes",
]

KEY_PREFIX: Final = "ed25519:"
MAX_SIGNATURES: Final = 16  # of one consignment: an author, a reviewer, a firm or two; each costs 100 us to verify

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")
_HEADER: Final = "emporion manifest 1\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One key's signature of a manifest, not yet verified.

    Args:
        key: An Ed25519 public key (RFC 8032), 32 bytes as 64 lowercase hexadecimal digits.
        signature: Of `signed_bytes`, 64 bytes as 128 lowercase hexadecimal digits.

    Raises:
        ConfigurationError: One of them has another form. What a peer sent goes through `check_signatures` instead.
    """

    key: str
    signature: str

    def __post_init__(self) -> None:
        if not _is(_KEY, self.key) or not _is(_SIGNATURE, self.signature):
            raise ConfigurationError("a Signature has a key of 64 and a signature of 128 lowercase hexadecimal digits")


def _is(pattern: re.Pattern[str], text: object) -> bool:
    return type(text) is str and pattern.fullmatch(text) is not None


def check_signatures(pairs: object) -> tuple[Signature, ...]:
    """Read a peer's signatures: a list of at most `MAX_SIGNATURES` pairs [key, signature], as in `Signature`.

    A key that comes twice is refused: nobody needs it, and each costs time. Nothing is verified here.

    Raises:
        ProtocolError: Anything else.
    """
    if not isinstance(pairs, list | tuple) or len(pairs) > MAX_SIGNATURES:
        raise ProtocolError(f"signatures come as a list of at most {MAX_SIGNATURES}")
    found: dict[str, Signature] = {}
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ProtocolError("a signature comes as a pair of key and signature")
        key, signature = pair
        if not _is(_KEY, key) or not _is(_SIGNATURE, signature) or key in found:
            raise ProtocolError("a signature's key has 64, the signature 128 hexadecimal digits, each key once")
        found[key] = Signature(key, signature)
    return tuple(found.values())


def signed_bytes(manifest: Mapping[str, str]) -> bytes:
    """What a signature is made over: a header, then ``name\\ndigest\\n`` of each module, names in code point order.

    Raises:
        ConfigurationError: `manifest` is not {name: SHA-256 digest}: a name with a line end could pass for two modules.
    """
    lines = []
    for name in sorted(manifest):
        if "\n" in name or not _is(_KEY, manifest[name]):
            raise ConfigurationError(f"{name!a} is no entry of a manifest: {{dotted name: 64 hexadecimal digits}}")
        lines.append(f"{name}\n{manifest[name]}\n")
    return (_HEADER + "".join(lines)).encode("utf-8", "surrogatepass")


@dataclass(frozen=True, eq=False, repr=False)
class Consignment:
    """The modules that come together and the signatures over them; compared and hashed by identity.

    One object stands for one upload: make it once, and give it to `judge` with each of the modules.

    Args:
        manifest: {dotted name: SHA-256 digest of the source}, copied.
        signatures: Unverified; `signed_by` is the block that verifies them.
    """

    manifest: Mapping[str, str]
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "manifest", MappingProxyType(dict(self.manifest)))
        object.__setattr__(self, "signatures", tuple(self.signatures))

    def __repr__(self) -> str:
        return f"<Consignment: {len(self.manifest)} modules, {len(self.signatures)} signatures>"

    # Found when first asked for: most consignments meet nobody who wants to know, and are made for each call.
    @cached_property
    def signed(self) -> bytes:
        """What a signature of it is made over; see `signed_bytes`, also for the error."""
        return signed_bytes(self.manifest)

    @cached_property
    def id(self) -> str:
        """SHA-256 of what is signed, in hexadecimal digits."""
        return hashlib.sha256(self.signed).hexdigest()

    @cached_property
    def packages(self) -> frozenset[str]:
        """The packages above the modules, whether they are listed or are made up at the other end."""
        return frozenset(name[:end] for name in self.manifest for end, mark in enumerate(name) if mark == ".")

    def is_signed(self, signature: Signature) -> bool:
        """Whether `signature` is one of this manifest by its key: 100 us, or remembered.

        It says nothing about whether anybody trusts the key: a question to answer, not a check to pass.
        """
        return _VERIFIED.get((self.id, signature.key, signature.signature), lambda: _verify(signature, self.signed))


# Answers of mathematics, which no revocation changes: whether a key is still good is asked anew each time.
_VERIFIED: Final[Remembered[tuple[str, str, str], bool]] = Remembered(4_096)


def _verify(signature: Signature, message: bytes) -> bool:
    # Who judges no signatures need not load OpenSSL.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key: Any = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key))
        key.verify(bytes.fromhex(signature.signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_text(key: str) -> str:
    """A key of 64 digits as people write it: ``ed25519:...``."""
    return KEY_PREFIX + key


def short_key(key: str) -> str:
    """The first 16 digits of a key, for reasons and logs."""
    return f"{KEY_PREFIX}{key[:16]}..."
