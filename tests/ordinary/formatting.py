"""__format__ of one's own classes, format_map with defaults, formatters, and numbers in every dress."""

import string
from datetime import date
from decimal import Decimal


class Money:
    SIGNS = {"e": "€", "d": "$"}

    def __init__(self, amount):
        self.amount = amount

    def __format__(self, spec):
        sign, digits = (spec[:1], spec[1:]) if spec[:1] in self.SIGNS else ("e", spec)
        return f"{self.SIGNS[sign]}{self.amount:{digits or ',.2f'}}"


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
        self._hidden = "h"

    def __format__(self, spec):
        return f"({format(self.x, spec)}, {format(self.y, spec)})"

    def __str__(self):
        return "a point"

    def format(self, style):
        return f"formatted {style}"


class Gaps(dict):
    def __missing__(self, key):
        return f"<{key}>"


class Shouting(string.Formatter):
    def get_value(self, key, args, kwargs):
        return kwargs.get(key, "?") if isinstance(key, str) else args[key]

    def convert_field(self, value, conversion):
        return str(value).upper() if conversion == "u" else super().convert_field(value, conversion)

    def format_field(self, value, spec):
        return super().format_field(value, spec) + "!"


class Agent:
    def run(self):
        money, point = Money(1234.5), Point(1.25, -2)
        name, width, precision = "rope", 10, 3
        print(f"{money} {money:d} {money:e.0f} {point:.1f} {point} {point!s:>9}")
        print("{0:.2f} {0.x} {0.y:+d} {1[k][0]} {2}".format(point, {"k": [7]}, point))
        print("{:>{w}}|{:^{w}}|{:<{w}}".format("a", "b", "c", w=5))
        return [
            f"{name:>{width}}|{name:*^{width}}|{name:.{precision}}|{3.14159:{width}.{precision}f}",
            f"{1e6:,.0f} {1234567:_} {255:#06x} {5:b} {0.125:%} {1e-9:.3g} {12:c}{65:c} {-3: d} {3: d} {7:=+5}",
            f"{True} {True:d} {None!r:>6} {[1]!s:<5} {date(2024, 2, 29):%d.%m.%y} {Decimal('2.50'):>8} {1 + 2j:.1f}",
            "{a} {b} {c.real}".format_map(Gaps(a=1, c=2)),
            Shouting().format("{0!u} {name} {missing:>3}", "x", name="y"),
            string.Formatter().vformat("{} {k}", ("a",), {"k": "b"}),
            list(string.Formatter().parse("x{y!r:>3}"))[0],
            str.format("{}", 3),
            ", ".join(map("{:02d}".format, range(3))),
            point.format("here"),
            "{{literal}} {}".format("{}"),
            f"{'a' if width > 5 else 'b'} {(lambda n: n * 2)(4)} {', '.join(f'{n}' for n in range(3))}",
            f"{width = } {name = !s} {precision + 1 = :>3}",
            "%s %r %5.1f %-4d| %%" % (name, name, 2.25, 3),
            "%(who)s has %(n)03d" % {"who": "Cy", "n": 7},
            format(point, ".0f"),
            format("x"),
        ]
