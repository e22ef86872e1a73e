"""TLS over a non-blocking socket, for two threads: one receives while another sends.

OpenSSL objects bear no two threads at once, so each single operation holds a lock, and waiting is done outside of it: a
sender that waits for the peer never keeps the receiver out.
"""

import select
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Final

from ...errors import ConnectionLost
from .transport import BULK_BYTES, READ_BYTES, poll_ms, shut_down, wait_writable, without_delay

__all__ = ["TLSTransport"]

SHORT_S: Final = 0.002  # a single operation of OpenSSL takes some microseconds
TLS_RECORD_BYTES: Final = 16 * 1024  # RFC 8446, section 5.1: the plaintext of one record


class TLSTransport:
    """A TLS 1.3 connection whose handshake is done."""

    hides = True

    def __init__(self, sock: ssl.SSLSocket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._lock = threading.Lock()
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        without_delay(sock)

    def receive(self, timeout_s: float | None) -> bytes | None:
        while True:
            if not self.buffered() and not self._readable.poll(None if timeout_s is None else poll_ms(timeout_s)):
                return None
            with self._lock:
                try:
                    data = self._sock.recv(READ_BYTES)
                    return data if len(data) < TLS_RECORD_BYTES else self._drain(data)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    # Part of a record. TLS 1.3 has no renegotiation, and a key update is answered from OpenSSL's own
                    # buffer: reading only ever waits for reading.
                    continue
                except (OSError, ValueError):  # ssl.SSLError is one: a broken record ends it like a cut connection
                    return b""

    def _drain(self, first: bytes) -> bytes:
        """More records of a large frame, as far as they are decrypted or at hand: fewer turns for the reader."""
        parts, size = [first], len(first)
        while size < BULK_BYTES:
            try:
                part = self._sock.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                break  # the next receive reports the end; these bytes came before it
            if not part:
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def send(self, buffers: Sequence[bytes], full: Callable[[], None]) -> None:
        for buffer in buffers:
            view = memoryview(buffer).cast("B")
            while view:
                view = view[self._send_some(view, full) :]

    def _send_some(self, view: memoryview, full: Callable[[], None]) -> int:
        try:
            with self._lock:
                return self._sock.send(view)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            full()
            wait_writable(self._sock)
            return 0
        except (OSError, ValueError) as error:
            raise ConnectionLost(f"the connection broke while sending: {error}") from None

    def say_last(self, data: bytes) -> None:
        # A peer that does nothing but change its key keeps whoever receives in OpenSSL.
        if self._lock.acquire(timeout=SHORT_S):
            try:
                self._sock.send(data)
            except (OSError, ValueError):
                pass
            finally:
                self._lock.release()

    def buffered(self) -> bool:
        with self._lock:
            try:
                return self._sock.pending() > 0
            except (OSError, ValueError):
                return True  # closed under us: let the reader find out

    def fileno(self) -> int:
        return self._sock.fileno()

    def abort(self) -> None:
        shut_down(self._sock)

    def close(self) -> None:
        shut_down(self._sock)
        with self._lock:
            self._sock.close()
