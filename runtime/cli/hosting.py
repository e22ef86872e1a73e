"""`emporion host`: one object, served until somebody says stop."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from ...validators.connection import certificates
from ...validators.connection.passphrases import GivenPassphrases
from ..connection.tls import TLS
from ..host import Host
from .logs import log_to_stderr

__all__ = ["serve"]


def serve(
    obj: object,
    name: str,
    *,
    listen: str,
    passphrases: GivenPassphrases,
    anonymous: bool,
    tls: TLS | None,
    validator: Callable[..., Any] | None,
    modules: list[str],
    state_dir: Path | None,
    advertise: str | None,
    json_log: bool,
) -> None:
    """Host `obj` as `name`; its URI is the one line on stdout.

    Args:
        tls: Where it requires certificates of clients and there are no passphrases, the certificate is their proof.

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
    by_certificate = passphrases is None and not anonymous and tls is not None and tls.require_client_certificate
    host = Host(
        listen,
        passphrases=passphrases,
        allow_anonymous=anonymous,
        connection_validator=certificates() if by_certificate else None,
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
