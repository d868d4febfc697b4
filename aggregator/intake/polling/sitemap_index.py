"""Reads the sitemaps of an index."""

import hashlib
import re
from collections.abc import Callable
from itertools import chain

from msgspec.structs import replace

from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import (
    FetchError,
)
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.parse.feeds.known_items import CHANGING

# Feed generators change it in every response.
_BUILT = re.compile(rb"<lastBuildDate>[^<]{0,100}</lastBuildDate>")
_TAIL_BYTES = 512
_ITEM = re.compile(rb"<(/?)(?:\w+:)?(?:item|entry)\b", re.IGNORECASE)


def read_sitemaps(
    index: ParsedFeed,
    fetch: Callable[[str], FetchResult],
    parse: Callable[[FetchResult], ParsedFeed],
) -> tuple[bytes, ParsedFeed]:
    """Return a hash of the sitemaps of an index, and the index with their entries and the first title.

    Raises FetchError if none is read.
    """
    bodies: list[bytes] = []
    feeds: list[ParsedFeed] = []
    failure: FetchError | None = None
    for url in index.sitemaps:
        try:
            page = fetch(url)
            feed = parse(page)
            if feed.sitemaps:  # not followed: they might lead to each other
                raise FetchError(
                    "no feed",
                    f"{url} is an index of sitemaps, too; add one of its sitemaps",
                )
            feeds.append(feed)
            bodies.append(page.body)
        except FetchError as error:
            failure = error
    if failure is not None and (not feeds or failure.cause == "stopped"):
        raise failure
    merged = replace(
        index,
        entries=tuple(chain.from_iterable(feed.entries for feed in feeds)),
        entry_count=sum(feed.entry_count for feed in feeds),
        title=next((feed.title for feed in feeds if feed.title), ""),
    )
    return hash_of_body(b"".join(bodies)), merged


def hash_of_body(body: bytes) -> bytes:
    """Return a hash of a response, without what generators of feeds change in each around the items."""
    # The last tag stands near the end of nearly all feeds: to find it there takes a thirtieth of the time.
    tail = [*_ITEM.finditer(body, max(0, len(body) - _TAIL_BYTES))]
    tags = tail or [*_ITEM.finditer(body)]
    # The last item of a damaged feed may not be closed.
    if tags and tags[-1][1]:
        first, last = next(_ITEM.finditer(body)).start(), tags[-1].start()
        frame = CHANGING.sub(b"", body[:first]), CHANGING.sub(b"", body[last:])
        body = frame[0] + body[first:last] + frame[1]
    else:
        body = _BUILT.sub(b"", body)
    return hashlib.blake2b(body, digest_size=16).digest()
