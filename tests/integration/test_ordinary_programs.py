"""Ordinary Python means in a visit what it means in CPython: the programs in ``tests/ordinary`` run here and there.

Each is a module with a class `Agent` whose method `run` gives plain data; what it gives and what it prints must agree.
"""

import asyncio
import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from types import CoroutineType, ModuleType
from typing import Final

import pytest
from emporion.runtime.events import one_line
from emporion.runtime.sandbox.language.trial import Trial
from emporion.tests.harbour import Harbour, Library

ORDINARY: Final = Path(__file__).parents[1] / "ordinary"
PROGRAMS: Final = {path.stem: path.read_text(encoding="utf-8") for path in sorted(ORDINARY.glob("*.py"))}


class Plain:
    """A program as CPython runs it: its module, what `run` gave, all that was printed."""

    def __init__(self, library: Library, source: str) -> None:
        out = io.StringIO()
        with redirect_stdout(out):
            self.module: ModuleType = library.module(source)
            self.result = self.module.Agent().run()
            if type(self.result) is CoroutineType:
                self.result = asyncio.run(self.result)
        self.printed = out.getvalue()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    library = Library(tmp_path_factory.mktemp("ordinary"))
    yield library
    library.close()


@pytest.fixture(scope="module")
def plainly(library: Library) -> Callable[[str], Plain]:
    return cache(lambda name: Plain(library, PROGRAMS[name]))


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_ordinary_program_does_in_a_visit_what_it_does_in_cpython(
    name: str, plainly: Callable[[str], Plain], harbour: Harbour
) -> None:
    here = plainly(name)
    there = harbour.stage(lambda agent: agent.run()).go(here.module.Agent())

    assert repr(there) == repr(here.result) != "None"
    assert harbour.ears.printed() == [one_line(line, 2000) for line in here.printed.splitlines()] != []


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_ordinary_program_passes_the_language_wall_alone(name: str, plainly: Callable[[str], Plain]) -> None:
    here = plainly(name)
    trial = Trial({here.module.__name__: PROGRAMS[name]})
    result = trial.load(here.module.__name__, "Agent")().run()
    if type(result) is CoroutineType:
        result = asyncio.run(result)

    assert repr(result) == repr(here.result)
    assert trial.output == here.printed
