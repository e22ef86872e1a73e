"""Slices: of a script, only what its agent needs goes out, and it comes home to the script's own classes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# At the end of each script: its closure, as JSON, and whether the way home leads to the class in the script.
TELL = """
import json as _json
from emporion.agents.closure import at_home as _at_home, closure_of as _closure_of
try:
    _found = _closure_of(Agent)
    _digest = _found.manifest[_found.module]
    print(_json.dumps({"module": _found.module, "text": _found.sources[_digest], "manifest": dict(_found.manifest),
        "home": _at_home(_found.module, _digest, _found.qualname) is Agent, "origin": _found.origin,
        "again": _closure_of(Agent) is _found}))
except Exception as error:
    print(_json.dumps({"error": f"{type(error).__name__}: {error}"}))
"""


def run(command: Sequence[str], folder: Path, typed: str | None = None) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *command], cwd=folder, input=typed, capture_output=True, text=True,
                          timeout=60, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def script(folder: Path, text: str, name: str = "shopping.py") -> dict[str, Any]:
    (folder / name).write_text(text + TELL, encoding="utf-8")
    return run([name], folder)


def sliced(folder: Path, text: str) -> str:
    found = script(folder, text)
    assert found.get("home"), found
    assert found["again"]
    there = sys.modules["a_slice"] = ModuleType("a_slice")  # where dataclasses look for it
    try:
        exec(found["text"], vars(there))  # complete enough to run where nothing else is
    finally:
        del sys.modules["a_slice"]
    assert hasattr(there, "Agent")
    result: str = found["text"]
    return result


def test_of_a_script_only_the_class_and_what_it_reaches_travel(tmp_path: Path) -> None:
    text = sliced(tmp_path, '''"""A script."""
from __future__ import annotations
import sys, math, emporion
from collections import deque, OrderedDict
log = open("log.txt", "w")
LIMIT = 3; OTHER = 4
NAMES = [  # of shops
    "Zoë",  # the best
    "ant",
]
def helper(mall): return LIMIT + math.floor(mall)
def unused(): return OTHER
print("at home")
mall = 7
class Base: pass
@staticmethod
def decorated(): pass
class Agent(Base):
    """Goes."""
    def go(self, mall: Mall):
        mall = helper(mall)  # not the one above
        return NAMES, deque, mall
agent = Agent()
log.close()
''')  # fmt: skip
    assert text == '''from __future__ import annotations
import math
from collections import deque
LIMIT = 3
NAMES = [  # of shops
    "Zoë",  # the best
    "ant",
]


def helper(mall): return LIMIT + math.floor(mall)


class Base: pass


class Agent(Base):
    """Goes."""
    def go(self, mall: Mall):
        mall = helper(mall)  # not the one above
        return NAMES, deque, mall
'''


AGENT = "class Agent:\n    def go(self):\n        return X\n"


@pytest.mark.parametrize(
    ("before", "there"),
    [
        ("X = 1\nX = 2\n", ["X = 2"]),
        ("X = 1\nX += 2\nX *= 3\n", ["X = 1", "X += 2", "X *= 3"]),
        ("X = {}\nk = 'a'\nX[k] = 1\nX['b'] = k\nY = {}\nY[1] = 2\n", ["X = {}", "k = 'a'", "X[k] = 1", "X['b'] = k"]),
        ("class X: pass\nX.price = 1\n", ["class X: pass", "X.price = 1"]),
        ("try:\n    import nothing_like_it as X\nexcept ImportError:\n    X = None\n",
         ["try:\n    import nothing_like_it as X\nexcept ImportError:\n    X = None"]),
        ("T = [1]\nX = 0\nfor i in T:\n    X = X + i\n", ["T = [1]", "X = 0", "for i in T:\n    X = X + i"]),
        ("a, (X, *b) = 1, (2, 3)\n", ["a, (X, *b) = 1, (2, 3)"]),
        ("X: int = 1\nX: str\n", ["X: int = 1"]),
        ("if (X := 3) > 2: pass\n", ["if (X := 3) > 2: pass"]),
        ("import os.path as p, os as X\n", ["import os as X"]),
        ("import xml.dom\nimport xml.sax\nX = xml\n", ["import xml.dom", "import xml.sax", "X = xml"]),
        ("from string import *\nX = digits\n", ["from string import *", "X = digits"]),
        ("T = 1\nX = [T for T in range(3)]\n", ["X = [T for T in range(3)]"]),
        ("T = 1\nX = [T for _ in range(3)]\n", ["T = 1", "X = [T for _ in range(3)]"]),
        ("T = 1\nX = lambda: T\n", ["T = 1", "X = lambda: T"]),
        ("X = 5\nif __name__ == '__main__':\n    X = 6\n", ["X = 5"]),
        ("T = 1\nclass X:\n    T = 2\n    U = T\n", ["class X:\n    T = 2\n    U = T"]),
        ("T = 1\nclass X:\n    T = T\n", ["T = 1", "class X:\n    T = T"]),
        ("T = 1; X = T;  Y = 3\n", ["T = 1", "X = T"]),
        ("X = 1  # why\n", ["X = 1"]),
        ("X = (\n    1,  # in\n\n    'ä', 2)  # out\n", ["X = (\n    1,  # in\n\n    'ä', 2)"]),
        ("def make():\n    global X\n    X = 1\nX = 0\nmake()\n", ["X = 0"]),
    ],
)  # fmt: skip
def test_a_name_brings_the_statements_that_give_it_its_meaning(tmp_path: Path, before: str, there: list[str]) -> None:
    text = sliced(tmp_path, before + AGENT)
    statements = [part for part in text.replace("\n\n\n", "\n").removesuffix(AGENT).split("\n") if part]
    assert statements == [line for part in there for line in part.split("\n") if line]


def test_names_mean_what_stood_before_a_statement_and_in_the_end_to_a_function(tmp_path: Path) -> None:
    text = sliced(tmp_path, "X = 1\ndef f(): return X\nclass Agent:\n    first = f()\n"
                            "    def go(self): return f(), X\nX = 2\ndef g(): pass\nX = 3\n")  # fmt: skip
    assert [line for line in text.splitlines() if line.startswith("X")] == ["X = 1", "X = 3"]
    executed: dict[str, Any] = {"__name__": "there"}
    exec(text, executed)
    agent = executed["Agent"]
    assert (agent.first, agent().go()) == (1, (3, 3))


def test_a_decorated_class_travels_with_its_decorators_from_the_first_at(tmp_path: Path) -> None:
    text = sliced(tmp_path, "from dataclasses import dataclass\ndef mark(*a): return lambda c: c\nK = 1\n"
                            "@mark(\n    K,\n)\n@dataclass\nclass Agent:\n    x: int = 1\n")  # fmt: skip
    assert text.endswith("K = 1\n\n\n@mark(\n    K,\n)\n@dataclass\nclass Agent:\n    x: int = 1\n")


def test_annotations_that_stay_text_bring_only_what_dataclasses_look_for(tmp_path: Path) -> None:
    text = sliced(tmp_path, "from __future__ import annotations\nfrom dataclasses import dataclass\n"
                            "from typing import ClassVar, Any\nfrom os import PathLike\nclass Mall: pass\n"
                            "@dataclass\nclass Agent:\n    x: ClassVar[Mall] = 1\n    y: PathLike = 2\n")  # fmt: skip
    assert "from typing import ClassVar\n" in text
    assert "Mall:" not in text and "import PathLike" not in text


@pytest.mark.parametrize(
    ("before", "error"),
    [
        ("if __name__ == '__main__':\n    X = 1\n", "'X', which 'Agent' needs, is bound only under if __name__"),
        ("globals()['X'] = 1\n", "'X', which 'Agent' needs, is bound by no statement"),
        ("exec('X = 1')\nY = X\n", None),
    ],
)
def test_a_name_without_a_statement_that_travels_is_told(tmp_path: Path, before: str, error: str | None) -> None:
    found = script(tmp_path, before + AGENT)
    assert found["error"].startswith("ConfigurationError: " + (error or "'X', which"))


def test_a_class_under_the_main_guard_is_told_to_move(tmp_path: Path) -> None:
    found = script(tmp_path, "if __name__ == '__main__':\n    class Agent: pass\n")
    assert "'Agent' is bound only under" in found["error"] and "move it above" in found["error"]


def test_a_name_that_is_nowhere_is_left_as_it_is_at_home(tmp_path: Path) -> None:
    assert sliced(tmp_path, AGENT) == AGENT


@pytest.mark.parametrize("agent", [AGENT, "class Agent:\n    def go(self): return lambda: 'return X'\n"])
def test_an_edited_script_is_told(tmp_path: Path, agent: str) -> None:
    edit = "from pathlib import Path\np = Path(__file__)\np.write_text(p.read_text().replace('return X', 'return Y'))\n"
    assert "was edited after the program was started" in script(tmp_path, agent + edit)["error"]


def test_the_imports_of_a_slice_are_followed_into_the_authors_modules(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("import deep\n")
    (tmp_path / "deep.py").write_text("x = 1\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    found = script(tmp_path, "import tools, other\nX = tools.deep.x\n" + AGENT)
    assert sorted(found["manifest"]) == ["deep", "shopping", "tools"]
    assert "import tools\n" in found["text"]


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("shopping.py", "shopping"),
        ("code.py", "code_script"),
        ("my-agent 2.py", "my_agent_2_script"),
        ("3rd.py", "_3rd_script"),
        ("class.py", "class_script"),
        ("agent", "agent"),
    ],
)
def test_a_slice_has_the_name_of_its_file_if_that_is_a_modules(tmp_path: Path, file: str, module: str) -> None:
    found = script(tmp_path, "X = __name__\n" + AGENT, file)
    assert (found["module"], found["home"]) == (module, True)
    assert found["origin"] == str(tmp_path / file)


def test_a_script_that_is_also_imported_keeps_out_of_its_own_way(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("def f():\n    import shopping\n")
    found = script(tmp_path, "import tools\nX = tools\n" + AGENT)
    assert sorted(found["manifest"]) == ["shopping", "shopping_script", "tools"]
    assert (found["module"], found["home"]) == ("shopping_script", True)


def test_a_module_run_with_m_keeps_its_name_and_its_relative_imports(tmp_path: Path) -> None:
    package = tmp_path / "stand" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "stand" / "__init__.py").write_text("VERSION = 1\n")
    (package / "tools.py").write_text("x = 1\n")
    (package / "shop.py").write_text("import sys\nfrom .tools import x as X\n" + AGENT + TELL)
    (package / "__main__.py").write_text("from .tools import x as X\n" + AGENT + TELL)
    found = run(["-m", "stand.inner.shop"], tmp_path)
    assert sorted(found["manifest"]) == ["stand", "stand.inner.shop", "stand.inner.tools"]
    assert (found["module"], found["home"]) == ("stand.inner.shop", True)
    assert found["text"] == "from .tools import x as X\n\n\n" + AGENT
    assert run(["-m", "stand.inner"], tmp_path)["module"] == "stand.inner.main_script"


@pytest.mark.parametrize("command", [["-c"], ["-"]])
def test_a_program_without_a_file_is_told_to_become_one(tmp_path: Path, command: list[str]) -> None:
    text = AGENT + TELL
    found = run([*command, text], tmp_path) if command == ["-c"] else run(command, tmp_path, text)
    assert "put the class into a file" in found["error"]


def test_baskets_functions_and_enum_members_of_a_script_come_home_too_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "shopping.py").write_text('''
import enum, os, json
from json import dumps
class Tone(enum.Enum):
    LOW = 1
class Basket:
    class Handle: pass
class Unreached: pass
def price(): return 1
SECRET = 3
class Agent:
    def go(self): return Basket, Tone, price, SECRET, dumps
from emporion.agents.closure import at_home, closure_of
found = closure_of(Agent)
given = {}
for name in "Basket Basket.Handle Tone.LOW price Agent.go SECRET dumps Unreached os at_home".split():
    try:
        given[name] = at_home(found.module, found.manifest[found.module], name) is eval(name)
    except LookupError:
        given[name] = None
print(json.dumps(given))
''')  # fmt: skip
    given = run(["shopping.py"], tmp_path)
    mine = [name for name, same in given.items() if same]
    assert mine == ["Basket", "Basket.Handle", "Tone.LOW", "price", "Agent.go"]
    assert [name for name, same in given.items() if same is None] == ["SECRET", "dumps", "Unreached", "os", "at_home"]
