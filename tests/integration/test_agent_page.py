"""What the page about agents shows is what happens: its files are written, its programs visit its host."""

import re
from pathlib import Path

import emporion
import pytest
from emporion.runtime.sandbox.language.facades import FACADES
from emporion.tests.programs import ROOT, hosting, told

PAGE = (ROOT / "docs" / "write-an-agent.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)
PROMISES = {name: promised for name, _, promised in BLOCKS if promised}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's folder with the page's files in it."""
    folder = tmp_path_factory.mktemp("page")
    for name, text, _ in BLOCKS:
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_every_block_is_a_file_that_one_of_the_programs_uses() -> None:
    assert PAGE.count("```python") == len(BLOCKS) and PAGE.count("```text") == len(PROMISES)
    assert set(PROMISES) == {"send.py", "script.py", "state.py", "pack.py", "waiting.py", "wrong.py"}
    modules = {name for name, *_ in BLOCKS} - set(PROMISES)
    assert modules == {"host.py", "picker.py", "needs.py", "optional.py"}


@pytest.mark.parametrize("program", PROMISES)
def test_a_program_of_the_page_prints_what_the_page_says(folder: Path, program: str) -> None:
    with hosting(folder) as orchard:
        lines = told(folder, orchard.uri, program=program)
    assert [re.sub(r"used [\d.]+ of", "used ... of", line) for line in lines] == PROMISES[program].splitlines()


def test_the_page_lists_all_that_agents_may_import() -> None:
    listed = PAGE.partition("of the standard library:\n")[2].partition("\nEach has")[0].split()
    assert listed == sorted(set(FACADES) - {"__future__"})


def test_the_page_names_errors_that_there_are_and_points_to_what_is_there() -> None:
    names = re.findall(r"`([A-Z]\w+)`", PAGE.partition("| error |")[2])
    assert names and all(issubclass(getattr(emporion, name), emporion.EmporionError) for name in names)
    links = re.findall(r"\]\(([^):]+)\)", PAGE)
    assert links and all((ROOT / "docs" / link).exists() for link in links)
