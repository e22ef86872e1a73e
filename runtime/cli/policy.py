"""`emporion policy test`: what a code validator would say about the agents in a folder, in both directions."""

import ipaddress
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...agents.folder import Lying, modules_in
from ...agents.manifest import check_module_name, digest_of
from ...agents.signing import signatures_beside
from ...errors import ConfigurationError, ProtocolError
from ...validators.code import Block, Consignment, judge
from ...validators.connection import Connection
from ...validators.verdict import Verdict
from ..context import Caller
from .loading import load, parse_place
from .screen import console, plain

__all__ = ["imagined", "report", "validator_at"]

DEFAULT_NAMES: Final = ("code_validator", "policy")
PORT: Final = 50_000  # of the imagined sender

Validator = Callable[..., Any]


def validator_at(where: str, agents: Path) -> Validator:
    """The validator that ``FILE:NAME`` or ``module:NAME`` names; without a NAME, `code_validator` or `policy` there.

    Its folder, and that of the `agents`, come last on `sys.path`: in front, as `load` has it, a stranger's file with
    the name of a library would run as soon as somebody imports the library.

    Raises:
        typer.BadParameter: `where` has no such form.
        ConfigurationError: There is none.
    """
    file, _, name = where.rpartition(":")
    named = bool(file) and "/" not in name and not name.endswith(".py")
    for folder in (agents, Path(), Path(file if named else where).parent):
        _put_last(str(folder.resolve()))
    if named:
        found = load(parse_place(where))
    else:
        known = load((where, "__dict__"))
        name = next((name for name in DEFAULT_NAMES if name in known), "")
        if not name:
            raise ConfigurationError(f"{where} has neither code_validator nor policy: name yours, as in {where}:NAME")
        found = known[name]
    if not callable(found):
        raise ConfigurationError(f"{name!r} in {where} cannot be called: a code validator is needed")
    validator: Validator = found
    return validator


def _put_last(folder: str) -> None:
    sys.path[:] = [entry for entry in sys.path if entry not in ("", folder)] + [folder]


def imagined(address: str, identity: str | None) -> Caller:
    """A caller as validators would see one.

    Raises:
        typer.BadParameter: `address` is no ip address.
    """
    try:
        place = (str(ipaddress.ip_address(address)), PORT)
    except ValueError:
        raise typer.BadParameter(f"{address!r} is no ip address", param_hint="--address") from None
    connection = Connection(place)
    connection.identity = identity
    return Caller(identity, place, None, connection)


@dataclass(frozen=True, slots=True)
class _Case:
    """One module's two questions and their answers; `upload` is None where nobody would be asked."""

    module: Lying
    consignment: Consignment | None
    upload: Verdict | None
    download: Verdict


def report(validator: Validator, folder: Path, caller: Caller, *, explain: bool, as_json: bool) -> None:
    """Print what `validator` would decide about each module of `folder` as an upload of `caller`'s, and as a download.

    The modules are read, not run. Blocks that count are only looked at.

    Raises:
        ConfigurationError: `folder` is none.
    """
    modules = modules_in(folder)
    if not modules:
        raise ConfigurationError(f"{folder} has no modules: give the folder that agents are imported from")
    shipped = _consignments(modules)
    cases = [_case(validator, one, shipped.get(one.name), caller) for one in modules]
    if as_json:
        lines = [_record(case, validator if explain else None, caller) for case in cases]
        typer.echo(json.dumps(lines, indent=1))
        return
    screen = console()
    _table(screen, cases)
    if explain:
        for case in cases:
            _tree(screen, case, validator, caller)


def _consignments(modules: list[Lying]) -> dict[str, Consignment]:
    """What each module would come with: its own closure; or a signed one that it is part of, where its own is not."""
    own = {
        one.name: Consignment(one.manifest, signatures_beside(one.origin, one.manifest))
        for one in modules
        if one.manifest
    }
    signed = {name: goods for goods in own.values() if goods.signatures for name in goods.manifest}
    alone = {one.name: Consignment({one.name: digest_of(one.source)}) for one in modules if one.fault and one.source}
    return alone | own | {name: goods for name, goods in signed.items() if name in own and not own[name].signatures}


def _case(validator: Validator, one: Lying, goods: Consignment | None, caller: Caller) -> _Case:
    upload = None
    if goods is not None and not _misnamed(one.name):
        upload = judge(
            validator, one.name, one.source, caller.address, caller=caller, consignment=goods, peek=True
        )
    return _Case(one, goods, upload, judge(validator, one.name, None, None, caller=caller, peek=True))


def _misnamed(name: str) -> str:
    try:
        check_module_name(name)
    except ProtocolError as error:
        return str(error)
    return ""


def _explained(case: _Case, validator: Validator, caller: Caller) -> Iterator[tuple[str, list[str]]]:
    """The trees of a block, by direction."""
    if not isinstance(validator, Block):
        return
    name, source, goods = case.module.name, case.module.source, case.consignment
    if case.upload is not None:
        yield "upload", validator.explain(name, source, caller.address, caller, goods).splitlines()
    yield "download", validator.explain(name, None, None, caller).splitlines()


def _record(case: _Case, validator: Validator | None, caller: Caller) -> dict[str, Any]:
    """One module's line of JSON; `validator` where it shall explain itself."""
    goods = case.consignment
    found: dict[str, Any] = {
        "module": case.module.name,
        "fault": case.module.fault,
        "consignment": sorted(goods.manifest) if goods else [],
        "signatures": [signature.key for signature in goods.signatures] if goods else [],
        "upload": None if case.upload is None else _answer(case.upload),
        "download": _answer(case.download),
    }
    if validator is not None:
        found["explained"] = dict(_explained(case, validator, caller))
    return found


def _answer(verdict: Verdict) -> dict[str, Any]:
    return {"accepted": verdict.accepted, "reason": verdict.reason, "told": verdict.told_reason}


def _table(screen: Console, cases: list[_Case]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for head in ("module", "as an upload", "as a download"):
        table.add_column(head, overflow="fold")
    for case in cases:
        one = case.module
        if case.upload is None:
            upload = Text(f"nobody is asked: {plain(_misnamed(one.name) or one.fault)}")
        else:
            upload = _cell(case.upload)
            if one.fault:
                upload.append(f"; as it lies there it does not travel: {plain(one.fault)}", "dim")
        table.add_row(plain(one.name), upload, _cell(case.download))
    screen.print(table)


def _cell(verdict: Verdict) -> Text:
    if verdict:
        text = Text("accepted", "green")
        return text.append(f": {plain(verdict.reason)}", "dim") if verdict.reason else text
    text = Text("DENIED: ", "bold red").append(plain(verdict.reason), "not bold")
    if verdict.told_reason != verdict.reason:
        text.append(f" (the peer hears: {plain(verdict.told_reason)})", "dim")
    return text


def _tree(screen: Console, case: _Case, validator: Validator, caller: Caller) -> None:
    if not isinstance(validator, Block):
        return
    for direction, lines in _explained(case, validator, caller):
        screen.print()
        screen.print(Text(f"{plain(case.module.name)}, {direction}", "bold"))
        for line in lines:
            screen.print(Text(f"  {plain(line)}"), soft_wrap=True)
