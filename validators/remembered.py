"""A small cache for answers about hostile data: bounded, and keyed so that it does not keep the data itself alive."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Remembered"]

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Remembered(Generic[Key, Answer]):
    """At most `most` answers, the one that has been unused longest goes first. Thread-safe.

    Unlike `functools.lru_cache` it is given a key and a way to the answer: the key can be a digest of what is asked
    about.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Key, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, find: Callable[[], Answer]) -> Answer:
        """The answer under `key`, from `find` where it is not known. Two threads may find the same one at once."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        answer = find()
        with self._lock:
            self._known[key] = answer
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return answer

    def __len__(self) -> int:
        return len(self._known)
