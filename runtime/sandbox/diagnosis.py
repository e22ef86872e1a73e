"""What this machine can do for agents: its walls, tried for real; for `emporion doctor`."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import SandboxUnavailable
from .probe import ATTEMPTS, ENTRY, Outcome, attempt
from .protocol import WallReport
from .supervisor import Jailer
from .syscalls import library_version

__all__ = ["Diagnosis", "examine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What `examine` found. `trouble` says why no agents can be taken, and what to install or change; "" if they can.

    `attempts` tells what became of each of `ATTEMPTS`; it is empty where no jail could be built to try them in.
    """

    python: str
    libseccomp: str  # "" where there is none
    system: str  # as "Linux 6.1.0 x86_64"
    root: bool
    walls: WallReport | None = None  # None: the minimum cannot be had
    attempts: Mapping[str, Outcome] = field(default_factory=dict)
    trouble: str = ""

    @property
    def agents(self) -> bool:
        """Whether this machine takes agents: the minimum stands, and everything that was tried was refused."""
        return not self.trouble

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wanted and missing, and how to get it."""
        return () if self.walls is None else self.walls.notes

    def standing(self) -> dict[str, str]:
        """Each wall by its name: what stands of it, "" for nothing."""
        walls = self.walls
        if walls is None:
            return {}
        return {
            "seccomp": "allow-list" if walls.seccomp else "",
            "no_new_privs": "set" if walls.no_new_privs else "",
            "rlimits": "they bind" if walls.rlimits else "",
            "Landlock": f"ABI {walls.landlock}, nothing allowed" if walls.landlock else "",
            "namespaces": ", ".join(walls.namespaces),
            "file tree": "empty, read-only" if walls.empty_root else "",
            "user": f"uid {walls.uid}" if walls.uid else "",
        }


def examine() -> Diagnosis:
    """Build the walls, and try them from inside. Raises nothing that the machine is to blame for."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "libseccomp": "",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "root": os.geteuid() == 0,
    }
    walls: WallReport | None = None
    outcomes: dict[str, Outcome] = {}
    try:
        facts["libseccomp"] = library_version()
        with Jailer(spares=1, entry=ENTRY) as jailer:
            walls = jailer.report()
            for what, source in ATTEMPTS.items():
                outcomes[what] = attempt(jailer, source)
    except SandboxUnavailable as error:
        return Diagnosis(**facts, walls=walls, attempts=outcomes, trouble=str(error))
    broken = [what for what, outcome in outcomes.items() if not outcome.refused]
    trouble = f"foreign code could {', '.join(broken)}: please report it, see SECURITY.md" if broken else ""
    return Diagnosis(**facts, walls=walls, attempts=outcomes, trouble=trouble)
