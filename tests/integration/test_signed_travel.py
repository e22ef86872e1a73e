"""Signatures go along with what they were made over: to a host, on to the next one, and in no other company."""

from pathlib import Path
from typing import Any

import emporion
import pytest
from emporion.agents.closure import closure_of
from emporion.agents.signing import generate_key, public_text, sign_beside
from emporion.errors import CodeDenied, EmporionError
from emporion.runtime.client import ClientPeer
from emporion.runtime.wire.messages import Body
from emporion.tests.harbour import PASSPHRASE, Harbour, Stage, open_host
from emporion.validators.code import signed_by, uploads

AGENT = """
from .basket import Basket

class Agent:
    def __init__(self):
        self.basket = Basket()

    def put(self, thing):
        self.basket.things.append(thing)
        return len(self.basket.things)
"""
BASKET = "class Basket:\n    def __init__(self):\n        self.things = []\n"
KEY = generate_key()
TRUSTED = signed_by([public_text(KEY)])


def make(harbour: Harbour, *, signed: bool = True) -> Any:
    """An agent of two modules, signed beside its source."""
    name = harbour.shelf.package(agent=AGENT, basket=BASKET)
    agent = __import__(f"{name}.agent", fromlist=["agent"]).Agent()
    if signed:
        closure = closure_of(type(agent))
        sign_beside(Path(closure.origin), closure.manifest, KEY)
    return agent


def put(agent: Any) -> Any:
    agent.put("apple")
    return agent


def test_a_signed_agent_is_let_in_and_an_unsigned_one_is_not(harbour: Harbour) -> None:
    proxy = harbour.stage(put, code_validator=TRUSTED)
    assert proxy.go(make(harbour)).basket.things == ["apple"]
    with pytest.raises(CodeDenied, match="nobody has signed it"):
        proxy.go(make(harbour, signed=False))


def test_an_agent_that_is_signed_while_its_program_runs_is_let_in_from_then_on(harbour: Harbour) -> None:
    proxy, agent = harbour.stage(put, code_validator=TRUSTED), make(harbour, signed=False)
    with pytest.raises(CodeDenied):
        proxy.go(agent)
    closure = closure_of(type(agent))
    sign_beside(Path(closure.origin), closure.manifest, KEY)
    assert proxy.go(agent).basket.things == ["apple"]


def test_a_part_of_what_was_signed_may_come_along_and_a_stranger_not(harbour: Harbour) -> None:
    proxy = harbour.stage(lambda *them: len(them), code_validator=TRUSTED)
    agent = make(harbour)
    assert proxy.go(agent, agent.basket) == 2  # one closure is a part of the other: they come as one
    other = make(harbour)
    assert proxy.go(agent, other) == 2  # two closures with nothing in common, each with its signature
    with pytest.raises(CodeDenied, match="nobody has signed it"):
        proxy.go(agent, make(harbour, signed=False))


def test_the_signature_goes_on_to_the_next_host(harbour: Harbour) -> None:
    with open_host() as second:
        uri = second.register(Stage(put), code_validator=uploads(TRUSTED))

        def play(agent: Any) -> Any:
            agent.put("pear")
            with emporion.connect(uri, passphrase=PASSPHRASE, mobile_code=True) as further:
                return further.go(agent)

        proxy = harbour.stage(play)
        assert proxy.go(make(harbour)).basket.things == ["pear", "apple"]
        with pytest.raises(CodeDenied, match="nobody has signed it"):
            proxy.go(make(harbour, signed=False))


class Forger(ClientPeer):
    """Sends other signatures than those that it has."""

    forged: list[tuple[int, str, str]]

    def encode(self, values: Any, label: Any) -> tuple[Body, list[bytes]]:
        body, blobs = super().encode(values, label)
        if body.manifests:
            body.signatures = [(number % 2**63, key, text) for number, key, text in self.forged]
        return body, blobs


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ([(0, public_text(KEY).partition(":")[2], "0" * 128)], "signature .* is wrong"),
        ([(0, "0" * 64, "0" * 128)], "unknown here"),
        ([(1, "0" * 64, "0" * 128)], "not there"),
        ([(-1, "0" * 64, "0" * 128)], "not there"),
        ([(0, "0" * 64, "f" * 127)], "digits"),
        ([(0, "x" * 64, "f" * 128)], "digits"),
        ([(0, "0" * 64, "0" * 128)] * 2, "once"),
        ([(0, f"{number:064x}", "0" * 128) for number in range(17)], "at most 16"),
    ],
)
def test_forged_signatures_open_nothing(harbour: Harbour, forged: Any, why: str) -> None:
    ran: list[Any] = []
    proxy = harbour.connect(harbour.register(ran.append, code_validator=TRUSTED), peer=Forger)
    proxy._peer.forged = forged
    with pytest.raises(EmporionError, match=why):
        proxy.go(harbour.shelf.agent("class Agent: pass\n"))
    assert not ran


def test_one_agents_signature_is_no_good_for_another(harbour: Harbour) -> None:
    signed, other = make(harbour), make(harbour, signed=False)
    origin = Path(closure_of(type(signed)).origin)
    sidecar = origin.with_name(f"{origin.name}.signatures")
    beside = Path(closure_of(type(other)).origin)
    beside.with_name(f"{beside.name}.signatures").write_bytes(sidecar.read_bytes())
    with pytest.raises(CodeDenied, match="nobody has signed it"):
        harbour.stage(put, code_validator=TRUSTED).go(other)
    harbour.ears.wait_for(lambda: [r for r in harbour.ears.records if "no longer fits" in r.getMessage()])
