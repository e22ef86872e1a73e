"""Sockets that listen, and what is said of who comes: the one place that reads the kernel's addresses."""

import contextlib
import errno
import os
import socket
import stat
import struct
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Final

from ...errors import ConfigurationError
from ...validators.networks import ip_of, sender_of
from .uri import UNIX, Listen

__all__ = ["address_of", "close_socket", "heard", "is_ours", "open_socket", "origin_of"]

BACKLOG: Final = 512
_BYTES_RECEIVED: Final = 128  # where that stands in tcp_info

_WHAT_NOW: Final = {
    errno.EADDRINUSE: "is another host running there? Stop it, or take another port; port 0 takes any that is free",
    errno.EADDRNOTAVAIL: "this machine has no such address; 0.0.0.0 or [::] listens on all that it has",
    errno.EACCES: "ports below 1024 need a privilege: take a higher one",
}


def open_socket(listen: Listen) -> socket.socket:
    """Bind and listen. ``[::]`` takes IPv4 as well, whatever the system's default.

    Raises:
        ConfigurationError: The address cannot be had; the text says what to do.
    """
    if listen.scheme == UNIX:
        return _unix_socket(Path(listen.path))
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {listen}: {error.strerror}") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and IPv6Address(listen.host).is_unspecified:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((listen.host, listen.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        what_now = "is the name spelled right?" if isinstance(error, socket.gaierror) else _WHAT_NOW.get(
            error.errno or 0, "take another address")
        raise ConfigurationError(f"cannot listen on {listen}: {error.strerror}; {what_now}") from None
    sock.setblocking(False)
    return sock


def _unix_socket(path: Path) -> socket.socket:
    """A socket in the file system that only its owner can reach; a dead one in its place is removed."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise ConfigurationError(f"cannot listen on {path}: there is a file of another kind")
            if _answers(path):
                raise ConfigurationError(f"cannot listen on {path}: another host is running there")
            path.unlink()
        # Linux gives the file the mode of the unbound socket. An umask would do too, to every thread's files meanwhile.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(path))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigurationError(f"cannot listen on {path}: {error.strerror}") from None
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _answers(path: Path) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except BlockingIOError:  # its backlog is full
            return True
        return True


def close_socket(sock: socket.socket) -> None:
    """Listen no more. The file of a Unix socket goes first: later it may be that of the next host, which takes the
    place of one that answers nobody."""
    if sock.family == socket.AF_UNIX and sock.fileno() >= 0:
        with contextlib.suppress(OSError):
            Path(sock.getsockname()).unlink(missing_ok=True)
    sock.close()


def address_of(sock: socket.socket, address: Any) -> tuple[str, int]:
    """Who is at the other end of an accepted socket, as validators, hosted methods and the log see it.

    (ip, port): a client that reaches a dual-stack host by IPv4 has its IPv4 address, not one mapped into IPv6, so that
    a rule about 10.0.0.0/8 holds however the host listens. For a Unix socket ("uid=1000,pid=123", 0): the kernel's word
    on who connected (SO_PEERCRED).
    """
    if sock.family == socket.AF_UNIX:
        pid, uid = _credentials(sock)
        return f"uid={uid},pid={pid}", 0
    ip, port = str(address[0]), int(address[1])
    if sock.family == socket.AF_INET6:
        mapped = IPv6Address(ip).ipv4_mapped
        ip = ip if mapped is None else str(mapped)
    return ip, port


def is_ours(sock: socket.socket) -> bool:
    """Whether this user, or root, listens at the other end of a Unix socket: in a folder like /tmp anybody may."""
    return _credentials(sock)[1] in (os.geteuid(), 0)


def _credentials(sock: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end of a Unix socket."""
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def heard(sock: socket.socket) -> int:
    """How many bytes have come on a TCP connection, read or not; 0 where the kernel does not tell.

    Source: linux/tcp.h, `tcp_info`: tcpi_bytes_received.
    """
    with contextlib.suppress(OSError, struct.error):
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED + 8)
        return int(struct.unpack_from("=Q", info, _BYTES_RECEIVED)[0])
    return 0


def origin_of(ip: str) -> str:
    """Whom to count together: an IPv4 address, the /64 of an IPv6 one, a Unix socket's process."""
    return ip if ip_of(ip) is None else sender_of(ip)
