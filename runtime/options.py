"""What an operator can set about visits: the limits that end one and the walls that hold one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from ..errors import ConfigurationError

__all__ = ["BOTH_WALLS", "DEFAULT_LIMITS", "Isolation", "Limits"]

MAX_MODULES: Final = 100  # that one object allows: their names travel to the zygote in one message


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one visit may use. The first that is hit ends it with `LimitExceeded` naming the field; only
    `output_lines` does not: what is beyond it is dropped, and said so.

    The defaults suit an agent that looks around a shop: seconds of thought, not minutes.
    """

    cpu_s: float = 5.0  # processor seconds; the kernel counts whole seconds, so this is rounded up
    wall_s: float = 30.0  # seconds from arrival to departure, waiting for hosted methods included
    memory_mib: int = 128  # address space beyond what an empty visit has
    calls: int = 10_000  # calls the agent makes to hosted objects
    bytes_in: int = 16 * 1024 * 1024  # bytes sent into the visit: state, answers
    bytes_out: int = 16 * 1024 * 1024  # bytes that come out of the visit: calls, results
    output_lines: int = 1_000  # lines the agent prints; what is beyond is dropped, and said so
    capabilities: int = 1_000  # hosted objects the agent holds at one time

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kinds = (int, float) if field.name in ("cpu_s", "wall_s") else (int,)
            if type(value) not in kinds or not 0 < value < 2**53:
                raise ConfigurationError(f"Limits({field.name}={value!r}): a positive number is needed")

    def within(self, other: "Limits") -> "Limits":
        """The tighter of both, field by field."""
        return Limits(**{one.name: min(getattr(self, one.name), getattr(other, one.name)) for one in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Which walls stand around a visit; both, unless each is to be tested alone (loopback only).

    `modules` are what its agents may import beyond what all agents may, by dotted names: their public names, and
    whatever can be reached through those (``emporion check --module NAME`` shows it). Any sequence; kept as a sorted
    tuple.
    """

    language: bool = True
    os: bool = True
    modules: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = self.modules
        if isinstance(names, str) or not all(type(name) is str for name in names):
            raise ConfigurationError(f"modules={names!r}: a list of modules' names is needed, as in ['colorsys']")
        for name in names:
            if not all(part.isidentifier() and not part.startswith("_") for part in name.split(".")):
                raise ConfigurationError(f"modules: {name!r} is no public dotted name of a module")
        if len(set(names)) > MAX_MODULES:
            raise ConfigurationError(f"modules: {len(set(names))} names; {MAX_MODULES} is the most")
        object.__setattr__(self, "modules", tuple(sorted(set(names))))

    @property
    def is_whole(self) -> bool:
        """Whether both walls stand."""
        return self.language and self.os


DEFAULT_LIMITS: Final = Limits()
BOTH_WALLS: Final = Isolation()
