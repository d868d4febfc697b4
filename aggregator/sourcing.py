"""The work behind `aggregator sources`: finding, checking, adding, importing and exporting feeds."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

from aggregator.config import Config
from aggregator.daemon import client_of, utc_now
from aggregator.errors import AggregatorError, FetchError, UsageError
from aggregator.model import Noun, ParsedFeed
from aggregator.net.client import Client, Fetched
from aggregator.polling import parse_feed
from aggregator.sources.discovery import feed_links, usual_places
from aggregator.sources.limits import source_rules
from aggregator.sources.opml import OpmlFeed, read_opml, write_opml
from aggregator.stages import FeedJob
from aggregator.store.database import Database
from aggregator.store.sources import Source, all_sources, source_id
from aggregator.store.sources import add as store_source
from aggregator.text.characters import decode
from aggregator.work.executor import Executor, open_executor

_CANDIDATES_ASKED = 8  # addresses of a site that are tried in search of its feed


class Checked(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """A line of `sources check --format jsonl`; `entries` as the feed has them, before limits."""

    what: str
    format: str
    title: str
    entries: int
    problem: str | None


def check(config: Config, what: Sequence[str]) -> Iterator[Checked]:
    """Read feeds, files or addresses, without storing."""
    executor = open_executor(config.work.executor, config.work.worker_count, config.rule_book)
    client = client_of(config)
    try:
        for one in what:
            try:
                data, url, content_type = _bytes_of(client, config, one)
                parsed = _parsed(config, executor, data, url, content_type)
                problem = parsed.problem
            except FetchError as error:
                parsed, problem = ParsedFeed(), str(error)
            yield Checked(
                what=one,
                format=parsed.format,
                title=parsed.title,
                entries=parsed.entry_count,
                problem=problem,
            )
    finally:
        client.close()
        executor.close()


def _bytes_of(client: Client, config: Config, what: str) -> tuple[bytes, str | None, str | None]:
    if what.startswith(("http://", "https://")):
        fetched = client.fetch(what)
        return fetched.body, fetched.url_final, fetched.content_type or None
    limit = source_rules(config.rule_book).max_feed_bytes
    try:
        with Path(what).open("rb") as file:
            data = file.read(limit + 1)
    except IsADirectoryError as error:
        raise FetchError("file", f"it is a folder; type: aggregator ingest {what}") from error
    except OSError as error:
        raise FetchError("file", f"it cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise FetchError("too_large", f"a feed may have {limit} bytes")
    return data, None, None


def _parsed(
    config: Config, executor: Executor, data: bytes, url: str | None, content_type: str | None
) -> ParsedFeed:
    job = FeedJob(
        data=data,
        source=url or "file",
        seen=utc_now(),
        url=url,
        content_type=content_type,
        rules=config.rule_book.to_json(),
    )
    return parse_feed(executor, job)


def add(config: Config, database: Database, url: str, *, outlet: str | None, folder: str | None) -> Source:
    """Add the feed at `url`, or the one behind it.

    Raises UsageError where none is found or it is known already, AggregatorError where nothing answers.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url}: give an address that begins with http:// or https://")
    executor = open_executor(config.work.executor, 1, config.rule_book)
    client = client_of(config)
    try:
        address, parsed = _find_feed(config, client, executor, url)
    finally:
        client.close()
        executor.close()
    found = _new_source(config, address, title=parsed.title or None, outlet=outlet, folder=folder)
    with database.write() as connection:
        if any(one.id == found.id or one.address == address for one in all_sources(connection)):
            raise UsageError(f"{address} is a source already")
        store_source(connection, found)
    return found


def _find_feed(config: Config, client: Client, executor: Executor, url: str) -> tuple[str, ParsedFeed]:
    try:
        first = client.fetch(url)
    except FetchError as error:
        raise AggregatorError(f"{url} could not be read: {error}") from error
    parsed = _of_fetched(config, executor, first)
    if parsed.format:
        return first.permanent_url or url, parsed
    page = decode(first.body, first.charset)
    links = [*feed_links(page, first.url_final), *usual_places(first.url_final)]
    for link in links[:_CANDIDATES_ASKED]:
        try:
            parsed = _of_fetched(config, executor, client.fetch(link.url))
        except FetchError:
            continue  # one of several guesses
        if parsed.format:
            return link.url, parsed
    raise UsageError(f"no feed was found at {url}; give the address of the feed itself")


def _of_fetched(config: Config, executor: Executor, fetched: Fetched) -> ParsedFeed:
    return _parsed(config, executor, fetched.body, fetched.url_final, fetched.content_type or None)


def _new_source(
    config: Config, address: str, *, title: str | None, outlet: str | None, folder: str | None
) -> Source:
    return Source(
        id=source_id("feed", None, address),
        kind="feed",
        address=address,
        title=title,
        outlet=outlet,
        folder=folder,
        interval_seconds=config.fetch.interval,
        origin="user",
        next_due_at=dt.datetime.now(dt.UTC),
    )


def import_opml(config: Config, database: Database, path: Path) -> tuple[int, int]:
    """Add the feeds of an OPML file; returns how many were new and how many known. Raises UsageError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    feeds = read_opml(data, rules=source_rules(config.rule_book))
    if not feeds:
        raise UsageError(f"{path}: there is no feed in it; a feed is an <outline> with an xmlUrl")
    added = 0
    with database.write() as connection:
        known = {one.address for one in all_sources(connection)}
        for feed in feeds:
            if feed.url not in known:
                folder = " / ".join(feed.folder) or None
                item = _new_source(config, feed.url, title=feed.title or None, outlet=None, folder=folder)
                store_source(connection, item)
                known.add(feed.url)
                added += 1
    return added, len(feeds) - added


def export_opml(config: Config, database: Database) -> bytes:
    """All feeds as OPML."""
    with database.read() as connection:
        feeds = [one for one in all_sources(connection) if one.kind == "feed"]
    return write_opml(
        (
            OpmlFeed(
                url=one.address,
                title=one.shown_name,
                folder=tuple(one.folder.split(" / ")) if one.folder else (),
            )
            for one in feeds
        ),
        title=config.publish.title,
    )
