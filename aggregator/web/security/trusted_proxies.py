"""Whom to believe about where a request comes from: the proxies that the operator names, and nobody else.

What a trusted proxy says of the client's address, the scheme and the host takes the place of the connection's
own. It never makes anybody the owner: who comes through a proxy is a reader, whatever his address. So is who
comes from a trusted proxy's address without any of these headers: a proxy that forgets them opens nothing.
"""

import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import Scope

from aggregator.config.hosts import ip_address_of
from aggregator.web.security.request_origin import CAME_BY_PROXY

_MOST_HOPS = 20  # addresses of X-Forwarded-For that are looked at, from the right
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?", re.ASCII)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """The networks in which trusted proxies are."""

    def __init__(self, networks: Iterable[str]) -> None:
        """`networks`: CIDR; config/settings.py has checked them."""
        self._networks = tuple(ipaddress.ip_network(one) for one in networks)

    def apply(self, scope: Scope) -> None:
        """Put what a trusted proxy says into the scope of the request that it passed on."""
        client = scope.get("client")
        if client is None or not self.trusts(client[0]):
            return
        headers = Headers(scope=scope)
        scope[CAME_BY_PROXY] = True
        scope["client"] = (self._first_stranger(_hops(headers)) or client[0], 0)
        proto = _last(headers, "x-forwarded-proto").lower()
        if proto in ("http", "https"):
            scope["scheme"] = proto
        host = _last(headers, "x-forwarded-host")
        if _HOST.fullmatch(host):
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.lower().encode("ascii")), *others]

    def trusts(self, address: str) -> bool:
        """Whether a trusted proxy has this address."""
        return bool(self._networks) and self._trusts(_address(address))

    def _trusts(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _first_stranger(self, hops: list[str]) -> str | None:
        """The nearest address that is no trusted proxy: all before it anybody could have written."""
        nearest = None
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _address(hop)
            if address is None:
                break
            nearest = str(address)
            if not self._trusts(address):
                break
        return nearest


def _hops(headers: Headers) -> list[str]:
    """X-Forwarded-For, the client first, each proxy behind it; several headers are one list."""
    return ",".join(headers.getlist("x-forwarded-for")).split(",")


def _last(headers: Headers, name: str) -> str:
    """What the nearest proxy said; "" where it said nothing."""
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()


def _address(given: str) -> _Address | None:
    """An address, also with a port, or with brackets (IPv6); an IPv4 one in IPv6's clothes as IPv4."""
    text = given.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return ip_address_of(text)
