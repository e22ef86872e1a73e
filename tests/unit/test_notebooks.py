"""Classes of notebook cells, and of Python's own prompt: what was typed last is what travels."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

# Runs cells in `__main__` as ipykernel does: statement by statement, each cell under a file name of its own, its text
# in `In` and in linecache before it runs. What cells leave in `results` is printed.
NOTEBOOK = """
import ast, json, linecache, sys
space = vars(sys.modules["__main__"])
for name in [name for name in space if name not in ("__name__", "__doc__", "__builtins__", "__spec__")]:
    del space[name]
space["results"] = results = []
prompt = sys.argv[1] == "prompt"
if prompt:  # as in Python 3.13
    space["__file__"], space["__package__"], space["__spec__"] = "/lib/_pyrepl/__main__.py", "_pyrepl", __spec__
else:
    space["In"] = space["_ih"] = [""]
for number, cell in enumerate(json.load(sys.stdin)):
    name = f"<python-input-{number}>" if prompt else f"/tmp/ipykernel_77/{number}.py"
    linecache.cache[name] = len(cell), None, cell.splitlines(True), name
    if not prompt:
        space["In"].append(cell)
    try:
        for node in ast.parse(cell).body:
            exec(compile(ast.Module([node], []), name, "exec", dont_inherit=True), space)
    except Exception as error:
        results.append(f"{type(error).__name__}: {error}")
print(json.dumps(results))
"""
START = "from emporion.agents.closure import at_home, closure_of"
TELL = "f = closure_of(Agent); results.append([f.module, f.sources[f.manifest[f.module]], at_home(f.module, " \
       "f.manifest[f.module], f.qualname) is Agent])"  # fmt: skip
AGENT = "class Agent:\n    def go(self):\n        return X\n"


def run(folder: Path, cells: Sequence[str], kind: str = "notebook") -> list[Any]:
    (folder / "cells.py").write_text(NOTEBOOK, encoding="utf-8")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", "import cells", kind], cwd=folder, input=json.dumps(cells), text=True,
                          capture_output=True, timeout=60, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.mark.parametrize("kind", ["notebook", "prompt"])
def test_a_class_typed_into_cells_travels(tmp_path: Path, kind: str) -> None:
    cells = [START, "import math\nX = math.pi; Y = open", "%time is no Python", AGENT, "Y = Agent()", TELL]
    error, told = run(tmp_path, cells, kind)
    assert error.startswith("SyntaxError")
    assert told == ["notebook", f"import math\nX = math.pi\n\n\n{AGENT}", True]


@pytest.mark.parametrize(
    "cells",
    [
        ["X = 1", AGENT, AGENT],
        ["X = 1", AGENT, "X = 1", AGENT],
        ["X = 1", AGENT, "X = 1"],
        ["X = 1", f"# nothing\n\n{AGENT}", AGENT, AGENT],
    ],
)
def test_what_was_run_again_unchanged_counts_once(tmp_path: Path, cells: list[str]) -> None:
    (once,) = run(tmp_path, [START, "X = 1", AGENT, TELL])
    (again,) = run(tmp_path, [START, *cells, TELL])
    assert again == once


def test_a_class_run_again_on_another_ground_is_another(tmp_path: Path) -> None:
    text = "class Agent:\n    x = BASE\n    def go(self): return X\n"
    first, again = run(tmp_path, [START, "BASE = 1", text, TELL, "BASE = 2", text, TELL])
    assert "BASE = 1" in first[1]
    assert "BASE = 2" in again[1] and "BASE = 1" not in again[1]


def test_new_code_is_used_at_once_and_old_objects_keep_theirs(tmp_path: Path) -> None:
    old, new, kept, home = run(tmp_path, [
        START, "X = 1", AGENT, TELL, "old = Agent()", AGENT.replace("X", "X + 1"), TELL,
        "Old = type(old); f = closure_of(Old)",
        "results.append([f.module, f.sources[f.manifest[f.module]], f is closure_of(Old)])",
        "results.append(at_home(f.module, f.manifest[f.module], 'Agent') is Old)",
    ])  # fmt: skip
    assert "return X\n" in old[1] and "return X + 1\n" in new[1]
    assert kept[1] == old[1] and kept[2] is True
    assert home is True


def test_a_helper_that_was_run_again_travels_anew_with_the_same_class(tmp_path: Path) -> None:
    first, second = run(tmp_path, [START, "def X(): return 1", AGENT, TELL, "def X(): return 2", TELL])
    assert "return 1" in first[1]
    assert "return 2" in second[1] and "return 1" not in second[1]


def test_an_old_class_that_never_went_out_is_told_so(tmp_path: Path) -> None:
    (told,) = run(tmp_path, [START, AGENT, "old = Agent()", AGENT.replace("X", "1"), "closure_of(type(old))"])
    assert told.startswith("ConfigurationError") and "make the object again" in told


def test_an_old_class_under_another_name_travels_with_its_own_text(tmp_path: Path) -> None:
    tell = "f = closure_of(Old); results.append([f.qualname, f.sources[f.manifest[f.module]]])"
    (told,) = run(tmp_path, [START, AGENT, "Old = Agent", AGENT.replace("X", "1"), tell])
    assert told == ["Old", f"{AGENT}\n\nOld = Agent\n"]


def test_a_class_that_failed_half_way_is_not_mistaken_for_the_one_that_stands(tmp_path: Path) -> None:
    failed, told = run(tmp_path, [START, AGENT, "1 / 0\n" + AGENT.replace("X", "2"), TELL])
    assert failed.startswith("ZeroDivisionError")
    assert told.startswith("ConfigurationError") and "run the cells that define it again" in told


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("globals()['X'] = 1", "'X', which 'Agent' needs, is bound by no statement"),
        ("globals()['get_ipython'] = len\nX = get_ipython('x')", "'get_ipython', which 'Agent' needs"),
        ("del X", None),
    ],
)
def test_names_that_no_cell_binds_are_told(tmp_path: Path, cell: str, advice: str | None) -> None:
    (told,) = run(tmp_path, [START, "X = 1" if advice is None else "", cell, AGENT, TELL])
    assert told[1] == AGENT if advice is None else advice in told


def test_a_cell_that_awaits_does_not_travel(tmp_path: Path) -> None:
    cells = [START, "globals()['X'] = 1\nresults.append('ran')", "X = await something()", AGENT, TELL]
    _, _, told = run(tmp_path, cells)
    assert "needs a top-level statement that awaits ('X = await something()' in the notebook)" in told


def test_future_imports_of_earlier_cells_hold_for_all(tmp_path: Path) -> None:
    agent = "class Agent:\n    def go(self, mall: int) -> int:\n        return 1\n"
    (told,) = run(tmp_path, [START, "from __future__ import annotations\nZ = 1", agent, TELL])
    assert told[1] == f"from __future__ import annotations\n\n\n{agent}"


def test_imports_of_a_notebook_are_followed(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("x = 1\n")
    (told,) = run(tmp_path, [START, "import tools as X", AGENT, "results.append(sorted(closure_of(Agent).manifest))"])
    assert told == ["notebook", "tools"]


def test_a_script_with_a_list_called_in_is_a_script_all_the_same(tmp_path: Path) -> None:
    text = f"{START}\nIn = ['class Agent: pass']\nX = 1\nresults = []\n{AGENT}\n{TELL}\nprint(results)\n"
    (tmp_path / "shop.py").write_text(text)
    done = subprocess.run([sys.executable, "shop.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "[['shop', 'X = 1" in done.stdout, done.stderr
