"""Lets pytest collect in a checkout of any name: it would import the root as a package called like its folder."""

from pathlib import Path

import pytest


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The root is the package `emporion`, installed as such; to pytest it is only a directory."""
    if path == parent.config.rootpath:
        directory: pytest.Collector = pytest.Dir.from_parent(parent, path=path)
        return directory
    return None
