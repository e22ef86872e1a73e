"""A number type of one's own in the tower of numbers: integers modulo a prime."""

import numbers
from decimal import Decimal
from fractions import Fraction


class Mod(numbers.Number):
    __slots__ = ("value", "prime")

    def __init__(self, value, prime=97):
        self.value, self.prime = value % prime, prime

    def _other(self, other):
        if isinstance(other, Mod):
            if other.prime != self.prime:
                raise ValueError(f"modulo {self.prime} and {other.prime}")
            return other.value
        return other if isinstance(other, numbers.Integral) else NotImplemented

    def _made(self, function, other):
        value = self._other(other)
        return value if value is NotImplemented else Mod(function(self.value, value), self.prime)

    def __add__(self, other): return self._made(lambda a, b: a + b, other)
    __radd__ = __add__
    def __sub__(self, other): return self._made(lambda a, b: a - b, other)
    def __rsub__(self, other): return self._made(lambda a, b: b - a, other)
    def __mul__(self, other): return self._made(lambda a, b: a * b, other)
    __rmul__ = __mul__
    def __truediv__(self, other): return self._made(lambda a, b: a * pow(b, -1, self.prime), other)
    def __pow__(self, power): return Mod(pow(self.value, power, self.prime), self.prime)
    def __neg__(self): return Mod(-self.value, self.prime)
    def __int__(self): return self.value

    def __eq__(self, other):
        value = self._other(other)
        return value if value is NotImplemented else self.value == value % self.prime

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return f"{self.value} mod {self.prime}"


def kind(value):
    for cls in (numbers.Integral, numbers.Rational, numbers.Real, numbers.Complex, numbers.Number):
        if isinstance(value, cls):
            return cls.__name__
    return None


class Agent:
    def run(self):
        a, b = Mod(50), Mod(60)
        try:
            a + Mod(1, 7)
        except ValueError as error:
            print(error)
        try:
            a + 1.5
        except TypeError as error:
            print(error)
        print(a + b, a - 1, 1 - a, a * b, a / b, a**-1, -a, sum([a, b]))
        return (
            [kind(n) for n in (1, True, Fraction(1, 2), 1.5, 1j, Decimal(1), a, "1", None)],
            [a == 147, a == b, hash(a) == hash(50), int(b), (a / b * b) == a, a == 1.5],
            [issubclass(int, numbers.Number), issubclass(float, numbers.Rational), issubclass(Mod, numbers.Complex)],
            [int(3.9), float("1e3"), complex("1+2j"), bool(0.0), int("  42 "), round(Decimal("2.675"), 2)],
            [True + True, 7 / 2, 7 // 2.0, 2**-1, 2**0.5 == 4**0.25, 10**20 == 1e20, 0.1 + 0.2 == 0.3, 1 < 2 < 3 != 4],
        )
