"""A small language: a tokenizer with named groups, a recursive parser, a tree that is evaluated with match."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<number> \d+ (?: \.\d* )? )
  | (?P<name>   [A-Za-z_]\w* )
  | (?P<sign>   [-+*/^(),=] )
  | (?P<space>  \s+ )
  | (?P<wrong>  . )
    """,
    re.VERBOSE,
)


class CalculatorError(ValueError):
    def __init__(self, message, at):
        super().__init__(f"{message} at {at}")
        self.at = at


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Name:
    text: str


@dataclass(frozen=True)
class Binary:
    sign: str
    left: object
    right: object


@dataclass(frozen=True)
class Call:
    name: str
    arguments: tuple


def tokens(text):
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "wrong":
            raise CalculatorError(f"what is {match.group()!r}", match.start())
        if kind != "space":
            yield kind, match[0], match.start()
    yield "end", "", len(text)


class Parser:
    POWERS = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}

    def __init__(self, text):
        self._tokens = tokens(text)
        self._advance()

    def _advance(self):
        self._kind, self._text, self._at = next(self._tokens)

    def _accept(self, text):
        if self._text != text or self._kind == "end":
            return False
        self._advance()
        return True

    def whole(self):
        tree = self.expression()
        if self._kind != "end":
            raise CalculatorError("unexpected rest", self._at)
        return tree

    def expression(self, least=1):
        left = self._atom()
        while (power := self.POWERS.get(self._text, 0)) >= least:
            sign = self._text
            self._advance()
            left = Binary(sign, left, self.expression(power + (sign != "^")))
        return left

    def _atom(self):
        kind, text, at = self._kind, self._text, self._at
        if kind == "end":
            raise CalculatorError("unexpected end", at)
        self._advance()
        match kind, text:
            case "number", _:
                return Number(float(text))
            case "name", name if self._accept("("):
                arguments = []
                while not self._accept(")"):
                    arguments.append(self.expression())
                    self._accept(",")
                return Call(name, tuple(arguments))
            case "name", name:
                return Name(name)
            case "sign", "(":
                inner = self.expression()
                if not self._accept(")"):
                    raise CalculatorError("missing )", self._at)
                return inner
            case "sign", "-":
                return Binary("-", Number(0), self._atom())
        raise CalculatorError(f"unexpected {text!r}", at)


def value(tree, names):
    match tree:
        case Number(value=number):
            return number
        case Name(text) if text in names:
            return names[text]
        case Name(text=text):
            raise KeyError(text)
        case Binary("+", left, right):
            return value(left, names) + value(right, names)
        case Binary("-", left, right):
            return value(left, names) - value(right, names)
        case Binary("*" | "/" as sign, left, right):
            a, b = value(left, names), value(right, names)
            return a * b if sign == "*" else a / b
        case Binary(sign="^", left=left, right=right):
            return value(left, names) ** value(right, names)
        case Call("max", arguments):
            return max(value(one, names) for one in arguments)
        case _:
            raise TypeError(f"cannot evaluate {tree}")


class Agent:
    def run(self):
        out = []
        for text in ("1 + 2*3", "(1+2)*3", "2^3^2", "-x + max(1, y, 2)", "8/4/2", "1 +", "3 $ 4", "z", "f(1)"):
            try:
                out.append(value(Parser(text).whole(), {"x": 10, "y": 4.5}))
            except (CalculatorError, KeyError, TypeError) as error:
                print(f"{text}: {type(error).__name__}: {error}")
                out.append(getattr(error, "at", None))
        return out, str(Parser("a*2").whole())
