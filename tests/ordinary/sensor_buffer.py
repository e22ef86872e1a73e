"""Readings of sensors in arrays, bytes and bit fields."""

from array import array


class RingBuffer:
    def __init__(self, size, typecode="h"):
        self._data = array(typecode, [0] * size)
        self._next = 0
        self.full = False

    def add(self, *values):
        for value in values:
            self._data[self._next] = value
            self._next = (self._next + 1) % len(self._data)
            self.full |= self._next == 0

    def __iter__(self):
        if self.full:
            yield from self._data[self._next :]
        yield from self._data[: self._next]


class Bits:
    def __init__(self, number=0):
        self._number = number

    def __getitem__(self, index):
        return self._number >> index & 1

    def __setitem__(self, index, bit):
        self._number = self._number | 1 << index if bit else self._number & ~(1 << index)

    def __int__(self):
        return self._number


def pack(kind, *readings):
    body = b"".join(reading.to_bytes(2, "big", signed=True) for reading in readings)
    return bytes([kind, len(readings)]) + body + bytes([sum(body) & 0xFF])


def unpack(packet):
    view = memoryview(packet)
    kind, count, *_ = view
    body = view[2 : 2 + 2 * count]
    if sum(body) & 0xFF != view[-1]:
        raise ValueError(f"checksum of {packet.hex(' ')}")
    return kind, [int.from_bytes(body[i : i + 2], "big", signed=True) for i in range(0, len(body), 2)]


class Agent:
    def run(self):
        ring = RingBuffer(4)
        ring.add(1, 2, 3)
        early = list(ring)
        ring.add(4, 5, -6)
        packet = bytearray(pack(7, 300, -2))
        good = unpack(bytes(packet))
        packet[3] ^= 1
        try:
            unpack(bytes(packet))
        except ValueError as error:
            print(error)
        bits = Bits(0b1010)
        bits[0] = 1
        bits[3] = 0
        numbers = array("d", [1.5, 2])
        numbers.extend([3, 4])
        numbers.insert(0, 0.5)
        numbers.remove(2)
        del numbers[-1]
        try:
            array("b", [300])
        except OverflowError as error:
            print(error)
        wide = array("i")
        wide.frombytes((258).to_bytes(4, "little"))
        wide.fromlist([3])
        wide.byteswap()
        wide.reverse()
        text = bytearray(b"hello")
        text.extend(b"!!")
        text[0:1] = b"J"
        view = memoryview(text)
        view[-2:] = b"??"
        shown = view.tobytes()
        view.release()
        return {
            "ring": [early, list(ring), ring.full],
            "good": good,
            "bits": [int(bits), [bits[i] for i in range(4)], f"{int(bits):#06b}"],
            "numbers": [
                numbers.tolist(),
                numbers.typecode,
                numbers.itemsize,
                sum(numbers),
                numbers.index(3.0),
                9 in numbers,
            ],
            "wide": [list(wide), wide[::-1].tolist(), wide.count(3)],
            "bytes": [
                bytes(text),
                shown,
                text.find(b"l"),
                text.upper().decode(),
                b"%d-%s" % (3, b"x"),
                b"a,b".split(b","),
            ],
            "ints": [
                (2**100).bit_length(),
                (255).bit_count(),
                -7 // 2,
                -7 % 3,
                divmod(-7, 2),
                pow(3, -1, 7),
                ~5,
                1_000,
                0xFF,
            ],
            "big": 3**200 % 10**20,
            "text": [
                int("ff", 16),
                int("0b101", 0),
                hex(255),
                oct(8),
                bin(-5),
                chr(8364),
                ord("é"),
                bytes.fromhex("0aff"),
            ],
            "floats": [
                0.1 + 0.2,
                1e16,
                1e-7,
                float("inf"),
                (0.5).as_integer_ratio(),
                (1.5).hex(),
                (2.0).is_integer(),
                -0.0,
            ],
        }
