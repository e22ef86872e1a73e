"""A package whose ``__init__`` has code: a module like any other, which travels and is judged."""

from . import moon, sun

__all__ = ["EDITION", "moon", "sun"]  # what ``from . import *`` brings
EDITION = f"An almanac of {sun.NAME} and {moon.NAME}"
