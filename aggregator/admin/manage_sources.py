"""The work behind `aggregator sources`: finding, checking, adding, importing and exporting feeds.

What `aggregator sources list` tells of each source: how it does, and what became of its texts.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from aggregator.config.settings import Config, SourceConfig
from aggregator.config.tuning import Tuning
from aggregator.extract.language.unicode import decode
from aggregator.extract.urls import address_key
from aggregator.model.core import FrozenStruct, ParsedFeed, utc_now
from aggregator.model.errors import AggregatorError, ConfigError, FetchError, UsageError, WorkError
from aggregator.pipeline.jobs import FeedJob
from aggregator.pipeline.poll import parse_feed
from aggregator.pipeline.workers.executor import Executor
from aggregator.pipeline.workers.factory import open_executor
from aggregator.sources.fetch.client import Client, FetchResult, client_of
from aggregator.sources.fetch.poll_schedule import first_due
from aggregator.sources.limits import SourceTuning, source_tuning
from aggregator.sources.parse.feed_discovery import (
    DiscoveredFeeds,
    FeedCandidate,
    PageJob,
    discover,
    sitemaps_of_robots,
    usual_places,
)
from aggregator.sources.parse.opml import OpmlFeed, read_opml, web_address, write_opml
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake.host_backoff import backing_off_hosts
from aggregator.store.intake.source_health import HealthState, health_of, health_rules
from aggregator.store.intake.sources import Source, all_sources, article_counts, choose, source_id
from aggregator.store.intake.sources import add as store_source
from aggregator.store.intake.unstable_keys import distrusted
from aggregator.store.read.verdict_stats import page_verdicts_by_source, verdicts_by_source

_IN_TROUBLE = frozenset({"failing", "gone", "silent", "flood"})


class ListedSource(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A source as the list shows it. `url` may hold a secret: for the owner's eyes only."""

    id: str
    name: str
    kind: str  # feed | folder
    url: str  # as typed; of a folder its path
    asked_at: str  # where it is asked now: another address when it moved for ever
    folder: str | None
    outlet: str | None
    language: str | None
    origin: str  # config | user
    state: HealthState
    cause: str  # the short word: dns, tls, http 429, silent, ...
    problem: str | None  # the same as a sentence
    article_count: int
    per_day: float | None  # new entries; None: not known yet
    texts: dict[str, int]  # how many of its texts got which verdict, the most frequent first
    pages: dict[str, int]  # the same of pages that failed, so that the feed's own text was taken
    last_success: dt.datetime | None
    next_due: dt.datetime | None  # None: it is not asked
    interval_seconds: int

    @property
    def is_in_trouble(self) -> bool:
        """Whether somebody should look at it."""
        return self.state in _IN_TROUBLE


def listed(connection: Connection, now: dt.datetime, all_tuning: Tuning) -> list[ListedSource]:
    """Every source, in the order of folders and names."""
    tuning = health_rules(all_tuning)
    articles = article_counts(connection)
    texts, pages = verdicts_by_source(connection), page_verdicts_by_source(connection)
    habits, held = distrusted(connection), backing_off_hosts(connection, now)
    found = []
    for item in all_sources(connection):
        health = health_of(item, now, tuning)
        words = item.health_cause if item.kind == "folder" else health.words
        told = [one for one in (words, habits.get(item.id)) if one]
        found.append(
            ListedSource(
                id=item.id,
                name=item.shown_name,
                kind=item.kind,
                url=item.address,
                asked_at=item.asked_at,
                folder=item.folder,
                outlet=item.outlet,
                language=item.language,
                origin=item.origin,
                state=health.state,
                cause=health.cause,
                problem="; ".join(told) or None,
                article_count=articles.get(item.entry_source, 0),
                per_day=health.per_day,
                texts=texts.get(item.entry_source, {}),
                pages=pages.get(item.entry_source, {}),
                last_success=item.last_success_at,
                next_due=_next_due(item, held.get(item.host or "")),
                interval_seconds=item.interval_seconds,
            )
        )
    return found


