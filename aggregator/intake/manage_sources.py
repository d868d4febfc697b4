"""Finding, checking, adding, changing, importing and exporting sources, for the command line and the web."""

import datetime as dt
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec.structs import replace

from aggregator.config.hosts import OWN_FEED
from aggregator.config.messages import counted
from aggregator.config.settings import Config
from aggregator.config.source_access import (
    Access,
    SourceExtras,
    basic,
    mailbox_address,
    source_extras,
)
from aggregator.config.source_settings import (
    LOGIN_ADVICE,
    SourceConfig,
    has_login,
    split_address,
)
from aggregator.config.values import LONGEST_INTERVAL_DAYS, bounded_seconds
from aggregator.extract.language.unicode import clean
from aggregator.extract.urls import address_key
from aggregator.intake.browser_access import access_of_form
from aggregator.intake.jobs import FeedJob, read_feed
from aggregator.intake.kinds.imap_kind import preview
from aggregator.intake.kinds.page_kind import compiled, read_page
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.poll import parse_feed, read_sitemaps
from aggregator.intake.workers.executor import Executor, answer_of
from aggregator.intake.workers.factory import open_executor
from aggregator.model.core import FrozenStruct, ParsedFeed, utc_now
from aggregator.model.errors import (
    ConfigError,
    ConflictError,
    FetchError,
    ReadError,
    UsageError,
    WorkError,
)
from aggregator.sources.fetch.client import Client, FetchResult, client_of
from aggregator.sources.fetch.poll_schedule import first_due
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.feed_discovery import (
    FeedCandidate,
    PageJob,
    discover,
    usual_places,
)
from aggregator.sources.parse.opml import (
    OpmlFeed,
    SkippedOutline,
    read_opml,
    web_address,
    write_opml,
)
from aggregator.store import tables
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import rejected
from aggregator.store.intake import sources as rows
from aggregator.store.intake.source_access import (
    TypedAccess,
    save_access,
    typed_access,
)
from aggregator.store.intake.source_sync import set_default_interval, sync_config
from aggregator.store.intake.sources import Source, all_sources, choose, source_id

_ENTRIES_CHECKED = 5
# Between two looks at a folder without an interval of its own (chosen)
_FOLDER_INTERVAL_SECONDS = 10
_SEARCH_SECONDS = 60.0  # after which no further address of a site is requested (chosen)
_FOLDER_SEPARATOR = " / "  # between the names of nested folders, as stored and typed
_SPREAD_LEAST_SECONDS = 30.0
# Addresses of a site requested to find its feed: what it links to, then all usual places; at one second each
# (chosen).
DISCOVERY_TRIES = 20
_FIRST_POLLS_A_SECOND = 5.0  # of many feeds imported at once (chosen)
_MAILBOX = re.compile(r"imaps?://", re.IGNORECASE)


class FeedCheck(FrozenStruct, omit_defaults=False):
    """A line of `sources check --format jsonl`; `entries` counts all entries of the feed, before limits."""

    what: str
    format: str
    title: str
    entries: int
    newest: tuple[str, ...] = ()  # the titles of the first entries
    problem: str | None


def check(config: Config, what: Sequence[str]) -> Iterator[FeedCheck]:
    """Read feeds (files or addresses) without storing anything; yields one result per feed, in order."""
    with (
        opened_reader(config, config.work.worker_count()) as reader,
        ThreadPoolExecutor(reader.at_once) as threads,
    ):
        yield from threads.map(reader.checked, what)


