"""Agents of several clients visit one auction at the same time and bid against each other, until one is left.

    python host.py
    python client.py 'emporion://...' ada 120       # each in a terminal of its own
    python client.py 'emporion://...' ben 90
    python client.py 'emporion://...' cleo 75

Whoever has the highest limit wins, for the second highest and one more, however the threads run.
"""
