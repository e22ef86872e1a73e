"""Bytes, sockets, processes: the host, its visits, and the client's side of a connection."""
