"""A host for each module of tests, and a harbour on it for each test."""

from collections.abc import Iterator
from pathlib import Path

import emporion
import pytest
from emporion.tests.harbour import Ears, Harbour, Shelf, listening, open_host


@pytest.fixture(scope="module")
def host() -> Iterator[emporion.Host]:
    with open_host() as host:
        yield host


@pytest.fixture
def ears() -> Iterator[Ears]:
    with listening() as ears:
        yield ears


@pytest.fixture
def harbour(host: emporion.Host, tmp_path: Path) -> Iterator[Harbour]:
    shelf = Shelf(tmp_path)
    with listening() as ears:
        harbour = Harbour(host, shelf, ears)
        yield harbour
        harbour.close()
        shelf.close()
