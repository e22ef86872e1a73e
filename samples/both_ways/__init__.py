"""Code goes both ways: an agent goes up to a host that never saw its class, and things come down whose classes and
functions the client never saw. Both ends have a code validator; a client that takes no code carries a parcel.

    python host.py
    python client.py 'emporion://...'
"""
