"""Finds the feed that a user means by an address: at the address itself, or elsewhere on the site."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Literal
from urllib.parse import urljoin

from msgspec.structs import replace

from aggregator.config.configured_access import Access
from aggregator.config.hosts import OWN_FEED
from aggregator.config.settings import Config
from aggregator.config.source_settings import LOGIN_ADVICE, has_login
from aggregator.intake.browser_access import access_of_form
from aggregator.intake.manage.feed_check import FeedReader, open_reader
from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import (
    FetchError,
    ReadError,
    UsageError,
)
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.parse.feeds.feed_discovery import (
    FeedCandidate,
    usual_places,
)
from aggregator.sources.parse.feeds.opml import (
    web_address,
)

# No further address of a site is requested after this time (chosen).
_SEARCH_SECONDS = 60.0
# The most addresses that are requested to find the feed of a site (chosen): first its links, then the usual places.
# Each takes about a second.
DISCOVERY_TRIES = 20


class ResolvedFeed(FrozenStruct):
    """A feed, and how it was found."""

    address: str
    final: str  # the address after redirects
    feed: ParsedFeed
    origin: Literal["typed", "declared", "linked", "usual"] = "typed"
    others: tuple[FeedCandidate, ...] = ()  # other feeds that the page declares
    asked_with: Access = Access()


def find(
    config: Config,
    typed: str,
    reader: FeedReader | None = None,
    access: Mapping[str, str] | None = None,
) -> ResolvedFeed:
    """Return the feed at the address `typed`, or the feed of that site, and store nothing.

    With selectors, only the page itself is read. Raises UsageError if no feed is found, ReadError if the address cannot
    be read.
    """
    if reader is None:
        with open_reader(config) as own_reader:
            return find(config, typed, own_reader, access)
    addresses = addresses_typed(typed)
    _refuse_own(config, *addresses)
    asked_with = access_of_form(addresses[0], access or {})
    resolved = _FeedSearch(reader, asked_with).find(addresses)
    _refuse_own(config, resolved.address, resolved.final)
    return replace(resolved, asked_with=asked_with)


def _refuse_own(config: Config, *addresses: str) -> None:
    for address in addresses:
        if config.is_own_feed(address):
            raise UsageError(f"{address}: {OWN_FEED}")


def addresses_typed(typed: str) -> list[str]:
    """Return the typed address; for a host name without a scheme, the addresses with https and http."""
    if has_login(typed):
        raise UsageError(
            f"a user name or password belongs in config.yaml, under `auth:`; {LOGIN_ADVICE}"
        )
    address = web_address(typed)
    if address is not None:
        return [address]
    name = typed.strip()
    host = name.partition("/")[0].partition(":")[0]
    if "://" not in name and "." in host.strip(".") and not name.startswith(("/", ".")):
        guesses = map(web_address, (f"https://{name}", f"http://{name}"))
        return list(filter(None, guesses))
    raise UsageError(
        f"{typed}: give the address of a feed or site, such as https://news.example.org"
    )


class _FeedSearch:
    """The search for the feed of an address, with a limited number of requests."""

    def __init__(self, reader: FeedReader, access: Access) -> None:
        """`access` is the access that the user typed; every address is requested with it."""
        self._reader = reader
        self._access = access
        self._requests_left = DISCOVERY_TRIES
        self._ends = time.monotonic() + _SEARCH_SECONDS
        # What was parsed at each address that was tried; None: it was not read
        self._tried: dict[str, ParsedFeed | None] = {}
        # The page that links to the addresses; None: the user typed them
        self._linked_from: str | None = None
        # A feed without entries, used if no better feed is found
        self._empty: ResolvedFeed | None = None

    def find(self, addresses: Sequence[str]) -> ResolvedFeed:
        """Return a feed. Raises UsageError if none is found, ReadError if none of the addresses can be read."""
        page = self._first_response(addresses)
        self._linked_from = page.url_final
        parsed = self._reader.parse(page, self._access)
        if parsed.format:
            return ResolvedFeed(
                address=page.permanent_url or page.url,
                final=page.url_final,
                feed=parsed,
            )
        if self._access.selectors:
            raise UsageError(f"{page.url}: {parsed.problem or 'it lists no articles'}")
        discovered = self._reader.find_feeds(page)
        resolved = (
            self._among(discovered)
            or self._among(self._of_front_page(page.url_final))
            or self._among(usual_places(page.url_final))
            or self._empty
        )
        if resolved is None:
            tried = ", ".join(list(self._tried)[:4]) or "nothing else"
            others = " and others" if len(self._tried) > 4 else ""
            raise UsageError(
                f"no feed was found at {page.url}: {parsed.problem or 'it is not a feed'}; tried {tried}{others}. "
                f"Give the address of the feed itself; read a single article with `aggregator ingest {page.url}`; "
                "a page without a feed needs `page:` and CSS selectors in config.yaml"
            )
        return replace(
            resolved,
            others=tuple(
                link
                for link in discovered
                if link.origin != "linked" and link.url != resolved.address
            ),
        )

    def _first_response(self, addresses: Sequence[str]) -> FetchResult:
        for address in addresses:
            try:
                return self._reader.fetch(address, access=self._access)
            except FetchError as error:
                if address == addresses[-1] or error.status is not None:
                    message = f"{address} could not be read: {error}"
                    if error.status in (401, 403):
                        message += "; or give the address of the feed itself"
                    raise ReadError(message) from error
        raise AssertionError("there is an address")

    def _among(self, links: Iterable[FeedCandidate]) -> ResolvedFeed | None:
        """Return the first of these feeds that has entries; note the first without entries for lack of a better."""
        for link in links:
            if link.url not in self._tried:
                self._tried[link.url] = None
                with suppress(FetchError):  # other candidates follow
                    self._tried[link.url] = self._reader.parse(
                        self._fetch(link.url), self._access
                    )
            feed = self._tried[link.url]
            if feed is None or not feed.format or feed.sitemaps:
                continue
            if feed.format == "sitemap" and not any(
                entry.title for entry in feed.entries
            ):
                continue  # a sitemap of all pages, without titles
            resolved = ResolvedFeed(
                address=link.url, final=link.url, feed=feed, origin=link.origin
            )
            if feed.entry_count:
                return resolved
            self._empty = self._empty or resolved
        return None

    def _fetch(self, address: str) -> FetchResult:
        if self._requests_left <= 0 or time.monotonic() > self._ends:
            raise FetchError("stopped", "enough addresses were tried")
        self._requests_left -= 1
        return self._reader.fetch(address, self._linked_from, self._access)

    def _of_front_page(self, page_url: str) -> tuple[FeedCandidate, ...]:
        """Return the feeds that the front page of the site declares or links to; none if `page_url` is that page."""
        front = web_address(urljoin(page_url, "/"))
        if not front or front == page_url:
            return ()
        with suppress(FetchError):
            return self._reader.find_feeds(self._fetch(front))
        return ()
