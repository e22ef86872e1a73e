"""Who makes room at the door, and who gets a line in the log."""

import pytest
from emporion.runtime.connection.ports import origin_of
from emporion.runtime.connection.waiting import LineBudget, WaitingRoom


def room(most: int, *crowds: tuple[str, int]) -> "WaitingRoom[str]":
    """A room with so many from each origin, named a1, a2, ...; they came in this order."""
    made: WaitingRoom[str] = WaitingRoom(most)
    for origin, count in crowds:
        for number in range(1, count + 1):
            made.enter(f"{origin}{number}", origin)
    return made


def test_while_there_is_room_nobody_is_in_the_way() -> None:
    assert room(3, ("a", 2)).in_the_way() is None


def test_where_all_come_from_one_origin_the_one_that_stood_still_for_longest_goes() -> None:
    waiting = room(3, ("a", 3))
    assert waiting.in_the_way() == "a1"
    waiting.moved_on("a1")
    assert waiting.in_the_way() == "a2"


def test_the_most_crowded_origin_makes_room_however_long_others_have_stood_still() -> None:
    waiting = room(6, ("b", 2), ("a", 3), ("c", 1))
    assert waiting.in_the_way() == "a1"
    waiting.leave("a1")
    waiting.enter("c2", "c")
    assert waiting.in_the_way() == "b1", "all are equally crowded: the stillest of all"


def test_origins_that_come_one_by_one_make_room_in_the_order_in_which_they_stood_still() -> None:
    waiting = room(3, ("a", 1), ("b", 1), ("c", 1))
    waiting.moved_on("a1")
    assert waiting.in_the_way() == "b1"


def test_who_is_gone_makes_no_room_and_leaves_nothing() -> None:
    waiting = room(2, ("a", 1), ("b", 1))
    waiting.leave("a1")
    waiting.leave("a1")
    waiting.moved_on("a1")
    assert (list(waiting), len(waiting), waiting.in_the_way()) == (["b1"], 1, None)
    waiting.leave("b1")
    assert not waiting._crowds and not waiting._turns and not waiting._places


def test_a_flood_from_one_origin_pushes_out_itself_alone() -> None:
    waiting = room(8, ("good", 1))
    for number in range(1_000):
        gone = waiting.in_the_way()
        if gone is not None:
            assert gone.startswith("bad")
            waiting.leave(gone)
        waiting.enter(f"bad{number}", "bad")
    assert "good1" in list(waiting)


@pytest.mark.parametrize("flood", [0, 1, 2, 3])
@pytest.mark.parametrize("good", [0, 1, 2, 3])
def test_a_flood_at_one_stage_pushes_out_nobody_of_its_origin_who_is_at_another(good: int, flood: int) -> None:
    waiting = room(8)

    def come(name: str, stage: int) -> None:
        gone = waiting.in_the_way()
        if gone is not None:
            waiting.leave(gone)
        waiting.enter(name, "here")
        if stage == 1:
            waiting.heard(name)
        for _ in range(stage - 1):
            waiting.moved_on(name)

    come("good", good)
    for number in range(1_000):
        come(f"bad{number}", flood)
    assert ("good" in list(waiting)) == (good != flood)
    assert len(waiting) == 8


def test_a_first_byte_is_progress_and_the_next_ones_are_none() -> None:
    waiting = room(4, ("a", 4))
    waiting.heard("a1")
    waiting.heard("a2")
    waiting.leave("a3")
    waiting.enter("a5", "a")
    assert waiting.in_the_way() == "a4", "as many are silent as were heard: the stillest goes"
    waiting.heard("a4")
    waiting.heard("a1")
    assert waiting.in_the_way() == "a1"


def test_clocks_ask_for_who_came_first_and_full_machines_for_who_is_stillest_where_the_crowd_is() -> None:
    waiting = room(9, ("b", 1), ("a", 2))
    waiting.moved_on("a1")
    assert (waiting.first(), waiting.first_to_go()) == ("b1", "a2")
    assert (room(1).first(), room(1).first_to_go()) == (None, None)


def test_an_origin_is_what_one_attacker_has_for_nothing() -> None:
    assert origin_of("192.0.2.7") == "192.0.2.7"
    assert origin_of("2001:db8::1") == origin_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert origin_of("2001:db8:0:1::1") != origin_of("2001:db8::1")
    assert origin_of("fe80::1%eth0") == "fe80::/64"
    assert origin_of("uid=1000,pid=7") == "uid=1000,pid=7"


def test_each_origin_has_lines_of_its_own_and_the_rest_is_counted() -> None:
    budget = LineBudget(each=2, most=5)
    assert budget.blank
    assert [budget.spend("a") for _ in range(10)] == [True] * 2 + [False] * 8
    assert [budget.spend("b") for _ in range(3)] == [True, True, False]
    assert budget.spend("c"), "a flood does not drown others"
    assert not budget.spend("d"), "but there is an end"
    assert not budget.blank
    assert budget.turn() == "10 more connections were denied or broken off, 8 of them from a"
    assert budget.blank and budget.turn() == ""
    assert budget.spend("a")


def test_a_budget_remembers_no_more_origins_than_it_has_lines() -> None:
    budget = LineBudget(each=2, most=5)
    for number in range(1_000):
        budget.spend(str(number))
    assert len(budget._told) == 5 and not budget._silenced
    assert budget.turn() == "995 more connections were denied or broken off"
