"""An agent of seven modules that import each other in every way there is; all of them travel, and only those.

    python host.py
    python client.py 'emporion://...'

The host tells which modules come. Packages whose ``__init__`` has no code are made up there: they are not among them.
"""
