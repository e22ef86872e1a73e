"""The modules of one visit: every closure's modules side by side, none in `sys.modules` under its plain name.

A module is identified by its closure and its dotted name; the same name in two closures is two modules.
"""

import builtins
import hashlib
import random
import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from .builtin_table import agent_builtins, plain_print
from .facade import Facade, make_facade
from .facades import FACADES, RANDOM
from .names import is_dunder
from .ownership import MARK, Mark
from .places import Place, find, label_of, maker_of, path_in

__all__ = ["World", "warm_up"]


class _Closure:
    """One manifest: its modules' digests, and those of its modules that have been executed."""

    def __init__(self, identity: str, manifest: Mapping[str, str]) -> None:
        self.identity = identity
        self.digests = dict(manifest)
        self.loaded: dict[str, types.ModuleType] = {}
        self.packages = {name.rpartition(".")[0] for name in self.digests}
        for name in list(self.packages):
            while name := name.rpartition(".")[0]:
                self.packages.add(name)
        self.packages.discard("")
        self.importlib: Facade | None = None  # as its modules see it, once one has asked

    def __contains__(self, name: str) -> bool:
        return name in self.digests or name in self.packages


class _Imported:
    """What ``from module import a, b`` reads its names from: a snapshot, with a ``__name__`` that is no module's.

    The interpreter looks a missing name up in `sys.modules` as a submodule of the object's ``__name__``: on the module
    itself that would hand out a library's real submodule of the same name.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)
        self.__dict__.setdefault("__name__", ":")


class World:
    """The modules of one visit.

    Args:
        write: Receives the text of each `print` of agent code.
        language: False runs agent code with all builtins and real imports, to test the operating system's wall alone.
    """

    def __init__(self, *, write: Callable[[str], None], language: bool = True) -> None:
        self._language = language
        self._closures: dict[str, _Closure] = {}
        self._codes: dict[tuple[str, str], types.CodeType] = {}
        if language:
            self._builtins = agent_builtins(write, self._import)
        else:
            self._builtins = {**vars(builtins), "print": plain_print(write), "__import__": self._import}
        RANDOM.seed()
        random.seed()  # what the library itself draws from: forked processes would all draw the same

    def add_closure(self, manifest: Mapping[str, str]) -> str:
        """Make the modules of `manifest` ({dotted name: SHA-256 of the source in hex}) known; idempotent.

        Returns:
            The closure's id: SHA-256 in hex over ``name\\ndigest\\n`` of each module in the names' order, as UTF-8.

        Raises:
            ValueError: A name is not a dotted name that an import statement could spell.
        """
        for name in manifest:
            if not all(part.isidentifier() and not is_dunder(part) for part in name.split(".")):
                raise ValueError(f"{name!r} is no dotted name of a module: rename it")
        text = "".join(f"{name}\n{manifest[name]}\n" for name in sorted(manifest))
        identity = hashlib.sha256(text.encode()).hexdigest()
        self._closures.setdefault(identity, _Closure(identity, manifest))
        return identity

    def add_code(self, name: str, digest: str, code: types.CodeType) -> None:
        """Keep the compiled module `name` whose source has `digest`; idempotent."""
        self._codes.setdefault((name, digest), code)

    def load_class(self, closure: str, module: str, qualname: str) -> type:
        """As `load`; only for classes."""
        found = self.load(closure, module, qualname)
        if not isinstance(found, type):
            raise LookupError(f"module {module!r} has no class {qualname!r}")
        return found

    def load(self, closure: str, module: str, path: str) -> object:
        """The class, function or enum member `path` of `module` in `closure`; the module is executed on first use.

        Raises:
            LookupError: No such closure, module or name, or what stands there was made elsewhere. What the module
                itself raises while it is executed comes through.
        """
        home = self._closures.get(closure)
        if home is None or module not in home:
            raise LookupError(f"no module {module!r} in this closure: its manifest must list it")
        found = find(vars(self._load(home, module)), path)
        place = None if found is None else self.place(found)
        if place is None or not place.named:
            raise LookupError(f"module {module!r} has no class, function or enum member {path!r}")
        if (place.closure, place.module) != (closure, module):
            raise LookupError(f"{path!r} in module {module!r} was made by another module")
        return found

    def place(self, obj: object) -> Place | None:
        """Where something that a module of this world made stands; of an instance, its class. None for all else."""
        named, maker = maker_of(obj)
        if type(maker) is Mark:
            home, module = self._closures.get(maker.closure), str(maker)
        elif self._language or not isinstance(maker, str):
            return None
        else:  # without the language wall nothing carries a mark: look it up
            module, subject = maker, obj if named and not isinstance(obj, Enum) else type(obj)
            homes = (one for one in self._closures.values() if module in one.loaded)
            home = next((one for one in homes if path_in(vars(one.loaded[module]), subject)), None)
        if home is None or module not in home.loaded:
            return None
        return Place(home.identity, module, named, label_of(obj), path_in(vars(home.loaded[module]), obj))

    def _load(self, home: _Closure, name: str) -> types.ModuleType:
        """Execute module `name`, its packages first, unless that was done; bind each to its package."""
        parent, _, last = name.rpartition(".")
        package = self._load(home, parent) if parent else None
        module = home.loaded.get(name)
        if module is None:
            module = self._execute(home, name)
        if package is not None:
            setattr(package, last, module)
        return module

    def _execute(self, home: _Closure, name: str) -> types.ModuleType:
        module = types.ModuleType(name)
        space = module.__dict__
        space["__builtins__"] = self._builtins
        space[MARK] = Mark(name, home.identity, space)
        space["__package__"] = name if name in home.packages else name.rpartition(".")[0]
        if name not in home.digests:
            home.loaded[name] = module
            return module  # a package whose `__init__` holds no code does not travel
        code = self._codes.get((name, home.digests[name]))
        if code is None:
            raise ImportError(f"the code of module {name!r} has not arrived", name=name)
        home.loaded[name] = module
        try:
            exec(code, space)
        except BaseException:
            home.loaded.pop(name, None)
            raise
        return module

    def _import(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = None, level: int = 0
    ) -> Any:
        """What an import statement of agent code calls."""
        if type(fromlist) is list:
            # C code imports a module of its own through us (`time.strptime` wants `_strptime`): compiled import
            # statements pass None or a tuple. It then takes the module from `sys.modules`; nobody sees what we return.
            builtins.__import__(name, {}, {}, (), 0)
            return None
        mark = globals.get(MARK) if type(globals) is dict else None
        if type(mark) is not Mark:
            raise ImportError("agents import with import statements only")
        home = self._closures[mark.closure]
        target = _absolute(name, level, str(mark), home)
        if target in home:
            module: Any = self._load(home, target)
            if fromlist:
                return _Imported(self._chosen(home, target, module, fromlist))
            return home.loaded[target.partition(".")[0]]
        return self._import_outside(home, target, fromlist)

    def _importlib(self, home: _Closure) -> Facade:
        """`importlib` as the modules of one closure see it: for names made at run time, and for those modules only."""

        def import_module(name: str, package: str | None = None) -> Any:
            level = len(name) - len(name.lstrip(".")) if type(name) is str else 0
            if type(name) is not str or (level and type(package) is not str):
                raise TypeError("import_module() takes a module's name, and with leading dots also a package's")
            target = _climbed(name[level:], level, str(package)) if level else name
            if target in home:
                return self._load(home, target)
            return self._outside(home, target)

        if home.importlib is None:
            home.importlib = make_facade("importlib", {"import_module": import_module})
        return home.importlib

    def _outside(self, home: _Closure, name: str) -> Any:
        """The facade of a module that is not the agent's own."""
        if name not in FACADES:
            available = ", ".join(sorted(set(FACADES) - {"__future__"}))
            raise ImportError(f"agents may not import {name}; available: {available}", name=name)
        return self._importlib(home) if name == "importlib" else FACADES[name]

    def _import_outside(self, home: _Closure, name: str, fromlist: Any) -> Any:
        if not self._language and name != "importlib":
            return builtins.__import__(name, {}, {}, fromlist or (), 0)
        facade = self._outside(home, name)
        if not fromlist:
            return self._outside(home, name.partition(".")[0])
        chosen = facade.__all__ if "*" in fromlist else fromlist
        for part in chosen:
            if part not in facade.__all__ and part != "__name__":
                raise ImportError(f"module {name!r} has no {part!r} for agents", name=name)
        return _Imported({**{part: getattr(facade, part) for part in chosen}, "__all__": tuple(chosen)})

    def _chosen(self, home: _Closure, target: str, module: types.ModuleType, fromlist: Any) -> dict[str, Any]:
        """The values that ``from target import ...`` asks for, submodules loaded; all public ones for a star."""
        names = [name for name in fromlist if name != "*"]
        space = vars(module)
        if "*" in fromlist:
            listed = space.get("__all__")
            names += [name for name in space if not name.startswith("_")] if listed is None else list(listed)
        values: dict[str, Any] = {}
        for name in names:
            if type(name) is not str or not name.isidentifier() or (is_dunder(name) and name not in space):
                raise ImportError(f"cannot import name {name!r} from {target!r}", name=target)
            if name not in space and f"{target}.{name}" in home:
                self._load(home, f"{target}.{name}")
            if name not in space:
                raise ImportError(f"cannot import name {name!r} from {target!r}", name=target)
            values[name] = space[name]
        if "*" in fromlist:
            values["__all__"] = tuple(name for name in names if not is_dunder(name))
        return values


