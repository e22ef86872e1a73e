"""A shop for members: TLS asks them for certificates of the guild, and the name in it is who they are."""

from pathlib import Path

import emporion
from emporion.validators.connection import certificates


class Shop:
    """Knows its customers by name."""

    @emporion.expose
    def enter(self) -> str:
        """A greeting, and until when the caller is a member."""
        caller = emporion.caller()
        return f"welcome, {caller.identity}, until {caller.certificate.not_valid_after_utc:%Y}"


if __name__ == "__main__":
    Path("revoked").touch()
    tls = emporion.TLS(certificate="shop.pem", key="shop.key", ca="guild.pem", require_client_certificate=True)
    with emporion.Host(tls=tls, connection_validator=certificates(revoked="revoked")) as host:
        print(host.register(Shop(), "shop"), flush=True)
        host.serve_forever()
