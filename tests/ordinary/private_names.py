"""Private names, with one underscore and with two, in nested functions and classes."""


class Vault:
    _count = 0
    __secret = "class"

    def __init__(self, code, **names):
        self._code = code
        self.__opened = 0
        type(self)._count += 1
        for name, value in names.items():
            setattr(self, f"_{name}", value)

    def __check(self, code):
        return code == self._code

    def open(self, code):
        def attempt():
            self.__opened += 1
            return self.__check(code)

        results = [attempt() for _ in range(2)]
        return all(results), self.__opened, (lambda: self.__secret)()

    def compare(self, other):
        return self._code == other._code and self.__opened >= other.__opened

    @staticmethod
    def _mix(a, _b=2, *, __c=3):
        return a, _b, __c

    class __Key:
        def __init__(self, teeth):
            self.__teeth = teeth

        def __repr__(self):
            return f"key with {self.__teeth}"

    def key(self, teeth):
        __local = self.__Key(teeth)
        return __local

    @property
    def _hidden(self):
        return self.__secret

    def forget(self):
        del self.__opened
        return hasattr(self, "_Vault__opened"), self._has("_code")

    def _has(self, name):
        return name in self.__dict__


class Deeper(Vault):
    __secret = "subclass"

    def both(self):
        return self.__secret, self._Vault__secret, self._hidden, super()._has("_code")

    def open(self, code):
        self.__opened = "own"
        return super().open(code), self.__opened


class _Internal:
    _registry = {}

    @classmethod
    def _register(cls, thing):
        cls._registry[type(thing).__name__] = thing
        return thing


def _helper(_value):
    _doubled = _value * 2
    return _doubled


class Agent:
    def run(self):
        vault, other = Vault(7), Vault(7, tag="x", __odd=1)
        deeper = Deeper(3)
        opened = [vault.open(7), vault.open(1), deeper.open(3)]
        _Internal._register(vault)
        names = sorted(vars(other))
        print(vault.key(5), names)
        try:
            vault.__secret
        except AttributeError as error:
            print(error)
        vault._later = _helper(4)
        return (
            opened,
            vault.compare(other),
            deeper.both(),
            Vault._mix(1),
            Vault._mix(1, _b=5),
            vault.forget(),
            [Vault._count, Deeper._count, deeper._code, vault._later, getattr(other, "_tag"), other._tag],
            list(_Internal._registry),
            [name for name in dir(deeper) if name.startswith("_") and not name.startswith("__")],
        )
