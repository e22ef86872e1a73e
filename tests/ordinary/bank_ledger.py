"""A double-entry ledger in Decimal, with transactions that are undone as a whole."""

from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal, InvalidOperation, getcontext, localcontext

CENT = Decimal("0.01")


class LedgerError(Exception):
    """Base of what can go wrong here."""


class Overdrawn(LedgerError):
    def __init__(self, account, missing):
        super().__init__(f"{account} lacks {missing}")
        self.account, self.missing = account, missing


class BadAmount(LedgerError):
    pass


class Account:
    def __init__(self, name, balance="0"):
        self.name = name
        self._balance = Decimal(balance)
        self.history = []

    @property
    def balance(self):
        return self._balance

    @balance.setter
    def balance(self, amount):
        if amount < 0:
            raise Overdrawn(self.name, -amount)
        self.history.append(amount - self._balance)
        self._balance = amount


class Ledger:
    def __init__(self, **balances):
        self.accounts = {name: Account(name, balance) for name, balance in balances.items()}

    def transfer(self, source, target, amount):
        try:
            amount = Decimal(amount).quantize(CENT, ROUND_HALF_EVEN)
        except InvalidOperation as error:
            raise BadAmount(f"{amount!r} is no amount") from error
        self.accounts[target].balance += amount
        self.accounts[source].balance -= amount

    @contextmanager
    def transaction(self):
        before = {name: account.balance for name, account in self.accounts.items()}
        try:
            yield self
        except LedgerError:
            for name, balance in before.items():
                self.accounts[name]._balance = balance
            raise

    def interest(self, rate):
        with localcontext() as context:
            context.prec = 6
            context.rounding = ROUND_UP
            return {name: (account.balance * Decimal(rate) / 3).normalize() for name, account in self.accounts.items()}

    def __str__(self):
        return "\n".join(f"{a.name:<6}{a.balance:>12,.2f}" for a in self.accounts.values())


class Agent:
    def run(self):
        ledger = Ledger(anna="1234.50", ben="10", cleo="0")
        ledger.transfer("anna", "ben", "34.505")
        errors = []
        for steps in ([("ben", "cleo", "44"), ("ben", "cleo", "1")], [("anna", "ben", "much")]):
            try:
                with ledger.transaction():
                    for step in steps:
                        ledger.transfer(*step)
            except Overdrawn as error:
                errors.append((str(error), error.account, error.missing))
            except LedgerError as error:
                errors.append((str(error), type(error.__cause__).__name__))
        print(ledger)
        total = sum((a.balance for a in ledger.accounts.values()), Decimal())
        return errors, total, ledger.interest("0.035"), getcontext().prec, ledger.accounts["ben"].history
