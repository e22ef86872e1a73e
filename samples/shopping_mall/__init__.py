"""A mall of four shops that knows no agent's code, and shoppers that know no goods' classes: two real programs.

``server/`` and ``client/`` are no packages of ours: each is put on `sys.path` by the program that runs there, as the
two would stand on two machines. `emporion demo` runs both.
"""