def _absolute(name: str, level: int, importer: str, home: _Closure) -> str:
    """The absolute name that an import of `name`, `level` dots up, means in module `importer`."""
    if level == 0:
        return name
    return _climbed(name, level, importer if importer in home.packages else importer.rpartition(".")[0])


def _climbed(name: str, level: int, package: str) -> str:
    for _ in range(level - 1):
        package = package.rpartition(".")[0]
    if not package:
        raise ImportError("attempted relative import beyond top-level package")
    return f"{package}.{name}" if name else package


_WARM_UP: Final = '''
from __future__ import annotations
import array, base64, copy, datetime, decimal, difflib, fractions, functools, hashlib, json, random, re, statistics
import string, textwrap, time, typing, unicodedata, uuid, zoneinfo
from abc import ABC, abstractmethod
from collections import namedtuple
from dataclasses import asdict, dataclass, field
from enum import Enum, auto

class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...

@dataclass(order=True)
class Square(Shape):
    side: float
    tags: list[str] = field(default_factory=list)
    def area(self) -> float:
        return self.side ** 2

class Colour(Enum):
    RED = auto()

class Row(typing.NamedTuple):
    name: str

def run():
    square = copy.deepcopy(Square(2.0, ["a"]))
    point = namedtuple("Point", "x y")(1, 2)._asdict()
    when = datetime.datetime.strptime("2024-02-29 12:00", "%Y-%m-%d %H:%M").astimezone()
    texts = [f"{square.area():.2f} {Colour.RED!r}", "{0.side:>5}".format(square), "%s" % point, when.strftime("%A %c")]
    texts += [time.strftime("%x"), textwrap.fill("a b " * 40), string.Template("$a").substitute(a=1), asdict(square)]
    numbers = [decimal.Decimal(1) / 3, fractions.Fraction(1, 3), statistics.fmean([1, 2]), random.random()]
    matched = re.sub(r"(\\w+)", r"<\\1>", "a b", flags=re.I)
    digests = [each(b"x").hexdigest() for each in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.blake2b)]
    digests += [hashlib.new("sha3_256", b"x"), hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1)]
    names = [unicodedata.name("a"), "\\N{BULLET}", str(uuid.uuid4()), str(uuid.uuid5(uuid.NAMESPACE_DNS, "a"))]
    coded = [base64.b64encode(b"x"), "x".encode("utf-16"), "x".encode("idna"), "x".encode("cp1252")]
    zones = [when.astimezone(zoneinfo.ZoneInfo("Europe/Berlin")), len(zoneinfo.available_timezones())]
    close = difflib.get_close_matches("appel", ["apple"])
    data = json.dumps(json.loads('{"a": [1, 2.5, null, "\\\\u00e9"]}'), indent=1)
    print(data, texts, numbers, matched, digests, names, coded, zones, close, repr(square), Row("a"))

run()
'''


def warm_up() -> None:
    """Exercise what Python sets up on first use; call it once when the zygote starts, while there is a file system.

    `strptime` and some codecs import modules, the time zone and OpenSSL read files, `re` and `dataclass` fill caches.
    """
    from .policy import compile_module  # the parser's side: wanted here, but not by those who only run compiled code

    source = _WARM_UP.strip() + "\n"
    digest = hashlib.sha256(source.encode()).hexdigest()
    lines: list[str] = []
    world = World(write=lines.append)
    closure = world.add_closure({"warm.up": digest})
    world.add_code("warm.up", digest, compile_module(source, name="warm.up", digest=digest))
    world.load_class(closure, "warm.up", "Square")
    if not lines:
        raise RuntimeError("the warm-up module printed nothing: agent code does not run here")
