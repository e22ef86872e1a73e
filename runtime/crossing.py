"""Passing on: a client's connection, used by a hosted method. Agents go on to the next host by it, and what comes back
is a handle in the visit of the call: a process that hosts never imports code from elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..agents.manifest import check_qualname
from ..errors import CodeDenied, VisitEnded
from ..validators.code import judge
from ..validators.consignment import Consignment
from .code.flights import Flights
from .connection.driver import Answer
from .connection.serving import Recall
from .context import current_scope
from .visits.handle import OUTSIDE, Handle
from .wire.messages import Call
from .wire.values import Mobile, Named

if TYPE_CHECKING:
    from ..validators.code import CodeValidator
    from .peer import Peer
    from .visits.scope import Scope

__all__ = ["FETCH_S", "Crossing"]

FETCH_S: Final = 30.0  # for the sources of one closure, as between a host and its clients


class Crossing:
    """What one connection to another host does for the hosted calls that use it.

    Args:
        peer: This end of the connection.
        address: Of the other host, for validators.
        validator: The one that `connect` was given, asked besides that of the object whose method it is.
    """

    def __init__(self, peer: "Peer", address: tuple[str, int], validator: "CodeValidator | None") -> None:
        self._peer = peer
        self._address = address
        self._validator = validator
        self._arrivals: Flights[str, str] = Flights()

    def errand(
        self, scope: "Scope", message: Call, blobs: Sequence[bytes], deadline_s: float | None
    ) -> tuple[Answer, Any]:
        """A call, called off when whoever waits for `scope` gives up."""
        recall = Recall()
        with scope.errand(recall):
            return self._peer.driver.request(message, blobs, deadline_s=deadline_s, recall=recall)

    def handle_out(self, scope: "Scope | None", handle: Handle) -> Mobile | Named:
        """An agent goes on, as it is now; the object whose method sends it decides whether its code may."""
        if scope is None:
            raise VisitEnded(OUTSIDE)
        parts = scope.take_apart(handle)
        self.pass_on(scope, parts.goods.manifest, scope.text_of(handle))
        return parts

    def pass_on(self, scope: "Scope", manifest: Mapping[str, str], text: Callable[[str], str]) -> None:
        """Have modules ready for the other host; `text` gives sources by digest."""
        scope.pass_on(manifest, text, scope.stranger(self._address, self._peer.where), self._peer)

    def went_out(self, scope: "Scope", manifests: Sequence[Mapping[str, str]]) -> None:
        """What one message was packed into, in the end."""
        passed = scope.supplies.get(self._peer, {})
        for manifest in manifests:
            if passed.keys() >= set(manifest.values()):
                scope.went_out(manifest, self._peer)

    def supplies(self, scope: "Scope", modules: Mapping[str, str]) -> Mapping[str, str]:
        """The sources, by digest, that the other host may have for this call; it asks for `modules`.

        Raises:
            CodeDenied: One of them has been yanked meanwhile.
        """
        passed = scope.supplies.get(self._peer, {})
        scope.office.admission.recalled(modules, "download", scope.stranger(self._address, self._peer.where))
        return passed

    def handle_in(self, goods: Consignment, module: str, qualname: str, *, named: bool) -> Handle:
        """What something mobile that comes back is in the hosted call that this thread serves."""
        scope = current_scope()
        if scope is None:
            raise VisitEnded(OUTSIDE)  # it ended in this moment
        return scope.handle(goods, module, check_qualname(qualname), named=named)

    def decode(self, scope: "Scope", decode: Callable[[], list[Any]]) -> list[Any]:
        """Values that came back; mobile objects among them are handles of `scope`.

        Raises:
            CodeDenied: One of the two validators does not want their code here.
        """
        sender = scope.stranger(self._address, self._peer.where)

        def judge(handle: Handle) -> None:
            self._judge(scope, handle)

        return scope.decode(decode, sender, self._fetch, self._arrivals, self._peer, judge)

    def _fetch(self, modules: dict[str, str]) -> dict[str, str]:
        return self._peer.fetch(modules, within_s=FETCH_S)

    def _judge(self, scope: "Scope", handle: Handle) -> None:
        if self._validator is None:
            return
        goods, text = handle._reference.goods, scope.text_of(handle)
        for name, digest in goods.manifest.items():
            verdict = judge(self._validator, name, text(digest), self._address, consignment=goods)
            if not verdict:
                raise CodeDenied(name, "download", verdict.reason)
