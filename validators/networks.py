"""Addresses as validators compare them: networks, IPv4 inside IPv6, and what counts as one sender."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from ..errors import ConfigurationError

__all__ = ["Network", "ip_of", "parse_networks", "plain", "sender_of", "within"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_SENDER_CHARS: Final = 100
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_USER: Final = re.compile(r"(uid=[0-9]{1,10}),pid=-?[0-9]{1,10}")  # a Unix socket's peer


def parse_networks(block: str, texts: Iterable[object]) -> tuple[Network, ...]:
    """Networks in CIDR notation, or single addresses, for the block of that name.

    Raises:
        ConfigurationError: There is none, or one is no network.
    """
    networks = tuple(_network(block, text) for text in texts)
    if not networks:
        raise ConfigurationError(f'{block}() needs one or more networks, e.g. {block}("10.0.0.0/8")')
    return networks


def _network(block: str, text: object) -> Network:
    try:
        if not isinstance(text, str):
            raise ValueError(f"{type(text).__name__} is no text")
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigurationError(f'{block}({text!r}): {error}: write networks, as in "10.0.0.0/8" or "::1"') from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        raise ConfigurationError(f"{block}({text!r}): peers with such addresses count as IPv4: write the IPv4 network")
    return network


def within(address: object, networks: Iterable[Network]) -> bool:
    """Whether it lies in one of them. What is no ip address, such as a Unix socket's peer, lies in none."""
    ip = ip_of(address)
    return ip is not None and any(ip in network for network in networks)


def ip_of(text: object) -> _Ip | None:
    """An address as it is compared, without its zone; None for a Unix socket's peer and the like."""
    try:
        ip = ipaddress.ip_address(str(text).partition("%")[0])
    except ValueError:
        return None
    # A socket that listens on both families shows IPv4 peers as ::ffff:192.0.2.1.
    return getattr(ip, "ipv4_mapped", None) or ip


def plain(text: str) -> str:
    """The address in its one spelling, IPv4 as IPv4; what is no ip address stays as it is."""
    ip = ip_of(text)
    return text if ip is None else str(ip)


def sender_of(text: object) -> str:
    """What counts as one sender: an IPv4 address, an IPv6 /64 (what one subscriber has), or a user of this machine.

    A user's number of processes is not bounded by us: their ids must not make many senders of one.
    """
    ip = ip_of(text)
    if isinstance(ip, ipaddress.IPv6Address):
        return f"{ipaddress.IPv6Network((int(ip) >> 64 << 64, 64))}"
    if ip is not None:
        return str(ip)
    user = _USER.fullmatch(str(text))
    return user[1] if user else str(text)[:MAX_SENDER_CHARS]
