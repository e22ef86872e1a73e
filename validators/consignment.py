"""Goods that travel together: the whole code of a mobile object, and who has signed for it."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Consignment", "Signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One publisher's word for a manifest; nobody has checked it yet."""

    key: str  # the Ed25519 public key: 64 lowercase hexadecimal digits
    signature: str  # 128 lowercase hexadecimal digits


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Consignment:
    """A closure as it crosses: all of its modules, {dotted name: digest}, and what came with them.

    Two with the same contents are not equal: each stands for one crossing.
    """

    manifest: Mapping[str, str]
    signatures: tuple[Signature, ...] = ()
