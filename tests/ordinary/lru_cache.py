"""A cache that forgets what was used least recently, beside the library's own."""

from collections import OrderedDict
from functools import cache, cached_property, lru_cache, wraps


class LRU:
    __slots__ = ("_data", "_size", "hits", "misses")

    def __init__(self, size):
        self._data = OrderedDict()
        self._size = size
        self.hits = self.misses = 0

    def __getitem__(self, key):
        try:
            self._data.move_to_end(key)
        except KeyError:
            self.misses += 1
            raise
        self.hits += 1
        return self._data[key]

    def __setitem__(self, key, value):
        self._data[key] = value
        self._data.move_to_end(key)
        while len(self) > self._size:
            self._data.popitem(last=False)

    def __delitem__(self, key):
        del self._data[key]

    def __contains__(self, key):
        return key in self._data

    def __len__(self):
        return len(self._data)

    def get(self, key, default=None):
        return self[key] if key in self else default


def cached(size):
    def decorate(function):
        store = LRU(size)

        @wraps(function)
        def wrapper(*args):
            try:
                return store[args]
            except KeyError:
                value = store[args] = function(*args)
                return value

        wrapper.store = store
        return wrapper

    return decorate


@cached(3)
def slow(x, y=0):
    """Adds, slowly."""
    slow.calls = getattr(slow, "calls", 0) + 1
    return x + y


@lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@cache
def paths(rows, columns):
    return 1 if 1 in (rows, columns) else paths(rows - 1, columns) + paths(rows, columns - 1)


class Survey:
    def __init__(self, points):
        self.points = points
        self.looked = 0

    @cached_property
    def centre(self):
        self.looked += 1
        return sum(self.points) / len(self.points)


class Agent:
    def run(self):
        for x in (1, 2, 3, 1, 4, 2, 1):
            slow(x)
        slow(1, 5)
        store = slow.store
        print(slow.__name__, slow.__doc__, slow.calls, store.hits, store.misses, len(store))
        del store[(1,)]
        survey = Survey([1, 2, 6])
        centres = [survey.centre for _ in range(3)]
        info = fibonacci.cache_info() if fibonacci(50) else None
        fibonacci.cache_clear()
        return slow.calls, (4,) in store, store.get((9,), "none"), centres, survey.looked, tuple(info), paths(8, 8)
