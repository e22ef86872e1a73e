"""What the command line makes of what is typed, and of what it shows."""

import sys
from pathlib import Path

import pytest
import typer
from emporion.errors import ConfigurationError
from emporion.runtime.cli.loading import created, load, parse_assignments, parse_place, parse_value
from emporion.runtime.cli.screen import plain, shown


def test_a_file_runs_once_however_often_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "emporion_test_once.py"
    file.write_text("first = object()\n", encoding="utf-8")
    path = list(sys.path)
    try:
        found = load((str(file), "first"))
        assert load((str(file), "first")) is found
        assert sys.path[0] == str(tmp_path)
        other = tmp_path / "inner" / file.name
        other.parent.mkdir()
        other.write_text("", encoding="utf-8")
        with pytest.raises(ConfigurationError, match="rename the file"):
            load((str(other), "first"))
    finally:
        sys.path[:] = path
        del sys.modules["emporion_test_once"]


@pytest.mark.parametrize("text", ["", ":", "x:", ":y", "x.py", "x:y-z", "x:y..z"])
def test_a_place_is_a_file_or_module_and_a_name(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_place(text)


def test_places_are_split_at_the_last_colon() -> None:
    assert parse_place("a:b/mall.py:Mall.open") == ("a:b/mall.py", "Mall.open")


def test_values_are_json_or_text() -> None:
    assert [parse_value(text) for text in ("500", '["tv"]', "true", "Harry", "", '{"a": null}')] == [
        500, ["tv"], True, "Harry", "", {"a": None},
    ]  # fmt: skip
    assert parse_assignments(["a=1", "b=x=y"]) == {"a": 1, "b": "x=y"}


@pytest.mark.parametrize("texts", [["a"], ["=1"], ["1a=1"], ["a b=1"], ["a=1", "a=2"]])
def test_settings_have_a_name_and_come_once(texts: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        parse_assignments(texts)


def test_only_classes_and_functions_are_called() -> None:
    assert created(dict, a=1) == {"a": 1}
    assert created(lambda: 5) == 5
    ready = object()
    assert created(ready) is ready
    with pytest.raises(ConfigurationError, match="--set"):
        created(ready, a=1)


def test_text_for_the_terminal_is_one_bounded_printable_line() -> None:
    assert plain("é 日本 ok") == "é 日本 ok"
    assert plain("a\nb\x1b\x9b\u202e\ud800") == r"a\nb\x1b\x9b\u202e\ud800"
    assert plain("x" * 10, 4) == "xxxx..."


def test_values_are_shown_in_one_line_by_their_public_attributes() -> None:
    class Lamp:
        def __init__(self, inside: object) -> None:
            self.watts = 40
            self.inside = inside
            self._serial = "secret"

    text = shown([Lamp(("a", {1})), {"k": "\x1b"}])
    assert text == r"[Lamp(watts=40, inside=('a', {1})), {'k': '\x1b'}]"
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(Broken()) == "<Broken that cannot be shown: RuntimeError>"
    endless: list[object] = []
    endless.append(endless)
    assert shown(endless) == "[[[[...]]]]"
    assert shown(list(range(100))).endswith("19, ... 100 in all]")
