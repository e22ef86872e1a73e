"""Value objects: equality, hashing, ordering, immutability, interning."""

from functools import total_ordering


@total_ordering
class Card:
    RANKS = "23456789TJQKA"
    __slots__ = ("rank", "suit")
    __match_args__ = ("rank", "suit")
    _known = {}

    def __new__(cls, rank, suit):
        key = (rank, suit)
        if key not in cls._known:
            card = super().__new__(cls)
            object.__setattr__(card, "rank", rank)
            object.__setattr__(card, "suit", suit)
            cls._known[key] = card
        return cls._known[key]

    def __setattr__(self, name, value):
        raise AttributeError(f"{type(self).__name__} is immutable")

    @property
    def strength(self):
        return self.RANKS.index(self.rank)

    def __eq__(self, other):
        return isinstance(other, Card) and (self.rank, self.suit) == (other.rank, other.suit)

    def __lt__(self, other):
        if not isinstance(other, Card):
            return NotImplemented
        return (self.strength, self.suit) < (other.strength, other.suit)

    def __hash__(self):
        return hash((self.rank, self.suit))

    def __repr__(self):
        return f"{self.rank}{self.suit}"


class Hand(frozenset):
    def __new__(cls, text):
        return super().__new__(cls, (Card(*pair) for pair in text.split()))

    def ranking(self):
        match sorted(self, reverse=True):
            case [Card(a), Card(b), Card(c)] if a == b == c:
                return "three of a kind"
            case [Card(a, s), Card(b, t), Card(c, u)] if s == t == u:
                return f"flush to {a}"
            case [Card(rank=a), Card(rank=b), *_] | [_, Card(rank=a), Card(rank=b)] if a == b:
                return f"pair of {a}"
            case [highest, *_]:
                return f"high {highest}"
            case []:
                return "nothing"


class Unhashable:
    def __eq__(self, other):
        return True


class Upper(str):
    def __new__(cls, text):
        return super().__new__(cls, text.upper())

    def __eq__(self, other):
        return str(self) == str(other).upper()

    __hash__ = str.__hash__


class Agent:
    def run(self):
        a, b = Card("A", "h"), Card("A", "h")
        try:
            a.rank = "2"
        except AttributeError as error:
            print(error)
        for thing, name in ((1, "x"), ("a", "x"), ((1, 2), "first"), (range(3), "start"), (1j, "real")):
            try:
                setattr(thing, name, 0)
            except AttributeError:
                print(type(thing).__name__, "is immutable")
        try:
            int.zero = 0
        except TypeError:
            print("so is its class")
        try:
            hash(Unhashable())
        except TypeError as error:
            print(error)
        try:
            a < 3
        except TypeError as error:
            print(error)
        cards = [Card(r, s) for r in "2TA" for s in "ch"]
        hands = [Hand(text) for text in ("Ah Ac As", "2h 9h Kh", "2h 2c Ks", "Kh 3c 3s", "2h 5c Ks", "")]
        return (
            [a is b, a == b, a != Card("A", "c"), len({a, b}), a >= b, a > Card("K", "h"), a == "Ah"],
            [str(card) for card in sorted(cards, reverse=True)],
            [str(min(cards)), str(max(cards, key=lambda card: card.suit))],
            [hand.ranking() for hand in hands],
            [Upper("abc") == "aBc", Upper("x").lower(), len({Upper("a"), Upper("A")}), isinstance(Upper("q"), str)],
            [hands[0] == Hand("As Ah Ac"), len(hands[0] & hands[1]), {hands[1]: "flush"}[Hand("9h Kh 2h")]],
        )
