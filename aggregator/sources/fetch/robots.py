"""Checks whether robots.txt allows fetching the page of an article (RFC 9309). Each robots.txt is requested once a day.

Feeds are published for programs, so only the pages that they link to are checked.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from protego import Protego

from aggregator.config.configured_access import Access
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.connections.transport import parse_address
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT, HOSTS_KEPT
from aggregator.sources.fetch.server_keys import key_of_address

_CACHE_SECONDS = 86_400.0  # RFC 9309 2.4: at most 24 hours
# A robots.txt that cannot be read is requested again after this time
_RETRY_SECONDS = 600.0
_CAP_BYTES = 500 * 1024  # RFC 9309 2.5: at least 500 KiB are read; the rest is ignored
AGENT = "aggregator"  # this program's product token in robots.txt
# Scheme, host and port of a site, and the proxy that its requests go through
_Key = tuple[str, str]


class _Site:
    """The rules of one site, which only the thread that holds the lock uses.

    `protego` has the rules. It is None until they could be read; meanwhile nothing is allowed.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.protego: Protego | None = None
        self.expires = -math.inf


class Robots:
    """The robots.txt rules of sites. Thread-safe; each site is requested by one thread at a time."""

    def __init__(
        self, client: Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._sites: OrderedDict[_Key, _Site] = OrderedDict()
        self._lock = threading.Lock()

    def answer(
        self,
        url: str,
        *,
        source_port: int | None = None,
        linked_from: str | None = None,
        proxy: str = "",
    ) -> Literal["yes", "no", "not now"]:
        """Return whether the page at `url` may be fetched; request robots.txt if there are no rules from the last day.

        A site without robots.txt (any 4xx except 429) allows everything. A site that cannot be reached (5xx, no
        response) allows nothing for now ("not now"), unless earlier rules are known, which then still apply.

        The request for robots.txt goes through `proxy`, as the request for the page will. Raise FetchError if
        robots.txt may not be requested: "asked to wait" if the host wants fewer requests, "refused" if its address is
        not allowed, and "stopped" if the program is ending.
        """
        try:
            address = parse_address(url)
        except FetchError:
            return "no"
        key = (f"{address.scheme}://{address.netloc.decode('ascii')}", proxy)
        with self._lock:
            site = self._sites.setdefault(key, _Site())
            self._sites.move_to_end(key)
            while len(self._sites) > HOSTS_KEPT:
                self._sites.popitem(last=False)
        with site.lock:
            if site.expires <= self._clock():
                self._read_rules(site, key, source_port, linked_from)
            if site.protego is None:
                return "not now"
            return "yes" if site.protego.can_fetch(url, AGENT) else "no"

    def _read_rules(
        self, site: _Site, key: _Key, source_port: int | None, linked_from: str | None
    ) -> None:
        """Request the robots.txt of a site, and keep its rules."""
        now = self._clock()
        address, proxy = key
        try:
            body = self._client.fetch(
                f"{address}/robots.txt",
                accept="robots",
                source_port=source_port,
                linked_from=linked_from,
                access=Access(proxy=proxy),
            ).body
        except FetchError as error:
            if error.cause in (ASKED_TO_WAIT, "stopped", "refused"):
                raise  # the error says nothing about robots.txt
            # Unlike other 4xx, a 429 means "later" and not "no rules".
            if not 400 <= (error.status or 0) < 500 or error.status == 429:
                site.expires = now + _RETRY_SECONDS
                return
            body = b""
        try:
            site.protego = Protego.parse(relevant_lines(body[:_CAP_BYTES]))
        except Exception:  # noqa: BLE001 - the library may raise anything on an untrusted file
            site.protego = None
            site.expires = now + _RETRY_SECONDS
            return
        site.expires = now + _CACHE_SECONDS
        if delay := site.protego.crawl_delay(AGENT):
            self._client.rate_limiter.widen(key_of_address(address), delay)


def relevant_lines(body: bytes) -> str:
    """Return a robots.txt in which all other programs have the same name, "others", because their rules are not used.

    protego copies each rule for each program named above it, so 20,000 names before 20,000 rules would make 400
    million copies.
    """
    lines = []
    for line in body.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
        words = line.partition("#")[0].strip()
        field, _, value = words.partition(":")
        if not value and " " in words:
            field, _, value = words.partition(" ")
        if field.strip().lower().replace("-", "").replace(" ", "") == "useragent":
            name = value.strip().lower()
            if name != "*":
                product = name.strip("*").split("/")[0].strip()
                name = AGENT if product == AGENT else "others"
            lines.append(f"User-agent: {name}")
        elif words:
            lines.append(words)
    return "\n".join(lines)