class FeedReader:
    """Reads feeds and pages from addresses and files. Safe to use from several threads."""

    def __init__(self, config: Config, client: Client, executor: Executor) -> None:
        self._client = client
        self._executor = executor
        self._tuning = config.effective_tuning.to_json()
        self._limits = source_tuning(config.effective_tuning)
        self._extras = source_extras(config)
        self._typed = TypedAccess("")
        self._names = {
            one.name: one.feed or one.page for one in config.sources if one.name
        }
        boxes = ((mailbox_address(one), one) for one in config.sources if one.imap)
        self._mailboxes = {
            name: at for at, one in boxes for name in (one.name, one.imap, at)
        }

    def asking_with(self, typed: TypedAccess) -> "FeedReader":
        """Return a reader that asks with what the user typed for the address of a new source."""
        reader = copy(self)
        reader._typed = typed
        return reader

    @property
    def typed(self) -> TypedAccess:
        """What the user typed for the address of a new source; empty without."""
        return self._typed

    @property
    def at_once(self) -> int:
        """The number of feeds that can be parsed at once."""
        return max(1, self._executor.workers)

    def checked(self, what: str) -> FeedCheck:
        try:
            address, userinfo = split_address(self._names.get(what) or what)
            if what in self._mailboxes:
                access = self._extras_of(self._mailboxes[what]).access
                assert access is not None, "a mailbox has a password"
                parsed = preview(
                    self._client, self._executor, access, self._limits, _ENTRIES_CHECKED
                )
            elif _MAILBOX.match(address):
                raise FetchError(
                    "login",
                    "list the mailbox in config.yaml, with its user and password",
                )
            elif address.startswith(("http://", "https://")):
                typed = Access(address, basic(userinfo)) if userinfo else None
                parsed = self.feed_in(self.fetch(address, access=typed), typed)
            else:
                parsed = self._parsed(self._bytes_of(what), None, None)
            problem = parsed.problem
        except FetchError as error:
            parsed, problem = ParsedFeed(), str(error)
        return FeedCheck(
            what=split_address(what)[0],
            format=parsed.format,
            title=parsed.title,
            entries=parsed.entry_count,
            newest=tuple(entry.title for entry in parsed.entries[:_ENTRIES_CHECKED]),
            problem=problem,
        )

    def _bytes_of(self, file: str) -> bytes:
        limit = self._limits.max_feed_bytes
        try:
            with Path(file).open("rb") as opened:
                data = opened.read(limit + 1)
        except IsADirectoryError as error:
            raise FetchError(
                "file", f"it is a folder; read it with `aggregator ingest {file}`"
            ) from error
        except (OSError, ValueError) as error:
            reason = (
                getattr(error, "strerror", None) or "this is not the name of a file"
            )
            raise FetchError("file", f"it cannot be read: {reason}") from error
        if len(data) > limit:
            raise FetchError("too_large", f"a feed may have at most {limit} bytes")
        return data

    def fetch(
        self, url: str, linked_from: str | None = None, access: Access | None = None
    ) -> FetchResult:
        """Request an address. Raises FetchError.

        An address from a page (`linked_from`) was not typed by the user. So it may only have the port of the
        page or a standard one, and a public page cannot lead to a private address.
        """
        if linked_from is not None and _port(url) not in (80, 443, _port(linked_from)):
            raise FetchError(
                "refused", f"{url} from a page has another port than the page"
            )
        known = self._access_to(url, access)
        return self._client.fetch(url, linked_from=linked_from, access=known)

    def feed_in(self, fetched: FetchResult, access: Access | None = None) -> ParsedFeed:
        """Parse a feed; `problem` states why it is none. Raises FetchError if parsing fails."""
        parsed = self._parsed_page(fetched)
        if not parsed.sitemaps:
            return parsed
        known = self._access_to(fetched.url, access)
        return read_sitemaps(
            parsed,
            lambda url: self.fetch(url, fetched.url_final, known),
            self._parsed_page,
        )[1]

    def links_in(self, fetched: FetchResult) -> tuple[FeedCandidate, ...]:
        """Return the feeds that a page declares or links to; none if the parser failed."""
        job = PageJob(page=fetched.body, url=fetched.url_final, charset=fetched.charset)
        try:
            return answer_of(self._executor, discover, job, tuple[FeedCandidate, ...])
        except WorkError:
            return ()

    def _extras_of(self, address: str) -> SourceExtras:
        return self._extras.get(address, SourceExtras())

    def _access_to(self, address: str, access: Access | None) -> Access | None:
        known = self._extras_of(address).access or access
        if known is None and self._typed.headers:
            return Access(self._typed.address, self._typed.headers)
        return known

    def _parsed_page(self, fetched: FetchResult) -> ParsedFeed:
        return self._parsed(
            fetched.body, fetched.url_final, fetched.content_type or None, fetched.url
        )

    def _parsed(
        self, data: bytes, url: str | None, content_type: str | None, asked: str = ""
    ) -> ParsedFeed:
        selectors = self._extras_of(asked).selectors
        if self._typed.selectors and asked == self._typed.address:
            selectors = self._typed.selectors
        job = FeedJob(
            data=data,
            selectors=selectors,
            source=url or "file",
            seen=utc_now(),
            url=url,
            content_type=content_type,
            tuning=self._limits,
            all_tuning=self._tuning,
        )
        return parse_feed(self._executor, job, read_page if selectors else read_feed)


