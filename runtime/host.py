"""Hosts: what a process exports, who may come, and what visits may use."""

import _thread
import logging
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from ipaddress import ip_address
from os import PathLike
from types import MappingProxyType, TracebackType
from typing import Any, Final

from ..errors import ConfigurationError, EmporionError, VisitEnded
from ..validators.code import CodeValidator
from ..validators.connection import Connection, ConnectionValidator
from ..validators.connection.passphrases import GivenPassphrases, Passphrases
from ..validators.connection.roles import check_validator_type, needs_certificate, proves, shown
from ..validators.connection.verifiers import Verifiers
from .allowances import Allowances, IdentityLimits
from .code.admission import Admission, Realm
from .code.disk import DiskCodeStore
from .code.store import CodeStore, MemoryCodeStore
from .compiler import compile_jailed
from .connection.ports import open_socket
from .connection.tls import TLS, server_context
from .connection.uri import TLS_SCHEME, UNIX, URI, Listen
from .doors import Doors
from .exposure import interface_of
from .guests import GuestPeer, Registration
from .jails import Jails
from .options import BOTH_WALLS, DEFAULT_LIMITS, Isolation, Limits
from .visits.office import Office
from .visits.tickets import Tickets
from .wire.codecs import CODECS
from .workers import DEFAULT_THREADS, MOMENT_S, Parking, Workers

__all__ = ["Host"]

log = logging.getLogger("emporion.host")

SPARES: Final = 4  # warm sandboxes, of 1.6 MB of their own each: what comes in a burst finds one ready


