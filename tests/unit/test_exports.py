"""The table of what a peer holds: numbers, counts, the bound."""

import gc
import weakref

import pytest
from emporion.errors import LimitExceeded, NotExposed, ProtocolError
from emporion.runtime.exports import Exports
from emporion.runtime.exposure import Interface
from hypothesis import given
from hypothesis import strategies as st

INTERFACE = Interface("Thing", frozenset({"run"}), frozenset())


class Thing:
    """Something to hand out."""


def test_an_object_keeps_its_number_while_the_peer_holds_it() -> None:
    exports, thing, realm = Exports(), Thing(), object()

    number = exports.add(thing, INTERFACE, realm)

    assert exports.add(thing, INTERFACE, realm) == number
    assert exports.get(number).obj is thing
    assert (exports.get(number).interface, exports.get(number).realm) == (INTERFACE, realm)
    assert len(exports) == 1


def test_the_same_object_for_another_realm_is_another_export() -> None:
    """A capability carries the rules of the object through which it was reached."""
    exports, thing, one, two = Exports(), Thing(), object(), object()

    numbers = exports.add(thing, INTERFACE, one), exports.add(thing, INTERFACE, two)

    assert numbers[0] != numbers[1]
    assert exports.get(numbers[0]).realm is one
    assert exports.get(numbers[1]).realm is two


def test_an_object_goes_with_the_last_release_and_its_number_is_never_used_again() -> None:
    exports, thing = Exports(), Thing()
    number = exports.add(thing, INTERFACE, None)
    exports.add(thing, INTERFACE, None)
    alive = weakref.ref(thing)

    exports.release({number: 1})
    assert exports.get(number).obj is thing
    exports.release({number: 1})

    with pytest.raises(NotExposed, match="no longer"):
        exports.get(number)
    assert exports.add(thing, INTERFACE, None) > number
    del thing
    exports.release({number + 1: 1})
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("counts", [{9: 1}, {0: 1}, {-1: 1}, {1: 2}, {1: 0}, {1: -1}, {1: 2**70}])
def test_releasing_more_than_was_sent_breaks_the_rules(counts: dict[int, int]) -> None:
    exports = Exports()
    assert exports.add(Thing(), INTERFACE, None) == 1

    with pytest.raises(ProtocolError, match="more often than it was sent"):
        exports.release(counts)

    assert len(exports) == 1


def test_an_object_beyond_the_bound_is_refused_by_name_and_a_release_makes_room() -> None:
    exports, things = Exports(limit=2), [Thing(), Thing(), Thing()]
    number = exports.add(things[0], INTERFACE, None)
    exports.add(things[1], INTERFACE, None)

    with pytest.raises(LimitExceeded) as caught:
        exports.add(things[2], INTERFACE, None)
    assert (caught.value.limit, caught.value.used, caught.value.allowed) == ("capabilities", 3, 2)
    exports.add(things[0], INTERFACE, None)  # one that is there already costs nothing

    exports.release({number: 2})
    assert exports.get(exports.add(things[2], INTERFACE, None)).obj is things[2]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3))))
def test_counts_agree_with_a_model(steps: list[tuple[bool, int]]) -> None:
    exports, things = Exports(), [Thing() for _ in range(4)]
    numbers: dict[int, int] = {}
    held: dict[int, int] = {}
    for send, which in steps:
        if send:
            number = exports.add(things[which], INTERFACE, None)
            assert held.get(which, 0) == 0 or numbers[which] == number
            numbers[which], held[which] = number, held.get(which, 0) + 1
        elif held.get(which):
            exports.release({numbers[which]: 1})
            held[which] -= 1
        assert len(exports) == sum(1 for count in held.values() if count)
