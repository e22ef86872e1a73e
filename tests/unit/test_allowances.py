"""Of an object's limits and a caller's the tighter holds, field by field."""

from dataclasses import fields
from typing import Any

import pytest
from emporion.errors import ConfigurationError
from emporion.runtime.allowances import Allowances
from emporion.runtime.context import Caller
from emporion.runtime.options import Limits
from emporion.validators.connection import Connection

OBJECTS = Limits(calls=100, wall_s=10)


def caller(identity: Any = None, address: str = "192.0.2.1") -> Caller:
    return Caller(identity, (address, 1), None, Connection((address, 1)))


@pytest.mark.parametrize("field", [field.name for field in fields(Limits)])
def test_each_field_takes_the_smaller_of_both(field: str) -> None:
    small, large = Limits(**{field: 3}), Limits(**{field: 4})
    assert small.within(large) == large.within(small) == small


def test_an_identity_tightens_what_an_object_allows_and_widens_nothing() -> None:
    allowances = Allowances({"nora": Limits(calls=5, wall_s=60)})
    assert allowances.limits(OBJECTS, caller("nora")) == Limits(calls=5, wall_s=10)


@pytest.mark.parametrize("identity", ["otto", None, ["nora"], b"nora"])
def test_who_is_not_listed_has_what_the_object_allows(identity: object) -> None:
    assert Allowances({"nora": Limits(calls=5)}).limits(OBJECTS, caller(identity)) is OBJECTS


def test_a_callable_is_asked_each_time_and_sees_the_caller() -> None:
    answers = [Limits(calls=1), Limits(calls=2), None]
    asked = []

    def by_identity(who: Caller) -> Limits | None:
        asked.append(who.address[0])
        return answers[len(asked) - 1]

    allowances = Allowances(by_identity)
    found = [allowances.limits(OBJECTS, caller(address=f"192.0.2.{n}")).calls for n in range(3)]
    assert found == [1, 2, 100]
    assert asked == ["192.0.2.0", "192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("answer", [0, True, {"calls": 5}, "none"])
def test_an_answer_that_is_no_limits_lets_nobody_in(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigurationError, match="the log"):
        Allowances(lambda who: answer).limits(OBJECTS, caller())
    assert "Limits or None" in caplog.text


def test_a_callable_that_raises_lets_nobody_in_and_only_the_log_hears_why(caplog: pytest.LogCaptureFixture) -> None:
    def broken(who: Caller) -> Limits:
        raise LookupError("the database is away")

    with pytest.raises(ConfigurationError) as refused:
        Allowances(broken).limits(OBJECTS, caller())
    assert "database" not in str(refused.value) and "the database is away" in caplog.text


@pytest.mark.parametrize("wrong", [None, 5, {"nora": 5}, {5: Limits()}, [("nora", Limits())]])
def test_what_is_no_table_of_limits_is_a_mistake_of_the_operator(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="identity_limits="):
        Allowances(wrong)


def test_a_table_that_is_changed_afterwards_changes_nothing() -> None:
    table = {"nora": Limits(calls=5)}
    allowances = Allowances(table)
    table.clear()
    assert allowances.limits(OBJECTS, caller("nora")).calls == 5
