"""Each row of `language_escapes` is stopped by the language wall alone, and escapes where there is none."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from emporion.runtime.sandbox.language.policy import PolicyRefused, compile_module
from emporion.runtime.sandbox.language.trial import try_source

ESCAPES: Final[list[Any]] = runpy.run_path(str(Path(__file__).with_name("language_escapes.py")))["ESCAPES"]
ids: Final = [f"{row.family}: {row.name}" for row in ESCAPES]

# Runs each source in a fork of its own: escapes alter the library for whoever comes after them.
CONTROL: Final = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import dataclasses, statistics, textwrap, typing, uuid
out = []
for source in json.load(sys.stdin):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 1); os.close(read); os.close(write)
        sys.stdin = open(os.devnull); sys.stderr = open(os.devnull, "w")
        space = {"__name__": "control", "__builtins__": __builtins__, "__spec__": 1, "__loader__": 1}
        try: exec(compile(source, "<control>", "exec"), space)
        except BaseException as error: print(type(error).__name__, error)
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    with open(read) as pipe: out.append(pipe.read())
    os.waitpid(child, 0)
json.dump(out, sys.stdout)
"""


def test_the_names_of_the_rows_are_unique() -> None:
    assert len(set(ids)) == len(ids) > 200


@pytest.mark.parametrize("row", ESCAPES, ids=ids)
def test_an_escape_is_stopped_where_its_row_says(row: Any) -> None:
    if row.stop == "compile":
        with pytest.raises(PolicyRefused) as refused:
            compile_module(row.source, name="agent.trial")
        assert all(complaint.why for complaint in refused.value.complaints)
        assert "syntax" not in {complaint.construct for complaint in refused.value.complaints}, "the row is no Python"
        return
    try:
        output = try_source(row.source)
    except (AttributeError, TypeError, ImportError, ValueError, NameError):
        return
    assert "ESCAPED" not in output


def test_every_escape_works_where_there_is_no_wall() -> None:
    rows = [row for row in ESCAPES if row.alone]
    sources = json.dumps([row.source for row in rows])
    run = subprocess.run([sys.executable, "-c", CONTROL], input=sources, capture_output=True, text=True, check=True)
    results = zip(rows, json.loads(run.stdout), strict=True)

    assert {f"{row.family}: {row.name}": output for row, output in results if "ESCAPED" not in output} == {}