@contextmanager
def opened_reader(config: Config, workers: int = 1) -> Iterator[FeedReader]:
    """Yield a reader with a client and workers of its own."""
    with (
        closing(client_of(config)) as client,
        closing(
            open_executor(config.work.executor, workers, config.effective_tuning)
        ) as executor,
    ):
        yield FeedReader(config, client, executor)


class SourceServices(NamedTuple):
    """What the web changes sources with; `reader` shares the client and the workers of the daemon."""

    config: Config
    database: Database
    reader: FeedReader


# --- adding ------------------------------------------------------------------------------------------------


class SourceOptions(FrozenStruct):
    """The options of a source that the user gives; None: not given."""

    name: str | None = None
    outlet: str | None = None
    folder: str | None = None
    language: str | None = None
    interval_seconds: int | None = None


def given(typed: str) -> str | None:
    """Return a name as it is stored; None for an empty one."""
    return " ".join(clean(typed).split()) or None


def interval_of(typed: str) -> int | None:
    """Return the seconds of `15m`; None, for the configured interval, for "" and 0. Raises UsageError."""
    try:
        return (
            (bounded_seconds(typed, LONGEST_INTERVAL_DAYS) or None) if typed else None
        )
    except ValueError as error:
        raise UsageError(f"interval {typed[:40]}: {error}") from error


class ResolvedFeed(FrozenStruct):
    """A feed, and how it was found."""

    address: str
    final: str  # the address after redirects
    feed: ParsedFeed
    origin: Literal["typed", "declared", "linked", "usual"] = "typed"
    others: tuple[FeedCandidate, ...] = ()  # other feeds that the page declares
    asked_with: TypedAccess = TypedAccess("")


class AddedSource(FrozenStruct):
    """A new source, and the feed that was found for the typed address."""

    source: Source
    found: ResolvedFeed


def add(
    config: Config,
    database: Database,
    typed: str,
    options: SourceOptions,
    reader: FeedReader | None = None,
    *,
    access: Mapping[str, str] | None = None,
) -> AddedSource:
    """Add the feed at the address `typed`, or the feed of that site; does not poll it.

    `access`: the fields of `access_of_form`, which are stored with the source.

    An imported source that was never read is one of the user from then on: it may be in a private network.
    Raises ConflictError if it is another source already, UsageError if there is no feed, ReadError if no
    server answers.
    """
    with database.read() as connection:
        _refuse_known(connection, _addresses_typed(typed)[0])
    found = find(config, typed, reader, access)
    source = _new_source(
        config, found.address, found.feed.title or None, options, spread_seconds=0.0
    )
    if found.asked_with.selectors:
        source = replace(
            source, kind="page", id=source_id("page", options.name, found.address)
        )
    with database.write() as connection:
        unread = _refuse_known(connection, found.address, source.id)
        unread = _refuse_known(connection, found.final) or unread
        if unread is not None:
            asked = {
                name: value
                for name, value in msgspec.structs.asdict(options).items()
                if value is not None
            }
            if "interval_seconds" in asked:
                asked["has_own_interval"] = True
            _permit_private(connection, unread, **asked)
            save_access(connection, unread.id, found.asked_with)
            return AddedSource(
                source=replace(unread, origin="user", **asked), found=found
            )
        _refuse_too_many(config, tables.count_rows(connection, tables.source), 1)
        rows.add(connection, source)
        save_access(connection, source.id, found.asked_with)
    return AddedSource(source=source, found=found)


def find(
    config: Config,
    typed: str,
    reader: FeedReader | None = None,
    access: Mapping[str, str] | None = None,
) -> ResolvedFeed:
    """Return the feed at the address `typed`, or of that site, and store nothing. Raises as `add`.

    With selectors it is the page itself, or nothing.
    """
    if reader is None:
        with opened_reader(config) as own:
            return find(config, typed, own, access)
    addresses = _addresses_typed(typed)
    _refuse_own(config, *addresses)
    reader = reader.asking_with(access_of_form(addresses[0], access or {}))
    found = _FeedSearch(reader).find(addresses)
    _refuse_own(config, found.address, found.final)
    return replace(found, asked_with=reader.typed)


