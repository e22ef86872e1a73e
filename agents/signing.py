"""Signing an agent's code: key files, signatures over manifests, and the sidecar that keeps them beside the source.

`cryptography` is loaded where a key is used: who merely sends a signed agent reads a sidecar and needs no OpenSSL.
"""

import json
import logging
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError, ProtocolError
from ..validators.consignment import (
    MAX_SIGNATURES,
    Consignment,
    Signature,
    check_signatures,
    key_text,
    short_key,
    signed_bytes,
)
from .manifest import check_manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "generate_key",
    "load_key",
    "public_text",
    "save_key",
    "sidecar_of",
    "sign_beside",
    "sign_manifest",
    "signatures_beside",
    "verify",
]

log = logging.getLogger("emporion.agents")

MAX_KEY_BYTES: Final = 16 * 1024  # an Ed25519 key in PEM has 119
MAX_SIDECAR_BYTES: Final = 256 * 1024  # 500 modules with long names, and 16 signatures
MAX_WARNED: Final = 1_000

_STALE: Final = (
    "no longer fits: the code was edited after it was signed, or its modules go by other names now: sign again, naming "
    "the class as the program that sends it does"
)

_State = tuple[int, int, int]  # of a file: when it was written, its size and its inode

_warned: dict[str, _State] = {}  # sidecars that were warned of, as they were then
_read_before: dict[str, tuple[_State, tuple[dict[str, str], tuple[Signature, ...]]]] = {}


def generate_key() -> "Ed25519PrivateKey":
    """A new private key (RFC 8032), from the system's randomness."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def public_text(key: "Ed25519PrivateKey") -> str:
    """The public half as people pass it on: ``ed25519:`` and 64 hexadecimal digits."""
    return key_text(_public(key))


def _public(key: "Ed25519PrivateKey") -> str:
    return key.public_key().public_bytes_raw().hex()


def save_key(path: str | os.PathLike[str], key: "Ed25519PrivateKey") -> None:
    """Write a private key into a new file that only its owner can read: PEM, PKCS #8 (RFC 5958), not encrypted.

    Raises:
        ConfigurationError: The file exists (a key that is overwritten is lost), or cannot be written.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigurationError(f"{path} exists: a key is never overwritten, give another name") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None


