"""Which IP addresses belong to the public internet.

`ipaddress.is_global` says yes to multicast, NAT64, 6to4, site-local and IPv4-compatible addresses, so the
table here is our own: IANA's special-purpose registries, and for IPv6 only what IANA gives out (2000::/3).
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier NAT, and one cloud's metadata address
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # one cloud's host agent, on an address that looks public
        "169.254.0.0/16",  # link-local, and most clouds' metadata address
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_OPEN_V6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: the IPv4 address inside is anybody's choice
        "3fff::/20",  # documentation
    )
)
# Behind such a gateway every IPv4 host has an address like this: the one inside is judged.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)  # of the prefix of such a gateway (RFC 6052, 2.2)
# ipv4only.arpa has these addresses; a resolver that serves a gateway puts them behind its prefix (RFC 7050).
NAT64_NAME = "ipv4only.arpa"
_NAT64_INSIDE = frozenset({ipaddress.IPv4Address("192.0.0.170"), ipaddress.IPv4Address("192.0.0.171")})
# The middle of an ISATAP address (RFC 5214), which is a tunnel to the IPv4 address at its end.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def address_of(text: str) -> Address | None:
    """The address a resolver wrote; None for a name. With a zone id it is never public."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of config.yaml's `allow_private`; ValueError with the text that is none."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def nat64_prefixes(answers: Iterable[Address]) -> tuple[ipaddress.IPv6Network, ...]:
    """The prefixes of NAT64 gateways that show in the addresses of NAT64_NAME, all that they may be."""
    return tuple(
        ipaddress.IPv6Network((address, length), strict=False)
        for address in answers
        if isinstance(address, ipaddress.IPv6Address)
        for length in _NAT64_LENGTHS
        if _behind(address, length) in _NAT64_INSIDE
    )


def is_permitted(
    address: Address, exceptions: Iterable[Network] = (), nat64: Iterable[ipaddress.IPv6Network] = ()
) -> bool:
    """Whether to connect: the address is public, or lies in one of the operator's `exceptions`.

    What lies behind one of the prefixes in `nat64` has to be permitted by the IPv4 address inside too.
    """
    judged = _inner(address)
    if any(judged.version == network.version and judged in network for network in exceptions):
        return True
    return is_public(judged) and all(
        is_permitted(_behind(judged, network.prefixlen), exceptions)
        for network in nat64
        if isinstance(judged, ipaddress.IPv6Address) and judged in network
    )


def is_public(address: Address) -> bool:
    """Whether the address can only be somebody's server on the internet."""
    judged = _inner(address)
    if isinstance(judged, ipaddress.IPv4Address):
        return not any(judged in network for network in _CLOSED_V4)
    if judged.scope_id is not None:
        return False
    if int(judged) >> 32 & 0xFFFFFFFF in _ISATAP:
        return False
    return judged in _OPEN_V6 and not any(judged in network for network in _CLOSED_V6)


def _behind(address: ipaddress.IPv6Address, length: int) -> ipaddress.IPv4Address:
    """The IPv4 address behind a NAT64 prefix of so many bits; the byte at 64 is never part of it."""
    octets = address.packed if length > 64 else address.packed[:8] + address.packed[9:]
    return ipaddress.IPv4Address(octets[length // 8 : length // 8 + 4])


def _inner(address: Address) -> Address:
    """The IPv4 address inside a mapped or NAT64 one, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
