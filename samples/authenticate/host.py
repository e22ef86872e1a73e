"""A library, its archive and its cellar, and who may use them. The passphrases are the sample's own."""

import emporion


class Room:
    """Greets those whom it is for."""

    def __init__(self, *people: str) -> None:
        self._people = people

    @emporion.expose
    def enter(self) -> str:
        """A greeting by name: the one that the handshake has proved."""
        who = emporion.caller().identity
        if who not in self._people:
            raise PermissionError(f"this is not for {who}")
        return f"welcome, {who}"


if __name__ == "__main__":
    with emporion.Host(passphrases={"reader": "olive", "archivist": "fig"}) as host:
        host.register(Room("archivist"), "archive")
        host.register(Room("reader", "archivist"), "cellar")
        print(host.register(Room("reader", "archivist"), "library"), flush=True)
        host.serve_forever()
