"""Digests, encodings and identifiers."""

import base64
import hashlib
import uuid


class BlockChain:
    def __init__(self):
        self.blocks = [{"data": "genesis", "before": "", "nonce": 0}]

    @staticmethod
    def digest(block):
        text = "|".join(f"{key}={block[key]}" for key in sorted(block))
        return hashlib.sha256(text.encode()).hexdigest()

    def add(self, data, start="0"):
        block = {"data": data, "before": self.digest(self.blocks[-1]), "nonce": 0}
        while not self.digest(block).startswith(start):
            block["nonce"] += 1
        self.blocks.append(block)

    @property
    def sound(self):
        return all(block["before"] == self.digest(before) for before, block in zip(self.blocks, self.blocks[1:]))


def merkle(leaves):
    level = [hashlib.blake2b(leaf, digest_size=8).digest() for leaf in leaves]
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [hashlib.blake2b(a + b, digest_size=8).digest() for a, b in zip(level[::2], level[1::2])]
    return level[0].hex()


class Agent:
    def run(self):
        chain = BlockChain()
        for data in ("a pays b 3", "b pays c 1"):
            chain.add(data, "00")
        before = chain.sound
        chain.blocks[1]["data"] = "a pays b 300"
        running = hashlib.sha256(b"one")
        fork = running.copy()
        running.update(b" two")
        name = uuid.uuid5(uuid.NAMESPACE_URL, "emporion://host/mall")
        print(name, name.version, len(str(uuid.uuid4())), uuid.uuid4() != uuid.uuid4())
        raw = bytes(range(250, 256))
        try:
            base64.b64decode("abc")
        except ValueError as error:
            print(type(error).__name__, error)
        return {
            "chain": [before, chain.sound, [block["nonce"] for block in chain.blocks]],
            "merkle": merkle([b"a", b"b", b"c"]),
            "copies": [
                running.hexdigest() == hashlib.sha256(b"one two").hexdigest(),
                fork.digest()[:3],
                running.digest_size,
            ],
            "kinds": [
                hashlib.new(kind, b"x").hexdigest()[:8] for kind in ("md5", "sha1", "sha512", "sha3_256", "blake2s")
            ],
            "stretched": hashlib.pbkdf2_hmac("sha256", b"pw", b"salt", 10).hex()[:16],
            "shake": hashlib.shake_128(b"").hexdigest(4),
            "known": {"sha256", "md5"} <= hashlib.algorithms_guaranteed,
            "base64": [
                base64.b64encode(raw),
                base64.urlsafe_b64encode(raw),
                base64.b64decode(b"aGVsbG8="),
                base64.b32encode(b"hi"),
            ],
            "others": [base64.b16encode(raw), base64.b85encode(raw), base64.a85decode(base64.a85encode(raw)) == raw],
            "ids": [
                name,
                name.hex[:8],
                uuid.uuid3(uuid.NAMESPACE_DNS, "a").int % 97,
                uuid.UUID(int=5).bytes[-1],
                name.urn[:9],
            ],
            "same": [
                uuid.UUID(str(name)) == name,
                len({name, uuid.UUID(name.hex)}),
                uuid.UUID(int=1) < uuid.UUID(int=2),
            ],
        }
