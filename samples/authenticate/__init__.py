"""Passphrases give identities; a client has another passphrase for each object, and looks it up when it is needed.

    python host.py
    python client.py 'emporion://.../library'
    python client.py 'emporion://.../archive'
    python client.py 'emporion://.../cellar'        # its passphrase in keyring.json is wrong: denied

The host keeps salted verifiers of the passphrases, and nothing that would open it.
"""