def load_key(path: str | os.PathLike[str]) -> "Ed25519PrivateKey":
    """Read a private key that `save_key` wrote.

    Raises:
        ConfigurationError: It cannot be read, is no Ed25519 key, or others can read it: who has had it could sign.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with Path(path).open("rb") as file:
            others = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            pem = file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    if others:
        raise ConfigurationError(
            f"{path} is open to other users of this machine: chmod 600 it, or make a new key if they may have read it"
        )
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{path} is no unencrypted private key: `emporion key make` makes one") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} has a key of another kind: Ed25519 is needed, `emporion key make` makes one")
    return key


def sign_manifest(manifest: Mapping[str, str], key: "Ed25519PrivateKey") -> Signature:
    """Sign a whole manifest, {dotted name: digest}.

    Raises:
        ConfigurationError: `manifest` is none.
    """
    return Signature(_public(key), key.sign(signed_bytes(manifest)).hex())


def verify(manifest: Mapping[str, str], signature: Signature) -> None:
    """Check that `signature` is one of `manifest` by its key; whether to trust the key is for `signed_by` to say.

    Raises:
        ConfigurationError: It is of something else.
    """
    if not Consignment(manifest).is_signed(signature):
        raise ConfigurationError(f"the signature of {short_key(signature.key)} is of other code: sign again")


# --- beside the source ------------------------------------------------------------------------------------------


def sidecar_of(origin: str | os.PathLike[str]) -> Path:
    """Where the signatures for the module in file `origin` are: ``agent/shopping.py.signatures``."""
    return Path(f"{os.fspath(origin)}.signatures")


def sign_beside(origin: str | os.PathLike[str], manifest: Mapping[str, str], key: "Ed25519PrivateKey") -> Path:
    """Sign `manifest` and keep the signature in the sidecar of `origin`; gives the sidecar's path.

    Signatures of the same manifest by other keys stay. Those of another one are dropped: the code was edited.

    Raises:
        ConfigurationError: The sidecar cannot be written or is full, or `manifest` is none.
    """
    path = sidecar_of(origin)
    signature = sign_manifest(manifest, key)
    try:
        signed, before = _read(path)
    except (OSError, ProtocolError):
        signed, before = {}, ()
    others = [one for one in before if signed == manifest and one.key != signature.key]
    if len(others) >= MAX_SIGNATURES:
        raise ConfigurationError(f"{path} has {MAX_SIGNATURES} signatures already, which is the most")
    content = {
        "manifest": dict(sorted(manifest.items())),
        "signatures": [{"key": one.key, "signature": one.signature} for one in (*others, signature)],
    }
    _replace(path, json.dumps(content, indent=1) + "\n")
    return path


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        try:
            Path(file.name).chmod(0o644)  # it is as public as the source
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink()
            raise
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None


def signatures_beside(origin: str | os.PathLike[str], manifest: Mapping[str, str]) -> tuple[Signature, ...]:
    """The signatures in the sidecar of `origin`, if they are of just this manifest; not verified.

    Without a sidecar: (). With one that no longer fits, or that cannot be read: () and a warning in the log, once for
    each state of the file.
    """
    path = sidecar_of(origin)
    try:
        signed, signatures = _known(path)
    except (FileNotFoundError, NotADirectoryError):  # the latter where the module lies in a zip file
        return ()
    except OSError as error:
        _warn(path, f"cannot be read ({error.strerror})")
        return ()
    except ProtocolError as error:
        _warn(path, f"is no file of signatures ({error}): sign again")
        return ()
    if signed != dict(manifest):
        _warn(path, _STALE)
        return ()
    return signatures


def _known(path: Path) -> tuple[dict[str, str], tuple[Signature, ...]]:
    """As `_read`; a file that has not changed is read once, for each object of an agent's asks."""
    found = path.stat()
    state = found.st_mtime_ns, found.st_size, found.st_ino
    known = _read_before.get(str(path))
    if known is None or known[0] != state:
        if len(_read_before) >= MAX_WARNED:
            _read_before.clear()
        known = _read_before[str(path)] = state, _read(path)
    return known[1]


def _warn(path: Path, what: str) -> None:
    try:
        found = path.stat()
        now = (found.st_mtime_ns, found.st_size, found.st_ino)
    except OSError:
        now = (0, 0, 0)
    if _warned.get(str(path)) == now:
        return
    if len(_warned) >= MAX_WARNED:
        _warned.clear()
    _warned[str(path)] = now
    log.warning("%a %s", str(path), what)


def _read(path: Path) -> tuple[dict[str, str], tuple[Signature, ...]]:
    """A sidecar's manifest and signatures.

    Raises:
        OSError: It cannot be read.
        ProtocolError: It is no sidecar.
    """
    with path.open("rb") as file:
        data = file.read(MAX_SIDECAR_BYTES + 1)
    if len(data) > MAX_SIDECAR_BYTES:
        raise ProtocolError(f"it has more than {MAX_SIDECAR_BYTES} bytes")
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise ProtocolError("it is no JSON") from None
    if type(content) is not dict or content.keys() != {"manifest", "signatures"}:
        raise ProtocolError("it should have a manifest and signatures")
    listed = content["signatures"]
    if type(listed) is not list or not all(type(one) is dict and one.keys() == {"key", "signature"} for one in listed):
        raise ProtocolError("a signature should have a key and a signature")
    pairs = [(one["key"], one["signature"]) for one in listed]
    return check_manifest(content["manifest"]), check_signatures(pairs)
