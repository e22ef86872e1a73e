"""Passphrases give identities, and a client has another passphrase for each object: it looks them up when it needs them.

    python host.py
    python client.py 'emporion://.../library'
    python client.py 'emporion://.../archive'
    python client.py 'emporion://.../cellar'        # its passphrase in keyring.json is wrong: denied

The host keeps salted verifiers of the passphrases, and nothing that would open it.
"""
