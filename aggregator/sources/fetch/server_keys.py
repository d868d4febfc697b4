"""The keys by which a client tells servers apart: for limits of rate, access and private networks."""

from functools import lru_cache

import httpx

from aggregator.sources.fetch.connections.public_addresses import (
    address_of,
    is_public,
)
from aggregator.sources.fetch.connections.request_budget import Server
from aggregator.sources.fetch.connections.transport import (
    name_of,
    port_of,
)


def server_of(url: httpx.URL) -> Server:
    return name_of(url), port_of(url)


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, port_of(url)


def host_key(url: httpx.URL) -> str:
    """Return the rate limiter's key of a host; on the operator's own machines each port is a server."""
    address = address_of(url.host)
    is_own = url.host == "localhost" or (address is not None and not is_public(address))
    return f"{url.host}:{port_of(url)}" if is_own else url.host


@lru_cache(maxsize=20_000)
def key_of_address(url: str) -> str:
    try:
        return host_key(httpx.URL(url.strip()))
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return ""
