"""How much the visits of each caller may use, beside what the object allows that is visited."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from ..errors import ConfigurationError
from .context import Caller
from .options import Limits

__all__ = ["Allowances", "IdentityLimits"]

log = logging.getLogger("emporion.host")

IdentityLimits = Mapping[str, Limits] | Callable[[Caller], Limits | None]

_FORM: Final = "identity_limits= takes {identity: Limits}, or a callable (Caller) -> Limits or None"


class Allowances:
    """Gives the limits of one visit: the tighter of its object's and its caller's, field by field.

    So nobody gets more than an object allows, whoever they are, and nobody more than is theirs, whatever they visit.

    Args:
        by_identity: {identity: limits}, whose other callers have none of their own; or a callable, asked for each
            visit, which is what tells the anonymous from each other, or takes its numbers from elsewhere.

    Raises:
        ConfigurationError: It is neither.
    """

    def __init__(self, by_identity: IdentityLimits) -> None:
        if isinstance(by_identity, Mapping):
            by_identity = dict(by_identity)
            if not all(type(who) is str and isinstance(one, Limits) for who, one in by_identity.items()):
                raise ConfigurationError(_FORM)
        elif not callable(by_identity):
            raise ConfigurationError(_FORM)
        self._by_identity = by_identity

    def limits(self, of_object: Limits, caller: Caller) -> Limits:
        """For a visit of `caller`'s agents to an object with limits `of_object`.

        Raises:
            ConfigurationError: The operator's callable raised, or gave something else; nobody may come in meanwhile.
        """
        if not callable(self._by_identity):
            own = self._by_identity.get(caller.identity) if type(caller.identity) is str else None
            return of_object if own is None else of_object.within(own)
        try:
            own = self._by_identity(caller)
            if own is not None and not isinstance(own, Limits):
                raise TypeError(f"{_FORM}; it gave a {type(own).__name__}")
        except Exception:
            log.exception("identity_limits failed, so this visit is refused")
            text = "the operator's limits for this caller cannot be told, so no agent of theirs comes in; see the log"
            raise ConfigurationError(text) from None
        return of_object if own is None else of_object.within(own)
