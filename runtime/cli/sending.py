"""`emporion send`: one agent there and back."""

import logging
import time
from typing import Any

from rich.console import Console
from rich.text import Text

from ...validators.code import CodeValidator, names
from ..client import connect
from ..connection.tls import TLS
from .screen import console, plain, public, shown

__all__ = ["send_agent"]


class _AgentLines(logging.Handler):
    """Shows what agents print as it arrives."""

    def __init__(self, screen: Console, agent: str) -> None:
        super().__init__(logging.INFO)
        self._screen = screen
        self._agent = agent
        self._begun = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._begun:
            self._begun = True
            self._screen.print("output")
        line = record.getMessage().removeprefix(f"{self._agent}: ")
        self._screen.print(Text(f"  {plain(line)}"), soft_wrap=True)


def send_agent(
    agent: object,
    arguments: list[Any],
    *,
    to: str,
    call: str,
    passphrase: str | None,
    login: str | None,
    tls: TLS | None,
    verify_host: bool,
    accept: list[str] | None,
    timeout_s: float | None,
) -> None:
    """Connect to `to`, call its method `call` with `agent` and `arguments`, and show what came of it.

    Raises:
        EmporionError: No connection, a refusal, a limit, an error of the agent's.
        Exception: What the hosted method raised.
    """
    screen = console()
    name = f"{type(agent).__module__}.{type(agent).__qualname__}"
    log = logging.getLogger("emporion.agent")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(_AgentLines(screen, name))
    validator: CodeValidator | None = None if accept is None else names(*accept)
    with connect(
        to,
        passphrase=passphrase,
        login=login,
        mobile_code=True,
        code_validator=validator,
        tls=tls,
        verify_host=verify_host,
        timeout_s=timeout_s,
    ) as hosted:
        begun_s = time.perf_counter()
        result = getattr(hosted, call)(agent, *arguments)
        took_s = time.perf_counter() - begun_s
    _show(screen, result, name if type(result) is type(agent) else "")
    screen.print(f"time    {took_s:.3f} s")


def _show(screen: Console, result: object, agent: str) -> None:
    """The result; of an agent that came home (its name is `agent`) the public attributes."""
    if not agent or not hasattr(result, "__dict__"):
        screen.print(Text(f"result  {shown(result)}"), soft_wrap=True)
        return
    screen.print(f"result  {agent}")
    attributes = public(result)
    width = max(map(len, attributes), default=0)
    for name, value in attributes.items():
        screen.print(Text(f"  {name:<{width}}  {shown(value)}"), soft_wrap=True)
