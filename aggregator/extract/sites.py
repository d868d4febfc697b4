"""Finds the site or channel of an address: the part of a host that belongs to one publisher."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from aggregator.config.hosts import ip_address_of
from aggregator.config.shipped import ShippedTable
from aggregator.extract.urls import canonical_url, registrable_domain
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import word_set

_PRIVATE_SUFFIXES = word_set("arpa corp home internal intranet lan local localhost")

_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")
_IPV4 = 4
_ADDRESS = re.compile(
    r"(?:https?://)?(?:(?:[\w-]+\.)+(?:[a-z]{2,}|xn--[\w-]+)|(?:\d{1,3}\.){3}\d{1,3}|\[[\da-f:.]+\]|localhost"
    r"|[\w-]+(?=:\d+(?:/|$)))(?:[/:]\S*)?",
    re.IGNORECASE,
)


class _Sites(FrozenStruct, forbid_unknown_fields=True):
    """The content of outlets.yaml."""

    names: dict[str, str]
    subdomains: frozenset[str]
    paths: dict[str, str]
    redirectors: frozenset[str]
    publishers: tuple[frozenset[str], ...]
    no_names: frozenset[str]


SITES = ShippedTable("aggregator.extract", "outlets.yaml", _Sites)


class PublisherSite(NamedTuple):
    # "" for an address that does not name an outlet, because it is in a private network or only redirects
    key: str
    domain: str = ""  # registrable
    # Many outlets share the site, and the address names none of them
    is_shared: bool = False


_NO_SITE = PublisherSite("")


def site_of(url: str | None) -> PublisherSite:
    """Return the site of a feed or a page, or its channel there."""
    canonical = canonical_url(url or "") or ""
    domain = registrable_domain(canonical)
    if domain is None or not is_public_name(domain):
        return _NO_SITE
    host = urlsplit(canonical).hostname or ""
    table = SITES.content
    if domain in table.subdomains and host not in (domain, f"open.{domain}"):
        return PublisherSite(host, domain)
    # The canonical URL is not a mobile variant, and its parameters are sorted.
    channels = table.paths.get(domain)
    channel = channels and re.match(channels, canonical.partition(host)[2])
    if channel:
        key = "/".join(filter(None, (domain, *channel.groups())))
        if domain == "substack.com":
            key = f"{channel[1]}.{domain}"
        return PublisherSite(key, domain)
    if host in table.redirectors:
        return _NO_SITE
    return PublisherSite(domain, domain, is_shared=is_shared_site(domain))


def site_of_page(url: str | None) -> PublisherSite:
    # A feed may have a channel at a redirector (feedburner.com), but no page of an outlet is there.
    site = site_of(url)
    return _NO_SITE if site.domain in SITES.content.redirectors else site


def is_public_name(host: str) -> bool:
    """Return whether a host in lower case has the form of a public name; an IP address has not."""
    last = host.rpartition(".")[2]
    is_number = last[:1].isdigit()  # 0x7f.0x1 is 127.0.0.1
    return (
        "." in host
        and ":" not in host
        and not is_number
        and last not in _PRIVATE_SUFFIXES
    )


def leads_to_internet(address: str) -> bool:
    """Return whether an http(s) address leads a browser to the internet, and not into the network of its reader.

    IPv6 addresses are refused, because many contain an IPv4 address that may be in the reader's network.
    """
    try:
        parts = urlsplit(address)
        # Browsers read names in this way: full-width letters count as plain ones, and soft hyphens are dropped.
        host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii").lower()
        is_valid = parts.port != 0  # a port out of range raises
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not is_valid:
        return False
    # Browsers end a host at a backslash and decode "%", so a host with these characters is refused.
    if _HOST.fullmatch(host) is not None and is_public_name(host):
        return True
    literal = ip_address_of(host)
    return literal is not None and literal.version == _IPV4 and literal.is_global


def is_private_link(address: str | None) -> bool:
    """Return whether an address may lead into the network of its reader; a mailto: address does not."""
    if not address or address.lower().startswith("mailto:"):
        return False
    return not leads_to_internet(address)


def is_shared_site(domain: str) -> bool:
    """Return whether many outlets share a registrable domain."""
    return domain in SITES.content.paths or domain in SITES.content.subdomains


def is_address(name: str) -> bool:
    """Return whether the name of an outlet has the form of an address, such as "ndtv.com"."""
    return _ADDRESS.fullmatch(name) is not None


def is_page_of(key: str, url: str) -> bool:
    """Return whether a page belongs to outlet `key`: to its site, channel, or publisher."""
    return are_one(key, site_of_page(url).key)


def are_of_one_publisher(url: str, other: str) -> bool:
    """Return whether two addresses belong to one site, or to sites of one publisher."""
    site = registrable_domain(url)
    other_site = registrable_domain(other)
    return site is not None and other_site is not None and are_one(site, other_site)


def are_one(key: str, other: str) -> bool:
    return key == other or any(
        {key, other} <= sites for sites in SITES.content.publishers
    )
