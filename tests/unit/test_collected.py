"""The containers of the module `collections`, and generators of random numbers, into rows and back."""

from collections import Counter, OrderedDict, defaultdict, deque
from random import Random
from typing import Any

import pytest
from emporion.errors import ProtocolError, ValueNotPortable
from emporion.runtime.wire.kinds import Kind
from emporion.runtime.wire.raised import is_bearable
from emporion.tests.rows import Agent, Spoon, decode, refuse, trip


@pytest.mark.parametrize("value", [
    Counter("abracadabra"), Counter({(1, 2): -3, 4: 2.5}), OrderedDict([("b", 1), ("a", [2])]), OrderedDict(),
    defaultdict(list, {"a": [1], "b": []}), defaultdict(None, {"a": 1}), defaultdict(int),
    deque([1, [2], "c"]), deque([1, 2, 3], maxlen=3), deque(maxlen=0),
])  # fmt: skip
def test_a_collection_arrives_as_what_it_is(value: Any) -> None:
    back = trip(value)[0]

    assert type(back) is type(value)
    assert back == value
    assert list(back) == list(value)
    assert getattr(back, "maxlen", None) == getattr(value, "maxlen", None)
    assert getattr(back, "default_factory", None) is getattr(value, "default_factory", None)


def test_collections_keep_identity_and_cycles() -> None:
    ring: deque[Any] = deque([1])
    counts: Counter[Any] = Counter({"a": 1})
    tree: defaultdict[str, Any] = defaultdict(list, {"ring": ring})
    ring += [tree, (counts, counts)]

    back, same = trip(ring, [ring])

    assert same[0] is back
    assert back[1]["ring"] is back
    assert back[2][0] is back[2][1]
    assert back[2][0].total() == 1


def test_an_objects_state_is_whole_when_it_gets_it() -> None:
    agent = trip(Agent(stock=Counter(tea=2), path=deque(["a"])))[0]

    assert agent.stock.most_common() == [("tea", 2)]
    assert agent.path.pop() == "a"


def test_what_a_collection_would_lose_is_refused() -> None:
    counted: Any = Counter()
    counted.note = "mine"

    assert "attributes of its own" in str(refuse([counted]))
    noted: Any = Random()
    noted.note = "mine"
    assert "attributes of its own" in str(refuse(noted))
    assert refuse([defaultdict(lambda: 0)]).path == "args[0][0]"
    assert "setdefault()" in str(refuse(defaultdict(Spoon)))
    assert refuse(OrderedDict(a=[Spoon()])).path == "args[0]['a'][0]"
    assert refuse(deque([0, Spoon()])).path == "args[0][1]"


def test_a_generator_of_random_numbers_goes_on_where_it_was() -> None:
    one = Random(7)
    one.gauss()
    back, same = trip(one, [one])

    assert same[0] is back
    assert [back.gauss(), back.random(), back.randrange(9)] == [one.gauss(), one.random(), one.randrange(9)]


@pytest.mark.parametrize("state", [
    [], [3], [3, None], [2, *range(625), None], [3, *range(624), None], [3, *range(624), 999, None],
    [3, *range(624), -1, None], [3, *["a"] * 625, None], [3, *[-1] * 624, 5, None], [3, *range(624), 5, "x"],
    [3, *range(624), 5, [2]],
])  # fmt: skip
def test_a_generator_that_cannot_go_on_is_refused(state: list[Any]) -> None:
    with pytest.raises(ProtocolError, match="a Random that cannot go on from there"):
        decode([[0]], [Kind.COLLECTION, "Random", None, [1]], [Kind.LIST, *state], [Kind.LIST])


def test_a_collection_is_no_key() -> None:
    with pytest.raises(ProtocolError, match="unhashable"):
        decode([[0]], [Kind.SET, [1]], [Kind.COLLECTION, "deque", None, [2]], [Kind.LIST, 1])


@pytest.mark.parametrize("row", [
    ["deque", None, [2]], ["deque", -1, [1]], ["deque", True, [1]], ["deque", "list", [1]], ["UserDict", None, [2]],
    ["Counter", None, [1]], ["Counter", 5, [2]], ["OrderedDict", "list", [2]], ["defaultdict", "eval", [2]],
    ["defaultdict", 1, [2]], ["defaultdict", "list", [1]], [None, None, [1]],
    ["deque", None, [0]], ["deque", None, [9]], ["deque", 2**63, [1]],
    ["deque", None, [-2]], ["deque", None, 1], ["deque", None], ["deque", None, [1], 1], ["deque", [1], [1]],
])  # fmt: skip
def test_a_made_up_collection_is_refused(row: list[Any]) -> None:
    with pytest.raises(ProtocolError, match="a collection that there is not"):
        decode([[0]], [Kind.COLLECTION, *row], [Kind.LIST, 1], [Kind.DICT, "a", 1])


def test_contents_are_those_of_one_collection() -> None:
    """Else a few bytes for each of a million collections would copy a million items each time."""
    one = [Kind.COLLECTION, "deque", None, [2]]

    with pytest.raises(ProtocolError, match="not its own"):
        decode([[0], [1]], one, list(one), [Kind.LIST, 1, 2, 3])


def test_a_text_that_doubles_in_deques_is_told_too() -> None:
    bomb: Any = ["x"]
    for _ in range(40):
        bomb = deque([bomb, bomb])

    assert not is_bearable(ValueError(bomb))


def test_a_collection_that_changes_meanwhile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from emporion.runtime.wire import values

    def changed(obj: Any) -> Any:
        raise RuntimeError("deque mutated during iteration")

    monkeypatch.setattr(values, "taken_apart", changed)
    with pytest.raises(ValueNotPortable, match="mutated"):
        trip(deque([1]))
