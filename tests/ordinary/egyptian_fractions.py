"""Sums of unit fractions, continued fractions, and exact arithmetic."""

from fractions import Fraction
from math import ceil, floor


def egyptian(fraction):
    """Greedy: the largest unit fraction that fits, again and again."""
    while fraction:
        unit = Fraction(1, ceil(1 / fraction))
        yield unit
        fraction -= unit


def continued(value, terms=6):
    out = []
    while len(out) < terms:
        whole = floor(value)
        out.append(whole)
        if value == whole:
            break
        value = 1 / (value - whole)
    return out


def from_continued(terms):
    *rest, last = terms
    value = Fraction(last)
    for term in reversed(rest):
        value = term + 1 / value
    return value


class Percentage(Fraction):
    def __new__(cls, text):
        return super().__new__(cls, Fraction(text.rstrip("%")) / 100)

    def __str__(self):
        return f"{float(self) * 100:g}%"


class Agent:
    def run(self):
        f = Fraction(7, 15)
        print(f, "=", " + ".join(map(str, egyptian(f))))
        pi = Fraction(3.141592653589793)
        try:
            Fraction(1, 0)
        except ZeroDivisionError as error:
            print(error)
        half = Percentage("50%")
        print(half, half + 1, repr(Fraction("0.125")))
        return (
            list(egyptian(f)),
            continued(Fraction(415, 93)),
            from_continued([3, 7, 15, 1]),
            pi.limit_denominator(1000),
            [
                Fraction("3/4") + Fraction(1, 4),
                Fraction(1, 3) ** 2,
                -Fraction(1, 2),
                abs(Fraction(-3, 4)),
                2 - Fraction(1, 3),
            ],
            [
                divmod(Fraction(7, 2), 1),
                Fraction(7, 2) // 1,
                Fraction(7, 2) % 1,
                round(Fraction(5, 2)),
                float(Fraction(1, 3)),
            ],
            [
                Fraction(1, 2) == 0.5,
                hash(Fraction(1, 2)) == hash(0.5),
                Fraction(1, 3) < 0.34,
                Fraction(6, 4).as_integer_ratio(),
            ],
            [str(Percentage("12.5%")), half == Fraction(1, 2), half.numerator, half.denominator],
            sum([Fraction(1, n) for n in range(1, 6)]),
        )
