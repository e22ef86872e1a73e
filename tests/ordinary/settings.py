"""Settings in namespaces and read-only views; types that are asked for by name."""

import types
from types import MappingProxyType, SimpleNamespace


def namespace(data):
    match data:
        case {**items}:
            return SimpleNamespace(**{key: namespace(value) for key, value in items.items()})
        case [*items]:
            return [namespace(item) for item in items]
        case _:
            return data


def plain(value):
    if isinstance(value, SimpleNamespace):
        return {key: plain(inner) for key, inner in vars(value).items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def merge(base, extra):
    out = dict(base)
    for key, value in extra.items():
        match out.get(key), value:
            case dict() as old, dict() as new:
                out[key] = merge(old, new)
            case _, None:
                out.pop(key, None)
            case _, {"append": [*more], **rest} if not rest:
                out[key] = [*out.get(key, []), *more]
            case _:
                out[key] = value
    return out


def kind(value):
    match value:
        case None | types.EllipsisType():
            return "nothing"
        case bool(flag):
            return f"flag {flag}"
        case int(n) | float(n):
            return f"number {n}"
        case str(text) if text.isidentifier():
            return f"name {text}"
        case "" | b"":
            return "empty"
        case str() | bytes():
            return "text"
        case (first, second):
            return f"pair of {first} and {second}"
        case {"type": str(name), **rest} if rest:
            return f"{name} with {sorted(rest)}"
        case SimpleNamespace(port=80 | 443 as port):
            return f"web {port}"
        case types.GeneratorType():
            return "generator"
        case set() | frozenset():
            return "set"
        case -1j:
            return "minus i"
    return "something"


class Agent:
    defaults = MappingProxyType({"host": {"name": "localhost", "port": 80}, "paths": ["/"], "debug": True})

    def run(self):
        merged = merge(self.defaults, {"host": {"port": 443}, "paths": {"append": ["/a"]}, "debug": None})
        settings = namespace(merged)
        settings.host.user = "anna"
        del settings.host.name
        try:
            self.defaults["x"] = 1
        except TypeError as error:
            print(error)
        print(settings, self.defaults)
        values = [
            None,
            ...,
            True,
            3,
            2.5,
            "abc",
            "",
            "a b",
            b"x",
            (1, 2),
            [3, 4],
            {"type": "t", "a": 1},
            {"type": "t"},
            settings.host,
            (n for n in ()),
            {1},
            -1j,
            object(),
        ]
        return (
            plain(settings),
            [kind(value) for value in values],
            SimpleNamespace(a=1) == SimpleNamespace(a=1),
            [len(self.defaults), list(self.defaults), self.defaults.get("none"), dict(self.defaults | {"n": 1})["n"]],
            [
                isinstance(None, types.NoneType),
                isinstance(self.run, types.MethodType),
                isinstance(int | str, types.UnionType),
            ],
            [isinstance(len, types.BuiltinFunctionType), type(self.defaults) is MappingProxyType],
        )
