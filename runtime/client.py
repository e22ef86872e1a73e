"""The client's side: connecting, and a session that carries agents out and things home."""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..agents.closure import at_home
from ..agents.manifest import closure_id, digest_of, joined
from ..agents.state import new_shell, restore, subject_of
from ..errors import CallTimeout, CodeDenied, ConnectionLost, LimitExceeded, ProtocolError
from ..validators.code import CodeValidator, judge
from ..validators.connection import ConnectionValidator
from ..validators.connection.roles import check_validator_type
from ..validators.consignment import Consignment
from .code.flights import Flights
from .code.importer import MobileModules
from .connection.dialing import CONNECT_S, Dialer, background, check_options, credentials
from .connection.driver import Answer, Driver
from .connection.session import Asked
from .connection.tls import TLS
from .connection.uri import UNIX, URI
from .context import current_scope, of_a_call
from .crossing import FETCH_S, Crossing
from .events import one_line
from .exports import Export
from .packing import pack, take_apart
from .parcel import Parcel, Sources, put_in
from .peer import DIRECTORY, Peer, check_member, perform
from .proxy import Proxy
from .visits.handle import Handle, remember
from .wire.messages import Body, Call, Code, NeedCode, Op, Output, Provide
from .wire.values import Mobile, Named

__all__ = ["ClientPeer", "connect"]

agent_log = logging.getLogger("emporion.agent")

# For a source that another thread is fetching; then it is fetched twice. Not longer: that thread may wait for one of
# the host's, which may wait for this one.
JOIN_S: Final = 2.0
MOST_ONE_WAY: Final = 1_000  # calls of a host's that are still to run here: it has its answer at once, and may go on


def connect(
    uri: str | URI,
    *,
    passphrase: str | Callable[[], str] | None = None,
    login: str | None = None,
    identity: Any = None,
    mobile_code: bool = False,
    code_validator: CodeValidator | None = None,
    connection_validator: ConnectionValidator | None = None,
    verify_host: bool = True,
    tls: TLS | None = None,
    codec: str = "msgpack",
    timeout_s: float | None = None,
) -> Any:
    """Connect to a hosted object; gives its proxy, a context manager that closes the connection.

    Inside a hosted method agents are passed on through it, and what comes back is a handle in the visit of that call:
    a process that hosts imports no code from elsewhere.

    Args:
        uri: As the host printed it. A fingerprint in it is checked.
        passphrase: Or what gives it (a prompt, a keyring): called once for each connection, before it is made; what
            it raises comes out of here. A host that wants one denies "" and None.
        login: With it, `passphrase` is that login's password.
        identity: For a `connection_validator` of one's own, in place of passphrase and login; or what gives it, called
            as for `passphrase`.
        mobile_code: Let agents of this program's own classes go out, and classes of the host's come in. Without it
            objects of such classes are `Parcel`s, which can be handed on and not opened.
        code_validator: Asked about each module that would come in; None accepts what the host sends.
        verify_host: False waives that the host proves itself: a stranger in between could read and alter everything.
        tls: A CA to trust, a certificate to show, fingerprints to accept.
        timeout_s: For connecting, and for each call.

    Raises:
        ConnectionDenied: The host does not want us, or could not prove itself.
        ConnectionLost, CallTimeout: Nobody answers there.
        NamingError: The host has no object of that name.
        ConfigurationError: What was asked for cannot be right.
    """
    uri = uri if isinstance(uri, URI) else URI.parse(uri)
    check_options(uri, passphrase, login, identity, verify_host, tls, codec)
    validator = ConnectionValidator() if connection_validator is None else connection_validator
    check_validator_type("connection_validator=", validator)
    proved = credentials(passphrase, login, identity)
    dialer = Dialer(uri=uri, proved=proved, validator=validator, verify_host=verify_host, tls=tls, codec=codec)
    peer = ClientPeer(dialer, mobile_code=mobile_code, code_validator=code_validator, timeout_s=timeout_s)
    peer.open()
    try:
        proxy = peer.call(DIRECTORY, Op.CALL, "lookup", (uri.name,), {})
    except BaseException:
        peer.close()
        raise
    if not isinstance(proxy, Proxy):
        peer.close()
        raise ProtocolError("the host did not give a proxy for the object")
    object.__setattr__(proxy, "_owner", True)
    return proxy


