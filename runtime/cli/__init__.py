"""The command line: `emporion --help` lists it. Nothing else here may import typer or rich."""

from .app import main

__all__ = ["main"]
