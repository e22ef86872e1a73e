"""A host's doors: where it can be reached, who decides about those who come, and who is inside."""

import logging
import secrets
import socket
import threading
from collections.abc import Sequence
from typing import Final, Protocol

from ..errors import EmporionError
from ..validators.connection import Connection, ConnectionValidator, HostView
from .connection.channel import Channel
from .connection.driver import Driver
from .connection.handshake import HostHandshake
from .connection.listener import Listener
from .connection.tls import HostTLS
from .connection.transport import Transport
from .connection.uri import UNIX, URI, Listen
from .events import one_line
from .guests import GuestPeer, Registry
from .wire.codecs import CODECS
from .workers import Parking, Workers

__all__ = ["Doors", "Keeper"]

log = logging.getLogger("emporion.host")

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024  # one message of an accepted client, blobs included


class Keeper(Registry, HostView, Protocol):
    """Whose doors they are: a host, as validators see it and as its guests do."""


class Doors:
    """Lets clients in and knows who is inside, from the first socket to the last guest that is sent away."""

    def __init__(
        self,
        keeper: Keeper,
        place: Listen,
        sock: socket.socket,
        *,
        tls: HostTLS | None,
        shown: Listen,
        validator: ConnectionValidator,
        codecs: Sequence[str],
        parking: Parking,
        workers: Workers,
    ) -> None:
        """Nobody comes in before `open`.

        Args:
            sock: It listens at `place`.
            shown: What URIs show; port 0 in it is the one that the system picked.
        """
        self.validator = validator
        self.guests: dict[GuestPeer, None] = {}
        self._keeper = keeper
        self._place = place
        self._port = 0 if place.scheme == UNIX else sock.getsockname()[1]
        self._tls = tls
        self._shown = shown
        self._codecs = codecs
        self._parking = parking
        self._workers = workers
        self._lock = threading.Lock()
        self._closed = False
        self._listener = Listener(
            sock, tls, parking=parking, handshake=self._handshake, admitted=self._admitted
        )

    def uri(self, name: str) -> URI:
        """Where clients find the object of that name; empty: the host itself."""
        if self._place.scheme == UNIX:
            return URI(scheme=UNIX, path=self._place.path, name=name)
        mark = self._tls.fingerprint if self._tls is not None and self._tls.self_made else ""
        port = self._shown.port or self._port
        return URI(scheme=self._place.scheme, host=self._shown.host, port=port, name=name, fingerprint=mark)

    def connections(self) -> list[Connection]:
        """The accepted connections that are open now."""
        with self._lock:
            return [guest.connection for guest in self.guests]

    @property
    def busy(self) -> bool:
        """Whether a guest's call is running."""
        return any(guest.busy for guest in list(self.guests))

    # --- in and out ---------------------------------------------------------------------------------------------

    def _handshake(self, connection: Connection) -> HostHandshake:
        binding = None if self._tls is None else self._tls.binding
        return HostHandshake(self.validator, host=self._keeper, connection=connection, binding=binding,
                             codecs=self._codecs, random=secrets.token_bytes)

    def _admitted(self, transport: Transport, connection: Connection, handshake: HostHandshake) -> None:
        who = "anonymous" if connection.identity is None else connection.identity
        guest = GuestPeer(self._keeper, connection, f"{who}@{connection.where}")
        channel = Channel(
            transport,
            codecs=[CODECS[name] for name in self._codecs],
            max_frame_bytes=MAX_FRAME_BYTES,
            trailing=handshake.trailing,
        )
        guest.driver = Driver(channel, guest, initiator=False, parking=self._parking, workers=self._workers)
        with self._lock:
            # Handshakes run side by side: this is the last word.
            full = len(self.guests) >= self._keeper.max_connections
            closed = self._closed
            self.guests[guest] = None
        # Only now: who is sent away at once has to be on the list, or would never be taken off it.
        connection.attach(lambda reason: self._expel(guest, reason))
        if full or closed:
            why = "the host is full" if full else "the host is closing"
            log.info("%s is sent away: %s", guest.where, why)
            guest.close(why)
        try:
            guest.driver.start()
        except BaseException:
            guest.close("this host failed")
            raise

    def _expel(self, guest: GuestPeer, reason: str) -> None:
        with self._lock:
            first, guest.connection.closed = not guest.connection.closed, True
        if first:
            log.info("%s is sent away: %s", guest.where, one_line(reason or "no reason given"))
        guest.close("the host closed this connection")

    def left(self, guest: GuestPeer, error: EmporionError) -> None:
        """A guest's connection is over."""
        guest.connection.closed = True
        with self._lock:
            self.guests.pop(guest, None)
        log.info("%s left: %s", guest.where, error)

    # --- life ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to let clients in."""
        self._listener.start()
        if self._shown.is_everywhere:
            log.warning("no other machine can use a URI with %s: give Host advertise=, the name or address by which "
                        "clients reach this machine", self._shown.host)

    def stop(self) -> None:
        """Let nobody new in; who is inside stays."""
        self._listener.stop()

    def close(self) -> None:
        """Send everybody away, and listen no longer."""
        with self._lock:
            self._closed = True
            guests = list(self.guests)
        self._listener.close()
        for guest in guests:
            guest.close("the host is closing")
