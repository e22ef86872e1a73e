"""`emporion host`: one object, served until somebody says stop."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from ...validators.connection import ConnectionValidator, certificates
from ...validators.connection.passphrases import GivenPassphrases
from ...validators.connection.roles import check_validator_type, proves
from ..connection.tls import TLS
from ..host import Host
from .loading import Place, load
from .logs import log_to_stderr

__all__ = ["loaded_doorkeeper", "serve"]


def loaded_doorkeeper(place: Place | None) -> tuple[ConnectionValidator | None, bool]:
    """The connection validator there, and whether it asks for something else than the host's passphrases.

    Raises:
        ConfigurationError: There is none.
    """
    if place is None:
        return None, False
    found = load(place)
    found = found() if isinstance(found, type) else found
    check_validator_type("--connection-validator", found)
    return found, proves(found)


def serve(
    obj: object,
    name: str,
    *,
    listen: str,
    passphrases: GivenPassphrases,
    anonymous: bool,
    doorkeeper: ConnectionValidator | None,
    tls: TLS | None,
    validator: Callable[..., Any] | None,
    modules: list[str],
    state_dir: Path | None,
    advertise: str | None,
    json_log: bool,
) -> None:
    """Host `obj` as `name`; its URI is the one line on stdout.

    Args:
        doorkeeper: Decides who may connect.
        tls: Where it requires certificates of clients and there is nothing else to prove, the certificate is the proof.

    Raises:
        ConfigurationError: It cannot be hosted like that.
        typer.Exit: 130 after Ctrl-C; SIGTERM ends it as an ordinary return.
    """
    log_to_stderr(as_json=json_log)
    interrupted: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the host has its own, which ends it cleanly too
    signal.signal(signal.SIGINT, interrupt)
    if doorkeeper is None and passphrases is None and not anonymous and tls and tls.require_client_certificate:
        doorkeeper = certificates()
    host = Host(
        listen,
        passphrases=passphrases,
        allow_anonymous=anonymous,
        connection_validator=doorkeeper,
        tls=tls,
        state_dir=state_dir,
        advertise=advertise,
    )
    try:
        uri = host.register(obj, name, code_validator=validator, modules=modules)
        host.start()  # only now: its first lines say what it is ready for
        typer.echo(str(uri))
        host.serve_forever()
    finally:
        host.close()
    if interrupted:
        raise typer.Exit(130)
