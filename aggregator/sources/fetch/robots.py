"""robots.txt for the pages of articles: asked once a day for each site, as RFC 9309 wants it.

A feed is published to be fetched by programs; the pages behind it are asked about.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from protego import Protego

from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT

AGENT = "aggregator"  # the product token that a robots.txt can name us by
# 429 is a 4xx that says "later", not "there are no rules".
_NOT_NOW = frozenset({429})


class _SiteRules(msgspec.Struct, frozen=True):
    """What a site said. `protego` is None where everything is allowed, or nothing."""

    protego: Protego | None
    allows_all: bool
    expires: float


class Robots:
    """What sites allow. Safe to use from many threads; one site is asked by one thread at a time."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._sites: OrderedDict[str, _SiteRules] = OrderedDict()
        self._asking: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def allows(self, url: str, *, source_port: int | None = None, linked_from: str | None = None) -> bool:
        """Whether the page may be fetched now."""
        return self.answer(url, source_port=source_port, linked_from=linked_from) == "yes"

    def answer(
        self, url: str, *, source_port: int | None = None, linked_from: str | None = None
    ) -> Literal["yes", "no", "not now"]:
        """Whether the page may be fetched; asks the site first when that was more than a day ago.

        A site without a robots.txt (any 4xx) allows everything; one that cannot be asked (5xx, no answer)
        allows nothing until it can, "not now", unless it was asked before: then its last rules hold on.
        Raises FetchError("asked to wait" or "refused") where nothing may be sent to the host, robots.txt
        included.
        """
        site = _site_of(url)
        if site is None:
            return "no"
        rules = self._known(site) or self._ask(site, source_port, linked_from)
        if rules.protego is None:
            return "yes" if rules.allows_all else "not now"
        return "yes" if rules.protego.can_fetch(url, AGENT) else "no"

    def _known(self, site: str) -> _SiteRules | None:
        with self._lock:
            rules = self._sites.get(site)
            if rules is None or rules.expires <= self._clock():
                return None
            self._sites.move_to_end(site)
            return rules

    def _ask(self, site: str, source_port: int | None, linked_from: str | None) -> _SiteRules:
        with self._lock:
            turn = self._asking.setdefault(site, threading.Lock())
        with turn:
            try:
                rules = self._known(site)  # another thread may just have asked
                if rules is None:
                    rules = self._fetched(site, source_port, linked_from)
                    self._keep(site, rules)
            finally:
                with self._lock:
                    self._asking.pop(site, None)
        return rules

    def _fetched(self, site: str, source_port: int | None, linked_from: str | None) -> _SiteRules:
        limits = self._client.tuning
        now = self._clock()
        try:
            answer = self._client.fetch(
                f"{site}/robots.txt", accept="robots", source_port=source_port, linked_from=linked_from
            )
        except FetchError as error:
            if error.cause in (ASKED_TO_WAIT, "stopped", "refused"):
                raise  # of the last: it says nothing of the site, only of who named it
            if error.status is not None and 400 <= error.status < 500 and error.status not in _NOT_NOW:
                return _SiteRules(None, True, now + limits.robots_keep_seconds)
            with self._lock:
                before = self._sites.get(site)
            retry = now + limits.robots_retry_seconds
            return (
                _SiteRules(None, False, retry)
                if before is None
                else msgspec.structs.replace(before, expires=retry)
            )
        try:
            rules = Protego.parse(relevant_lines(answer.body[: limits.robots_cap_bytes]))
        except Exception:  # noqa: BLE001 - the boundary: a file by a stranger, read by a library
            return _SiteRules(None, False, now + limits.robots_retry_seconds)
        delay = rules.crawl_delay(AGENT)
        if delay:
            self._client.widen_gap(site, float(delay))
        return _SiteRules(rules, True, now + limits.robots_keep_seconds)

    def _keep(self, site: str, rules: _SiteRules) -> None:
        with self._lock:
            self._sites[site] = rules
            self._sites.move_to_end(site)
            while len(self._sites) > self._client.tuning.robots_hosts_kept:
                self._sites.popitem(last=False)


def relevant_lines(body: bytes) -> str:
    """A robots.txt with every other program's name replaced by one.

    protego keeps a copy of each rule for each agent named above it: 20,000 names before 20,000 rules would be
    400 million. What is said to others is none of our business, so that they may as well share a name.
    """
    lines = []
    for line in body.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
        words = line.partition("#")[0].strip()
        field, _, value = words.partition(":")
        if not value and " " in words:
            field, _, value = words.partition(" ")
        if field.strip().lower().replace("-", "").replace(" ", "") == "useragent":
            lines.append(f"User-agent: {_agent(value)}")
        elif words:
            lines.append(words)
    return "\n".join(lines)


def _agent(value: str) -> str:
    name = value.strip().lower()
    if name == "*":
        return "*"
    return AGENT if name.strip("*").split("/")[0].strip() == AGENT else "others"


def _site_of(url: str) -> str | None:
    """Scheme, host and port of an address; None for what is no http address."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname or parts.username is not None:
            return None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return None
    return f"{parts.scheme.lower()}://{host}{port}"
