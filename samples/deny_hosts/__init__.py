"""A host with a list of addresses that may not connect, which can be edited while it runs.

    python host.py blocked
    python client.py 'emporion://...'        # welcome
    echo 127.0.0.0/8 >> blocked
    python client.py 'emporion://...'        # denied, before anybody is asked for a passphrase

Where the list never changes, ``blocked_networks("192.0.2.0/24", ...)`` does the same without a function of one's own.
"""