class ClientPeer(Peer):
    """Speaks with one host."""

    def __init__(self, dialer: Dialer, *, mobile_code: bool, code_validator: CodeValidator | None,
                 timeout_s: float | None, before: "ClientPeer | None" = None) -> None:
        """`before`: a connection to the same host that was cut, whose agents are to come home by this one."""
        uri = dialer.uri
        super().__init__(uri.path if uri.scheme == UNIX else f"{uri.host}:{uri.port}")
        self.timeout_s = timeout_s
        self.dialer = dialer
        self._address = uri.address if uri.scheme != UNIX else (uri.path, 0)
        self._mobile_code = mobile_code
        self._validator = code_validator
        # Made in a hosted method, it belongs to a process that hosts: what comes by it is never imported.
        self._imports: bool = not of_a_call() if before is None else before._imports
        self._modules: MobileModules = MobileModules() if before is None else before._modules
        self._announced: dict[str, str] = {} if before is None else before._announced  # digest: source
        # Of downloaded modules that went out again: their closure.
        self._sent_on: dict[str, Mapping[str, str]] = {} if before is None else before._sent_on
        self._passed: dict[str, Sources] = {} if before is None else before._passed  # parcels that went out: by closure
        self._carried: weakref.WeakValueDictionary[str, Sources] = weakref.WeakValueDictionary()  # that have come
        self._taking: Flights[str, str] = Flights()
        self._one_way = threading.Semaphore(MOST_ONE_WAY)
        self._crossing = Crossing(self, self._address, code_validator)

    def open(self) -> None:
        """Dial, shake hands, and begin the session; errors as for `connect`."""
        identity = self.dialer.proved()
        until_s = time.monotonic() + (CONNECT_S if self.timeout_s is None else self.timeout_s)
        channel = self.dialer.channel(identity, until_s)
        parking, workers = background()
        self.driver = Driver(channel, self, initiator=True, parking=parking, workers=workers)
        self.driver.start()

    def reopened(self) -> "ClientPeer":
        """A new connection in the place of this one, which was cut."""
        again = type(self)(self.dialer, mobile_code=self._mobile_code, code_validator=self._validator,
                           timeout_s=self.timeout_s, before=self)
        again.open()
        return again

    def request(self, message: Call, blobs: Sequence[bytes], deadline_s: float | None) -> tuple[Answer, Any]:
        scope = current_scope()
        try:
            if scope is None:
                return self.driver.request(message, blobs, deadline_s=deadline_s)
            self._imports = False  # a hosted method uses it: so this process hosts, wherever it was made
            return self._crossing.errand(scope, message, blobs, deadline_s)
        except (ConnectionLost, CallTimeout) as error:
            # Where several hosts pass an agent on, whoever hears of it wants to know which way was cut.
            raise type(error)(f"connection to {self.where}: {error}") from None

    # --- what goes out ------------------------------------------------------------------------------------------

    def mobile_out(self, obj: object) -> Mobile | Named | None:
        if isinstance(obj, Parcel):
            self._announce(obj._goods.manifest, obj._sources)
            self._passed[closure_id(obj._goods.manifest)] = obj._sources
            return obj._taken_apart()
        if isinstance(obj, Handle):
            self._check_mobile(obj._reference.module)
            return self._crossing.handle_out(current_scope(), obj)
        origin = self._modules.origin(subject_of(obj))
        if origin is not None:
            manifest, module, path = origin
            self._announced.update(self._downloaded(manifest))
            self._sent_on.update(dict.fromkeys(manifest.values(), manifest))
            return take_apart(obj, Consignment(manifest), module, path)
        packed = pack(obj, signed=True)
        if packed is None:
            return None
        closure, parts = packed
        self._check_mobile(closure.module)
        self._announce(closure.manifest, closure.sources)
        return parts

    def _announce(self, manifest: Mapping[str, str], sources: Mapping[str, str]) -> None:
        """Let modules go; in a hosted call, where its object's validator says so, and for that call alone."""
        scope = current_scope()
        if scope is not None:
            self._crossing.pass_on(scope, manifest, sources.__getitem__)
        else:
            self._announced.update(sources)

    def _check_mobile(self, module: str) -> None:
        if not self._mobile_code:
            raise CodeDenied(module, "upload", "connect(..., mobile_code=True) lets agents go out")

    def encode(self, values: Sequence[object], label: Callable[[int], str]) -> tuple[Body, list[bytes]]:
        scope = current_scope()
        encode = super().encode
        body, blobs = encode(values, label) if scope is None else scope.encode(values, label, encode)
        if len(body.manifests) > 1:
            _join(body)
            if scope is not None:
                self._crossing.went_out(scope, body.manifests)
        return body, blobs

    def _downloaded(self, manifest: Mapping[str, str]) -> dict[str, str]:
        """Sources that came from a host, by digest."""
        found = {digest: self._modules.source(digest) for digest in manifest.values()}
        return {digest: source for digest, source in found.items() if source is not None}

    def supply(self, asked: NeedCode) -> Code:
        scope = current_scope()
        passed: Mapping[str, str] = {} if scope is None else self._crossing.supplies(scope, asked.modules)
        sources = {}
        for name, digest in asked.modules.items():
            source = self._announced.get(digest) or passed.get(digest)
            if source is None:
                raise CodeDenied(name[:200], "upload", "it was not announced in a manifest")
            sources[digest] = source
        return Code(asked.call, sources)

    # --- what comes in ------------------------------------------------------------------------------------------

    def mobile_in(self, goods: Consignment, module: str, qualname: str) -> object:
        if current_scope() is not None and self._mobile_code:
            return self._crossing.handle_in(goods, module, qualname, named=False)
        parcel = self._parcel(goods, module, qualname, named=False)
        if parcel is not None:
            return parcel
        cls = self._definition(goods.manifest, module, qualname)
        if not isinstance(cls, type):  # a member would be filled with the peer's state, for all who use it
            raise ProtocolError("an object came whose class is none")
        try:
            return new_shell(cls)
        except TypeError as error:
            raise ProtocolError(f"an object came that cannot be made: {error}") from None

    def named_in(self, goods: Consignment, module: str, qualname: str) -> object:
        if current_scope() is not None and self._mobile_code:
            return self._crossing.handle_in(goods, module, qualname, named=True)
        parcel = self._parcel(goods, module, qualname, named=True)
        return self._definition(goods.manifest, module, qualname) if parcel is None else parcel

    def _definition(self, manifest: Mapping[str, str], module: str, qualname: str) -> object:
        """What stands under a name: in a module that went out from here, or in one that came from the host."""
        digest = manifest[module]
        try:
            if digest in self._sent_on:  # first: in a process that also hosts, the host's own class would be found
                return self._modules.load(self._modules.add_closure(self._sent_on[digest]), module, qualname)
            if digest in self._announced:
                return at_home(module, digest, qualname)
            return self._modules.load(self._take_in(manifest), module, qualname)
        except LookupError as error:
            raise ProtocolError(f"an object came without its class: {error}") from None

    def _parcel(self, goods: Consignment, module: str, qualname: str, *, named: bool) -> Parcel | None:
        """What comes in unopened: all of it, unless this connection imports; and what went out as a parcel."""
        closure = closure_id(goods.manifest)
        sources = self._passed.get(closure)
        if sources is None:
            if self._mobile_code and (self._imports or goods.manifest[module] in self._announced):
                return None
            sources = self._carried.get(closure)
            if sources is None:
                here = {digest: text for digest in goods.manifest.values() if (text := self._text(digest)) is not None}
                absent = {name: digest for name, digest in goods.manifest.items() if digest not in here}
                sources = self._carried[closure] = Sources(here | self._fetched(absent))
        return Parcel(goods, module, qualname, sources, named=named)

    def _take_in(self, manifest: Mapping[str, str]) -> str:
        """Have the code of a closure here: fetched, checked against its digests, and accepted whole."""
        missing = self._modules.missing(manifest)
        mine, theirs, found = self._taking.claim(missing.values(), self._text)
        try:
            mine_too = {name: digest for name, digest in missing.items() if digest in mine}
            found |= self._fetched(mine_too)
            for digest, flight in mine.items():
                flight.land(found[digest])
            found |= {digest: text for digest, flight in theirs.items() if (text := flight.wait(JOIN_S)) is not None}
            found |= self._fetched({name: digest for name, digest in missing.items() if digest not in found})
            self._judge(manifest, found)
            closure = self._modules.add_closure(manifest)
            for name, digest in missing.items():
                self._modules.add_source(name, digest, found[digest])
            return closure
        finally:
            self._taking.clear(mine)

    def _text(self, digest: str) -> str | None:
        """What need not be asked for: it has come before, or went out from here as a part of the same closure."""
        return self._modules.source(digest) or self._announced.get(digest)

    def _judge(self, manifest: Mapping[str, str], sources: Mapping[str, str]) -> None:
        if self._validator is None:
            return
        texts, goods = {**self._downloaded(manifest), **sources}, Consignment(manifest)
        for name, digest in manifest.items():
            verdict = judge(self._validator, name, texts[digest], self._address, consignment=goods)
            if not verdict:
                raise CodeDenied(name, "download", verdict.reason)

    def _fetched(self, modules: dict[str, str]) -> dict[str, str]:
        """The sources of `modules` from the host, by digest, each the one that was announced."""
        if not modules:
            return {}
        # In a hosted call the other end is a stranger, and nobody presses Ctrl-C.
        sources = self.fetch(modules, within_s=self.timeout_s if current_scope() is None else FETCH_S)
        if set(sources) != set(modules.values()) or any(digest_of(text) != digest for digest, text in sources.items()):
            raise ProtocolError("the host gave other modules than were asked for")
        return sources

    def decode(self, body: Body, blobs: Any) -> list[Any]:
        scope = current_scope()
        if not body.manifests or scope is None or not self._mobile_code:
            return super().decode(body, blobs)
        read = super().decode
        return self._crossing.decode(scope, lambda: read(body, blobs))

    def fill(self, shell: object, state: object) -> None:
        if isinstance(shell, Parcel):
            put_in(shell, state)
        elif isinstance(shell, Handle):
            remember(shell, state)
        else:
            restore(shell, state)

    # --- what it is asked ---------------------------------------------------------------------------------------

    def check(self, export: Export, message: Call) -> None:
        check_member(export.interface, message, (Op.CALL, Op.ONE_WAY))

    def invoke(self, asked: Asked, export: Export, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if isinstance(asked.message, Call) and asked.message.op == Op.ONE_WAY:
            method = asked.message.method
            if not self._one_way.acquire(blocking=False):
                raise LimitExceeded("one-way calls", MOST_ONE_WAY + 1, MOST_ONE_WAY)
            return self.driver.later(lambda: self._perform_later(export.obj, method, args, kwargs))
        return super().invoke(asked, export, args, kwargs)

    def _perform_later(self, obj: Any, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        try:
            perform(obj, Op.CALL, method, args, kwargs)
        finally:
            self._one_way.release()

    def news(self, message: Provide | Output) -> None:
        if not isinstance(message, Output):
            raise ProtocolError("a host provides no compiled code")
        for line in message.text.splitlines():
            agent_log.info("%s: %s", one_line(message.agent), one_line(line, 2000))


def _join(body: Body) -> None:
    """An agent and the basket in it may come from closures of which one is a part of the other: in the visit they are
    to be one world, where the basket's class exists once. A signature for a closure that has grown is worth nothing."""
    before, after = body.manifests, [dict(manifest) for manifest in joined(body.manifests)]
    signed = [(after[number], key, text) for number, key, text in body.signatures if before[number] == after[number]]
    body.manifests = after
    body.signatures = [
        (number, key, text) for number, manifest in enumerate(after) for whole, key, text in signed if whole == manifest
    ]
