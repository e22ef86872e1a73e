"""Hosts an auction for three bidders. The passphrases are the sample's own."""

import emporion
from emporion.validators.code import names, uploads
from rounds import Auction

PASSPHRASES = {"ada": "lace", "ben": "rope", "cleo": "silk"}

if __name__ == "__main__":
    patient = emporion.Limits(wall_s=300)  # visits wait for one another
    with emporion.Host(passphrases=PASSPHRASES) as host:
        auction = Auction(PASSPHRASES)
        uri = host.register(auction, "auction", code_validator=uploads(names("bidder")), limits=patient)
        print(uri, flush=True)
        host.serve_forever()
