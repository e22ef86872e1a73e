"""Code that comes in an exception is judged like code that comes as an argument."""

from typing import Any

import emporion
import pytest
from emporion.errors import RemoteError
from emporion.tests.harbour import Harbour

AGENT = """
class Agent:
    def visit(self):
        return "ran"
"""


class Lure:
    """A client's callback, which raises what the host is to take in."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    @emporion.expose
    def ask(self) -> None:
        raise ValueError("look at this", self._agent)


@pytest.mark.parametrize("welcome", [True, False])
def test_an_agent_in_the_exception_of_a_callback_meets_the_validator(harbour: Harbour, welcome: bool) -> None:
    seen: list[Any] = []

    class Desk:
        @emporion.expose
        def call_back(self, lure: Any) -> None:
            try:
                lure.ask()
            except ValueError as error:
                seen.append(error.args[1].visit())
            except RemoteError as error:
                seen.append(error)

    module = harbour.shelf.module(AGENT)
    uri = harbour.register(Desk(), code_validator=lambda name, source, address: welcome or name != module.__name__)
    with harbour.connect(uri) as desk:
        desk.call_back(Lure(module.Agent()))

    assert len(seen) == 1
    if welcome:
        assert seen == ["ran"]
    else:
        assert type(seen[0]) is RemoteError
        assert any("denied: the validator said no" in note for note in seen[0].__notes__)
