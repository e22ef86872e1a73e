"""How much one message may make its receiver build. Both ends hold to the same bounds."""

from dataclasses import dataclass
from typing import Final

__all__ = ["BOUNDS", "Bounds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a decoder takes; the encoder refuses the same, so that an honest sender hears it first, with a path."""

    # Arrays on the wire: rows, references, inline values. An empty one is 1 byte there and some 60 to 270 bytes here.
    max_nodes: int = 1_000_000
    # How deep tuples, frozensets and exceptions nest in one another, and what is reached from a key. They are built by
    # recursion (two Python frames a level, of the interpreter's 1,000), and hash() of a tuple follows them in C with no
    # guard at all. Lists, dicts, sets and objects are filled from a queue: these nest as deep as anybody likes.
    max_depth: int = 200
    # Honest data has next to no equal hashes; 64 of them cost nothing, 20,000 block a dict for seconds.
    max_equal_hashes: int = 64
    # Scalars visited while keys are hashed. A tuple does not remember its hash: forty tuples, each twice in the next,
    # would take 2**40 steps. Ten million are some tenths of a second.
    max_hash_work: int = 10_000_000


BOUNDS: Final = Bounds()
