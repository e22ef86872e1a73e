"""Two shoppers send their agents to a mall; two people then try what a mall does not allow, and one has no passphrase.

    python shoppers.py URI PASSPHRASES [--json]

PASSPHRASES is a file of lines ``name:passphrase``, one for each of Nora, Otto and Moll. With ``--json`` each act is
told as one line of JSON.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import emporion
from agent.pickpocket import Pickpocket
from agent.shopping import ShoppingAgent

Story = dict[str, Any]


class Ears(logging.Handler):
    """Keeps what agents print: it arrives as log records."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage().removeprefix("agent.shopping.ShoppingAgent: "))


def shop(uri: str, passphrase: str, name: str, cash: int, wants: list[str]) -> Story:
    """Send an agent shopping and tell what it came home with."""
    ears = Ears()
    log = logging.getLogger("emporion.agent")
    log.setLevel(logging.INFO)
    log.addHandler(ears)
    shopper = ShoppingAgent(name, cash, wants)
    begun_s = time.perf_counter()
    with emporion.connect(uri, passphrase=passphrase, mobile_code=True) as mall:
        connected_s = time.perf_counter()
        shopper = mall.go_shopping(shopper)
        home_s = time.perf_counter()
    log.removeHandler(ears)
    return {
        "act": "shopping", "who": name, "cash": cash, "wants": wants, "left": shopper.cash, "unmet": shopper.wants,
        "bought": [
            {"thing": thing.description(), "price": thing.price, "shop": thing.shop, "class": type(thing).__qualname__}
            for thing in shopper.bought
        ],
        "said": ears.heard, "connect_ms": (connected_s - begun_s) * 1e3, "call_ms": (home_s - connected_s) * 1e3,
    }  # fmt: skip


def attempt(who: str, tries: str, do: Callable[[], object]) -> Story:
    """Try what should not work, and tell what came of it."""
    try:
        do()
        refused, came = False, "it worked"
    except (emporion.CodeDenied, emporion.ConnectionDenied) as error:
        refused, came = True, f"{type(error).__name__}: {error}"
    return {"act": "attempt", "who": who, "tries": tries, "refused": refused, "came": came}


def acts(uri: str, passphrases: dict[str, str]) -> Iterator[Story]:
    """The whole story, an act at a time."""
    yield shop(uri, passphrases["nora"], "Nora", 250, ["radio", "boots", "atlas", "cactus"])
    yield shop(uri, passphrases["otto"], "Otto", 175, ["television", "radio", "boots", "cookbook", "fern"])
    with emporion.connect(uri, passphrase=passphrases["moll"], mobile_code=True) as mall:
        yield attempt("Moll", "sends a pickpocket", lambda: mall.go_shopping(Pickpocket()))
        yield attempt("Moll", "asks for the mall's ledger", mall.show_ledger)
    yield attempt("Somebody", "connects with a guessed passphrase", lambda: emporion.connect(uri, passphrase="sesame"))


def told(story: Story) -> str:
    """One act in plain words."""
    if story["act"] == "attempt":
        return f"{story['who']} {story['tries']}: {story['came']}"
    things = "; ".join(f"{thing['thing']} ({thing['price']})" for thing in story["bought"])
    return f"{story['who']} came home with {story['left']} of {story['cash']} and {things}"


def main() -> None:
    uri, passphrases, *options = sys.argv[1:]
    lines = Path(passphrases).read_text(encoding="utf-8").splitlines()
    known = dict(line.split(":", 1) for line in lines if line)
    for story in acts(uri, known):
        print(json.dumps({**story, "ended_s": time.time()}) if "--json" in options else told(story), flush=True)
        if story["act"] == "attempt" and not story["refused"]:
            sys.exit("the mall let something pass that it should not have")


if __name__ == "__main__":
    main()
