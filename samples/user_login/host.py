"""A bank with accounts by login: ``python host.py FILE``, which `emporion passphrase` writes."""

import sys

import emporion
from emporion.validators.connection import lock_out, logins


class Bank:
    """Shows everybody their own account, and no other."""

    def __init__(self) -> None:
        self._balances = {"nora": 1200, "omar": 80}

    @emporion.expose
    def balance(self) -> int:
        """The caller's; the login was proved by the handshake."""
        return self._balances[str(emporion.caller().identity)]


if __name__ == "__main__":
    users = emporion.VerifierFile(sys.argv[1])
    with emporion.Host(connection_validator=lock_out(logins(users), after=3, first_s=60, per="login")) as host:
        print(host.register(Bank(), "bank"), flush=True)
        host.serve_forever()
