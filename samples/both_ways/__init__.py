"""Code goes both ways: an agent goes up to a host that never saw its class; objects, a function and an exception come
down whose module the client never saw. Both ends have a code validator; who takes no code carries a parcel unopened.

    python host.py
    python client.py 'emporion://...'
"""
