"""The rules of the house: who may import what, how long a file may be, what `import emporion` costs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Bytes in, bytes out: what speaks the protocol neither waits, nor looks at the clock, nor knows where bytes come from.
SANS_IO = [
    "agents/manifest.py",
    "runtime/connection/handshake.py",
    "runtime/connection/handshake_client.py",
    "runtime/connection/handshake_host.py",
    "runtime/connection/handshake_messages.py",
    "runtime/connection/handshake_states.py",
    "runtime/connection/session.py",
    "runtime/connection/waiting.py",
    "runtime/wire/audit.py",
    "runtime/wire/blobs.py",
    "runtime/wire/bounds.py",
    "runtime/wire/codecs.py",
    "runtime/wire/collected.py",
    "runtime/wire/decode.py",
    "runtime/wire/enums.py",
    "runtime/wire/faults.py",
    "runtime/wire/frames.py",
    "runtime/wire/hooks.py",
    "runtime/wire/kinds.py",
    "runtime/wire/manifests.py",
    "runtime/wire/messages.py",
    "runtime/wire/msgpack.py",
    "runtime/wire/order.py",
    "runtime/wire/paths.py",
    "runtime/wire/portable.py",
    "runtime/wire/raised.py",
    "runtime/wire/scalars.py",
    "runtime/wire/scan.py",
    "runtime/wire/values.py",
    "validators/consignment.py",
    "validators/connection/scram.py",
]
WAITING = {"asyncio", "multiprocessing", "os", "queue", "select", "selectors", "signal", "socket", "ssl", "subprocess",
           "threading", "time"}

# Who stands above whom; a module imports from its own storey or from below.
STOREYS = {"errors": 0, "validators": 1, "agents": 2, "runtime": 3, "cli": 4, "pyro3": 4, "__init__": 5, "__main__": 5}

MOST_LINES = 450


def sources() -> list[Path]:
    """Every module of the package; tests, samples and benchmarks are its users."""
    folders = ("agents", "pyro3", "runtime", "validators")
    return sorted([*ROOT.glob("*.py"), *(path for folder in folders for path in ROOT.joinpath(folder).rglob("*.py"))])


def dotted(path: Path) -> str:
    """A module's name inside the package: ``runtime.wire.frames``, and ``__init__`` for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _statements(tree: ast.AST, *, when_loaded: bool) -> Iterator[ast.AST]:
    """All nodes, without blocks for type checkers only; with `when_loaded` also without the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if when_loaded and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        yield from _statements(node, when_loaded=when_loaded)


def imports(path: Path, *, when_loaded: bool = False) -> set[str]:
    """What a module imports: the package's own modules as in `dotted`, prefixed with a dot, all others by name."""
    found: set[str] = set()
    package = path.parent.relative_to(ROOT).parts
    for node in _statements(ast.parse(path.read_text(encoding="utf-8")), when_loaded=when_loaded):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            for alias in node.names:
                found.add("." + _module((*base, *(node.module or "").split(".")), alias.name))
    return found


def _module(parts: tuple[str, ...], name: str) -> str:
    """The module that ``from parts import name`` loads: `name` itself where that is one."""
    place = tuple(part for part in parts if part)
    inner = ROOT.joinpath(*place, name)
    if inner.with_suffix(".py").exists() or inner.joinpath("__init__.py").exists():
        return ".".join((*place, name))
    return ".".join(place) or "__init__"


def storey(module: str) -> int:
    parts = module.split(".")
    return STOREYS["cli"] if parts[:2] == ["runtime", "cli"] else STOREYS[parts[0]]


@pytest.mark.parametrize("path", SANS_IO)
def test_protocol_code_does_no_io(path: str) -> None:
    used = {name.split(".")[0] for name in imports(ROOT / path) if not name.startswith(".")}

    assert not used & WAITING


@pytest.mark.parametrize("path", SANS_IO)
def test_protocol_code_does_no_io_through_modules_of_ours_either(path: str) -> None:
    """Nothing that protocol code reaches in the runtime, however far away, opens a socket or starts a thread."""
    allowed = {dotted(ROOT / other) for other in SANS_IO} | {"errors", "runtime.connection.uri"}
    ours = {name[1:] for name in imports(ROOT / path) if name.startswith(".")}

    assert not {name for name in ours if name.startswith(("runtime", "errors"))} - allowed


def test_the_list_of_protocol_code_is_complete() -> None:
    """A new module of the wire is protocol code too."""
    wire = {str(path.relative_to(ROOT)) for path in ROOT.glob("runtime/wire/*.py") if path.stem != "__init__"}

    assert wire <= set(SANS_IO)
    assert all(ROOT.joinpath(path).exists() for path in SANS_IO)


def test_arrows_point_down() -> None:
    upward = [
        f"{dotted(path)} imports {name[1:]}"
        for path in sources()
        for name in imports(path)
        if name.startswith(".") and name != ".__init__" and storey(name[1:]) > storey(dotted(path))
    ]

    assert not upward


def test_errors_import_nothing_of_ours() -> None:
    assert not {name for name in imports(ROOT / "errors.py") if name.startswith(".")}


def test_no_module_imports_itself_in_a_circle() -> None:
    known = {dotted(path): path for path in sources()}
    graph = {
        name: {one[1:] for one in imports(path, when_loaded=True) if one.startswith(".") and one[1:] in known}
        for name, path in known.items()
    }
    graph["__init__"] = set()  # loads its names late; every module stands below it

    done: set[str] = set()
    for start in graph:
        _walk(graph, start, [], done)


def _walk(graph: dict[str, set[str]], name: str, path: list[str], done: set[str]) -> None:
    assert name not in path, " -> ".join([*path[path.index(name) :], name])
    if name in done:
        return
    for below in sorted(graph[name] - {name}):
        _walk(graph, below, [*path, name], done)
    done.add(name)


def test_no_file_is_longer_than_one_can_oversee() -> None:
    lengths = {dotted(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}

    assert not {name: lines for name, lines in lengths.items() if lines > MOST_LINES}


def _loaded_after(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return {name.split(".")[0] for name in run.stdout.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = _loaded_after("import emporion")

    assert "emporion" in loaded
    assert not loaded & {"typer", "rich", "cryptography", "RestrictedPython", "msgspec", "ssl", "asyncio", "pyseccomp"}


def test_every_public_name_can_be_had_and_a_wrong_one_is_an_attribute_error() -> None:
    every = "import emporion\nfor name in emporion.__all__: getattr(emporion, name)\n"
    wrong = "try: emporion.nonsense\nexcept AttributeError: pass\nelse: raise SystemExit(1)"

    assert "cryptography" in _loaded_after(every + wrong)  # the loop really loaded what is behind the names
