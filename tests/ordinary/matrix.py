"""Matrices with every arithmetic operator there is."""

import math
from fractions import Fraction
from numbers import Number


class Matrix:
    def __init__(self, rows):
        self._rows = tuple(tuple(row) for row in rows)
        if len({len(row) for row in self._rows}) > 1:
            raise ValueError("rows differ in length")

    @classmethod
    def identity(cls, size):
        return cls([int(i == j) for j in range(size)] for i in range(size))

    @property
    def shape(self):
        return len(self._rows), len(self._rows[0]) if self._rows else 0

    def _each(self, function, other=None):
        if other is None:
            return type(self)([function(x) for x in row] for row in self._rows)
        if isinstance(other, Matrix):
            pairs = zip(self._rows, other._rows, strict=True)
            return type(self)([function(a, b) for a, b in zip(r, s, strict=True)] for r, s in pairs)
        if isinstance(other, Number):
            return type(self)([function(a, other) for a in row] for row in self._rows)
        return NotImplemented

    def __add__(self, other): return self._each(lambda a, b: a + b, other)
    __radd__ = __add__
    def __sub__(self, other): return self._each(lambda a, b: a - b, other)
    def __rsub__(self, other): return -self + other
    def __mul__(self, other): return self._each(lambda a, b: a * b, other)
    __rmul__ = __mul__
    def __truediv__(self, other): return self._each(lambda a, b: Fraction(a) / b, other)
    def __floordiv__(self, other): return self._each(lambda a, b: a // b, other)
    def __mod__(self, other): return self._each(lambda a, b: a % b, other)
    def __divmod__(self, other): return self // other, self % other
    def __lshift__(self, other): return self._each(lambda a, b: a << b, other)
    def __rshift__(self, other): return self._each(lambda a, b: a >> b, other)
    def __and__(self, other): return self._each(lambda a, b: a & b, other)
    def __or__(self, other): return self._each(lambda a, b: a | b, other)
    def __xor__(self, other): return self._each(lambda a, b: a ^ b, other)
    def __neg__(self): return self._each(lambda a: -a)
    def __pos__(self): return self._each(lambda a: +a)
    def __invert__(self): return type(self)(zip(*self._rows))
    def __abs__(self): return math.sqrt(sum(x * x for row in self._rows for x in row))
    def __round__(self, digits=None): return self._each(lambda a: round(a, digits))
    def __bool__(self): return any(any(row) for row in self._rows)

    def __matmul__(self, other):
        if not isinstance(other, Matrix):
            return NotImplemented
        columns = list(zip(*other._rows))
        return type(self)([sum(a * b for a, b in zip(row, column)) for column in columns] for row in self._rows)

    def __pow__(self, power, modulus=None):
        result = self.identity(len(self._rows))
        for _ in range(power):
            result @= self
            if modulus is not None:
                result %= modulus
        return result

    def __iadd__(self, other):
        self._rows = (self + other)._rows
        return self

    def __getitem__(self, where):
        match where:
            case int(i), int(j):
                return self._rows[i][j]
            case slice() as rows, slice() as columns:
                return type(self)(row[columns] for row in self._rows[rows])
        return self._rows[where]

    def __eq__(self, other):
        return isinstance(other, Matrix) and self._rows == other._rows

    def __hash__(self):
        return hash(self._rows)

    def __repr__(self):
        return f"{type(self).__name__}({[list(row) for row in self._rows]})"


class Agent:
    def run(self):
        a, b = Matrix([[1, 2], [3, 4]]), Matrix([[0, 1], [1, 0]])
        same = a + 0
        same += b
        results = [a + b, 1 + a, a - b, 10 - a, a * 2, 2 * a, a / 2, a // 2, a % 2, a << 1, a >> 1, a & 1, a | 8, a ^ b]
        results += [-a, +a, ~a, a @ b, a**5, pow(a, 5, 7), same, a[:, 1:], round(a * 1.26, 1), *divmod(a, 3)]
        for one in results[:3]:
            print(one)
        try:
            a @ 3
        except TypeError as error:
            print(error)
        try:
            a + Matrix([[1]])
        except ValueError as error:
            print("ValueError", error)
        return [str(one) for one in results], abs(b), a[1, 0], a[0], a == a + 0, bool(a - a), len({a, a + 0}), a.shape
