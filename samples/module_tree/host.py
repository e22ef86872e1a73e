"""A lighthouse that tells agents the date. The passphrase is the sample's own."""

import datetime
from typing import Any

import emporion
from emporion.validators.code import names


class Lighthouse:
    """Knows what day it is, and whoever comes may know it too."""

    @emporion.expose
    def today(self) -> datetime.date:
        """The shortest day, always."""
        return datetime.date(2026, 12, 21)

    @emporion.expose
    def welcome(self, reader: Any) -> Any:
        """Let an agent look around."""
        reader.read(self)
        return reader


ALLOWED = names("almanac", "almanac.*")


def code_validator(name: str, module: str | None, address: Any) -> emporion.Verdict:
    """A block, and a line for each module that comes."""
    print(name, flush=True)
    return ALLOWED(name, module, address)


if __name__ == "__main__":
    with emporion.Host(passphrases=["fresnel"]) as host:
        print(host.register(Lighthouse(), "lighthouse", code_validator=code_validator), flush=True)
        host.serve_forever()
