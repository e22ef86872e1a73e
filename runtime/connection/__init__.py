"""One connection: its bytes, its handshake, its calls."""
