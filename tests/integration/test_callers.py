"""Whose call it is: `caller()` wherever a hosted method's work takes it, and the `caller` of code validators."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import emporion
import pytest
from emporion.errors import ConfigurationError
from emporion.runtime.connection import transport
from emporion.runtime.connection.driver import Driver
from emporion.tests.harbour import ANSWER_S, Harbour, Shelf, Stage, anything_goes, in_thread, listening, until
from emporion.tests.integration.test_bad_peers import Offender
from emporion.validators.connection.verifiers import Verifiers

PEOPLE = Verifiers({"ann": "one", "bob": "two"}, iterations=4096)
PASSWORDS = {"ann": "one", "bob": "two"}

ASKING = """
class Agent:
    def work(self, desk):
        self.told = desk.who()
        return self.told
"""


def who() -> str | None:
    return emporion.caller().identity


@pytest.fixture(scope="module")
def host() -> Iterator[emporion.Host]:
    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=PEOPLE) as host:
        yield host


def as_(login: str, uri: emporion.URI, **options: Any) -> Any:
    return emporion.connect(uri, login=login, passphrase=PASSWORDS[login], **options)


@pytest.fixture
def staged(host: emporion.Host) -> Iterator[Callable[..., Any]]:
    """Gives a proxy, for a client called ann, of an object whose method does what a test says."""
    made: list[Any] = []

    def stage(play: Callable[..., Any], login: str = "ann", **options: Any) -> Any:
        made.append(as_(login, host.register(Stage(play)), **options))
        return made[-1]

    yield stage
    for proxy in made:
        proxy.__exit__(None, None, None)


class Desk:
    @emporion.expose
    def who(self) -> str | None:
        return who()

    @property
    def name(self) -> str | None:
        return who()

    name = emporion.expose(name)


def test_a_caller_has_identity_address_certificate_and_connection(host: emporion.Host, staged: Any) -> None:
    def play() -> Any:
        caller = emporion.caller()
        assert caller.connection in host.connections()
        assert caller.connection.address == caller.address and caller.connection.identity == caller.identity
        return caller.identity, caller.address, caller.certificate

    identity, address, certificate = staged(play).go()
    assert (identity, address[0], certificate) == ("ann", "127.0.0.1", None)
    assert staged(play, "bob").go()[0] == "bob"


def test_properties_have_a_caller_too(host: emporion.Host) -> None:
    with as_("bob", host.register(Desk())) as desk:
        assert desk.name == "bob"


def test_outside_a_hosted_method_there_is_no_caller(staged: Any) -> None:
    with pytest.raises(ConfigurationError, match="hosted method"):
        emporion.caller()

    def play() -> str:
        heard: list[str] = []

        def alone() -> None:
            with pytest.raises(ConfigurationError, match="hosted method"):
                emporion.caller()
            heard.append("nobody")

        thread = threading.Thread(target=alone)
        thread.start()
        thread.join()
        return heard[0]

    assert staged(play).go() == "nobody", "a thread of its own works for nobody"


def test_a_coroutine_keeps_its_caller_whatever_it_awaits(host: emporion.Host, staged: Any) -> None:
    async def later(barrier: "asyncio.Barrier | None" = None) -> str | None:
        await asyncio.sleep(0)
        if barrier is not None:
            await barrier.wait()
        return who()

    async def play() -> list[Any]:
        first = who()
        await asyncio.sleep(0)
        barrier = asyncio.Barrier(3)
        together = await asyncio.gather(*(later(barrier) for _ in range(3)))
        task = await asyncio.create_task(later())
        return [first, who(), *together, task, await asyncio.to_thread(who), await asyncio.wait_for(later(), ANSWER_S)]

    class Mall:
        @emporion.expose
        async def go(self) -> list[Any]:
            return await play()

    uri = host.register(Mall())
    with as_("ann", uri) as one, as_("bob", uri) as other:
        at_once = [in_thread(proxy.go) for proxy in (one, other) * 4]
        assert [set(result()) for result in at_once] == [{"ann"}, {"bob"}] * 4


def test_an_agents_questions_are_its_senders(host: emporion.Host, tmp_path: Any) -> None:
    shelf = Shelf(tmp_path)
    agent = shelf.agent(ASKING)
    uri = host.register(Stage(lambda visitor: (visitor.work(Desk()), who())), code_validator=anything_goes)
    for login in ("ann", "bob"):
        with as_(login, uri, mobile_code=True) as stage:
            assert list(stage.go(agent)) == [login, login]
    shelf.close()


def test_what_a_client_calls_back_has_its_caller_again(staged: Any) -> None:
    """The client's own objects are no hosted ones: there is no caller there; the nested call at the host has one."""
    seen: list[str] = []

    class Here:
        @emporion.expose
        def back(self, desk: Any) -> Any:
            with pytest.raises(ConfigurationError):
                emporion.caller()
            seen.append("called")
            return desk.who()

    assert staged(lambda here: [who(), here.back(Desk()), who()]).go(Here()) == ["ann"] * 3
    assert seen == ["called"]


