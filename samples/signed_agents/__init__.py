"""A host that takes only agents which a publisher has signed, and hears at once when a key is revoked.

    emporion key make nora.key
    echo "$(emporion key show nora.key) Nora" > publishers
    python host.py publishers
    python client.py 'emporion://...'                              # refused: nobody has signed it
    emporion sign scout.py:Scout --key nora.key
    python client.py 'emporion://...'                              # welcome
    echo "revoked $(emporion key show nora.key)" >> publishers
    python client.py 'emporion://...'                              # refused: the key was revoked

Edit scout.py after it was signed, and it is refused until it is signed again.
"""
