"""Limits per host, per object and per identity, as visits meet them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.errors import ConfigurationError, LimitExceeded
from emporion.runtime.options import Limits
from emporion.tests.harbour import Shelf, anything_goes

LOGINS = {"nora": "pw-n", "otto": "pw-o"}
AGENT = """
class Agent:
    def ask(self, shop, times):
        for _ in range(times):
            shop.hello()
        return times
"""


class Shop:
    def __init__(self) -> None:
        self.met: list[tuple[str, float, float]] = []
        self.pause_s = 0.0

    @emporion.expose
    def hello(self) -> str:
        time.sleep(self.pause_s)  # the agent's clock goes on
        return "hello"

    @emporion.expose
    def go(self, visitor: Any, times: int) -> Any:
        try:
            return visitor.ask(self, times)
        except LimitExceeded as error:
            self.met.append((error.limit, error.used, error.allowed))
            raise


Ask = Callable[[str, str, int], Any]


def opened(identity_limits: Any, tmp_path: Path, shops: dict[str, Limits | None]) -> tuple[emporion.Host, Ask, Shop]:
    """A host where each object is called as its limits; gives what sends an agent as somebody, to ask so often."""
    verifiers = emporion.Verifiers(LOGINS, iterations=4096)
    host = emporion.Host(
        "emporion+tcp://127.0.0.1:0", passphrases=verifiers, limits=Limits(calls=20), identity_limits=identity_limits
    )
    shop = Shop()
    uris = {name: host.register(shop if name == "first" else Shop(), name, limits=limits,
                                code_validator=anything_goes) for name, limits in shops.items()}  # fmt: skip
    shelf = Shelf(tmp_path)
    try:
        agent = shelf.agent(AGENT)
    finally:
        shelf.close()

    def ask(who: str, where: str, times: int) -> Any:
        with emporion.connect(uris[where], login=who, passphrase=LOGINS[who], mobile_code=True) as proxy:
            return proxy.go(agent, times)

    return host, ask, shop


def test_the_tighter_of_object_and_identity_ends_a_visit_and_both_ends_hear_its_numbers(tmp_path: Path) -> None:
    shops = {"first": Limits(calls=5), "wide": Limits(calls=50), "hosts": None}
    host, ask, shop = opened({"nora": Limits(calls=10)}, tmp_path, shops)
    with host:
        most = {}
        for who in LOGINS:
            for where in shops:
                with pytest.raises(LimitExceeded) as ended:
                    ask(who, where, 100)
                assert (ended.value.limit, ended.value.used) == ("calls", ended.value.allowed + 1)
                most[who, where] = ended.value.allowed
                assert ask(who, where, int(ended.value.allowed)) == ended.value.allowed
    assert most == {
        ("nora", "first"): 5, ("nora", "wide"): 10, ("nora", "hosts"): 10,
        ("otto", "first"): 5, ("otto", "wide"): 50, ("otto", "hosts"): 20,
    }  # fmt: skip
    assert shop.met == [("calls", 6, 5)] * 2


def test_an_identity_is_held_to_its_time_too(tmp_path: Path) -> None:
    host, ask, shop = opened({"nora": Limits(wall_s=0.2)}, tmp_path, {"first": None})
    shop.pause_s = 0.03
    with host:
        with pytest.raises(LimitExceeded) as ended:
            ask("nora", "first", 20)
        assert (ended.value.limit, ended.value.allowed) == ("wall_s", 0.2)
        assert ask("otto", "first", 20) == 20


def test_a_callable_that_fails_refuses_the_visit_and_nothing_else(tmp_path: Path) -> None:
    def limits(caller: emporion.Caller) -> Limits | None:
        if caller.identity == "nora":
            raise LookupError("the database is away")
        return None

    host, ask, _ = opened(limits, tmp_path, {"first": None})
    with host:
        with pytest.raises(ConfigurationError, match="operator"):
            ask("nora", "first", 1)
        assert ask("otto", "first", 1) == 1


def test_a_host_refuses_a_table_that_is_none_before_it_listens() -> None:
    with pytest.raises(ConfigurationError, match="identity_limits="):
        emporion.Host("emporion+tcp://127.0.0.1:0", allow_anonymous=True, identity_limits={"nora": 5})  # type: ignore[dict-item]
