"""The commands with their options; what they do stands in the modules beside this one."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ..uri import UNIX, URI, Listen
from .loading import created, load, parse_assignments, parse_place, parse_value
from .passphrases import for_client, for_host
from .screen import one_line_errors

__all__ = ["app", "main"]

app = typer.Typer(
    name="emporion",
    help="A trading post for Python code: agents of strangers run sandboxed next to your objects and come home.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Debug = Annotated[bool, typer.Option("--debug", metavar="", help="Show the traceback of an error.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="A file with the passphrase; a host's may have several lines.", show_default=False)
]
Anonymous = Annotated[bool, typer.Option("--anonymous", metavar="", help="Do without passphrases.")]


def main() -> None:
    """Run the command line of this process; ends it with the exit code."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"emporion {version('emporion')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """A trading post for Python code: agents of strangers run sandboxed next to your objects and come home."""


@app.command()
def demo(debug: Debug = False) -> None:
    """A mall and its shoppers: two processes, agents and goods between them, and what customs have to say."""
    from .demo import run

    with one_line_errors(debug):
        run()


@app.command()
def host(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE_OR_MODULE:OBJECT", help="An instance to host, or a class to be called without arguments."
        ),
    ],
    name: Annotated[str, typer.Option(help="What clients call it.")],
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS", help="HOST:PORT, or emporion+unix:///PATH; port 0 takes a free one.")
    ] = "127.0.0.1:0",
    passphrase_file: PassphraseFile = None,
    logins_file: Annotated[
        Path | None, typer.Option(help="A file of lines NAME:PASSPHRASE.", show_default=False)
    ] = None,
    code_validator: Annotated[
        str | None,
        typer.Option(
            metavar="FILE_OR_MODULE:FUNCTION",
            help="Decides which code crosses: (name, module, address). Without it none does.",
            show_default=False,
        ),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keeps the certificate, so that URIs survive a restart.", show_default=False)
    ] = None,
    advertise: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Goes into URIs in place of ADDRESS.", show_default=False)
    ] = None,
    log_format: Annotated[str, typer.Option(metavar="text|json", help="Of the log on stderr.")] = "text",
    anonymous: Anonymous = False,
    debug: Debug = False,
) -> None:
    """Host an object until Ctrl-C or SIGTERM. Its URI goes to stdout, the log to stderr.

    Passphrases come from a file, from EMPORION_PASSPHRASE, or from a prompt.
    """
    from .hosting import serve

    if log_format not in ("text", "json"):
        raise typer.BadParameter(f"{log_format!r}: text or json", param_hint="--log-format")
    place, judge = parse_place(what), None if code_validator is None else parse_place(code_validator)
    with one_line_errors(debug):
        optional = anonymous or Listen.parse(listen).scheme == UNIX
        passphrases = for_host(passphrase_file, logins_file, optional=optional)
        serve(
            created(load(place)),
            name,
            listen=listen,
            passphrases=passphrases,
            anonymous=anonymous,
            validator=None if judge is None else load(judge),
            state_dir=state_dir,
            advertise=advertise,
            json_log=log_format == "json",
        )


@app.command()
def send(
    agent: Annotated[str, typer.Argument(metavar="FILE_OR_MODULE:CLASS", help="The agent's class.")],
    to: Annotated[str, typer.Option(metavar="URI", help="Where to, as the host printed it.")],
    call: Annotated[str, typer.Option(metavar="METHOD", help="The hosted object's method that takes the agent.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An argument of CLASS: JSON, else text.", show_default=False),
    ] = None,
    arg: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE", help="A further argument of METHOD: JSON, else text.", show_default=False),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="Which modules may come in, as in 'objects.*'; all by default.", show_default=False
        ),
    ] = None,
    login: Annotated[str | None, typer.Option(help="Whose passphrase it is.", show_default=False)] = None,
    passphrase_file: PassphraseFile = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For connecting, and for the call.", show_default=False)
    ] = None,
    anonymous: Anonymous = False,
    debug: Debug = False,
) -> None:
    """Make an agent, send it, and show what it says, what came home, and how long it took.

    The passphrase comes from a file, from EMPORION_PASSPHRASE, or from a prompt.
    """
    from .sending import send_agent

    place, settings = parse_place(agent), parse_assignments(set_ or [])
    with one_line_errors(debug):
        optional = anonymous or URI.parse(to).scheme == UNIX
        passphrase = for_client(passphrase_file, optional=optional)
        made = created(load(place), **settings)
        arguments = [parse_value(text) for text in arg or []]
        send_agent(
            made, arguments, to=to, call=call, passphrase=passphrase, login=login, accept=accept, timeout_s=timeout
        )
