"""Host names and addresses of the machine itself."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a server that listens on `host` can be reached from this machine alone."""
    address = ip_address_of(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def is_owner_on_loopback(*, public_url: str, allowed_hosts: tuple[str, ...], is_set: bool) -> bool:
    """Whether a request from loopback that shows no proxy is the owner's.

    Not where `public_url` or `allowed_hosts` name anything but loopback: then a proxy is likely in front, and
    one that adds no header makes every stranger's request look like this machine's.
    """
    if is_set:
        return True
    if public_url and not is_loopback(urlsplit(public_url).hostname or ""):
        return False
    return all(is_loopback(name) for name in allowed_hosts)


def ip_address_of(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for a name. Where IPv6 is listened on, an IPv4 address comes as ::ffff:192.0.2.1."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