def _refuse_own(config: Config, *addresses: str) -> None:
    for address in addresses:
        if config.is_own_feed(address):
            raise UsageError(f"{address}: {OWN_FEED}")


def _addresses_typed(typed: str) -> list[str]:
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
        return [
            guess
            for guess in (web_address(f"https://{name}"), web_address(f"http://{name}"))
            if guess
        ]
    raise UsageError(
        f"{typed}: give the address of a feed or site, such as https://news.example.org"
    )


def _refuse_known(connection: Connection, address: str, id_: str = "") -> Source | None:
    """Return the source at this address if it was imported and never read. ConflictError: for others."""
    key = address_key(address)
    for one in all_sources(connection):
        is_same_address = key in map(address_key, (one.address, one.polled_url))
        if is_same_address and _is_unread_import(one):
            return one
        if is_same_address or one.id == id_:
            what = "is a source already" if is_same_address else "has that name already"
            hint = (
                f"; it is paused: resume it with `aggregator sources resume {one.id}`"
                if one.paused
                else f" ({one.id})"
            )
            raise ConflictError(f"{one.address} {what}{hint}")
    return None


def _is_unread_import(known: Source) -> bool:
    return (
        known.origin == "import" and known.last_success_at is None and not known.paused
    )


def _permit_private(
    connection: Connection, imported: Source, **asked: str | int | bool
) -> None:
    """Treat an imported source as one that the user typed, with what was asked for, and poll it now."""
    choose(connection, imported.id, origin="user", **asked)
    rows.revive(connection, imported.id, utc_now())


class _FeedSearch:
    """The search for the feed of an address, with a limited number of requests."""

    def __init__(self, reader: FeedReader) -> None:
        self._reader = reader
        self._requests_left = DISCOVERY_TRIES
        self._ends = time.monotonic() + _SEARCH_SECONDS
        # Address → the feed there; None: no response
        self._tried: dict[str, ParsedFeed | None] = {}
        # The page that has the addresses; None: the user typed them
        self._linked_from: str | None = None
        # A feed without entries, used if there is no better one
        self._empty: ResolvedFeed | None = None

    def find(self, addresses: Sequence[str]) -> ResolvedFeed:
        """Find a feed. Raises UsageError if there is none, ReadError if no server answers."""
        page = self._first_response(addresses)
        self._linked_from = page.url_final
        parsed = self._reader.feed_in(page)
        typed = ResolvedFeed(
            address=page.permanent_url or page.url, final=page.url_final, feed=parsed
        )
        if parsed.format:
            return typed
        if self._reader.typed.selectors:
            raise UsageError(f"{page.url}: {parsed.problem or 'it lists no articles'}")
        discovered = self._reader.links_in(page)
        found = (
            self._among(discovered)
            or self._among(self._of_front_page(page.url_final))
            or self._among(usual_places(page.url_final))
            or self._empty
        )
        if found is None:
            raise UsageError(self._not_found(page.url, parsed.problem))
        others = tuple(
            one
            for one in discovered
            if one.url != found.address and one.origin != "linked"
        )
        return replace(found, others=others)

    def _first_response(self, addresses: Sequence[str]) -> FetchResult:
        for number, address in enumerate(addresses, start=1):
            try:
                return self._reader.fetch(address, self._linked_from)
            except FetchError as error:
                if number == len(addresses) or error.status is not None:
                    message = f"{address} could not be read: {error}"
                    if error.status in (401, 403):
                        message += "; or give the address of the feed itself"
                    raise ReadError(message) from error
        raise AssertionError("there is an address")

    def _among(self, links: Iterable[FeedCandidate]) -> ResolvedFeed | None:
        """Return the first of the addresses that is a feed with entries."""
        for link in links:
            feed = self._feed_at(link.url)
            if feed is None or not feed.format or feed.sitemaps:
                continue
            if feed.format == "sitemap" and not any(
                entry.title for entry in feed.entries
            ):
                continue  # a sitemap of all pages, without titles
            found = ResolvedFeed(
                address=link.url, final=link.url, feed=feed, origin=link.origin
            )
            if feed.entry_count:
                return found
            self._empty = self._empty or found
        return None

    def _feed_at(self, address: str) -> ParsedFeed | None:
        if address in self._tried:
            return self._tried[address]
        fetched = self._fetched(address)
        try:
            feed = self._reader.feed_in(fetched) if fetched else None
        except FetchError:
            feed = None  # other candidates follow
        self._tried[address] = feed
        return feed

    def _fetched(self, address: str) -> FetchResult | None:
        if self._requests_left <= 0 or time.monotonic() > self._ends:
            return None
        self._requests_left -= 1
        try:
            return self._reader.fetch(address, self._linked_from)
        except FetchError:
            return None

    def _of_front_page(self, page_url: str) -> tuple[FeedCandidate, ...]:
        """Return the feeds that the front page declares, for an address of another page of the site."""
        front = web_address(urljoin(page_url, "/"))
        page = self._fetched(front) if front and front != page_url else None
        return self._reader.links_in(page) if page else ()

    def _not_found(self, url: str, problem: str | None) -> str:
        tried = ", ".join(list(self._tried)[:4]) or "nothing else"
        return (
            f"no feed was found at {url}: {problem or 'it is not a feed'}; tried {tried}"
            f"{' and others' if len(self._tried) > 4 else ''}. Give the address of the feed itself; "
            f"read a single article with `aggregator ingest {url}`; a page without a feed needs `page:` and "
            "CSS selectors in config.yaml"
        )


