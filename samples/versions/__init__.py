"""Two versions of one module at one host, at the same time and in one call; and code that is known is not sent again.

    python host.py
    python client.py 'emporion://...'

The client edits and reloads its agent's module, in a temporary folder. The host tells what was sent and what was known.
"""
