"""Modules that an operator lets the agents of an object import, beyond those of `facades`.

They are imported in the zygote, while there are files, and agents get their public names, as they are: what can be
reached through them is the operator's decision, and ``emporion check --module`` shows it. Modules stay out, unless they
are named themselves: a module without ``__all__`` would hand out whatever it imported.
"""

import importlib
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from ....errors import SandboxUnavailable
from .builtin_table import ALLOWED_BASES
from .facade import Facade, make_facade
from .facades import FACADES
from .names import Kind, kind_of
from .receivers import hold_to_instances

__all__ = ["allow", "facades_of", "public_names"]

# Visits cannot have threads; libraries that would start some to calculate with are told so before they are imported.
_NO_THREADS: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def allow(names: Sequence[str], folders: Sequence[str] = ()) -> None:
    """Import modules, and let all agents of this process import them. Twice does no harm.

    Args:
        names: Dotted names; those that have facades already keep them.
        folders: Looked through after this interpreter's own, while importing.

    Raises:
        SandboxUnavailable: A module cannot be imported here, or it starts threads, which do not survive a fork.
    """
    wanted = [name for name in names if name not in FACADES]
    before = sys.path[:]
    sys.path += [folder for folder in folders if folder not in before]
    os.environ.update(_NO_THREADS)
    try:
        modules = {name: _imported(name) for name in wanted}
    finally:
        sys.path[:] = before
    if threading.active_count() > 1:
        raise SandboxUnavailable(f"modules: one of {', '.join(names)} starts threads when it is imported: leave it out")
    for name, facade in facades_of(modules).items():
        FACADES[name] = facade
        values = [getattr(facade, member) for member in facade.__all__]
        classes = {value for value in values if isinstance(value, type) and not issubclass(value, type)}
        hold_to_instances(classes)
        ALLOWED_BASES.update(classes)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # it runs code of its own
        why = f"{type(error).__name__}: {error}"
        text = f"module {name!r}, which an object's modules= allows, cannot be imported in the sandbox: {why}"
        raise SandboxUnavailable(text) from error


def facades_of(modules: Mapping[str, ModuleType]) -> dict[str, Facade]:
    """A facade for each of `modules` and for each package above, which has the inner ones as names."""
    names = set(modules)
    for name in modules:
        while name := name.rpartition(".")[0]:
            names.add(name)
    made: dict[str, Facade] = {}
    for name in sorted(names, key=lambda name: -name.count(".")):  # the innermost first
        if name in modules:
            members = public_names(modules[name])
        else:
            known = FACADES.get(name)
            members = {member: getattr(known, member) for member in known.__all__} if known is not None else {}
        members |= {inner.rpartition(".")[2]: made[inner] for inner in made if inner.rpartition(".")[0] == name}
        made[name] = make_facade(name, members)
    return made


def public_names(module: ModuleType) -> dict[str, Any]:
    """What agents get of a module: what its ``__all__`` lists, else names without underscores; no modules."""
    listed = getattr(module, "__all__", None)
    names = [name for name in vars(module) if not name.startswith("_")] if listed is None else list(listed)
    found: dict[str, Any] = {}
    for name in names:
        if type(name) is str and name.isidentifier() and kind_of(name) in (Kind.FREE, Kind.WATCHED):
            value = getattr(module, name, None)  # a list may promise what is not there
            if hasattr(module, name) and not isinstance(value, ModuleType):
                found[name] = value
    return found
