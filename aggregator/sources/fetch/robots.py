"""robots.txt for pages of articles: requested once a day for each site (RFC 9309).

Feeds are published for programs and need no check; only the pages behind them are checked.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec.structs import replace
from protego import Protego

from aggregator.config.configured_access import Access
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.connections.transport import parse_address
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT, HOSTS_KEPT
from aggregator.sources.fetch.server_keys import key_of_address

_CACHE_SECONDS = 86_400.0  # RFC 9309 2.4: at most 24 hours
# While robots.txt cannot be read, everything is disallowed for this long
_RETRY_SECONDS = 600.0
_CAP_BYTES = 500 * 1024  # RFC 9309 2.5: at least 500 KiB are read; the rest is ignored
AGENT = "aggregator"  # this program's product token in robots.txt
# Scheme, host and port of a site, and the proxy that its requests go through
_Key = tuple[str, str]


class _SiteRules(msgspec.Struct, frozen=True):
    """The rules of a site; `protego` is None if nothing is allowed for now."""

    protego: Protego | None
    expires: float


class Robots:
    """The robots.txt rules of sites. Thread-safe; each site is requested by one thread at a time."""

    def __init__(
        self, client: Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._sites: OrderedDict[_Key, _SiteRules] = OrderedDict()
        self._asking: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def answer(
        self,
        url: str,
        *,
        source_port: int | None = None,
        linked_from: str | None = None,
        proxy: str = "",
    ) -> Literal["yes", "no", "not now"]:
        """Return whether the page may be fetched; request robots.txt if the rules are older than a day.

        `proxy` is that of the source; the page is fetched through it, too.

        A site without robots.txt (any 4xx) allows everything. A site that cannot be reached (5xx, no
        response) allows nothing for now ("not now"), unless earlier rules are known, which then still apply.
        Raise FetchError("asked to wait" or "refused") if no request may be sent to the host, not even for
        robots.txt.
        """
        try:
            address = parse_address(url)
        except FetchError:
            return "no"
        key = (f"{address.scheme}://{address.netloc.decode('ascii')}", proxy)
        rules = self._find_known(key)
        if rules is None:
            with self._lock:
                turn = self._asking.setdefault(key, threading.Lock())
            with turn:
                try:
                    # Another thread may have requested it meanwhile
                    rules = self._find_known(key)
                    if rules is None:
                        rules = self._fetch(key, source_port, linked_from)
                        with self._lock:
                            self._sites[key] = rules
                            self._sites.move_to_end(key)
                            while len(self._sites) > HOSTS_KEPT:
                                self._sites.popitem(last=False)
                finally:
                    with self._lock:
                        self._asking.pop(key, None)
        if rules.protego is None:
            return "not now"
        return "yes" if rules.protego.can_fetch(url, AGENT) else "no"

    def _find_known(self, key: _Key) -> _SiteRules | None:
        with self._lock:
            rules = self._sites.get(key)
            if rules is None or rules.expires <= self._clock():
                return None
            self._sites.move_to_end(key)
            return rules

    def _fetch(
        self, key: _Key, source_port: int | None, linked_from: str | None
    ) -> _SiteRules:
        now = self._clock()
        nothing_allowed = _SiteRules(None, now + _RETRY_SECONDS)
        site, proxy = key
        try:
            body = self._client.fetch(
                f"{site}/robots.txt",
                accept="robots",
                source_port=source_port,
                linked_from=linked_from,
                access=Access(proxy=proxy),
            ).body
        except FetchError as error:
            if error.cause in (ASKED_TO_WAIT, "stopped", "refused"):
                raise  # about the linking source and not about the site
            # 429 is a 4xx that means "later" and not "no rules".
            if not 400 <= (error.status or 0) < 500 or error.status == 429:
                with self._lock:
                    before = self._sites.get(key, nothing_allowed)
                return replace(before, expires=nothing_allowed.expires)
            body = b""
        try:
            rules = Protego.parse(relevant_lines(body[:_CAP_BYTES]))
        except Exception:  # noqa: BLE001 - the library may raise anything on an untrusted file
            return nothing_allowed
        if delay := rules.crawl_delay(AGENT):
            self._client.rate_limiter.widen(key_of_address(site), delay)
        return _SiteRules(rules, now + _CACHE_SECONDS)


def relevant_lines(body: bytes) -> str:
    """Return a robots.txt with the names of all other programs replaced by one.

    protego copies each rule for each agent named above it: 20,000 names before 20,000 rules would be 400
    million copies. Rules for other programs are not used, so these can share one name.
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
