"""Tells which addresses are public.

`ipaddress.is_global` accepts multicast, NAT64, 6to4, site-local and IPv4-compatible addresses. For IPv6 only
the range that IANA allocates (2000::/3) is public.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from aggregator.config.hosts import ip_address_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Private addresses that `is_global` accepts, at least in some versions of Python
_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "168.63.129.16/32",  # one cloud's host agent, on an address that looks public
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "224.0.0.0/4",  # multicast
    )
)
_OPEN_V6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: anyone can choose the embedded IPv4 address
        "3fff::/20",  # documentation
    )
)
# Behind a NAT64 gateway, every IPv4 host has an address in this network, so the embedded IPv4 address is checked.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The middle of an ISATAP address (RFC 5214), which is a tunnel to the IPv4 address at its end
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse the networks of `fetch.allow_private`, which the configuration has checked."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def is_permitted(address: Address, exceptions: Iterable[Network] = ()) -> bool:
    """Return whether a connection is allowed: to a public address, or to one of the operator's `exceptions`."""
    judged = _inner(address)
    # An address is never in a network of the other IP version.
    return is_public(judged) or any(judged in network for network in exceptions)


def is_public(address: Address) -> bool:
    """Return whether the address can only be a server on the internet."""
    judged = _inner(address)
    if isinstance(judged, ipaddress.IPv4Address):
        return judged.is_global and not any(judged in network for network in _CLOSED_V4)
    if judged.scope_id is not None:
        return False
    if int(judged) >> 32 & 0xFFFFFFFF in _ISATAP:
        return False
    return judged in _OPEN_V6 and not any(judged in network for network in _CLOSED_V6)


def is_private_literal(url: str) -> bool:
    """Return whether a URL names localhost or an address that is not public; names are not resolved."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or is_private_address(host)


def is_private_address(host: str) -> bool:
    """Return whether a host is an address that is not public; False for a name."""
    address = ip_address_of(host)
    return address is not None and not is_public(address)


def _inner(address: Address) -> Address:
    """Return the IPv4 address inside a NAT64 address, else the address itself."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