def test_a_host_that_calls_another_is_the_caller_there_and_has_its_own_caller_here(staged: Any) -> None:
    class Here:
        @emporion.expose
        def who(self) -> str | None:
            return who()

    with emporion.Host("emporion+tcp://127.0.0.1:0", passphrases=PEOPLE) as other:
        far = other.register(Stage(lambda here: [who(), here.who(), who()]))

        def play() -> list[Any]:
            with as_("bob", far) as proxy:
                return [who(), *proxy.go(Here()), who()]

        assert staged(play).go() == ["ann", "bob", "ann", "bob", "ann"], "its own callback still works for ann"


@pytest.mark.parametrize("detach", [lambda go: emporion.oneway(go)(), emporion.dispatch], ids=["oneway", "dispatch"])
def test_a_detached_call_keeps_its_caller_when_that_one_has_left(host: emporion.Host, detach: Any) -> None:
    gone = threading.Event()
    heard: list[Any] = []

    def play() -> None:
        assert gone.wait(ANSWER_S)
        caller = emporion.caller()
        heard.append((caller.identity, caller.connection.closed))

    proxy = as_("bob", host.register(Stage(play)))
    here = [one for one in host.connections() if one.identity == "bob"]
    detach(proxy.go)
    proxy.__exit__(None, None, None)
    until(lambda: all(one.closed for one in here))
    gone.set()
    until(lambda: heard)
    assert heard == [("bob", True)]


def test_code_validators_that_want_it_are_told_the_caller(host: emporion.Host, tmp_path: Any) -> None:
    shelf = Shelf(tmp_path)
    asked: list[Any] = []

    def judge(name: str, module: str | None, address: tuple[str, int] | None, caller: Any) -> bool:
        asked.append((caller.identity, caller.address == address, caller.connection in host.connections()))
        return bool(caller.identity == "ann")

    uri = host.register(Stage(lambda visitor: visitor.work(Desk())), code_validator=cast(Any, judge))
    agent = shelf.agent(ASKING)
    with as_("ann", uri, mobile_code=True) as stage:
        assert stage.go(agent) == "ann"
    with as_("bob", uri, mobile_code=True) as stage, pytest.raises(emporion.CodeDenied):
        stage.go(agent)
    assert set(asked) == {("ann", True, True), ("bob", True, True)}
    shelf.close()


# --- the operator's hand on connections


def test_connections_are_listed_while_clients_come_and_go(host: emporion.Host) -> None:
    uri = host.register(Desk())
    until(lambda: not host.connections())
    over = threading.Event()

    def list_them() -> int:
        looks = 0
        while not over.is_set():
            listed = host.connections()
            assert len(set(map(id, listed))) == len(listed) <= 6
            assert all(one.identity in PASSWORDS and one.address[0] == "127.0.0.1" for one in listed)
            looks += 1
        return looks

    def come_and_go(login: str) -> None:
        for _ in range(30):
            with as_(login, uri) as desk:
                assert desk.who() == login
                assert any(one.identity == login for one in host.connections())

    looking = [in_thread(list_them) for _ in range(2)]
    for visitor in [in_thread(lambda login=login: come_and_go(login)) for login in ("ann", "bob") * 2]:  # type: ignore[misc]
        visitor()
    until(lambda: not host.connections())
    over.set()
    assert all(look() for look in looking)


