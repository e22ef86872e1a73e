"""Every escape three ways, as a stranger's agent at a real host: behind both walls, and behind each wall alone.

What must stay out of reach is there to be found: a file, a secret in the host's environment, a socket that listens,
processes, and other visits, one of which has a secret in its state. An attack has succeeded when it shows evidence of
one of these; where the language wall stands, also when its row says ESCAPED. Control rows show that evidence is seen.

The hostile text is announced and supplied by a client that never runs it.
"""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from emporion.runtime.options import Isolation
from emporion.tests.scene import MARKS, WAYS, Scene, open_scene

_HERE: Final = Path(__file__).parent
_TABLE: Final[dict[str, Any]] = runpy.run_path(str(_HERE / "language_escapes.py"))
_MORE: Final = ("language_deputies", "language_receivers", "hostile_walks", "hostile_library", "hostile_tricks")
ROWS: Final[dict[str, str]] = {f"{row.family}: {row.name}": row.source for row in _TABLE["ESCAPES"]} | {
    f"{row[0]}: {row[1]}": row[3] for name in _MORE for row in runpy.run_path(str(_HERE / f"{name}.py"))["ROWS"]
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with open_scene(tmp_path_factory.mktemp("ways")) as scene:
        yield scene


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", ROWS)
def test_nothing_comes_out(scene: Scene, row: str, way: str) -> None:
    language = WAYS[way].language
    said = scene.attack(way, scene.text_for(ROWS[row], language))
    assert scene.evidence(said, language=language) == [], said


@pytest.mark.parametrize("way", WAYS)
def test_what_a_hosted_method_gives_away_is_seen(scene: Scene, way: str) -> None:
    asking = "class Agent:\n    def work(self, desk):\n        print('ESCAPED')\n        return desk.secret()\n"
    scene.leak = " ".join(MARKS.values())
    try:
        said = scene.attack(way, asking)
    finally:
        scene.leak = ""
    assert scene.evidence(said, language=WAYS[way].language)[:3] == list(MARKS)
    assert "the row's own word" in scene.evidence(said, language=True)


def test_the_harvest_finds_all_there_is_where_no_wall_stands(scene: Scene) -> None:
    scene.open("no wall", Isolation(language=False, os=False))
    said = scene.attack("no wall", scene.text_for("pass", False))
    found = scene.evidence(said, language=False)
    assert {"canary", "connected", "canary.txt", "somebody came to the socket"} <= {*found}, said


@pytest.mark.parametrize("way", ["the operating system alone"])
def test_the_harvest_tries_all_that_it_is_about(scene: Scene, way: str) -> None:
    said = scene.attack(way, scene.text_for("pass", False))
    for what in ("file", "folder", "environment", "socket", "process", "memory", "visits"):
        assert f"('{what}'," in said or f"['{what}'," in said, said
    assert "'NotExposed'" in said
