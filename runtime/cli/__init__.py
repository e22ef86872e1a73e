"""The command line: `emporion demo`, `emporion host`, `emporion send`. Nothing else here may import typer or rich."""

from .app import main

__all__ = ["main"]
