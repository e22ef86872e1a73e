"""A package in the package, whose modules are chosen by a computed name."""

from . import summer, winter

__all__ = ["summer", "winter"]
