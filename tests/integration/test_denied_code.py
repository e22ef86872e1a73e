"""Code that may not cross: the default denies everything, and what is no clear yes is a no, in both directions."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import emporion
import pytest
from emporion.agents.closure import closure_of
from emporion.errors import (
    AgentError,
    CodeDenied,
)
from emporion.tests.harbour import Harbour
from emporion.validators.code import all_of, callers, imports, max_modules, max_size, names, quiet, rate, uploads

WORKER = """
class Agent:
    def __init__(self):
        self.done = []

    def work(self, desk=None):
        self.done.append(sum(range(1000)))
        return self.done[-1]
"""



async def forgotten(name: str, module: str | None, address: Any) -> bool:
    return True


def raising(name: str, module: str | None, address: Any) -> bool:
    raise RuntimeError("the policy file is gone")


@pytest.mark.parametrize(
    ("validator", "rule"),
    [
        (None, "no code validator"),
        (lambda name, module, address: False, "said no"),
        (lambda name, module, address: None, "NoneType"),
        (lambda name, module, address: 2, "int"),
        (lambda name, module, address: "yes", "str"),
        (lambda name, module, address: emporion.deny(text="not on Sundays"), "not on Sundays"),
        (forgotten, "coroutine"),
        (raising, "the validator failed"),
    ],
)
def test_what_is_no_clear_yes_denies_the_upload(harbour: Harbour, validator: Any, rule: str) -> None:
    agent = harbour.shelf.agent(WORKER)
    ran: list[Any] = []
    with pytest.raises(CodeDenied) as denied:
        harbour.stage(ran.append, code_validator=validator).go(agent)
    assert (denied.value.module, denied.value.direction) == (type(agent).__module__, "upload")
    assert rule in denied.value.reason
    (event,) = harbour.ears.denials()
    assert (event.module, event.direction) == (type(agent).__module__, "upload")
    # What a validator raised is the host's own business: its log has it, the peer has not.
    assert ("the policy file is gone" if validator is raising else rule) in event.rule
    assert "policy file" not in str(denied.value)
    assert not ran  # not even the hosted method


@pytest.mark.parametrize("validator", [None, raising, forgotten, lambda name, module, address: bool(module)])
def test_what_is_no_clear_yes_denies_the_download(harbour: Harbour, validator: Any) -> None:
    thing = harbour.shelf.agent(WORKER)
    with pytest.raises(CodeDenied) as denied:
        harbour.stage(lambda: thing, code_validator=validator).go()
    assert (denied.value.module, denied.value.direction) == (type(thing).__module__, "download")
    (event,) = harbour.ears.denials()
    assert (event.direction, event.digest != "") == ("download", True)


def test_blocks_decide_on_a_live_host_and_keep_quiet_about_it(harbour: Harbour) -> None:
    checks = (names("trade*.*"), max_modules(2), imports("math"), quiet(max_size(200)))
    strict, open_to_all = uploads(all_of(*checks, callers("*"))), uploads(all_of(*checks, rate(1, 3600)))
    package = harbour.shelf.package(
        good="import math\nfrom . import tools\nclass Agent:\n    pass\n",
        tools="x = 1\n",
        many="from . import good\nclass Agent:\n    pass\n",
        curious="import random\nclass Agent:\n    pass\n",
        big=f"class Agent:\n    {'x' * 200!r}\n",
    )
    def send(name: str, validator: Any) -> str:
        agent = __import__(f"{package}.{name}", fromlist=["Agent"]).Agent()
        proxy = harbour.stage(lambda visitor: "let in", code_validator=validator)
        try:
            return str(proxy.go(agent))
        except CodeDenied as error:
            return error.reason

    assert "is one of 3 modules, 2 are allowed" in send("many", strict)
    assert "imports 'random'; 'math' may be imported" in send("curious", strict)
    assert send("big", strict) == "denied by the host's policy"
    assert send("good", strict) == "not for this caller"  # a passphrase of a list gives no identity
    assert "200 are allowed" in harbour.ears.denials()[2].rule
    assert send("good", open_to_all) == "let in"  # two modules, one consignment
    assert "1 consignments from 127.0.0.1" in send("good", open_to_all)


def test_a_closure_is_let_in_whole_or_not_at_all(harbour: Harbour) -> None:
    package = harbour.shelf.package(
        only="from . import a, z\nprint('only ran')\nclass Agent:\n    pass\n",
        a="print('a ran')\n",
        z="print('z ran')\n",
    )
    module = __import__(f"{package}.only", fromlist=["only"])
    questions: list[tuple[str, str]] = []

    def validator(name: str, source: str | None, address: Any) -> bool:
        questions.append((name, source or ""))
        return not name.endswith(".only")

    store = harbour.host.office.admission.store
    uri = harbour.register(lambda visitor: visitor.__repr__(), code_validator=validator, name=f"whole {package}")
    proxy = harbour.connect(uri)
    for _ in range(2):
        with pytest.raises(CodeDenied, match=r"\.only"):
            proxy.go(module.Agent())
    closure = closure_of(module.Agent)
    assert len(closure.manifest) == 3
    assert [store.get(digest) for digest in closure.manifest.values()] == [None] * 3
    assert not harbour.ears.printed()


def test_an_agent_can_catch_that_code_is_denied_to_it(harbour: Harbour) -> None:
    thing = harbour.shelf.agent(WORKER)
    agent = harbour.shelf.agent(
        """
        class Agent:
            def buy(self, shop):
                try:
                    return shop.buy()
                except Exception as error:
                    return type(error).__name__ + ": " + str(error)

            def careless(self, shop):
                return shop.buy()
        """
    )

    class Shop:
        @emporion.expose
        def buy(self) -> Any:
            return thing

    def validator(name: str, module: str | None, address: Any) -> bool:
        return bool(module)

    said = harbour.stage(lambda visitor: visitor.buy(Shop()), code_validator=validator).go(agent)
    assert said.startswith("CodeDenied: download of module")
    with pytest.raises(AgentError, match="CodeDenied: download of module"):
        harbour.stage(lambda visitor: visitor.careless(Shop()), code_validator=validator).go(agent)
    assert {event.module for event in harbour.ears.denials()} == {type(thing).__module__}


def test_a_client_without_mobile_code_neither_sends_nor_takes_any(harbour: Harbour) -> None:
    thing = harbour.shelf.agent(WORKER)
    uri = harbour.register(lambda *args: thing)
    proxy = harbour.connect(uri, mobile_code=False)
    with pytest.raises(CodeDenied, match="mobile_code=True") as denied:
        proxy.go(harbour.shelf.agent(WORKER))
    assert denied.value.direction == "upload"
    parcel = proxy.go()
    with pytest.raises(CodeDenied, match="mobile_code=True") as denied:
        parcel.work()
    assert denied.value.direction == "download"


def test_a_client_may_deny_what_its_host_lets_out(harbour: Harbour) -> None:
    thing = harbour.shelf.agent(WORKER)
    uri = harbour.register(lambda: thing)
    questions = []
    came_with: list[list[str]] = []

    def validator(name: str, module: str | None, address: Any, consignment: Any) -> bool:
        questions.append((name, module, address))
        came_with.append(list(consignment.manifest))
        return False

    with pytest.raises(CodeDenied) as denied:
        harbour.connect(uri, code_validator=validator).go()
    assert (denied.value.module, denied.value.direction) == (type(thing).__module__, "download")
    ((name, module, address),) = questions
    assert (name, module) == (type(thing).__module__, (harbour.shelf.folder / name.replace(".", "/")).with_suffix(
        ".py").read_text())
    assert (address[0], address[1]) == (uri.host, uri.port)
    assert came_with == [[name]]


# --- a second object behind the first


VISITOR = """
class Agent:
    def present(self, desk):
        return desk.go(self)

    def fetch(self, desk):
        return desk.go() is not None

    def name(self):
        return "Harry"
