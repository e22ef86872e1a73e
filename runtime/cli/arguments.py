"""What the commands can be given, each with its line of help."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Accept", "Address", "Advertise", "Agent", "Allowed", "Anonymous", "Argument", "AsJson", "AsJsonEach", "Authority",
    "AuthorityDays", "AuthorityKey", "AuthorityName", "Certificate", "CertificateFile", "CertificateKey", "Checked",
    "Claimed", "ClientCA", "ClientName", "CodeFolder", "Days", "Debug", "Digest", "Digests", "Doorkeeper", "Explain",
    "Folder", "HostNames", "Identity", "Into", "Iterations", "Json", "Judge", "KeyFile", "Label", "LogFormat", "Login",
    "LoginsFile", "Method", "Name", "NewCertificate", "NewKey", "Open", "PassphraseFile", "Policy", "PrivateKey", "Raw",
    "Reached", "Removed", "RemovedToo", "Replace", "Sender", "Setting", "Signed", "StateDir", "Target", "Timeout",
    "TrustedCA", "Unverified", "VerifierFile", "Verifiers", "Version", "What", "Why",
]  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"emporion {version('emporion')}")
        raise typer.Exit


# --- everywhere
Debug = Annotated[bool, typer.Option("--debug", metavar="", help="Show the traceback of an error.")]
Version = Annotated[
    bool, typer.Option("--version", metavar="", callback=_show_version, is_eager=True, help="Say which version.")
]
Anonymous = Annotated[bool, typer.Option("--anonymous", metavar="", help="Give no passphrase.")]
Open = Annotated[
    bool, typer.Option("--anonymous", metavar="", help="Let in who gives no passphrase too.")
]
PassphraseFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Has the passphrase; a host's may have several, a line each.")
]

# --- host
What = Annotated[
    str,
    typer.Argument(
        metavar="FILE_OR_MODULE:OBJECT",
        show_default=False,
        help="An instance to host, or a class to be called without arguments.",
    ),
]
Name = Annotated[str, typer.Option(metavar="NAME", help="What clients call it.")]
Address = Annotated[
    str, typer.Option(metavar="ADDRESS", help="HOST:PORT, or emporion+unix:///PATH; port 0 takes a free one.")
]
LoginsFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Has lines NAME:PASSPHRASE.")]
VerifierFile = Annotated[
    Path | None, typer.Option("--verifiers", metavar="FILE", help="As `emporion passphrase add` makes it.")
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--code-validator",
        metavar="FILE_OR_MODULE:NAME",
        help="Decides which code crosses: (name, module, address). Without it none does.",
    ),
]
Doorkeeper = Annotated[
    str | None,
    typer.Option(
        "--connection-validator",
        metavar="FILE_OR_MODULE:OBJECT",
        help="Decides who may connect, in place of passphrases or beside them.",
    ),
]
StateDir = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Keeps the certificate (URIs survive a restart), code, and yanks.")
]
Advertise = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Goes into URIs in place of ADDRESS.")]
LogFormat = Annotated[str, typer.Option(metavar="text|json", help="Of the log on stderr.")]

Certificate = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="FILE", help="This end's certificate, in PEM form.", show_default=False),
]
CertificateKey = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="Its private key; else beside it, or in the same file.")
]
ClientCA = Annotated[
    Path | None,
    typer.Option(
        "--client-ca",
        metavar="FILE",
        help="Who signs the certificates that clients have to show then: in place of passphrases, or beside them.",
    ),
]

# --- code
CodeFolder = Annotated[
    Path, typer.Option("--state-dir", metavar="FOLDER", show_default=False, help="The host's state folder.")
]
Digest = Annotated[str, typer.Argument(metavar="DIGEST", show_default=False, help="8 or more of its digits.")]
Digests = Annotated[list[str], typer.Argument(metavar="DIGEST...", show_default=False, help="8 or more digits each.")]
Why = Annotated[
    str, typer.Option("--why", metavar="TEXT", show_default=False, help="The reason, which senders get to read.")
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="A line of JSON for each module.")]
Raw = Annotated[bool, typer.Option("--raw", metavar="", help="The very bytes, also to a terminal.")]

# --- send
Agent = Annotated[
    str, typer.Argument(metavar="FILE_OR_MODULE:CLASS", show_default=False, help="The agent's class.")
]
Target = Annotated[str, typer.Option("--to", metavar="URI", help="Where to, as the host printed it.")]
Method = Annotated[
    str, typer.Option("--call", metavar="METHOD", help="The hosted object's method that takes the agent.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="An argument of CLASS: JSON, else text.", show_default=False),
]
Argument = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="VALUE", help="A further argument of METHOD: JSON, else text.", show_default=False),
]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN", help="Which modules may come in, as in 'objects.*'; all by default.", show_default=False
    ),
]
Login = Annotated[str | None, typer.Option(metavar="NAME", help="Whose passphrase it is.")]
TrustedCA = Annotated[Path | None, typer.Option("--ca", metavar="FILE", help="Who signs the host's certificate.")]
Unverified = Annotated[
    bool,
    typer.Option("--any-host", metavar="", help="Do without a proof of who the host is (verify_host=False)."),
]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="For connecting, and for the call.")]

# --- key, sign
NewKey = Annotated[
    Path, typer.Argument(metavar="FILE", show_default=False, help="To be written; only you will be able to read it.")
]
PrivateKey = Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="As `key make` wrote it.")]
Signed = Annotated[
    str,
    typer.Argument(
        metavar="FILE_OR_MODULE:CLASS",
        show_default=False,
        help="The agent's class, named as the program that sends it names it: the names of modules are signed too.",
    ),
]
KeyFile = Annotated[Path, typer.Option("--key", metavar="FILE", help="The private key, as `key make` wrote it.")]

# --- passphrase
Verifiers = Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The file of verifiers.")]
Into = Annotated[
    Path | None, typer.Option(metavar="FILE", show_default=False, help="Add it to this file of verifiers too.")
]
Label = Annotated[
    str | None,
    typer.Option(metavar="LABEL", show_default=False, help="The identity that it gives, and its login; else none."),
]
Claimed = Annotated[
    str | None, typer.Option("--label", metavar="LABEL", show_default=False, help="Try it as the one of this label.")
]
Removed = Annotated[
    str | None, typer.Argument(metavar="LABEL", show_default=False, help="Whose; else the one that you type.")
]
RemovedToo = Annotated[
    str | None, typer.Option("--label", metavar="LABEL", show_default=False, help="Whose, as `add` has it.")
]
Replace = Annotated[bool, typer.Option("--replace", metavar="", help="In the place of the label's present one.")]
Iterations = Annotated[
    int | None,
    typer.Option(
        metavar="N", show_default=False, help="The work of trying one, for a file that is new: 600,000 by default."
    ),
]

# --- check
Checked = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE|FOLDER|MODULE[:CLASS]...",
        show_default=False,
        help="What agents are made of; with each module those that travel along.",
    ),
]
Allowed = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="MODULE", help="Agents may import it too.", show_default=False),
]
Reached = Annotated[
    str | None,
    typer.Option(
        "--module",
        metavar="MODULE",
        show_default=False,
        help="Show instead what agents would reach, were this module allowed; a process of its own imports it.",
    ),
]

# --- policy
Policy = Annotated[
    str,
    typer.Argument(
        metavar="FILE_OR_MODULE[:NAME]",
        show_default=False,
        help="The code validator; without NAME, what is called code_validator or policy.",
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Agents are imported from here; read, never run.")]
Sender = Annotated[str, typer.Option("--address", metavar="IP", help="Where uploads would come from.")]
Identity = Annotated[
    str | None, typer.Option("--as", metavar="IDENTITY", help="The caller's label or login; none by default.")
]
Explain = Annotated[bool, typer.Option("--explain", metavar="", help="Show what each block inside says.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]

# --- certificate
NewCertificate = Annotated[
    Path, typer.Argument(metavar="FILE", show_default=False, help="To be written, as in shop.pem (and shop.key).")
]
AuthorityName = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What it is called.")]
AuthorityDays = Annotated[int, typer.Option("--days", metavar="DAYS", help="How long it holds.")]
Days = Annotated[int, typer.Option("--days", metavar="DAYS", help="How long it holds; no longer than the authority.")]
Authority = Annotated[
    Path, typer.Option("--ca", metavar="FILE", show_default=False, help="The authority, as `make ca` wrote it.")
]
AuthorityKey = Annotated[
    Path | None, typer.Option("--ca-key", metavar="FILE", help="The authority's key, where it is not beside it.")
]
HostNames = Annotated[
    list[str],
    typer.Option("--name", metavar="NAME", show_default=False, help="A name or address in its URIs; may be repeated."),
]
ClientName = Annotated[
    str, typer.Option("--name", metavar="NAME", show_default=False, help="Who it is: hosts take it for the identity.")
]
AsJsonEach = Annotated[bool, typer.Option("--json", metavar="", help="A line of JSON for each certificate.")]
CertificateFile = Annotated[
    Path, typer.Argument(metavar="FILE|FOLDER", show_default=False, help="A PEM file, or a host's state folder.")
]
