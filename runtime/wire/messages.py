"""The messages of a session: what each carries, in the one model that every codec writes and reads.

Source: docs/protocol.md, "Messages".
"""

from typing import Final

import msgspec

from .kinds import Item, Row

__all__ = [
    "Body",
    "Call",
    "Cancel",
    "Code",
    "Fault",
    "Goodbye",
    "Message",
    "NeedCode",
    "Op",
    "Output",
    "Ping",
    "Pong",
    "Provide",
    "Release",
    "Result",
]


class Op:
    """What a `Call` asks of its target."""

    CALL: Final = 0  # call the member
    GET: Final = 1  # read the member
    SET: Final = 2  # write the member: one positional argument
    ONE_WAY: Final = 4  # call the member; the answer, None, comes once everything has arrived
    DISPATCH: Final = 5  # likewise; the answer is the id of a ticket for the result


class Body(msgspec.Struct, array_like=True, gc=False, forbid_unknown_fields=True):
    """Values of one message as scalars, rows and manifests (docs/protocol.md, "Values"); blobs travel beside it."""

    roots: list[Item]
    rows: list[Row] = []
    manifests: list[dict[str, str]] = []
    signatures: list[tuple[int, str, str]] = []  # number of the manifest, public key, signature: both hexadecimal


class Call(msgspec.Struct, array_like=True, tag=1, gc=False, forbid_unknown_fields=True):
    """Ask `target` (an object that the receiver exports; 0 is its directory) for `method`.

    The last ``len(keywords)`` roots of `body` are the keyword arguments' values.
    """

    call: int
    chain: int
    target: int
    op: int
    method: str
    keywords: list[str]
    body: Body
    deadline_ms: int = 0  # time left when sent; 0: none


class Result(msgspec.Struct, array_like=True, tag=2, gc=False, forbid_unknown_fields=True):
    """The answer to `call`: one root."""

    call: int
    body: Body


class Fault(msgspec.Struct, array_like=True, tag=3, gc=False, forbid_unknown_fields=True):
    """The answer to `call` when it raised: the type's name, its arguments as roots, the traceback as text."""

    call: int
    type_name: str
    text: str
    traceback: str
    body: Body


class Release(msgspec.Struct, array_like=True, tag=4, gc=False, forbid_unknown_fields=True):
    """The sender no longer holds capabilities: {exported object: how often it had been received}."""

    counts: dict[int, int]


class NeedCode(msgspec.Struct, array_like=True, tag=5, gc=False, forbid_unknown_fields=True):
    """Ask, within a chain, for the source of modules that a manifest of the peer has announced."""

    call: int
    chain: int
    modules: dict[str, str]  # dotted name: digest


class Code(msgspec.Struct, array_like=True, tag=6, gc=False, forbid_unknown_fields=True):
    """The answer to `NeedCode`: sources by digest."""

    call: int
    sources: dict[str, str]


class Cancel(msgspec.Struct, array_like=True, tag=7, gc=False, forbid_unknown_fields=True):
    """The sender no longer waits for `call`."""

    call: int


class Ping(msgspec.Struct, array_like=True, tag=8, gc=False, forbid_unknown_fields=True):
    """Asks for a `Pong` with the same number."""

    number: int


class Pong(msgspec.Struct, array_like=True, tag=9, gc=False, forbid_unknown_fields=True):
    """Answers a `Ping`."""

    number: int


class Goodbye(msgspec.Struct, array_like=True, tag=10, gc=False, forbid_unknown_fields=True):
    """The sender closes the session on purpose; nothing follows."""

    reason: str


class Provide(msgspec.Struct, array_like=True, tag=11, gc=False, forbid_unknown_fields=True):
    """Host to visit only: compiled modules, ahead of the message that needs them."""

    modules: list[tuple[str, str, bytes]]  # dotted name, digest of the source, marshalled code


class Output(msgspec.Struct, array_like=True, tag=12, gc=False, forbid_unknown_fields=True):
    """What an agent printed: visit to host, host to client."""

    agent: str
    text: str


Message = Call | Result | Fault | Release | NeedCode | Code | Cancel | Ping | Pong | Goodbye | Provide | Output
