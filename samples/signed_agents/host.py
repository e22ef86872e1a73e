"""Hosts a hill with a view for signed agents: ``python host.py PUBLISHERS``. The passphrase is the sample's own."""

import sys
from typing import Any

import emporion
from emporion.validators.code import signed_by, uploads


class Hill:
    """Has a view."""

    @emporion.expose
    def climb(self, scout: Any) -> Any:
        """Let an agent look around."""
        scout.look(["a river", "two villages", "a caravan"])
        return scout


if __name__ == "__main__":
    with emporion.Host(passphrases=["summit"]) as host:
        print(host.register(Hill(), "hill", code_validator=uploads(signed_by(sys.argv[1]))), flush=True)
        host.serve_forever()
