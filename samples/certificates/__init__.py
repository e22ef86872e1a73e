"""A guild whose members are known by certificates; nobody types a passphrase, and members trust no other shop.

    emporion certificate make ca guild.pem
    emporion certificate make host shop.pem --ca guild.pem --name 127.0.0.1
    emporion certificate make client nora.pem --ca guild.pem --name nora
    emporion certificate make client omar.pem --ca guild.pem --name omar > omar.mark
    emporion certificate show nora.pem
    python host.py
    python client.py 'emporion://...' nora
    python client.py 'emporion://...' omar        # a member like nora
    echo "$(cat omar.mark)" >> revoked
    python client.py 'emporion://...' omar        # a member no longer

Making a certificate prints its fingerprint: what a list of those that were revoked goes by.
"""