def _next_due(item: Source, held_until: dt.datetime | None) -> dt.datetime | None:
    """When it is asked next: its own time, or that of its host where this asked us to wait."""
    if item.paused or item.health in ("gone", "merged"):
        return None
    return max(item.next_due_at, held_until) if held_until else item.next_due_at


_FOLDERS_APART = " / "  # between the names of nested folders, as they are kept and typed
_SPREAD_LEAST_SECONDS = 30.0


class FeedCheck(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A line of `sources check --format jsonl`; `entries` as the feed has them, before limits."""

    what: str
    format: str
    title: str
    entries: int
    problem: str | None


def check(config: Config, what: Sequence[str]) -> Iterator[FeedCheck]:
    """Read feeds, files or addresses, without storing: one line for each, in their order."""
    executor = open_executor(config.work.executor, config.work.worker_count, config.effective_tuning)
    client = client_of(config)
    reader = _Reader(config, client, executor)
    try:
        with ThreadPoolExecutor(max(1, executor.workers)) as threads:
            yield from threads.map(reader.checked, what)
    finally:
        client.close()
        executor.close()


class _Reader:
    """Reads what is behind addresses and in files. Safe to use from several threads."""

    def __init__(self, config: Config, client: Client, executor: Executor) -> None:
        self._client = client
        self._executor = executor
        self._tuning = config.effective_tuning.to_json()
        self._limits = source_tuning(config.effective_tuning)

    def checked(self, what: str) -> FeedCheck:
        try:
            parsed = self._feed_of(what)
            problem = parsed.problem
        except FetchError as error:
            parsed, problem = ParsedFeed(), str(error)
        return FeedCheck(
            what=what, format=parsed.format, title=parsed.title, entries=parsed.entry_count, problem=problem
        )

    def _feed_of(self, what: str) -> ParsedFeed:
        if what.startswith(("http://", "https://")):
            return self.feed_in(self.fetch(what))
        return self._parsed(self._bytes_of(what), None, None)

    def _bytes_of(self, file: str) -> bytes:
        limit = self._limits.max_feed_bytes
        try:
            with Path(file).open("rb") as opened:
                data = opened.read(limit + 1)
        except IsADirectoryError as error:
            raise FetchError("file", f"it is a folder; type: aggregator ingest {file}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "this is no file's name"
            raise FetchError("file", f"it cannot be read: {reason}") from error
        if len(data) > limit:
            raise FetchError("too_large", f"a feed may have {limit} bytes")
        return data

    def fetch(self, url: str, linked_from: str | None = None) -> FetchResult:
        """What the address answers. Raises FetchError.

        What a page names (`linked_from`) is no address that a person typed: it may have the page's own port
        or a usual one, and never leads from the internet into the operator's networks.
        """
        if linked_from is not None and _port(url) not in (80, 443, _port(linked_from)):
            raise FetchError("refused", f"{url} has a port of its own, and nobody typed it")
        return self._client.fetch(url, linked_from=linked_from)

    def feed_in(self, fetched: FetchResult) -> ParsedFeed:
        """The feed that came; `problem` says why it is none. Raises FetchError where it broke the parser."""
        return self._parsed(fetched.body, fetched.url_final, fetched.content_type or None)

    def links_in(self, fetched: FetchResult) -> DiscoveredFeeds:
        """The feeds that a page names; nothing where the page broke the reader."""
        job = PageJob(page=fetched.body, url=fetched.url_final, charset=fetched.charset)
        try:
            answer = self._executor.submit(discover, msgspec.msgpack.encode(job)).result()
        except WorkError:
            return DiscoveredFeeds()
        return msgspec.msgpack.decode(answer, type=DiscoveredFeeds)

    def _parsed(self, data: bytes, url: str | None, content_type: str | None) -> ParsedFeed:
        job = FeedJob(
            data=data,
            source=url or "file",
            seen=utc_now(),
            url=url,
            content_type=content_type,
            tuning=self._tuning,
        )
        return parse_feed(self._executor, job)


# --- adding ------------------------------------------------------------------------------------------------


class SourceOptions(FrozenStruct, frozen=True, kw_only=True):
    """What a person says about a source beside its address; None leaves it open."""

    name: str | None = None
    outlet: str | None = None
    folder: str | None = None
    language: str | None = None
    interval_seconds: int | None = None


class ResolvedFeed(FrozenStruct, frozen=True, kw_only=True):
    """A feed, and how it was found."""

    address: str
    final: str  # where it was read: the address after passing redirects
    feed: ParsedFeed
    origin: Literal["typed", "declared", "linked", "usual", "index"] = "typed"
    others: tuple[FeedCandidate, ...] = ()  # what else the page declares


class AddedSource(FrozenStruct, frozen=True, kw_only=True):
    """A source that is new, with what was found behind the address that was typed."""

    source: Source
    found: ResolvedFeed


def add(config: Config, database: Database, typed: str, wanted: SourceOptions) -> AddedSource:
    """Add the feed at `typed`, or the one behind it; nothing is polled.

    Raises UsageError where none is found or it is known already, AggregatorError where nothing answers.
    """
    addresses = _addresses_typed(typed)
    with database.read() as connection:
        _refuse_known(connection, addresses[0])
    executor = open_executor(config.work.executor, 1, config.effective_tuning)
    client = client_of(config)
    try:
        reader = _Reader(config, client, executor)
        found = _Search(reader, source_tuning(config.effective_tuning)).feed_behind(addresses)
    finally:
        client.close()
        executor.close()
    source = _new_source(config, found.address, found.feed.title or None, wanted, spread_seconds=0.0)
    with database.write() as connection:
        _refuse_known(connection, found.address, source.id)
        _refuse_known(connection, found.final)
        store_source(connection, source)
    return AddedSource(source=source, found=found)


def _addresses_typed(typed: str) -> list[str]:
    """What may be meant: the address as it is, or a host's name without http:// before it."""
    address = web_address(typed)
    if address is not None:
        _refuse_password(address)
        return [address]
    named = typed.strip()
    host = named.partition("/")[0].partition(":")[0]
    if "://" not in named and "." in host.strip(".") and not named.startswith(("/", ".")):
        return [guess for guess in (web_address(f"https://{named}"), web_address(f"http://{named}")) if guess]
    raise UsageError(f"{typed}: give the address of a feed or site, like https://news.example.org")


def _refuse_password(address: str) -> None:
    if "@" in urlsplit(address).netloc:
        raise UsageError("an address with a name or password in it is not fetched; leave that out")


def _refuse_known(connection: Connection, address: str, id_: str = "") -> None:
    for one in all_sources(connection):
        is_there = address_key(address) in map(address_key, (one.address, one.asked_at))
        if is_there or one.id == id_:
            what = "is a source already" if is_there else "has that name already"
            again = (
                f"; it is paused: type: aggregator sources resume {one.id}" if one.paused else f" ({one.id})"
            )
            raise UsageError(f"{one.address} {what}{again}")


class _Search:
    """The search for the feed behind an address; asks only so many addresses in all."""

    def __init__(self, reader: _Reader, tuning: SourceTuning) -> None:
        self._reader = reader
        self._left = tuning.discovery_tries
        self._asked: dict[str, ParsedFeed | None] = {}  # address → the feed there; None: no answer
        self._linked_from: str | None = None  # the page that names what is asked; None: a person does
        self._empty: ResolvedFeed | None = None  # a feed without entries, taken where there is no better one

    def feed_behind(self, addresses: Sequence[str]) -> ResolvedFeed:
        """Raises UsageError where there is none, AggregatorError where nothing answers."""
        page = self._first_answer(addresses)
        self._linked_from = page.url_final
        parsed = self._reader.feed_in(page)
        if parsed.format:
            return ResolvedFeed(address=page.permanent_url or page.url, final=page.url_final, feed=parsed)
        named = self._reader.links_in(page)
        if not named.links and named.leads_to:
            return self._behind_redirect(named.leads_to)
        found = (
            self._among(named.links)
            or self._among(self._of_front_page(page.url_final))
            or self._among(usual_places(page.url_final))
            or self._among_sitemaps(page.url_final)
            or self._empty
        )
        if found is None:
            raise UsageError(self._nothing(page.url, parsed.problem))
        others = tuple(one for one in named.links if one.url != found.address and one.origin != "linked")
        return msgspec.structs.replace(found, others=others)

    def _first_answer(self, addresses: Sequence[str]) -> FetchResult:
        for number, address in enumerate(addresses, start=1):
            try:
                return self._reader.fetch(address, self._linked_from)
            except FetchError as error:
                if number == len(addresses) or error.status is not None:
                    words = f"{address} could not be read: {error}"
                    if error.cause == "bot wall" or error.status in (401, 403):
                        words += (
                            "; the site keeps programs out of its pages: give the address of the feed itself"
                        )
                    raise AggregatorError(words) from error
        raise AssertionError("there is an address")

    def _behind_redirect(self, address: str) -> ResolvedFeed:
        if self._left <= 0:
            raise UsageError(f"no feed was found: {address} leads on and on")
        self._left -= 1
        return self.feed_behind([address])

    def _among(self, links: Iterable[FeedCandidate]) -> ResolvedFeed | None:
        """The first of the addresses that is a feed with entries."""
        for link in links:
            feed = self._feed_at(link.url)
            if feed is None or not feed.format:
                continue
            if feed.format == "sitemap" and not any(entry.title for entry in feed.entries):
                continue  # a list of all pages of the site, with nothing said about them
            found = ResolvedFeed(address=link.url, final=link.url, feed=feed, origin=link.origin)
            if feed.entry_count:
                return found
            self._empty = self._empty or found
        return None

    def _feed_at(self, address: str) -> ParsedFeed | None:
        if address in self._asked:
            return self._asked[address]
        fetched = self._fetched(address)
        try:
            feed = self._reader.feed_in(fetched) if fetched else None
        except FetchError:
            feed = None  # one of several guesses
        self._asked[address] = feed
        return feed

    def _fetched(self, address: str) -> FetchResult | None:
        if self._left <= 0:
            return None
        self._left -= 1
        try:
            return self._reader.fetch(address, self._linked_from)
        except FetchError:
            return None

    def _of_front_page(self, page_url: str) -> tuple[FeedCandidate, ...]:
        """What the front page declares: where somebody gave an article's address."""
        front = web_address(_at_root(page_url, "/"))
        page = self._fetched(front) if front and front != page_url else None
        return self._reader.links_in(page).links if page else ()

    def _among_sitemaps(self, page_url: str) -> ResolvedFeed | None:
        robots = self._fetched(_at_root(page_url, "/robots.txt"))
        places = sitemaps_of_robots(decode(robots.body, robots.charset)) if robots else []
        for place in places:
            page = self._fetched(place)
            named = self._reader.links_in(page).links if page else ()
            found = self._among(named or [FeedCandidate(url=place, kind="sitemap", origin="index")])
            if found is not None:
                return found
        return None

    def _nothing(self, url: str, problem: str | None) -> str:
        tried = ", ".join(list(self._asked)[:4]) or "nothing else"
        return (
            f"no feed was found at {url}: {problem or 'it is none'}; asked {tried}"
            f"{' and others' if len(self._asked) > 4 else ''}. Give the address of the feed itself; "
            f"single articles are read by: aggregator ingest {url}"
        )


def _port(url: str) -> int:
    """The port of an http(s) address; 0 for one that is none."""
    try:
        parts = urlsplit(url)
        return parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return 0


def _at_root(url: str, path: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}{path}"


def _new_source(
    config: Config, address: str, title: str | None, wanted: SourceOptions, *, spread_seconds: float
) -> Source:
    id_ = source_id("feed", wanted.name, address)
    return Source(
        id=id_,
        kind="feed",
        address=address,
        name=wanted.name,
        title=title,
        outlet=wanted.outlet,
        folder=wanted.folder,
        language=wanted.language,
        interval_seconds=wanted.interval_seconds or config.fetch.interval,
        origin="user",
        next_due_at=first_due(id_, utc_now(), spread_seconds=spread_seconds),
    )


# --- the sources of config.yaml ----------------------------------------------------------------------------


def place_in_config(config: Config, source: Source) -> str:
    """ "config.yaml, line 12": where a source of the configuration stands."""
    from aggregator.config.loader import lines_of

    for number, one in enumerate(configured_sources(config, dt.datetime.now(dt.UTC))):
        if one.id == source.id or one.address == source.address:
            line = lines_of(config).get(("sources", number))
            return f"{config.file}, line {line}" if line else str(config.file)
    return str(config.file)


# --- OPML --------------------------------------------------------------------------------------------------


class OpmlImportResult(FrozenStruct, frozen=True, kw_only=True):
    """What became of the feeds of a list: `filed` were known and have a folder now.

    `refused`: titles, or hosts, of those with a name or password in the address.
    """

    added: int
    known: int
    filed: int = 0
    refused: tuple[str, ...] = ()
    spread_seconds: float = 0.0


def import_opml(config: Config, database: Database, path: Path) -> OpmlImportResult:
    """Add the feeds of an OPML file; done again, nothing changes. Raises UsageError.

    A known feed that was added by command and is in no folder goes into the list's.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    tuning = source_tuning(config.effective_tuning)
    feeds = read_opml(data, tuning=tuning)
    if not feeds:
        raise UsageError(f"{path}: there is no feed in it; a feed is an <outline> with an xmlUrl")
    added = filed = 0
    refused: list[str] = []
    spread = min(max(_SPREAD_LEAST_SECONDS, len(feeds) / tuning.first_asked_a_second), config.fetch.interval)
    with database.write() as connection:
        listed = all_sources(connection)
        known = {address_key(place): one for one in listed for place in (one.address, one.asked_at)}
        ids = {one.id: one for one in listed}
        for feed in feeds:
            folder = _FOLDERS_APART.join(_folder_name(name) for name in feed.folder) or None
            before = known.get(address_key(feed.url)) or ids.get(source_id("feed", None, feed.url))
            if "@" in urlsplit(feed.url).netloc:
                refused.append(feed.title or urlsplit(feed.url).hostname or "")
            elif before is None:
                item = _new_source(
                    config, feed.url, feed.title or None, SourceOptions(folder=folder), spread_seconds=spread
                )
                store_source(connection, item)
                known[address_key(feed.url)] = item
                added += 1
            elif folder and before.folder is None and before.origin == "user":
                choose(connection, before.id, folder=folder)
                filed += 1
    known_already = len(feeds) - added - len(refused)
    return OpmlImportResult(
        added=added, known=known_already, filed=filed, refused=tuple(refused), spread_seconds=spread
    )


def _folder_name(name: str) -> str:
    """A folder's name that cannot be taken for two."""
    return name.replace(_FOLDERS_APART, "/").strip()


def export_opml(config: Config, database: Database) -> bytes:
    """All feeds as OPML, each at the address where it is asked now."""
    with database.read() as connection:
        feeds = [one for one in all_sources(connection) if one.kind == "feed"]
    return write_opml(
        (
            OpmlFeed(
                url=one.asked_at,
                title=one.name or one.title or one.outlet or one.asked_at,
                folder=tuple(one.folder.split(_FOLDERS_APART)) if one.folder else (),
            )
            for one in feeds
        ),
        title=config.publish.title,
    )


def configured_sources(config: Config, now: dt.datetime) -> list[Source]:
    """The sources of the configuration file as rows; each feed's first poll at a moment of its own."""
    return [_source_of(number, item, config, now) for number, item in enumerate(config.sources)]


def _source_of(number: int, item: SourceConfig, config: Config, now: dt.datetime) -> Source:
    kind = "feed" if item.feed is not None else "folder"
    try:
        address = item.feed if item.feed is not None else str(config.path(item.folder or ""))
    except ConfigError as error:
        raise ConfigError(f"sources.{number}.folder: {error}") from error
    id_ = source_id(kind, item.name, address)
    interval = item.interval or (config.fetch.interval if kind == "feed" else config.folders.interval)
    return Source(
        id=id_,
        kind="feed" if item.feed is not None else "folder",
        address=address,
        name=item.name,
        outlet=item.outlet,
        folder=item.group,
        language=item.language,
        timezone=item.timezone,
        interval_seconds=interval,
        pages=item.pages or "auto",
        origin="config",
        next_due_at=first_due(id_, now, spread_seconds=min(interval, 30) if kind == "feed" else 0),
    )
