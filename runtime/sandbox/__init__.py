"""The operating system's wall around foreign code, and what runs behind it."""
