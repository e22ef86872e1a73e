"""Would like to see more."""

import socket


class Visitor:
    def look(self) -> str:
        return socket.gethostname()
