"""A host for two clients at a time, and one for each identity; and an operator who makes room.

    python host.py
    python client.py 'emporion://...'

The client opens one connection after the other and tells what becomes of each.
"""