class Host:
    """A server process's set of exported objects. A context manager: inside it the host serves in the background.

    Args:
        listen: ``"HOST:PORT"`` (TLS), ``"emporion+tcp://HOST:PORT"`` or ``"emporion+unix:///PATH"``; port 0: any.
        passphrases: A list (any opens), {identity: passphrase}, `Verifiers`, or a file of those (its path, or a
            `VerifierFile`), which is read again when it changes. None needs `allow_anonymous`, except on a Unix socket,
            which only this user can reach.
        allow_anonymous: Let in who gives no passphrase; beside `passphrases` too, without an identity then.
        connection_validator: Decides who may connect; None: SCRAM-SHA-256 over `passphrases`.
        tls: Certificates of one's own; None: a self-made one, kept in `state_dir`.
        state_dir: Where the host keeps what must survive a restart (certificate, code, decisions about code); None:
            nothing does.
        max_connections: Of accepted clients.
        limits, isolation: For visits, where an object has none of its own.
        modules: What agents may import beyond what all may; see `register`.
        identity_limits: What each caller's visits may use at the most: ``{identity: Limits}``, or a callable that is
            given the `Caller` and gives `Limits`, or None for no limits of its own. Of these and the object's the
            tighter holds, field by field.
        advertise: ``"HOST"`` or ``"HOST:PORT"`` that goes into URIs, where clients see another address than `listen`
            (``"0.0.0.0:7766"``, a forwarded port); without a port the host's own.
        threads: The most that serve calls at one time; nested calls do not count.
        tracebacks: ``"full"``: callers get the traceback of what a hosted method raised, as text; ``"none"``.

    Raises:
        ConfigurationError: Nothing listens yet; the text says what to change.
    """

    def __init__(
        self,
        listen: str = "127.0.0.1:0",
        *,
        passphrases: GivenPassphrases = None,
        allow_anonymous: bool = False,
        connection_validator: ConnectionValidator | None = None,
        tls: TLS | None = None,
        state_dir: PathLike[str] | str | None = None,
        max_connections: int = 200,
        codecs: Sequence[str] = ("msgpack",),
        limits: Limits = DEFAULT_LIMITS,
        identity_limits: IdentityLimits = MappingProxyType({}),
        isolation: Isolation = BOTH_WALLS,
        modules: Sequence[str] | None = None,
        advertise: str | None = None,
        threads: int | None = None,
        tracebacks: str = "full",
    ) -> None:
        place = Listen.parse(listen)
        if tracebacks not in ("full", "none"):
            raise ConfigurationError(f'tracebacks={tracebacks!r}: "full" or "none"')
        if type(max_connections) is not int or max_connections < 1:
            raise ConfigurationError(f"max_connections={max_connections!r}: a positive number is needed")
        if threads is not None and (type(threads) is not int or threads < 1):
            raise ConfigurationError(f"threads={threads!r}: a positive number is needed, or None")
        codecs = _known_codecs(codecs)
        self._passphrases = Passphrases(passphrases)
        self._anonymous = bool(allow_anonymous)
        self._private = place.scheme == UNIX and passphrases is None  # so it needs no word while it has no passphrases
        self.max_connections = max_connections
        self.tracebacks = tracebacks == "full"
        self._asks_for_certificates = place.scheme == TLS_SCHEME and tls is not None and bool(tls.ca)
        validator = ConnectionValidator() if connection_validator is None else connection_validator
        self._check_proof(place, validator)
        if tls is not None and place.scheme != TLS_SCHEME:
            raise ConfigurationError(f"tls= is given, but a host on {place} speaks no TLS: listen on HOST:PORT")
        self._place = place
        self._limits = limits
        self._isolation = _checked_isolation(isolation, modules, place)
        allowances = Allowances(identity_limits)
        shown = place if advertise is None else place.advertised(advertise)
        self._lock = threading.RLock()
        self._registrations: dict[str, Registration] = {}
        self._by_identity: dict[int, Registration] = {}
        self._jails = Jails(spares=SPARES)
        self._closed = threading.Event()  # somebody wants the host to end
        self._ended = False
        self._serving = False
        host_tls = server_context(tls, state_dir) if place.scheme == TLS_SCHEME else None
        self._code: CodeStore = MemoryCodeStore() if state_dir is None else DiskCodeStore(state_dir)
        try:
            sock = open_socket(place)
        except BaseException:
            self._code.close()
            raise
        admission = Admission(self._code, self._compile)
        self.office = Office(
            admission, self._jails.of, self.registration_of, self._later, self._refill, allowances.limits
        )
        self._parking = Parking("emporion-host")
        self._workers = Workers(threads or DEFAULT_THREADS, "emporion-host")
        self.tickets = Tickets(self._workers.submit, threads or DEFAULT_THREADS)
        self._doors = Doors(
            self,
            place,
            sock,
            tls=host_tls,
            shown=shown,
            validator=validator,
            codecs=codecs,
            parking=self._parking,
            workers=self._workers,
        )

    # --- objects ------------------------------------------------------------------------------------------------

    @property
    def uri(self) -> URI:
        """Where this host is, without an object's name."""
        return self._doors.uri("")

    @property
    def code(self) -> CodeStore:
        """The code that is here, and the operator's hand on it: `listing`, `pin`, `yank` and their opposites."""
        return self._code

    def register(
        self,
        obj: object,
        name: str | None = None,
        *,
        code_validator: CodeValidator | None = None,
        limits: Limits | None = None,
        isolation: Isolation | None = None,
        modules: Sequence[str] | None = None,
        synchronized: bool = False,
    ) -> URI:
        """Export `obj`; gives the URI for `connect`.

        Args:
            name: None: a random one that nobody guesses.
            code_validator: Asked about each module that crosses for this object, in either direction. None: none does.
            limits, isolation: Of the visits that come for this object; None: the host's.
            modules: What agents of these visits may import beyond what all may, by dotted names: the public names of
                each, and whatever can be reached through them, which ``emporion check --module NAME`` shows. In place
                of `isolation`'s; None: those.
            synchronized: One call at a time.

        Raises:
            ConfigurationError: Nothing of the object is exposed, the name is taken, or a module is not installed.
        """
        interface = interface_of(type(obj))
        if interface is None:
            text = f"{type(obj).__qualname__} exposes nothing: mark methods, or the class, with @emporion.expose"
            raise ConfigurationError(text)
        if code_validator is not None and not callable(code_validator):
            raise ConfigurationError("code_validator= takes a callable (name, module, address) -> bool or Verdict")
        isolation = _checked_isolation(isolation or self._isolation, modules, self._place)
        name = secrets.token_urlsafe(16) if name is None else name
        uri = self._doors.uri(name)
        lock = threading.RLock() if synchronized else None
        realm = Realm(name, code_validator, limits or self._limits, isolation, lock)
        registration = Registration(obj, interface, realm)
        with self._lock:
            if not name or name in self._registrations:
                raise ConfigurationError(f"an object is registered as {name!r} already: unregister it first")
            self._registrations[name] = registration
            self._by_identity[id(obj)] = registration
        if not isolation.is_whole:
            log.warning("%r takes agents with a wall missing, for testing: %s", name, isolation)
        if code_validator is not None:
            self._workers.submit(lambda: self._jails.prepare(isolation))
        return uri

    def unregister(self, obj_or_name: object) -> None:
        """Take an object back. Callers that hold it already keep it until they let go or are closed."""
        with self._lock:
            registration = self._registered(obj_or_name)
            del self._registrations[registration.realm.name]
            self._by_identity.pop(id(registration.obj), None)

    def set_code_validator(self, obj_or_name: object, validator: CodeValidator | None) -> None:
        """Change who decides about an object's code; holds for the next module that asks."""
        with self._lock:
            realm = self._registered(obj_or_name).realm
            realm.code_validator = validator
        if validator is not None:
            self._workers.submit(lambda: self._jails.prepare(realm.isolation))

    def find(self, name: str) -> Registration | None:
        """The registration under `name`."""
        return self._registrations.get(name)

    def registration_of(self, obj: object) -> Registration | None:
        """The registration of this very object."""
        return self._by_identity.get(id(obj))

    def _registered(self, obj_or_name: object) -> Registration:
        found = self._registrations.get(obj_or_name) if isinstance(obj_or_name, str) else None
        found = found or self._by_identity.get(id(obj_or_name))
        if found is None:
            raise ConfigurationError(f"{obj_or_name!r:.200} is not registered here")
        return found

    # --- connections --------------------------------------------------------------------------------------------

    def set_connection_validator(self, validator: ConnectionValidator) -> None:
        """Change who decides about connections, from any thread; holds for the next one.

        Raises:
            ConfigurationError: It is none, or asks for passphrases, and this host has none.
        """
        self._check_proof(self._place, validator)
        self._doors.validator = validator

    def _check_proof(self, place: Listen, validator: ConnectionValidator) -> None:
        """Refuse what would let everybody in, or nobody."""
        check_validator_type("connection_validator=", validator)
        if self.verifiers is None and not self.allow_anonymous and not proves(validator):
            raise ConfigurationError(
                f"a host on {place} without passphrases has nothing that its clients could prove: "
                "give passphrases=[...], or say allow_anonymous=True to let everybody in"
            )
        if needs_certificate(validator) and not self._asks_for_certificates:
            raise ConfigurationError(
                f"{shown(validator)} lets in whom a certificate proves, and this host asks for none: "
                "say with tls=TLS(ca=...) who signs them"
            )

    @property
    def verifiers(self) -> Verifiers | None:
        """Of the passphrases that open this host now; None: it asks for none.

        Raises:
            ConfigurationError: Their file cannot be used any more; nobody is let in meanwhile.
        """
        return self._passphrases.current()

    @property
    def allow_anonymous(self) -> bool:
        """Whether clients come in that prove nothing."""
        return self._anonymous or (self._private and not self._passphrases.wanted)

    def set_allowed_identifications(self, passphrases: GivenPassphrases | Callable[[Verifiers], Verifiers]) -> None:
        """Change the passphrases, from any thread; connections that are open stay. None needs ``allow_anonymous=True``.

        A callable turns the present `Verifiers` into new ones, as in ``lambda now: now.added("...", "nora")``: no other
        change comes between.
        """
        if passphrases is None and not (self._anonymous or self._private):
            raise ConfigurationError("no passphrases would let everybody in: only with allow_anonymous=True")
        self._passphrases.change(passphrases)

    def connections(self) -> list[Connection]:
        """The accepted connections that are open now."""
        return self._doors.connections()

    def left(self, guest: GuestPeer, error: EmporionError) -> None:
        """A client's connection is over."""
        self._doors.left(guest, error)

    # --- visits -------------------------------------------------------------------------------------------------

    def _compile(self, name: str, digest: str, source: str, isolation: Isolation) -> bytes:
        return compile_jailed(self._jails.of(isolation), name, digest, source, isolation.language)

    def _later(self, job: Callable[[], None]) -> None:
        self._parking.call_at(time.monotonic() + MOMENT_S, job)

    def _refill(self, isolation: Isolation) -> None:
        self._workers.submit(lambda: self._jails.refill(isolation))

    # --- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve in the background, until `close`."""
        with self._lock:
            if self._closed.is_set():
                raise ConfigurationError("this host is closed: make a new one")
            if self._serving:
                return
            self._serving = True
        self._doors.open()
        walls = "" if self._isolation.is_whole else f"; WEAKENED for testing: {self._isolation}"
        log.info("serving at %s%s", self.uri, walls)
        with self._lock:
            validators = [one.realm.code_validator for one in self._registrations.values()]
        if validators and all(one is None for one in validators):
            log.info("no code comes in: no object here has a code validator")

    def serve_forever(self) -> None:
        """Serve until `close`, SIGTERM or Ctrl-C."""
        self.start()
        before: Any = None
        in_main = threading.current_thread() is threading.main_thread()
        if in_main:
            # On a thread of its own: the signal may come in the middle of `wait`, whose lock `set` would wait for.
            before = signal.signal(signal.SIGTERM, lambda *_: _thread.start_new_thread(self._closed.set, ()))
        try:
            # A signal that comes just before the lock is waited for is not heard of before the wait is over.
            while not self._closed.wait(1.0):
                pass
        except KeyboardInterrupt:
            log.info("interrupted")
        finally:
            if in_main:
                signal.signal(signal.SIGTERM, before)
            self.close()

    def drain(self, timeout_s: float) -> bool:
        """Let nobody new in and wait for the calls that run; False when some still do after `timeout_s`."""
        self._doors.stop()
        until_s = time.monotonic() + timeout_s
        while self.tickets.busy or self._doors.busy:
            if time.monotonic() >= until_s:
                return False
            time.sleep(0.01)  # no event would be cheaper than this poll: it runs once in a host's life
        return True

    def close(self) -> None:
        """End everything: visits, connections, threads, the zygote. Idempotent."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._closed.set()
        self._jails.shut()
        self._doors.close()
        self.tickets.close(VisitEnded("the host is closing"))
        self._jails.close()
        self._workers.close()
        self._parking.close()
        self._code.close()

    def __enter__(self) -> "Host":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Host at {self.uri}>"


def _known_codecs(codecs: Sequence[str]) -> list[str]:
    known = list(CODECS)
    wanted = list(codecs)
    if isinstance(codecs, str) or not wanted or any(name not in known for name in wanted):
        raise ConfigurationError(f"codecs={codecs!r}: a list of {', '.join(known)}")
    return wanted


def _checked_isolation(isolation: Isolation, modules: Sequence[str] | None, place: Listen) -> Isolation:
    """A wall may be missing only where no stranger can come: on this machine. `modules` take the place of its own."""
    if modules is not None:
        isolation = replace(isolation, modules=modules)
    for name in isolation.modules:
        top = name.partition(".")[0]  # what is inside, only running it would tell
        if top not in sys.modules and find_spec(top) is None:
            raise ConfigurationError(f"modules: there is no module {name!r} here: is it installed?")
    if not isolation.is_whole and place.scheme != UNIX:
        try:
            loopback = ip_address(place.host).is_loopback
        except ValueError:
            loopback = place.host == "localhost"
        if not loopback:
            raise ConfigurationError(f"{isolation} is for testing each wall alone: listen on a loopback address")
    return isolation
