"""The command line: `emporion demo`, `host`, `send`, `code`. Nothing else here may import typer or rich."""

from .app import main

__all__ = ["main"]
