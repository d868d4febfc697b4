"""Reads the sitemaps of an index."""

from collections.abc import Callable
from itertools import chain

from msgspec.structs import replace

from aggregator.intake.polling.response_hash import hash_response
from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import (
    FetchError,
)
from aggregator.sources.fetch.response import FetchResult


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
    return hash_response(b"".join(bodies)), merged
