"""Functions for operators, partial application, and a small stack machine made of them."""

import functools
import operator
from functools import partial, partialmethod, reduce, singledispatch, singledispatchmethod


class Machine:
    BINARY = {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "//": operator.floordiv,
        "%": operator.mod,
        "**": operator.pow,
        "<": operator.lt,
        "==": operator.eq,
        "max": max,
    }
    UNARY = {"neg": operator.neg, "not": operator.not_, "abs": abs, "~": operator.inv}

    def __init__(self):
        self.stack = []

    def run(self, program):
        for word in program.split():
            match word:
                case "dup":
                    self.stack.append(self.stack[-1])
                case "swap":
                    self.stack[-2:] = self.stack[:-3:-1]
                case _ if word in self.BINARY:
                    right, left = self.stack.pop(), self.stack.pop()
                    self.stack.append(self.BINARY[word](left, right))
                case _ if word in self.UNARY:
                    self.stack.append(self.UNARY[word](self.stack.pop()))
                case _:
                    self.stack.append(int(word))
        return self.stack

    def push(self, value, times):
        self.stack.extend([value] * times)
        return self

    push_two = partialmethod(push, times=2)


@singledispatch
def show(value):
    """Tells what a value is."""
    return f"? {value}"


@show.register
def _(value: int):
    return f"int {value}"


@show.register(list)
@show.register(tuple)
def _(value):
    return " ".join(map(show, value))


class Formatter:
    @singledispatchmethod
    def text(self, value):
        return "other"

    @text.register
    def _(self, value: float):
        return f"{value:.1f}"


class Basket:
    def __init__(self, **items):
        self.items = items
        self.owner = self

    def total(self, factor=1):
        return sum(self.items.values()) * factor


class Agent:
    def run(self):
        machine = Machine()
        machine.run("3 4 + dup * 2 swap - neg 7 2 // 5 1 max")
        basket = Basket(a=2, b=3)
        double = partial(operator.mul, 2)
        base_two = partial(int, base=2)
        numbers = [3, 1]
        operator.setitem(numbers, 0, 9)
        operator.iadd(numbers, [4])
        operator.delitem(numbers, 1)
        print(show.__doc__, show(3), show([1, (2, "x")]), show(None), double.args, base_two.keywords)
        pipeline = reduce(lambda f, g: lambda x: g(f(x)), [double, str, operator.methodcaller("zfill", 4)])
        return (
            machine.stack,
            machine.push_two("x").stack[-2:],
            [double(4), base_two("101"), pipeline(21)],
            [reduce(operator.mul, range(1, 6)), reduce(operator.or_, [{1}, {2}]), reduce(lambda a, b: b, [], "none")],
            [operator.itemgetter(1)("abc"), operator.itemgetter(0, -1)([1, 2, 3]), operator.itemgetter("k")({"k": 1})],
            [operator.attrgetter("items")(basket), operator.attrgetter("owner.owner.items")(basket)["b"]],
            [operator.methodcaller("total")(basket), operator.methodcaller("total", factor=3)(basket)],
            [
                operator.contains([1], 1),
                operator.countOf("aab", "a"),
                operator.indexOf("ab", "b"),
                operator.concat("a", "b"),
            ],
            [operator.index(True), operator.truth([]), operator.is_(None, None), operator.xor(5, 1)],
            numbers,
            [Formatter().text(2.25), Formatter().text("x")],
            functools.reduce(max, [2, 8, 4]),
        )
