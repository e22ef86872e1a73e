"""What the tests of ordinary programs share: a table of programs, and what CPython prints for one."""

import io
import sys
import types
from contextlib import redirect_stdout

import pytest


class Programs(dict[str, str]):
    """Sources by name, each name once."""

    def add(self, name: str, source: str) -> None:
        assert name not in self
        self[name] = source.strip() + "\n"


def plainly(source: str, patch: pytest.MonkeyPatch) -> str:
    """What CPython prints for `source`."""
    out = io.StringIO()
    module = types.ModuleType("agent.trial")
    patch.setitem(sys.modules, "agent.trial", module)  # where `dataclass` looks up annotations that are text
    with redirect_stdout(out):
        exec(compile(source, "<plain>", "exec", dont_inherit=True), module.__dict__)
    return out.getvalue()
