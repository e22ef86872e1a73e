"""A counting house: runs whatever version of a counter comes. The passphrase is the sample's own."""

import logging
from typing import Any

import emporion


class CountingHouse:
    """Has a text that wants to be counted."""

    @emporion.expose
    def ask(self, *counters: Any) -> list[str]:
        """What each counter says; those of one call share one sandbox, whatever versions they are."""
        return [counter.count("to be or not to be") for counter in counters]


class Customs(logging.Handler):
    """Tells of each module that crossed: hosts log them with an event on each record."""

    def emit(self, record: logging.LogRecord) -> None:
        event = record.event  # type: ignore[attr-defined]  # a `CodeCrossed`
        print(event.direction, event.module, event.digest[:8], event.rule, flush=True)


if __name__ == "__main__":
    log = logging.getLogger("emporion.code")
    log.setLevel(logging.INFO)
    log.addHandler(Customs())
    with emporion.Host(passphrases=["abacus"]) as host:
        uri = host.register(CountingHouse(), "house", code_validator=lambda name, module, address: name == "counter")
        print(uri, flush=True)
        host.serve_forever()
