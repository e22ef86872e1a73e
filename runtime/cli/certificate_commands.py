"""The commands of `emporion certificate`; what they do stands in `certificate_files`."""

import typer

from . import arguments as given
from .screen import one_line_errors

__all__ = ["certificate"]

_SETTINGS = {"help_option_names": ["-h", "--help"]}

certificate = typer.Typer(no_args_is_help=True, help="Certificates of a PKI of one's own.", context_settings=_SETTINGS)
make = typer.Typer(
    no_args_is_help=True,
    help="Make a key and its certificate: shop.pem gets the certificate, shop.key beside it the key.",
    context_settings=_SETTINGS,
)
certificate.add_typer(make, name="make")


@make.command()
def ca(
    file: given.NewCertificate,
    name: given.AuthorityName = None,
    days: given.AuthorityDays = 3650,
    debug: given.Debug = False,
) -> None:
    """Make an authority: its certificate is what hosts and clients are told to trust, its key signs theirs."""
    from .certificate_files import make_ca

    with one_line_errors(debug):
        make_ca(file, name, days)


@make.command()
def host(
    file: given.NewCertificate,
    ca: given.Authority,
    name: given.HostNames,
    ca_key: given.AuthorityKey = None,
    days: given.Days = 365,
    debug: given.Debug = False,
) -> None:
    """Make a host's, signed by an authority's key."""
    from .certificate_files import make_for_host

    with one_line_errors(debug):
        make_for_host(file, ca, ca_key, name, days)


@make.command()
def client(
    file: given.NewCertificate,
    ca: given.Authority,
    name: given.ClientName,
    ca_key: given.AuthorityKey = None,
    days: given.Days = 365,
    debug: given.Debug = False,
) -> None:
    """Make a client's, signed by an authority's key."""
    from .certificate_files import make_for_client

    with one_line_errors(debug):
        make_for_client(file, ca, ca_key, name, days)


@certificate.command()
def show(file: given.CertificateFile, json: given.AsJsonEach = False, debug: given.Debug = False) -> None:
    """Say whose certificates are in a file, who signed them, until when they hold, and their fingerprints."""
    from .certificate_files import show_certificates

    with one_line_errors(debug):
        show_certificates(file, as_json=json)