"""


@pytest.mark.parametrize("welcome", [True, False])
def test_an_agent_that_reaches_another_object_passes_that_ones_validator(harbour: Harbour, welcome: bool) -> None:
    agent = harbour.shelf.agent(VISITOR)
    questions = []

    def validator(name: str, module: str | None, address: Any) -> bool:
        questions.append((name, bool(module)))
        return welcome

    inner_uri = harbour.register(lambda visitor: visitor.name(), code_validator=validator)
    inner = harbour.host.find(inner_uri.name)
    assert inner is not None
    proxy = harbour.stage(lambda visitor: visitor.present(inner.obj))
    if welcome:
        assert proxy.go(agent) == "Harry"
    else:
        with pytest.raises(AgentError, match="CodeDenied: upload"):
            proxy.go(agent)
    assert questions == [(type(agent).__module__, True)]


@pytest.mark.parametrize("generous", [True, False])
def test_what_another_object_hands_to_an_agent_passes_that_ones_validator(harbour: Harbour, generous: bool) -> None:
    agent, thing = harbour.shelf.agent(VISITOR), harbour.shelf.agent(WORKER)

    def validator(name: str, module: str | None, address: Any) -> bool:
        return generous

    inner_uri = harbour.register(lambda: thing, code_validator=validator)
    inner = harbour.host.find(inner_uri.name)
    assert inner is not None
    proxy = harbour.stage(lambda visitor: visitor.fetch(inner.obj))
    if generous:
        assert proxy.go(agent) is True
    else:
        with pytest.raises(AgentError, match="CodeDenied: download"):
            proxy.go(agent)


def test_an_agent_is_not_taken_from_a_caller_whose_call_it_is_not(harbour: Harbour) -> None:
    """A capability of one client, used in another's call: its answer would share that other client's visit."""
    agent = harbour.shelf.agent(WORKER)
    kept: list[Any] = []

    class Desk:
        @emporion.expose
        def agent(self) -> Any:
            return agent

    lender = harbour.stage(kept.append)
    lender.go(Desk())
    with pytest.raises(CodeDenied, match="their sender's own"):
        harbour.stage(lambda: kept[0].agent()).go()


def test_an_object_handed_out_while_no_call_runs_takes_no_code(harbour: Harbour) -> None:
    """Nobody decided about code for what a thread of the host's own gives away."""
    agent = harbour.shelf.agent(WORKER)
    kept: list[Any] = []
    given: list[Any] = []

    class Till:
        @emporion.expose
        def take(self, visitor: Any) -> None:
            raise AssertionError("an agent came in")

    class Hand:
        @emporion.expose
        def hold(self, thing: Any) -> None:
            given.append(thing)

    harbour.stage(kept.append).go(Hand())
    kept[0].hold(Till())  # not in a call of the client's
    with pytest.raises(CodeDenied, match="no code validator"):
        given[0].take(agent)


