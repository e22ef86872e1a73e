"""A module with a version, a list of what it exports, and constants; this text is its __doc__."""

__version__ = "2.1.0"
__author__ = "A. N. Author"
__license__ = "MIT"
__all__ = ["Agent", "convert", "TABLE"]

try:
    import a_module_that_nobody_has as fast
except ImportError:
    fast = None

if fast is None:
    import math as backend
else:
    backend = fast

from math import *  # noqa: F403
from math import tau as TURN

KILO = 1_000
SIZES = ("B", "KB", "MB")
TABLE = {name: KILO**power for power, name in enumerate(SIZES)}
_cache = {}
counter = 0
global_name = "module"

for _unit in SIZES:
    assert _unit in TABLE
del _unit


def convert(amount, unit="KB"):
    """Bytes in `amount` of `unit`."""
    return _cache.setdefault((amount, unit), int(amount * TABLE[unit]))


def count():
    global counter, made_later
    counter += 1
    made_later = counter * 10
    return counter


def shadow(global_name="parameter"):
    return global_name


class Agent:
    """Tells of its module."""

    version = __version__
    module = __name__

    def run(self):
        count()
        count()
        numbers = [convert(2), convert(1.5, "MB"), convert(2), made_later]  # noqa: F821
        print(__name__ == "__main__", __doc__, __author__)
        print(type(self).__name__, Agent.__qualname__, Agent.__doc__, convert.__name__, convert.__doc__)
        try:
            _unit  # noqa: F821
        except NameError as error:
            print(error)
        return {
            "numbers": numbers,
            "cache": sorted(_cache.items()),
            "all": __all__,
            "version": [__version__, self.version, __license__],
            "names": [__name__ == self.module == type(self).__module__, shadow(), global_name, __debug__],
            "math": [backend.floor(2.5), floor(2.5), round(TURN, 3), fast],  # noqa: F405
            "types": [type(one).__name__ for one in (1, "", [], None, self, count, Agent, ..., NotImplemented, len)],
        }


if __name__ == "__main__":
    print("this is not printed when imported")
