"""Asking one feed for news, and for the pages behind it: bytes from the net, entries into the inbox.

The entries and the source's new state (ETag, due time, health) are one transaction: either both are there, or
the source is asked again, which changes nothing.
"""

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec

from aggregator.errors import FetchError, WorkError
from aggregator.model import Entry, Noun, ParsedFeed, Published
from aggregator.net.client import Client, Fetched
from aggregator.net.due import after_failure, after_success
from aggregator.net.robots import Robots
from aggregator.net.rulebook import net_rules
from aggregator.rules import RuleBook
from aggregator.stages import FeedJob, read_feed
from aggregator.store import inbox
from aggregator.store.database import Connection, Database
from aggregator.store.inbox import Accepted, PageWanted
from aggregator.store.sources import Source, save
from aggregator.text.urls import same_site
from aggregator.work.executor import Executor

log = logging.getLogger(__name__)

_FINAL = frozenset(
    {"refused", "redirect", "address", "too_large", "encoding", "robots", "http 404", "http 410"}
)


class PollRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `polling` of rules.yaml."""

    full_text_words: int
    page_tries: int
    page_retry_seconds: float
    flood_entries: int
    flood_age_hours: float


class Polled(Noun, frozen=True, kw_only=True):
    """What one look at a source brought. `accepted` are the numbers of the entries that came in."""

    accepted: tuple[int, ...] = ()
    read: int = 0
    revised: int = 0  # of those accepted
    known: int = 0
    problem: str | None = None
    unchanged: bool = False  # 304, or the very bytes of the last time


class Polling:
    """Polls feeds and fetches pages. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        client: Client,
        executor: Executor,
        book: RuleBook,
        now: Callable[[], dt.datetime],
        *,
        robots: bool,
        pages: str,
        stops: Callable[[], bool] = lambda: False,
    ) -> None:
        """`stops` says that the program is ending: what breaks off then is not written down as failed."""
        self._database = database
        self._client = client
        self._executor = executor
        self._book = book
        self._rules = book.section("polling", PollRules)
        self._net = net_rules(book)
        self._now = now
        self._robots = Robots(client) if robots else None
        self._pages = pages
        self._stops = stops

    # --- feeds --------------------------------------------------------------------------------------------

    def poll(self, source: Source) -> Polled:
        """Ask the feed once and write down what came of it; strangers' faults become health, not errors."""
        now = self._now()
        try:
            fetched = self._client.fetch(source.address, etag=source.etag, last_modified=source.last_modified)
            body_hash = None if fetched.not_modified else _hash(fetched.body)
            if body_hash is None or body_hash == source.body_hash:
                return self._unchanged(source, fetched, now)
            parsed = self._parsed(fetched, source, now)
        except FetchError as error:
            return self._failed(source, error, now)
        fresh = msgspec.structs.replace(
            source, body_hash=body_hash, title=parsed.title or source.title, health_cause=parsed.problem
        )
        return self._accept(fresh, fetched, parsed.entries, now)

    def _parsed(self, fetched: Fetched, source: Source, now: dt.datetime) -> ParsedFeed:
        parsed = parse_feed(
            self._executor,
            FeedJob(
                data=fetched.body,
                source=source.entry_source,
                seen=now,
                url=fetched.url_final,
                content_type=_content_type(fetched),
                outlet=source.outlet,
                zone=source.timezone,
                rules=self._book.to_json(),
            ),
        )
        if parsed.problem and not parsed.entries:
            raise FetchError("no feed", parsed.problem)
        return parsed

    def _accept(self, source: Source, fetched: Fetched, entries: Sequence[Entry], now: dt.datetime) -> Polled:
        """The feed's entries, oldest first (feeds put the newest first), with the source's state."""
        given = [self._completed(entry, source, now) for entry in reversed(entries)]
        with self._database.write() as connection:
            accepted = inbox.accept(
                connection,
                given,
                seen=[now] * len(given),
                wants_page=[self.wants_page(entry, source.pages) for entry in given],
                bumps_by_clock=source.first_poll_done,
            )
            polled = polled_of(accepted, source.health_cause)
            new = len(polled.accepted) - polled.revised
            if source.first_poll_done:
                self._hush_flood(connection, source, accepted, given, now)
            state = msgspec.structs.replace(
                self._succeeded(source, fetched, now, new=len(polled.accepted)),
                first_poll_done=True,
                entries_new=source.entries_new + new,
                entries_known=source.entries_known + polled.read - new,
                health_cause=source.health_cause,
            )
            save(connection, state)
        return polled

    def _hush_flood(
        self,
        connection: Connection,
        source: Source,
        accepted: Sequence[Accepted],
        given: Sequence[Entry],
        now: dt.datetime,
    ) -> None:
        """Many old-dated "new" entries at once are an archive that came by: stored, not announced."""
        oldest_news = now - dt.timedelta(hours=self._rules.flood_age_hours)
        old = [
            item.n
            for item, entry in zip(accepted, given, strict=True)
            if item.outcome == "new"
            and item.n is not None
            and entry.published is not None
            and entry.published.time < oldest_news
        ]
        if len(old) >= self._rules.flood_entries:
            inbox.hush(connection, old)
            log.warning("%s: %d old entries at once; stored, not announced", source.shown_name, len(old))

    def _completed(self, entry: Entry, source: Source, now: dt.datetime) -> Entry:
        """With what the source says for all; an undated entry that is new since the last poll is of today."""
        published = entry.published
        if published is None and source.first_poll_done:
            published = Published(time=now, origin="poll")
        return msgspec.structs.replace(of_source(entry, source), published=published)

    def wants_page(self, entry: Entry, pages: str = "auto") -> bool:
        """Whether the page of `entry` is to be fetched; `pages` as its source says."""
        wanted = self._pages if pages == "auto" else pages
        if wanted == "never" or not entry.url:
            return False
        words = len((entry.text or entry.html or "").split())
        return wanted == "always" or words < self._rules.full_text_words

    def _unchanged(self, source: Source, fetched: Fetched, now: dt.datetime) -> Polled:
        with self._database.write() as connection:
            save(connection, self._succeeded(source, fetched, now, new=0))
        return Polled(unchanged=True)

    def _succeeded(self, source: Source, fetched: Fetched, now: dt.datetime, *, new: int) -> Source:
        next_poll = after_success(
            source.id,
            now,
            configured_seconds=source.interval_seconds,
            interval_seconds=source.rhythm_seconds,
            new_entries=new,
            rules=self._net,
        )
        return msgspec.structs.replace(
            source,
            etag=fetched.etag or (source.etag if fetched.not_modified else None),
            last_modified=fetched.last_modified or (source.last_modified if fetched.not_modified else None),
            rhythm_seconds=next_poll.interval_seconds,
            next_due_at=next_poll.due,
            last_polled_at=now,
            last_success_at=now,
            failures=0,
            health="ok",
            health_cause=None if source.health == "failing" else source.health_cause,
        )

    def _failed(self, source: Source, error: FetchError, now: dt.datetime) -> Polled:
        if error.cause == "stopped" or self._stops():
            return Polled()
        next_poll = after_failure(
            source.id,
            now,
            configured_seconds=source.interval_seconds,
            interval_seconds=source.rhythm_seconds,
            failures=source.failures,
            retry_after_seconds=error.retry_after_seconds,
            rules=self._net,
        )
        failed = msgspec.structs.replace(
            source,
            next_due_at=next_poll.due,
            last_polled_at=now,
            failures=next_poll.failures,
            health="failing",
            health_cause=str(error),
        )
        with self._database.write() as connection:
            save(connection, failed)
        return Polled(problem=str(error))

    # --- pages --------------------------------------------------------------------------------------------

    def fetch_page(self, wanted: PageWanted) -> bool:
        """Fetch the page of an entry, or decide to do without; whether the entry is ready now."""
        try:
            port = _own_port(wanted)
            if self._robots is not None and not self._robots.allows(wanted.url, source_port=port):
                raise FetchError("robots", "the site asks programs not to fetch this page")
            fetched = self._client.fetch(wanted.url, accept="page", source_port=port)
        except FetchError as error:
            return self._without_page(wanted, error)
        page = fetched.body if same_site(wanted.url, fetched.url_final) else None
        with self._database.write() as connection:
            inbox.page_arrived(
                connection, wanted.n, page=page, url=fetched.url_final, charset=fetched.charset
            )
        return True

    def _without_page(self, wanted: PageWanted, error: FetchError) -> bool:
        tries = wanted.tries + 1
        if error.cause == "stopped" or self._stops():
            return False
        final = _cause(error) in _FINAL or tries >= self._rules.page_tries
        with self._database.write() as connection:
            if final:
                inbox.page_arrived(connection, wanted.n, page=None, url=None, charset=None)
            else:
                wait = self._rules.page_retry_seconds * 2 ** (tries - 1)
                inbox.page_later(connection, wanted.n, self._now() + dt.timedelta(seconds=wait))
        log.info(
            "page %s: %s; %s", wanted.url, error, "the feed's own text is taken" if final else "later again"
        )
        return final


