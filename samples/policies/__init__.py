"""A policy made of blocks, and what it would say to the agents in a folder; none of them is run.

    emporion policy test policy.py agents
    emporion policy test policy.py agents --explain
    python policy.py                                    # the same, asked by a program
"""
