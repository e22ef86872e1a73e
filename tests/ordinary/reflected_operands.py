"""Quantities whose operators work from either side, and that know when they do not apply."""


class Quantity:
    def __init__(self, value, unit):
        self.value, self.unit = value, unit

    def _same(self, other):
        return isinstance(other, Quantity) and other.unit == self.unit

    def __add__(self, other):
        if not self._same(other):
            return NotImplemented
        return Quantity(self.value + other.value, self.unit)

    def __radd__(self, other):
        return self if other == 0 else NotImplemented

    def __mul__(self, other):
        if isinstance(other, Quantity):
            return Quantity(self.value * other.value, f"{self.unit}.{other.unit}")
        return Quantity(self.value * other, self.unit)

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return Quantity(other - self.value, self.unit)

    def __rtruediv__(self, other):
        return Quantity(other / self.value, f"1/{self.unit}")

    def __rfloordiv__(self, other):
        return other // self.value

    def __rmod__(self, other):
        return other % self.value

    def __rdivmod__(self, other):
        return divmod(other, self.value)

    def __rpow__(self, other):
        return other**self.value

    def __rlshift__(self, other): return other << self.value
    def __rrshift__(self, other): return other >> self.value
    def __rand__(self, other): return other & self.value
    def __ror__(self, other): return other | self.value
    def __rxor__(self, other): return other ^ self.value
    def __rmatmul__(self, other): return sum(self.value * n for n in other)

    def __eq__(self, other):
        return self.value == other.value if self._same(other) else NotImplemented

    def __lt__(self, other):
        return self.value < other.value if self._same(other) else NotImplemented

    def __ge__(self, other):
        return not self < other

    def __hash__(self):
        return hash((self.value, self.unit))

    def __bool__(self):
        return self.value != 0

    def __int__(self): return int(self.value)
    def __float__(self): return float(self.value)
    def __complex__(self): return complex(self.value, 1)
    def __index__(self): return int(self.value)
    def __trunc__(self): return int(self.value)
    def __floor__(self): return self.value // 1
    def __ceil__(self): return -(-self.value // 1)

    def __repr__(self):
        return f"{self.value} {self.unit}"


class Exact(Quantity):
    def __radd__(self, other):
        return f"exactly {self.value + other.value}"


class Agent:
    def run(self):
        import math

        a, b, n = Quantity(3, "m"), Quantity(1.5, "m"), Quantity(4, "n")
        problems = []
        for attempt in (lambda: a + n, lambda: 1 + a, lambda: a < 3, lambda: a - 1, lambda: n > a):
            try:
                attempt()
            except TypeError as error:
                problems.append(str(error))
        print(*problems, sep="\n")
        return (
            [str(q) for q in (a + b, sum([a, b]), 2 * a, a * b, 10 - a, 6 / a, a + Exact(1, "m"))],
            [17 // a, 17 % a, divmod(17, a), 2**a, 1 << a, 16 >> a, 6 & a, 8 | a, 1 ^ a, [1, 2] @ a],
            [a == Quantity(3, "m"), a == n, a != b, a == 3, a < b, b < a, a > b, a >= b],
            [len({a, Quantity(3, "m"), b}), bool(Quantity(0, "m")), not a],
            [int(b), float(a), complex(a), "abcdef"[a], [0] * a, hex(a), range(a)[-1], round(float(b))],
            [math.trunc(b), math.floor(b), math.ceil(b)],
        )