def polled_of(accepted: Sequence[Accepted], problem: str | None) -> Polled:
    """The tally of what was accepted."""
    return Polled(
        accepted=tuple(item.n for item in accepted if item.n is not None),
        read=len(accepted),
        revised=sum(item.outcome == "revision" for item in accepted),
        known=sum(item.n is None for item in accepted),
        problem=problem,
    )


def _own_port(wanted: PageWanted) -> int | None:
    """The port that the feed itself is read from, where the page is on the feed's site."""
    if wanted.feed is None or not same_site(wanted.feed, wanted.url):
        return None
    try:
        return urlsplit(wanted.feed).port
    except ValueError:
        return None


def of_source(entry: Entry, source: Source) -> Entry:
    """The entry with what its source says for all of its entries."""
    return msgspec.structs.replace(
        entry,
        outlet=source.outlet or entry.outlet,
        language=entry.language or source.language,
        zone=entry.zone or source.timezone,
    )


def parse_feed(executor: Executor, job: FeedJob) -> ParsedFeed:
    """A feed's entries, read by a worker. Raises FetchError where the bytes broke it."""
    try:
        answer = executor.submit(read_feed, msgspec.msgpack.encode(job)).result()
    except WorkError as error:
        raise FetchError(error.verdict, f"the feed could not be read: {error.detail}") from error
    return msgspec.msgpack.decode(answer, type=ParsedFeed)


def _content_type(fetched: Fetched) -> str | None:
    if not fetched.content_type:
        return None
    return f"{fetched.content_type}; charset={fetched.charset}" if fetched.charset else fetched.content_type


def _cause(error: FetchError) -> str:
    return f"http {error.status}" if error.status and error.cause == "http" else error.cause


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
