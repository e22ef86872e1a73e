"""Attributes by names made at run time: records, proxies, a fluent builder, a tiny test runner."""


class Record:
    def __init__(self, **values):
        for name, value in values.items():
            setattr(self, name, value)

    def without(self, *names):
        out = Record(**vars(self))
        for name in names:
            delattr(out, name)
        return out

    def __eq__(self, other):
        return self.__dict__ == other.__dict__

    def __repr__(self):
        return f"Record({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class Query:
    """Record of what was asked of it: ``Query().where.size(3).order``."""

    def __init__(self, steps=()):
        self._steps = steps

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Query((*self._steps, name))

    def __call__(self, *args, **kwargs):
        *before, last = self._steps
        words = [*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())]
        return Query((*before, f"{last}({', '.join(words)})"))

    def __str__(self):
        return " ".join(self._steps)


class Suite:
    wanted = 3

    def test_sum(self):
        assert 1 + 2 == self.wanted

    def test_fails(self):
        assert self.wanted == 4, f"{self.wanted} is not 4"

    def test_error(self):
        return {}["missing"]

    def helper(self):
        return "not run"

    not_callable = "test_"


def run_suite(suite):
    report = {}
    for name in sorted(dir(suite)):
        if not name.startswith("test_") or not callable(method := getattr(suite, name)):
            continue
        try:
            method()
        except AssertionError as failure:
            report[name] = f"failed: {failure}"
        except Exception as error:
            report[name] = f"{type(error).__name__}: {error}"
        else:
            report[name] = "passed"
    return report


def enhance(cls):
    for name in ("first", "second"):
        def reader(self, name=name):
            return f"{name} of {type(self).__name__}"

        setattr(cls, f"get_{name}", reader)
    return cls


@enhance
class Enhanced:
    pass


class Borg:
    """All of them are one."""

    _shared = {}

    def __init__(self, **values):
        self.__dict__ = self._shared
        self.__dict__.update(values)


class Agent:
    def run(self):
        Borg(name="one")
        second = Borg(size=2)
        record = Record(name="x", size=3)
        fields = ["size", "missing", "na" + "me"]
        values = [getattr(record, field, "-") for field in fields]
        try:
            getattr(record, "nothing")
        except AttributeError as error:
            print(error)
        try:
            record.without("nope")
        except AttributeError as error:
            print(type(error).__name__)
        methods = {name: getattr(Enhanced(), name)() for name in dir(Enhanced) if name.startswith("get_")}
        function = Record.without
        function.note = "functions have attributes"
        print(Query().where(size=3).order.by("name"), record)
        bound = record.without
        return (
            values,
            [second.name, second.size, vars(Borg())],
            str(record.without("size")),
            record == Record(name="x", size=3),
            run_suite(Suite()),
            methods,
            [function.note, hasattr(record, "size"), hasattr(record, "colour"), str(bound("name"))],
            [name for name in dir(Suite) if not name.startswith("__")],
            [isinstance(record, (int, Record)), callable(Suite), callable(Suite.wanted), bound == record.without],
        )
