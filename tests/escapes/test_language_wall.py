"""Each row of `language_escapes` is stopped by the language wall alone, and escapes where there is none."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from emporion.runtime.sandbox.language.policy import PolicyRefused, compile_module

_HERE: Final = Path(__file__).parent
_TABLE: Final[dict[str, Any]] = runpy.run_path(str(_HERE / "language_escapes.py"))
_MORE: Final = [
    _TABLE["Escape"](*row)
    for name in ("language_deputies", "language_receivers", "hostile_walks", "hostile_library", "hostile_tricks")
    for row in runpy.run_path(str(_HERE / f"{name}.py"))["ROWS"]
]
ESCAPES: Final[list[Any]] = [*_TABLE["ESCAPES"], *_MORE]
ids: Final = [f"{row.family}: {row.name}" for row in ESCAPES]

# Runs each source in a fork of its own, which may take 1 GiB and 5 s: escapes alter the library for whoever comes after
# them, and worse.
_EACH_ALONE: Final = """
import json, os, resource, sys, warnings
warnings.simplefilter("ignore")
{imports}
out = []
for source in json.load(sys.stdin):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        os.dup2(write, 1); os.close(read); os.close(write)
        sys.stdin = open(os.devnull); sys.stderr = open(os.devnull, "w")
        try: {run}
        except BaseException as error: print(type(error).__name__, error)
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    with open(read) as pipe: text = pipe.read()
    status = os.waitpid(child, 0)[1]
    out.append(f"ended with status {{status}}" if status else text)
json.dump(out, sys.stdout)
"""
CONTROL: Final = _EACH_ALONE.format(
    imports="import dataclasses, statistics, textwrap, typing, uuid",
    run="""exec(
            compile(source, "<control>", "exec"),
            {"__name__": "control", "__builtins__": __builtins__, "__spec__": 1, "__loader__": 1},
        )""",
)
WALLED: Final = _EACH_ALONE.format(
    imports="from emporion.runtime.sandbox.language.trial import try_source",
    run="print(try_source(source))",
)


# What plain CPython itself stops from a version on.
CLOSED_SINCE: Final = {
    "making classes: an enum that hides its members": (3, 12),
    "making classes: inherit from TypeVar": (3, 12),
    "module: dataclasses' builtins": (3, 12),
    "foreign receiver: a classmethod hands on a descriptor": (3, 13),
    "from text: evaluated forward reference": (3, 13),
}


def run_all(program: str, rows: list[Any]) -> dict[str, str]:
    """What each row's source printed, or its error."""
    sources = json.dumps([row.source.replace("CANARY", __file__) for row in rows])
    run = subprocess.run(
        [sys.executable, "-c", program], input=sources, capture_output=True, text=True, check=True, timeout=300
    )
    return {f"{row.family}: {row.name}": said for row, said in zip(rows, json.loads(run.stdout), strict=True)}


@pytest.fixture(scope="module")
def walled() -> dict[str, str]:
    return run_all(WALLED, [row for row in ESCAPES if row.stop == "run"])


def test_the_names_of_the_rows_are_unique() -> None:
    assert len(set(ids)) == len(ids) > 200


@pytest.mark.parametrize("row", ESCAPES, ids=ids)
def test_an_escape_is_stopped_where_its_row_says(row: Any, walled: dict[str, str]) -> None:
    if row.stop == "compile":
        with pytest.raises(PolicyRefused) as refused:
            compile_module(row.source, name="agent.trial")
        assert all(complaint.why for complaint in refused.value.complaints)
        assert "syntax" not in {complaint.construct for complaint in refused.value.complaints}, "the row is no Python"
        return
    said = walled[f"{row.family}: {row.name}"]
    assert "ESCAPED" not in said
    assert not said.startswith(("ended with status", "PolicyRefused")), said


def test_every_escape_works_where_there_is_no_wall() -> None:
    said = run_all(CONTROL, [row for row in ESCAPES if row.alone])
    closed = {row for row, since in CLOSED_SINCE.items() if sys.version_info >= since}

    assert {row: text for row, text in said.items() if "ESCAPED" not in text and row not in closed} == {}
