"""From what people type to objects: ``FILE.py:NAME``, ``module:NAME``, ``name=value``."""

import importlib
import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import typer

from ...errors import ConfigurationError

__all__ = ["Place", "created", "load", "parse_assignments", "parse_place", "parse_value"]

Place = tuple[str, str]  # a file or a module, and a dotted name in it


def parse_place(text: str) -> Place:
    """``mall.py:Mall`` or ``shops.mall:Mall.main`` in its two parts.

    Raises:
        typer.BadParameter: `text` has no such form.
    """
    where, colon, name = text.rpartition(":")
    if not colon or not where or not all(part.isidentifier() for part in name.split(".")):
        raise typer.BadParameter(f"{text!r}: write FILE.py:NAME or module:NAME")
    return where, name


def load(place: Place) -> Any:
    """What stands in a file or module under a name.

    A file is run as a module named after it, with its folder first on `sys.path`, as ``python FILE.py`` would do; a
    module is imported as ``python -m`` would, the current folder first.

    Raises:
        ConfigurationError: There is no such file, module or name.
    """
    where, name = place
    found: Any = _run_file(Path(where)) if where.endswith(".py") or "/" in where else _import_module(where)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ConfigurationError(f"{where} has no {name!r}: check the name after the colon") from None
    return found


def _run_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    name = path.stem
    if not name.isidentifier():
        raise ConfigurationError(f"{path.name} cannot be a module's name: rename it, as in my_mall.py")
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) == str(path):
            return known  # its class and its validator stand in one file: it runs once
        raise ConfigurationError(f"{path} has the name of another module, {name!r}: rename the file")
    _put_first(path.parent)
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # for a file whose name ends in .py
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_module(name: str) -> ModuleType:
    _put_first(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # found, but what it imports is not
        raise ConfigurationError(f"there is no module {name!r} here: is it installed, or in this folder?") from None


def _put_first(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def created(found: Any, **settings: Any) -> Any:
    """An instance as it is; of a class or a function, what calling it with `settings` gives."""
    if isinstance(found, type | FunctionType):
        return found(**settings)
    if settings:
        raise ConfigurationError(f"--set makes arguments for a class, and {found!r:.200} is none")
    return found


def parse_value(text: str) -> Any:
    """JSON where it is JSON, else the text itself: ``500``, ``["tv", "boots"]``, ``Harry``."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse_assignments(texts: list[str]) -> dict[str, Any]:
    """``name=value`` pairs as keyword arguments.

    Raises:
        typer.BadParameter: One has no such form, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[^\W\d]\w*", name):
            raise typer.BadParameter(f"{text!r}: write NAME=VALUE, as in cash=500", param_hint="--set")
        if name in found:
            raise typer.BadParameter(f"{name!r} is set twice", param_hint="--set")
        found[name] = parse_value(value)
    return found
