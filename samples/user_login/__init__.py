"""Logins with passwords, kept as salted verifiers in a file that only the host can read and that can change any time.

    echo 'tea at five' | emporion passphrase add users --label nora
    python host.py users
    python client.py 'emporion://...' nora 'tea at five'
    python client.py 'emporion://...' omar 'tea at six'         # nobody has told the host about omar
    echo 'tea at six' | emporion passphrase add users --label omar
    python client.py 'emporion://...' omar 'tea at six'
    python client.py 'emporion://...' nora guess                # thrice is enough: then nora has to wait

After three wrong passwords for a login it is locked for a moment, which grows with each further one.
"""