@pytest.mark.parametrize("name", ["numpy", "msgspec", "os.path"])
def test_what_an_agent_needs_and_no_host_offers_is_named_when_it_comes(harbour: Harbour, name: str) -> None:
    """Somewhere in its closure, not only in its own module; whether or not the code is known already."""
    package = harbour.shelf.package(only="from . import tools\nclass Agent:\n    pass\n", tools=f"import {name}\n")
    # Not run here, for not every package is installed; it is there as if it had been.
    spec = spec_from_file_location(f"{package}.tools", harbour.shelf.folder / package / "tools.py")
    assert spec is not None
    sys.modules[spec.name] = module_from_spec(spec)
    agent = __import__(f"{package}.only", fromlist=["only"]).Agent()
    ran: list[Any] = []
    proxy = harbour.stage(ran.append)
    for _ in range(2):
        with pytest.raises(CodeDenied, match=f"needs {name}, which the host does not offer") as denied:
            proxy.go(agent)
        assert denied.value.module == f"{package}.tools"
    assert not ran


def test_what_an_agent_could_do_without_is_no_reason_to_turn_it_away(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(
        """
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            import numpy
        try:
            import msgspec
        except ImportError:
            msgspec = None

        class Agent:
            def late(self):
                import os
                return os

            def found(self):
                return msgspec

        if __name__ == "__main__":
            import emporion
        """
    )
    assert harbour.stage(lambda visitor: visitor.found()).go(agent) is None
    with pytest.raises(AgentError, match="agents may not import os"):
        harbour.stage(lambda visitor: visitor.late()).go(agent)