def _refuse_too_many(config: Config, present: int, new: int) -> None:
    """Raise UsageError if there would be more sources than allowed."""
    most = config.server.max_sources
    if present + new > most:
        raise UsageError(
            f"nothing was added: with {counted(new, 'new source')} there would be {present + new:,}, and "
            f"server.max_sources in config.yaml allows {most:,}"
        )


def _port(url: str) -> int:
    """Return the port of an http or https address; 0 if it has an invalid port."""
    try:
        parts = urlsplit(url)
        return parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return 0


def _new_source(
    config: Config,
    address: str,
    title: str | None,
    options: SourceOptions,
    *,
    spread_seconds: float,
) -> Source:
    id_ = source_id("feed", options.name, address)
    return Source(
        id=id_,
        kind="feed",
        address=address,
        name=options.name,
        title=title,
        outlet=options.outlet,
        folder=options.folder,
        language=options.language,
        interval_seconds=options.interval_seconds or config.fetch.interval,
        has_own_interval=options.interval_seconds is not None,
        origin="user",
        next_due_at=first_due(id_, utc_now(), spread_seconds=spread_seconds),
    )


# --- changing ----------------------------------------------------------------------------------------------


def change(
    config: Config, database: Database, source: Source, **chosen: str | int | None
) -> None:
    """Change the name, folder or interval of a source. Raises ConflictError for one of config.yaml."""
    _refuse_configured(config, source, "change it there")
    with database.write() as connection:
        choose(connection, source.id, **chosen)


def change_access(
    config: Config, database: Database, source: Source, fields: Mapping[str, str]
) -> None:
    """Add the headers of a form to those that are stored for a source, and poll it now.

    Raises ConflictError for one of config.yaml, UsageError for a header that cannot be set.
    """
    _refuse_configured(config, source, "change it there")
    typed = access_of_form(source.address, fields)
    with database.write() as connection:
        before = typed_access(connection, source.id)
        if before is not None:
            headers = {**before.headers, **typed.headers}
            typed = before._replace(headers=headers)
        save_access(connection, source.id, typed)
        rows.revive(connection, source.id, utc_now())


def forget_headers(config: Config, database: Database, source: Source) -> None:
    """Delete the headers that were typed for a source. Raises ConflictError for one of config.yaml."""
    _refuse_configured(config, source, "change it there")
    with database.write() as connection:
        before = typed_access(connection, source.id)
        if before is not None:
            save_access(connection, source.id, before._replace(headers={}))


def pause(config: Config, database: Database, source: Source) -> None:
    """Stop polling a source. Raises ConflictError for one of config.yaml."""
    _refuse_configured(config, source, "delete its lines there, or put # before them")
    with database.write() as connection:
        rows.pause(connection, source.id)


