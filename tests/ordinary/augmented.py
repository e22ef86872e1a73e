"""Augmented assignment on names, attributes, items and slices; each side evaluated once."""


class Money:
    def __init__(self, cents):
        self.cents = cents

    def __add__(self, other):
        return Money(self.cents + other.cents)

    def __isub__(self, other):
        self.cents -= other.cents
        return self

    def __repr__(self):
        return f"Money({self.cents})"


class Wallet:
    opened = 0
    owners = ()

    def __init__(self):
        self.items = [1, 2, 3, 4]
        self.counts = {}
        self.money = Money(100)
        self._secret = 1
        self.__deep = 2
        self.inner = self

    def where(self, log):
        log.append("where")
        return self

    def work(self):
        self._secret += 1
        self.__deep **= 3
        self.inner.inner._secret *= 10
        Wallet.opened += 1
        type(self).owners += ("me",)
        return self._secret, self.__deep

    @property
    def total(self):
        return sum(self.items)

    @total.setter
    def total(self, value):
        self.items.append(value - self.total)


class Agent:
    def run(self):
        log = []

        def index(n):
            log.append(n)
            return n

        wallet = Wallet()
        wallet.where(log).items[index(0)] += index(10)
        wallet.items[index(1):index(3)] *= 2
        wallet.items[:1] += [7, 8]
        wallet.total += 5
        wallet.counts.setdefault("a", []).append(1)
        wallet.counts["a"] += (2, 3)
        wallet.counts["a"][-1] -= 1
        alias = wallet.money
        wallet.money -= Money(30)
        same = alias is wallet.money
        wallet.money += Money(5)
        n = 37
        steps = []
        n += 3
        steps.append(n)
        n -= 1
        steps.append(n)
        n *= 2
        steps.append(n)
        n //= 5
        steps.append(n)
        n **= 2
        steps.append(n)
        n %= 100
        steps.append(n)
        n <<= 3
        steps.append(n)
        n >>= 1
        steps.append(n)
        n |= 5
        steps.append(n)
        n &= 62
        steps.append(n)
        n ^= 33
        steps.append(n)
        n /= 4
        steps.append(n)
        text, pair, names = "ab", (1,), {"x"}
        text += "c"
        text *= 2
        pair += (2,)
        names |= {"y"}
        names -= {"x"}
        flags = bytearray(b"ab")
        flags += b"c"
        flags[0] ^= 32
        frozen = ([1],)
        try:
            frozen[0] += [2]
        except TypeError as error:
            print(error)
        print(steps)
        result = [log, wallet.items, wallet.counts, repr(wallet.money), repr(alias), same, wallet.total, wallet.work()]
        return result, Wallet.opened, Wallet.owners, text, pair, names, bytes(flags), frozen
