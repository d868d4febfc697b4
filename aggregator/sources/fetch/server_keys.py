"""The keys that tell servers apart: for limits of rate, access and private networks."""

from functools import lru_cache

import httpx

from aggregator.sources.fetch.connections.public_addresses import is_private_address
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
    """Return the rate limiter's key for a host; at private addresses, each port is a server of its own."""
    if url.host == "localhost" or is_private_address(url.host):
        return f"{url.host}:{port_of(url)}"
    return url.host


@lru_cache(maxsize=20_000)
def key_of_address(url: str) -> str:
    try:
        return host_key(httpx.URL(url.strip()))
    except (httpx.InvalidURL, ValueError):
        return ""
