"""Host names and addresses of the machine itself."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Return whether `host` is a loopback address or `localhost`, which only this machine can use."""
    address = ip_address_of(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


OWN_FEED = "this is a feed of this program itself, made of what its sources report: it cannot be one of them"


def is_own_feed(address: str, host: str, port: int, public_url: str | None) -> bool:
    """Return whether this server has a feed at an address, below `public_url` or where the server listens.

    A server that listens at every address also listens on loopback.
    """

    def place(url: str) -> tuple[str, int | None]:
        parts = urlsplit(url)
        name = (parts.hostname or "").rstrip(".")
        if is_loopback(name) or name in ("0.0.0.0", "::"):  # noqa: S104 - compared only
            name = "loopback"
        return name, parts.port or {"http": 80, "https": 443}.get(parts.scheme)

    served = [f"http://{with_port(host, port)}"]
    if public_url:
        served.append(public_url)
    try:
        return "/feeds/" in urlsplit(address).path and place(address) in map(
            place, served
        )
    except ValueError:
        return False  # not an address; another check refuses it


def open_address_problem(host: str) -> tuple[str, str]:
    """Return the problem that an open address has no token with the scope read, and what to do about it."""
    return (
        f"server.host {host} is reachable from other machines, and no token has the scope read: the daemon "
        "does not start",
        "aggregator token create NAME --scope read, or set server.host: 127.0.0.1",
    )


def loopback_owner_notice(host: str, port: int) -> str:
    """Return the notice of the log and the doctor that requests from loopback count as the owner's."""
    return (
        f"anyone who can connect to {with_port(host, port)}, including through a reverse proxy that sends no "
        "forwarding header, is the owner, reads whole articles and changes sources without a token"
    )


def with_port(host: str, port: int) -> str:
    """Return the host and port of an address; an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def ip_address_of(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a name as an IP address; None if it is a host name.

    A server that listens on IPv6 sees an IPv4 client as ::ffff:192.0.2.1, which becomes the IPv4 address.
    """
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address
