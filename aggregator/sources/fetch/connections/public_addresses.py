"""Says which addresses are public.

`ipaddress.is_global` accepts multicast, NAT64, 6to4, site-local and IPv4-compatible addresses. Of IPv6 only
the range that IANA allocates (2000::/3) is public.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Addresses that `is_global` does not know as closed, or not in each version of Python.
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
# Behind a NAT64 gateway every IPv4 host has such an address: the embedded IPv4 address is checked.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Lengths of a gateway's prefix (RFC 6052, 2.2)
_NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)
# ipv4only.arpa has these addresses; the resolver of a NAT64 network returns them with its prefix (RFC 7050).
NAT64_NAME = "ipv4only.arpa"
_NAT64_INSIDE = frozenset(
    {ipaddress.IPv4Address("192.0.0.170"), ipaddress.IPv4Address("192.0.0.171")}
)
# The middle of an ISATAP address (RFC 5214), a tunnel to the IPv4 address at its end.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def address_of(text: str) -> Address | None:
    """Parse an address from a resolver; None for a name. An address with a zone id is never public."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse the networks of `fetch.allow_private`, which config/settings.py checks."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def nat64_prefixes(answers: Iterable[Address]) -> tuple[ipaddress.IPv6Network, ...]:
    """Return all possible prefixes of NAT64 gateways, derived from the addresses of NAT64_NAME."""
    prefixes = []
    for address in answers:
        if isinstance(address, ipaddress.IPv4Address):
            continue
        for length in _NAT64_LENGTHS:
            if _behind(address, length) in _NAT64_INSIDE:
                network = ipaddress.IPv6Network((address, length), strict=False)
                prefixes.append(network)
    return tuple(prefixes)


def is_permitted(
    address: Address,
    exceptions: Iterable[Network],
    nat64: Iterable[ipaddress.IPv6Network] = (),
) -> bool:
    """Return whether to connect: the address is public, or in one of the operator's `exceptions`.

    For an address with one of the prefixes in `nat64`, the embedded IPv4 address must be permitted too.
    """
    judged = _inner(address)
    # An address is in no network of the other version.
    if any(judged in network for network in exceptions):
        return True
    return is_public(judged) and all(
        is_permitted(_behind(judged, network.prefixlen), exceptions)
        for network in nat64
        if isinstance(judged, ipaddress.IPv6Address) and judged in network
    )


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
    """Return whether a URL names localhost, or an address that is not public, without asking for names."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or is_private_address(host)


def is_private_address(host: str) -> bool:
    """Return whether a host is an address that is not public; False for a name."""
    address = address_of(host)
    return address is not None and not is_public(address)


def _behind(address: ipaddress.IPv6Address, length: int) -> ipaddress.IPv4Address:
    """Return the IPv4 address behind a NAT64 prefix of this length; the byte at 64 is never part of it."""
    octets = address.packed if length > 64 else address.packed[:8] + address.packed[9:]
    return ipaddress.IPv4Address(octets[length // 8 : length // 8 + 4])


def _inner(address: Address) -> Address:
    """Return the IPv4 address inside a mapped or NAT64 one, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
