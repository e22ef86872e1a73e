"""Pure decisions: who may connect, and which code may cross. No sockets, no processes."""
