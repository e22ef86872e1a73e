"""The host's side of visits: handles, the session with the sandbox process, and its life and end."""
