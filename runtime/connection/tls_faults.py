"""What went wrong in TLS, in words that tell what to do: for a client's user, and for a host's log.

OpenSSL's own say what it found. Source: RFC 8446, section 6 (alerts); the X509_V_ERR_* of
OpenSSL's x509_vfy.h.
"""

import ssl
from typing import Final

from ...errors import ConnectionDenied, DenyReason

__all__ = ["PLAIN_ALERT", "TLS_ALERT", "TLS_HELLO", "client_fault", "host_fault"]

# The first bytes of a record in the clear: what a host meets when TLS is sent to it on emporion+tcp://, and a client
# when it sends none to a host that speaks TLS.
TLS_HELLO: Final = b"\x16\x03"
TLS_ALERT: Final = b"\x15\x03"
# What a host on emporion+tcp:// says to TLS: a fatal alert, protocol_version.
PLAIN_ALERT: Final = bytes((21, 3, 3, 0, 2, 2, 70))

# Of a certificate that did not pass, by X509_V_ERR_*; what is not here is told in OpenSSL's words.
_EXPIRED: Final = 10
_NOT_YET: Final = 9
_OTHER_NAME: Final = (62, 63, 64)  # host name, e-mail address, IP address
_STRANGER: Final = (2, 18, 19, 20, 21)  # no issuer, self-signed (alone or a chain's), no issuer here, one alone
_PURPOSE: Final = 26

# What the host told of this client's certificate, by the end of the alert's name.
_ALERTS: Final = {
    "CERTIFICATE_REQUIRED": "the host wants a client certificate: give tls=TLS(certificate=..., key=...)",
    "CERTIFICATE_EXPIRED": "the host says that this client's certificate has expired: get a new one from its CA",
    "UNKNOWN_CA": "the host does not know the CA that signed this client's certificate: get one from the CA it names",
    "UNSUPPORTED_CERTIFICATE": "this client's certificate is none for clients: get one with the use clientAuth"
    " (`emporion certificate make client`)",
    "BAD_CERTIFICATE": "the host finds this client's certificate bad: is it valid already, by the host's clock?",
    "CERTIFICATE_REVOKED": "the host says that this client's certificate was revoked: get a new one from its CA",
    "CERTIFICATE_UNKNOWN": "the host does not accept this client's certificate: get one from the CA it names",
    "DECRYPT_ERROR": "the host cannot check this client's certificate: does its key belong to it?",
    "HANDSHAKE_FAILURE": "the host speaks TLS 1.3, but no cipher or signature that this client knows",
}


def host_fault(error: ssl.SSLError, place: str) -> ConnectionDenied:
    """What a client's user is told when TLS with a host came to nothing.

    Args:
        place: The host as the user's URI names it.
    """
    return ConnectionDenied(DenyReason.SECURITY, _host_fault(error, place))


def _host_fault(error: ssl.SSLError, place: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unproved(error, place)
    reason = error.reason or ""
    for alert, text in _ALERTS.items():
        if reason.endswith(f"_ALERT_{alert}"):
            return text
    if "EXCESSIVE_MESSAGE_SIZE" in reason:
        return f"what answers at {place} shows more certificates than a host needs: do not trust it"
    if "ALERT" in reason and "PROTOCOL_VERSION" not in reason:
        return f"the host at {place} broke TLS off: {_words(error)}"
    return (
        f"what answers at {place} does not speak TLS 1.3 ({_words(error)}), and nothing is sent in the clear instead: "
        "check the address; the URI of a host without TLS begins with emporion+tcp://"
    )


def _unproved(error: ssl.SSLCertVerificationError, place: str) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return "the host's certificate, or one that vouches for it, has expired: its operator has to renew it"
    if code == _NOT_YET:
        return "the host's certificate is not valid yet: check this machine's clock, and the host's"
    if code in _OTHER_NAME:
        return f"the host's certificate is not for {place}: connect by a name that stands in it, or check the URI"
    if code in _STRANGER:
        return (
            "the host's certificate was signed by nobody that TLS(ca=...) names: check the address and that file; "
            "a host that made its certificate itself is known by ?fp= in its URI, without ca="
        )
    if code == _PURPOSE:
        return (
            "the host's certificate is none for hosts: its operator needs one with the use serverAuth "
            "(`emporion certificate make host`)"
        )
    return f"the host's certificate is not good: {error.verify_message}"


def client_fault(error: ssl.SSLError) -> str:
    """What a host's log says when TLS with a client came to nothing; no words of the client's are in it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        if code in _STRANGER:
            return "its certificate was signed by nobody that TLS(ca=...) names"
        if code == _EXPIRED:
            return "its certificate has expired"
        if code == _NOT_YET:
            return "its certificate is not valid yet"
        if code == _PURPOSE:
            return "its certificate is none for clients"
        return f"its certificate is not good: {error.verify_message}"
    reason = error.reason or ""
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "it showed no certificate, and this host requires one"
    if "_ALERT_" in reason:
        return f"it does not want this host's certificate, or its TLS: {_words(error)}"
    if reason == "EXCESSIVE_MESSAGE_SIZE":
        return "it shows more certificates than a client needs"
    return f"it does not speak TLS 1.3 as it should: {_words(error)}"


def _words(error: ssl.SSLError) -> str:
    """OpenSSL's name for it, from a fixed table: ``tlsv1 alert protocol version``."""
    return (error.reason or "no reason given").lower().replace("_", " ")
