"""What host, zygote and spares say to each other before foreign code runs; and what they agree on.

One control socket (SOCK_SEQPACKET: a packet is a message) joins host and zygote. Each spare has one stream socket
to the host: `READY` comes out of it once, `BEGIN` goes in once, and from there it belongs to the visit.
"""

import struct
from dataclasses import dataclass
from typing import Final

import msgspec

from ...errors import ProtocolError

__all__ = [
    "BEGIN",
    "EXIT_CRASHED",
    "EXIT_MEMORY",
    "FAILED_MARK",
    "MAX_CONTROL_BYTES",
    "READY",
    "READY_MARK",
    "ROLES",
    "SOCKET_FD",
    "Ended",
    "Failed",
    "Forked",
    "FromZygote",
    "Hello",
    "Spawn",
    "Start",
    "ToZygote",
    "WallReport",
    "encode",
    "from_host",
    "from_zygote_untrusted",
]

SOCKET_FD: Final = 3  # a spare's one socket; 0 to 2 are /dev/null, and no fifth descriptor fits under RLIMIT_NOFILE
MAX_CONTROL_BYTES: Final = 16 * 1024  # the longest control message is a failure's text

EXIT_MEMORY: Final = 86  # a visit that ran out of address space leaves with this status
EXIT_CRASHED: Final = 87  # an error that the visit's entry did not handle

READY: Final = struct.Struct("<1sd")  # a mark and the CPU seconds used until now
READY_MARK: Final = b"R"
FAILED_MARK: Final = b"!"  # then text until the end of the stream
ROLES: Final = {"visit": b"v", "compile": b"c"}
BEGIN: Final = struct.Struct("<1sQQ")  # a role, the CPU limit in seconds since birth, the address space in bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WallReport:
    """Which walls stand around a visit on this machine; `notes` say what is missing and how to get it."""

    seccomp: bool
    no_new_privs: bool
    rlimits: bool  # tried: a process limit of zero stops a fork
    landlock: int  # ABI of the ruleset in force; 0: none
    namespaces: tuple[str, ...]  # of "user", "net", "ipc", "uts", "mount", "pid"
    empty_root: bool  # the file system of a visit is one empty, read-only directory
    uid: int  # as the host's kernel sees it
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        walls = [
            "seccomp" if self.seccomp else "NO SECCOMP",
            "no_new_privs" if self.no_new_privs else "NO no_new_privs",
            "rlimits" if self.rlimits else "NO rlimits",
            f"landlock abi {self.landlock}" if self.landlock else "no landlock",
            f"namespaces {'+'.join(self.namespaces)}" if self.namespaces else "no namespaces",
            "empty root" if self.empty_root else "shared file tree",
            f"uid {self.uid}",
        ]
        return ", ".join(walls)


class Start(msgspec.Struct, array_like=True, tag=1):
    """The host's first message: what runs in a spare ("package.module:function") and whether to build the OS wall;
    `modules` that the operator lets agents import, and the folders on which to look for them."""

    entry: str
    os_wall: bool
    modules: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


class Spawn(msgspec.Struct, array_like=True, tag=2):
    """Fork one spare; its socket travels along as the only descriptor."""

    number: int


class Hello(msgspec.Struct, array_like=True, tag=3):
    """The zygote is up; a pidfd of it travels along. `address_space` is its size in bytes."""

    walls: WallReport
    address_space: int


class Forked(msgspec.Struct, array_like=True, tag=4):
    """A spare was born; a pidfd of it travels along."""

    number: int


class Ended(msgspec.Struct, array_like=True, tag=5):
    """A spare was reaped: its wait status (wait(2)) and its rusage."""

    number: int
    status: int
    cpu_s: float
    max_rss_kib: int


class Failed(msgspec.Struct, array_like=True, tag=6):
    """The zygote cannot start, and why; nothing follows."""

    text: str


ToZygote = Start | Spawn
FromZygote = Hello | Forked | Ended | Failed

_encoder: Final = msgspec.msgpack.Encoder()
_to_zygote: Final = msgspec.msgpack.Decoder(ToZygote)
_from_zygote: Final = msgspec.msgpack.Decoder(FromZygote)


def encode(message: ToZygote | FromZygote) -> bytes:
    """One packet for the control socket."""
    return _encoder.encode(message)


def from_host(packet: bytes) -> ToZygote:
    """Read what the host sent; the zygote trusts it."""
    message: ToZygote = _to_zygote.decode(packet)
    return message


def from_zygote_untrusted(packet: bytes) -> FromZygote:
    """Read one packet of the zygote's: whatever has broken out of a visit may be writing it.

    Raises:
        ProtocolError: anything but a well-formed message.
    """
    try:
        message: FromZygote = _from_zygote.decode(packet)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProtocolError(f"the zygote sent a malformed message: {error}") from None
    return message
