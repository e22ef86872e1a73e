"""A sauna with two seats. The passphrases are the sample's own."""

import emporion
from emporion.validators.connection import max_connections


class Sauna:
    """Has guests, and an attendant who sends them out."""

    @emporion.expose
    def guests(self) -> list[str]:
        """Who is inside."""
        return sorted(str(connection.identity) for connection in host.connections())

    @emporion.expose
    def send_out(self, who: str) -> None:
        """End somebody's connection; what he gets is `ConnectionLost`."""
        for connection in host.connections():
            if connection.identity == who:
                connection.close("his time is over")


if __name__ == "__main__":
    seats = max_connections(total=2, per_identity=1)
    with emporion.Host(passphrases={"ann": "birch", "ben": "stove", "cy": "towel"}, connection_validator=seats) as host:
        print(host.register(Sauna(), "sauna"), flush=True)
        host.serve_forever()
