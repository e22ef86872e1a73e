"""Manifests and their signatures as they come from a peer, checked before anybody looks at one."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ...errors import ProtocolError
from ...validators.consignment import Consignment, check_signatures

__all__ = ["LONGEST_NAME", "check_class_name", "check_manifest", "consignments"]

LONGEST_NAME: Final = 500  # characters of a module's or a class's name
_LONGEST_TOGETHER: Final = 1024 * 1024  # characters of names in one message: some 20,000 modules
_MOST: Final = 10_000  # manifests in one message: an empty one is a byte there, and half a kilobyte here
_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_QUALNAME: Final = re.compile(r"[^\W\d]\w*(\.([^\W\d]\w*|<locals>))*")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def check_manifest(manifest: Mapping[str, str]) -> None:
    """Raise `ProtocolError` unless this is {dotted module name: SHA-256 in 64 lowercase hexadecimal digits}."""
    for name, digest in manifest.items():
        if len(name) > LONGEST_NAME or not _DOTTED.fullmatch(name):
            raise ProtocolError(f"a manifest with {name[:80]!r}, which is no module name")
        if not _DIGEST.fullmatch(digest):
            raise ProtocolError(f"a manifest with a wrong digest for {name[:80]}")


def consignments(
    manifests: Sequence[Mapping[str, str]], signatures: Sequence[tuple[int, str, str]]
) -> list[Consignment]:
    """The manifests of one message, each with its signatures; whether these are good is for validators to say.

    Raises:
        ProtocolError: A manifest that is none, one that is signed too often, or all together are too long.
    """
    if len(manifests) > _MOST:
        raise ProtocolError(f"a message with {len(manifests):,} manifests; {_MOST:,} is the most")
    if sum(len(name) for manifest in manifests for name in manifest) > _LONGEST_TOGETHER:
        raise ProtocolError("a message whose manifests are too long")
    for manifest in manifests:
        check_manifest(manifest)
    signed: dict[int, list[tuple[str, str]]] = {}
    for number, key, signature in signatures:
        signed.setdefault(number, []).append((key, signature))
    if not signed.keys() <= set(range(len(manifests))):
        raise ProtocolError("a signature of a manifest that is not there")
    return [
        Consignment(manifest, check_signatures(signed.get(number, ()))) for number, manifest in enumerate(manifests)
    ]


def check_class_name(manifest: Mapping[str, str], module: str, qualname: str) -> None:
    """Raise `ProtocolError` unless `module` is in `manifest` and `qualname` looks like a class's qualified name."""
    if module not in manifest:
        raise ProtocolError("a mobile object whose class is in no module of its manifest")
    if len(qualname) > LONGEST_NAME or not _QUALNAME.fullmatch(qualname):
        raise ProtocolError("a mobile object whose class has an impossible name")
