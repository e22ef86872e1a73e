"""The commands; what they do stands in the modules beside this one."""

from pathlib import Path

import typer

from ..connection.uri import UNIX, URI, Listen
from . import arguments as given
from .certificate_commands import certificate
from .code_commands import code
from .loading import created, load, parse_assignments, parse_place, parse_value
from .passphrase_commands import passphrase
from .passphrases import for_client, for_host
from .screen import one_line_errors

__all__ = ["app", "main"]

app = typer.Typer(
    name="emporion",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(code, name="code")
app.add_typer(certificate, name="certificate")
app.add_typer(passphrase, name="passphrase")
key = typer.Typer(no_args_is_help=True, help="An author's keys.")
app.add_typer(key, name="key")
policy = typer.Typer(no_args_is_help=True, help="An operator's policies.")
app.add_typer(policy, name="policy")


def main() -> None:
    """Run the command line of this process; ends it with the exit code."""
    app()


@app.callback()
def options(_: given.Version = False) -> None:
    """A trading post for Python code: agents of strangers run sandboxed next to your objects and come home."""


@app.command()
def demo(debug: given.Debug = False) -> None:
    """A mall and its shoppers: two processes, agents and goods between them, and what customs have to say."""
    from .demo import run

    with one_line_errors(debug):
        run()


@app.command()
def host(
    what: given.What,
    name: given.Name,
    listen: given.Address = "127.0.0.1:0",
    passphrase_file: given.PassphraseFile = None,
    logins_file: given.LoginsFile = None,
    verifiers: given.VerifierFile = None,
    code_validator: given.Judge = None,
    connection_validator: given.Doorkeeper = None,
    allow: given.Allowed = None,
    state_dir: given.StateDir = None,
    advertise: given.Advertise = None,
    certificate: given.Certificate = None,
    key: given.CertificateKey = None,
    client_ca: given.ClientCA = None,
    log_format: given.LogFormat = "text",
    anonymous: given.Open = False,
    debug: given.Debug = False,
) -> None:
    """Host an object until Ctrl-C or SIGTERM. Its URI goes to stdout, the log to stderr.

    Passphrases come from a file, from EMPORION_PASSPHRASE, or from a prompt.
    """
    from .hosting import loaded_doorkeeper, serve
    from .pki import for_tls

    if log_format not in ("text", "json"):
        raise typer.BadParameter(f"{log_format!r}: text or json", param_hint="--log-format")
    place, judge = parse_place(what), None if code_validator is None else parse_place(code_validator)
    keeper = None if connection_validator is None else parse_place(connection_validator)
    with one_line_errors(debug):
        doorkeeper, proves = loaded_doorkeeper(keeper)
        optional = anonymous or proves or client_ca is not None or Listen.parse(listen).scheme == UNIX
        passphrases = for_host(passphrase_file, logins_file, verifiers, optional=optional)
        serve(
            created(load(place)),
            name,
            listen=listen,
            passphrases=passphrases,
            anonymous=anonymous,
            doorkeeper=doorkeeper,
            tls=for_tls(certificate, key, client_ca, clients=True),
            validator=None if judge is None else load(judge),
            modules=allow or [],
            state_dir=state_dir,
            advertise=advertise,
            json_log=log_format == "json",
        )


@app.command()
def send(
    agent: given.Agent,
    to: given.Target,
    call: given.Method,
    set_: given.Setting = None,
    arg: given.Argument = None,
    accept: given.Accept = None,
    login: given.Login = None,
    passphrase_file: given.PassphraseFile = None,
    ca: given.TrustedCA = None,
    certificate: given.Certificate = None,
    key: given.CertificateKey = None,
    any_host: given.Unverified = False,
    timeout: given.Timeout = None,
    anonymous: given.Anonymous = False,
    debug: given.Debug = False,
) -> None:
    """Make an agent, send it, and show what it says, what came home, and how long it took.

    The passphrase comes from a file, from EMPORION_PASSPHRASE, or from a prompt.
    """
    from .pki import for_tls
    from .sending import send_agent

    place, settings = parse_place(agent), parse_assignments(set_ or [])
    with one_line_errors(debug):
        optional = certificate is not None or URI.parse(to).scheme == UNIX
        proved = for_client(passphrase_file, anonymous=anonymous, optional=optional)
        made = created(load(place), **settings)
        further = [parse_value(text) for text in arg or []]
        send_agent(
            made,
            further,
            to=to,
            call=call,
            passphrase=proved,
            login=login,
            tls=for_tls(certificate, key, ca),
            verify_host=not any_host,
            accept=accept,
            timeout_s=timeout,
        )


@app.command()
def check(
    what: given.Checked = None,
    allow: given.Allowed = None,
    module: given.Reached = None,
    json: given.Json = False,
    debug: given.Debug = False,
) -> None:
    """Say whether hosts would take an agent's code, before any is asked. Exit code 1: they would refuse some of it.

    It reads the text, and runs none of it.
    """
    if bool(what) == bool(module):
        raise typer.BadParameter("name files, folders or modules to check, or one --module")
    with one_line_errors(debug):
        if module:
            from .reaching import show

            show(module, as_json=json)
        else:
            from .check import check

            check(what or [], allow or [], as_json=json)


@app.command()
def doctor(json: given.Json = False, debug: given.Debug = False) -> None:
    """Say which walls stand around agents on this machine, tried for real. Exit code 1: it takes no agents."""
    from .doctor import report

    with one_line_errors(debug):
        report(as_json=json)


@key.command("make")
def key_make(file: given.NewKey, debug: given.Debug = False) -> None:
    """Make a private key, and print the public one: that is what hosts are told to trust."""
    from .signing import make_key

    with one_line_errors(debug):
        make_key(file)


@key.command("show")
def key_show(file: given.PrivateKey, debug: given.Debug = False) -> None:
    """Print the public key of a private one."""
    from .signing import show_key

    with one_line_errors(debug):
        show_key(file)


@app.command()
def sign(agent: given.Signed, key: given.KeyFile, debug: given.Debug = False) -> None:
    """Sign an agent's code: all its modules, in a file beside the class's own. Sign again after each edit."""
    from .signing import sign

    place = parse_place(agent)
    with one_line_errors(debug):
        sign(place, key)


@policy.command("test")
def policy_test(
    validator: given.Policy,
    folder: given.Folder = Path(),
    address: given.Sender = "192.0.2.1",
    identity: given.Identity = None,
    explain: given.Explain = False,
    json: given.Json = False,
    debug: given.Debug = False,
) -> None:
    """Show what a code validator would decide about the agents in a folder, and why."""
    from .policy import imagined, report, validator_at

    caller = imagined(address, identity)
    with one_line_errors(debug):
        report(validator_at(validator, folder), folder, caller, explain=explain, as_json=json)
