"""Asks for a balance: ``python client.py URI LOGIN PASSWORD``. Where others use the machine, ask with `getpass`."""

import sys

import emporion

uri, login, password = sys.argv[1:]
try:
    with emporion.connect(uri, login=login, passphrase=password) as bank:
        print(login, "has", bank.balance())
except emporion.ConnectionDenied as denied:
    print("denied:", denied.reason.name)