def resume(database: Database, source: Source) -> None:
    """Poll a source again, at once: one that is paused, gone, or in back-off after failures."""
    with database.write() as connection:
        if source.paused and source.origin == "config":
            # config.yaml does not list it any more
            choose(connection, source.id, origin="user")
        rows.revive(connection, source.id, utc_now())


def remove(config: Config, database: Database, source: Source) -> None:
    """Remove a source but keep its articles; what waits to be placed waits until the source is added again.

    Raises ConflictError for one of config.yaml.
    """
    _refuse_configured(config, source, "delete its lines there")
    with database.write() as connection:
        rows.remove(connection, source.id)
        rejected.mute_of_removed_source(connection, source.entry_source, at=utc_now())
        rejected.clear_source(connection, source.entry_source)


def _refuse_configured(config: Config, source: Source, advice: str) -> None:
    """Raise ConflictError for a source of config.yaml: the next start would add it again."""
    if source.origin == "config" and not source.paused:
        raise ConflictError(
            f"{source.address} is listed in {place_in_config(config, source)}: {advice}"
        )


# --- the sources of config.yaml ----------------------------------------------------------------------------


def place_in_config(config: Config, source: Source) -> str:
    """Return the file and line of a source in the configuration: "config.yaml, line 12"."""
    for number, one in enumerate(configured_sources(config, dt.datetime.now(dt.UTC))):
        if one.id == source.id or one.address == source.address:
            line = config.lines.get(("sources", number))
            return f"{config.file}, line {line}" if line else str(config.file)
    return str(config.file)


# --- OPML --------------------------------------------------------------------------------------------------


class OpmlImportResult(FrozenStruct):
    """The result of an import. `filed`: known sources that got a folder, `permitted`: private networks.

    `refused`: titles, or else hosts, of feeds with a user name or password in the address, or of our own.
    `skipped`: all entries that were not taken, with the reason; the entries of the document are `added`,
    `known` and these.
    """

    added: int
    known: int
    filed: int = 0
    permitted: int = 0
    refused: tuple[str, ...] = ()
    skipped: tuple[SkippedOutline, ...] = ()
    spread_seconds: float = 0.0


def import_opml(
    config: Config, database: Database, path: Path, *, allow_private: bool = False
) -> OpmlImportResult:
    """Add the feeds of an OPML file as `import_feeds`. Raises UsageError if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return import_feeds(config, database, data, str(path), allow_private=allow_private)


def import_feeds(
    config: Config,
    database: Database,
    data: bytes,
    file: str,
    *,
    allow_private: bool = False,
) -> OpmlImportResult:
    """Add the feeds of an OPML document; repeating it changes nothing. `file` names it in messages.

    Only with `allow_private` they may be in the networks of `fetch.allow_private`, as typed addresses may;
    then those that were imported without it and never read may, too.
    A known feed that was added by command gets the name and the folder of the document where it has none.
    Raises UsageError or ReadError if it has no feed, or if there would be more sources than
    `server.max_sources`.
    """
    listed = read_opml(data)
    feeds, skipped = listed.feeds, list(listed.skipped)
    if not feeds:
        first = f"; of {skipped[0].name}: {skipped[0].reason}" if skipped else ""
        raise UsageError(
            f"{file}: there is no feed in it; a feed is an <outline> with xmlUrl{first}"
        )
    filed = 0
    permitted: set[str] = set()
    refused: list[str] = []
    # By id; stored together, since other writers wait meanwhile
    new: dict[str, Source] = {}
    spread = min(
        max(_SPREAD_LEAST_SECONDS, len(feeds) / _FIRST_POLLS_A_SECOND),
        config.fetch.interval,
    )
    with database.write() as connection:
        sources = all_sources(connection)
        by_address = {
            address_key(url): one
            for one in sources
            for url in (one.address, one.polled_url)
        }
        by_id = {one.id: one for one in sources}
        for feed in feeds:
            folder = _FOLDER_SEPARATOR.join(
                name.replace(_FOLDER_SEPARATOR, "/").strip() for name in feed.folder
            )
            existing = by_address.get(address_key(feed.url)) or by_id.get(
                source_id("feed", None, feed.url)
            )
            if has_login(feed.url) or config.is_own_feed(feed.url):
                # Programs write the address where there is no title.
                named = "" if has_login(feed.title) else feed.title
                name = named or urlsplit(feed.url).hostname or ""
                refused.append(name)
                reason = (
                    "its address has a user name or password"
                    if has_login(feed.url)
                    else "it is our own"
                )
                skipped.append(SkippedOutline(name=name, reason=reason))
            elif existing is None:
                options = SourceOptions(folder=folder or None)
                item = _new_source(
                    config, feed.url, feed.title or None, options, spread_seconds=spread
                )
                # Its id is that of its address.
                item = replace(
                    item,
                    name=_given_name(feed),
                    site_url=feed.site_url,
                    origin="user" if allow_private else "import",
                )
                by_address[address_key(feed.url)] = new[item.id] = item
            elif existing.origin != "config":
                known = new.get(existing.id, existing)
                filed_as = {
                    "name": known.name or _given_name(feed),
                    "folder": known.folder or folder or None,
                }
                if known.id in new:
                    new[known.id] = replace(known, **filed_as)
                elif (known.name, known.folder) != tuple(filed_as.values()):
                    choose(connection, known.id, **filed_as)
                filed += bool(folder and known.folder is None)
                if (
                    allow_private
                    and known.id not in {*new, *permitted}
                    and _is_unread_import(known)
                ):
                    _permit_private(connection, known)
                    permitted.add(known.id)
        if new:
            _refuse_too_many(config, len(sources), len(new))
            rows.add(connection, *new.values())
    return OpmlImportResult(
        added=len(new),
        known=len(feeds) + listed.repeated - len(new) - len(refused),
        filed=filed,
        permitted=len(permitted),
        refused=tuple(refused),
        skipped=tuple(skipped),
        spread_seconds=spread,
    )


def _given_name(feed: OpmlFeed) -> str | None:
    """Return the reader's name of a feed; programs write the address where there is none."""
    return feed.title if feed.title and feed.title != feed.url else None


