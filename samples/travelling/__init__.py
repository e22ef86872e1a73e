"""An agent travels over three hosts, each of which passes it on to the next, and comes home the same way.

    python host.py tel-aviv               # in three terminals, the last of the chain first
    python host.py mumbai 'emporion://...'
    python host.py antwerp 'emporion://...'
    python client.py 'emporion://...'     # to the host that was started last

Only the client has the agent's class. Each host tells whom code comes from, and whither it goes.
"""
