"""What pytest needs here to run in any checkout, and however it was started."""

import signal
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Shells start what runs in the background with Ctrl-C ignored, and the tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The root is the package `emporion`, installed as such, whatever its folder is called; to pytest, a directory."""
    if path == parent.config.rootpath:
        directory: pytest.Collector = pytest.Dir.from_parent(parent, path=path)
        return directory
    return None
