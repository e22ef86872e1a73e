"""Visits the shop as a member of the guild: ``python client.py URI NAME``."""

import sys

import emporion

uri, name = sys.argv[1:]
tls = emporion.TLS(certificate=f"{name}.pem", key=f"{name}.key", ca="guild.pem")
try:
    with emporion.connect(uri, tls=tls) as shop:
        print(shop.enter())
except emporion.ConnectionDenied as denied:
    print("denied:", denied.reason.name)
