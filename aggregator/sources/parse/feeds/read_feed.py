"""Parses feeds of any format to `ParsedFeed`. Runs in a worker process.

Data that is not a feed gets a message for `sources check` and `sources list`.
"""

from datetime import time
from functools import partial

from msgspec.structs import replace

from aggregator.model.entry import ParsedFeed
from aggregator.sources.parse.feeds import known_items, sitemap, xml_entries, xml_repair
from aggregator.sources.parse.feeds.entry_builder import (
    FeedContext,
)
from aggregator.sources.parse.feeds.feed_format import (
    reason_against_bytes,
    reason_against_markup,
)
from aggregator.sources.parse.feeds.feedparser_feed import (
    for_feedparser,
    read_one_by_one,
    read_with_feedparser,
    try_parsing,
)
from aggregator.sources.parse.feeds.json_feed import read_json_feed
from aggregator.sources.parse.feeds.raw_values import is_before


def read_feed(data: bytes, context: FeedContext) -> ParsedFeed:
    """Parse a feed of any format; if it has more than `max_entries` entries, return the newest.

    Never raises because of the bytes: for anything that is not a feed, `problem` has a message for the user.
    If `entry_count` is above `len(entries)`, entries were left out because they were too many or empty. Known items,
    which are not read either, are in `left_out` and not in `entry_count`.
    """
    try:
        return _read_unknown_items(data, context)
    except Exception as error:  # noqa: BLE001 - parsers may raise anything on untrusted bytes
        return ParsedFeed(
            problem=f"this could not be read as a feed ({type(error).__name__})"
        )


def _read_unknown_items(data: bytes, context: FeedContext) -> ParsedFeed:
    """Parse the feed without its known items, unless the other entries would be read differently without them."""
    cut = known_items.cut_feed(data, context)
    if cut is None:
        return _with_days(_read(data, context))
    if cut.left_out and not cut.items:
        return ParsedFeed(left_out=cut.left_out, frame=cut.frame)
    feed = _read(cut.data, context)
    # Only all entries together show whether a feed states days.
    is_in_doubt = _states_days(feed) and not context.states_days
    if cut.left_out and (feed.problem is not None or is_in_doubt):
        return _read_unknown_items(data, replace(context, known_items=frozenset()))
    items: tuple[bytes, ...] = ()
    if len(feed.are_settled) == len(cut.items):
        items = tuple(
            item_hash if is_settled else b""
            for item_hash, is_settled in zip(cut.items, feed.are_settled, strict=True)
        )
    return replace(
        _with_days(feed), items=items, left_out=cut.left_out, frame=cut.frame
    )


def _states_days(feed: ParsedFeed) -> bool:
    """Return whether all times of the entries are midnight UTC, and there is at least one."""
    times = {entry.published.time.time() for entry in feed.entries if entry.published}
    return times == {time(0)}


def _with_days(feed: ParsedFeed) -> ParsedFeed:
    """Return the feed, with days in place of times if all its times are midnight UTC."""
    if not _states_days(feed):
        return feed
    entries = []
    for entry in feed.entries:
        day = entry.published and replace(entry.published, precision="day")
        entries.append(replace(entry, published=day))
    return replace(feed, entries=tuple(entries), states_days=True)


def parser_versions() -> str:
    """Return the versions of the C libraries that parse untrusted XML; old versions expand entities."""
    import pyexpat

    from lxml import etree

    return f"{pyexpat.EXPAT_VERSION.replace('_', ' ')}, libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}"


def _read(data: bytes, context: FeedContext) -> ParsedFeed:
    problem = reason_against_bytes(data)
    if problem:
        return ParsedFeed(problem=problem)
    text = xml_repair.decode_markup(data, xml_repair.charset_of(context.content_type))
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        return read_json_feed(text, context)
    problem = reason_against_markup(text)
    if problem:
        return ParsedFeed(problem=problem)
    if sitemap.is_sitemap(text):
        return sitemap.read_sitemap(xml_repair.well_prepared(text), context)
    limit = context.tuning.max_entries
    text, count, newest_last = xml_entries.cut_entries(
        xml_repair.well_prepared(text), limit, partial(is_before, context=context)
    )
    # Bytes need less memory: a single emoji makes Python use four bytes for each character of a string.
    markup = for_feedparser(text).encode()
    del text
    feed = whole = try_parsing(read_with_feedparser, markup, context)
    # If fewer entries were read than the markup has, each entry is parsed alone.
    if min(count, limit) > whole.entry_count:
        alone = try_parsing(read_one_by_one, markup, context)
        if alone.entry_count > whole.entry_count:
            feed = alone
    if feed.entry_count:
        named = feed.format or ("atom" if b"entry>" in markup else "rss")
        entries = feed.entries[::-1] if newest_last else feed.entries
        if count <= limit:
            count = feed.entry_count
        return replace(feed, format=named, entries=entries, entry_count=count)
    if not whole.format:
        whole = ParsedFeed(
            problem="this begins like a feed but has no readable entries"
        )
    return whole  # a feed that has no entries at the moment, or the problem