def export_opml(config: Config, database: Database) -> bytes:
    """Return all feeds as OPML, each with the address that is polled."""
    with database.read() as connection:
        feeds = [
            one for one in all_sources(connection) if source_kind(one.kind).is_in_opml
        ]
    return write_opml(
        (
            OpmlFeed(
                url=one.polled_url,
                title=one.name or one.title or one.outlet or one.polled_url,
                site_url=one.site_url,
                folder=tuple(one.folder.split(_FOLDER_SEPARATOR)) if one.folder else (),
            )
            for one in feeds
        ),
        title=config.publish.title,
    )


def follow_config(connection: Connection, config: Config, now: dt.datetime) -> None:
    """Make the stored sources what the configuration says: those of the file, and the interval of others."""
    sync_config(connection, configured_sources(config, now))
    seconds = config.fetch.interval
    set_default_interval(
        connection, seconds, partial(first_due, now=now, spread_seconds=seconds)
    )


def configured_sources(config: Config, now: dt.datetime) -> list[Source]:
    """Return the sources of the configuration file as rows; the first polls are spread over some seconds."""
    return [
        configured_source(number, item, config, now)
        for number, item in enumerate(config.sources)
    ]


def configured_source(
    number: int, item: SourceConfig, config: Config, now: dt.datetime
) -> Source:
    """Return the row of one configured source; `number` is its index. Raises ConfigError."""
    kind = source_kind(item.kind)
    try:
        address = kind.address(item, config)
    except ConfigError as error:
        raise ConfigError(f"sources.{number}.{item.kind}: {error}") from error
    for key in ("list", "link", "title", "date") if item.page else ():
        try:
            compiled(getattr(item, key) or "a")
        except ConfigError as error:
            raise ConfigError(f"sources.{number}.{key}: {error}") from error
    id_ = source_id(item.kind, item.name, address)
    interval = item.interval
    if interval is None:
        interval = _FOLDER_INTERVAL_SECONDS if kind.is_local else config.fetch.interval
    return Source(
        id=id_,
        kind=item.kind,
        address=address,
        name=item.name,
        outlet=item.outlet,
        folder=item.group,
        language=item.language,
        timezone=item.timezone,
        interval_seconds=interval,
        pages=item.pages or kind.pages,
        origin="config",
        next_due_at=first_due(
            id_, now, spread_seconds=0 if kind.is_local else min(interval, 30)
        ),
    )