def lost(proxy: Any) -> None:
    with pytest.raises(emporion.ConnectionLost, match="the host closed this connection") as caught:
        proxy.go()
    assert "hush" not in str(caught.value), "the reason is for the host's log"


def test_an_operator_ends_a_connection_from_any_thread_once(host: emporion.Host, staged: Any) -> None:
    proxy, other = staged(who), staged(who, "bob")
    (connection,) = [one for one in host.connections() if one.identity == "ann"]
    with listening() as ears:
        closing = [in_thread(lambda: connection.close("hush\nhush")) for _ in range(4)]
        for one in closing:
            one()
        connection.close("again")
        lost(proxy)
        until(lambda: connection not in host.connections())
        told = [record.getMessage() for record in ears.records if "is sent away" in record.getMessage()]
    assert len(told) == 1 and told[0].startswith("ann@127.0.0.1:") and told[0].endswith("hush\\nhush")
    assert connection.closed
    assert other.go() == "bob"


@pytest.mark.parametrize("listen", ["emporion+tcp://127.0.0.1:0", "127.0.0.1:0"])
def test_ending_a_connection_waits_for_nothing_that_its_client_does(
    listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for much and takes nothing; a byte now and then, and it would be waited for without an end."""
    monkeypatch.setattr(transport, "SEND_TIMEOUT_S", 10 * ANSWER_S)
    full = threading.Semaphore(0)
    honest = Driver._step_aside

    def step_aside(driver: Driver) -> None:
        full.release()
        honest(driver)

    monkeypatch.setattr(Driver, "_step_aside", step_aside)
    with emporion.Host(listen, passphrases=Verifiers(["pw"], iterations=4096)) as host:
        uri = host.register(Stage(lambda: bytes(20_000_000)), "shop")
        deaf = [Offender(uri) for _ in range(2)]
        for one in deaf:
            one.send(one.call(one.look_up(), "go"))
            assert full.acquire(timeout=ANSWER_S), "the answer fits into the kernel's buffers"
        in_thread(lambda: host.connections()[0].close("enough"))()
        until(lambda: len(host.connections()) == 1)
        in_thread(host.close)()
        for one in deaf:
            one.close()


def test_a_connection_can_be_ended_by_its_own_call(host: emporion.Host, staged: Any) -> None:
    """The method runs to its end; its answer goes nowhere, and nothing else stops."""
    ran = threading.Event()

    def play() -> str:
        emporion.caller().connection.close("hush")
        assert emporion.caller().connection.closed
        ran.set()
        return "who hears this?"

    proxy = staged(play)
    lost(proxy)
    assert ran.wait(ANSWER_S)
    with pytest.raises(emporion.ConnectionLost):
        proxy.go()
    assert staged(who).go() == "ann"


def test_a_visit_ends_with_its_connection_and_its_owner_is_told(host: emporion.Host, tmp_path: Any) -> None:
    shelf = Shelf(tmp_path)
    with listening() as ears:
        harbour = Harbour(host, shelf, ears)
        came = threading.Event()

        class Waiting:
            @emporion.expose
            def stay(self) -> None:
                came.set()
                caller.append(emporion.caller().connection)
                over.wait(ANSWER_S)

        caller: list[Any] = []
        over = threading.Event()
        agent = shelf.agent("""
            class Agent:
                def work(self, desk):
                    desk.stay()
                    while True:
                        pass
            """)
        uri = host.register(Stage(lambda visitor: visitor.work(Waiting())), code_validator=anything_goes)
        with as_("ann", uri, mobile_code=True) as stage:
            visiting = in_thread(lambda: stage.go(agent))
            assert came.wait(ANSWER_S)
            until(lambda: caller)
            caller[0].close("hush")
            with pytest.raises(emporion.ConnectionLost, match="the host closed this connection"):
                visiting()
            over.set()
            assert "connection is over" in harbour.ears.visit_over().ended_by
    shelf.close()
