"""docs/sandbox.md names tests, limits and their defaults: each is there."""

import re
from dataclasses import fields
from pathlib import Path

from emporion.runtime.options import Limits
from emporion.runtime.sandbox.probe import ATTEMPTS
from emporion.runtime.sandbox.syscalls import ALLOWED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
UNITS = {"bytes_in": 2**20, "bytes_out": 2**20}


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:unit|integration|escapes|fuzz|property)/test_\w+)`", PAGE))
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / "tests" / f"{name}.py").exists()]


def test_the_pages_limits_are_those_that_there_are_with_their_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+)", PAGE, re.MULTILINE))
    found = {name: int(text.replace(",", "")) * UNITS.get(name, 1) for name, text in rows.items()}
    assert found == {field.name: getattr(Limits(), field.name) for field in fields(Limits)}


def test_what_the_page_counts_is_as_many() -> None:
    assert f"an allow-list of {len(ALLOWED)} system calls" in PAGE
    assert "tries eleven escapes" in PAGE and len(ATTEMPTS) == 11
