"""Asking one source for news: bytes from the net or a folder, entries into the inbox.

The entries and the source's new state (ETag, due time, health) are one transaction: either both are there, or
the source is asked again, which changes nothing.
"""

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from aggregator.errors import AggregatorError, FetchError, WorkError
from aggregator.model import Entry, Noun, ParsedFeed, Published
from aggregator.net.client import Client, Fetched
from aggregator.net.due import after_failure, after_success
from aggregator.net.robots import Robots
from aggregator.net.rulebook import net_rules
from aggregator.rules import RuleBook
from aggregator.sources.files import FoundBytes, FoundEntry, FoundProblem, Reading, place_below, read_file
from aggregator.sources.folders import Stamp, scan
from aggregator.sources.limits import source_rules
from aggregator.sources.opening import Progress
from aggregator.stages import FeedJob, read_feed
from aggregator.store import blobs, inbox
from aggregator.store.database import Database
from aggregator.store.inbox import PageWanted
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


class Polled(Noun, frozen=True, kw_only=True):
    """What one poll brought. `accepted` are the numbers of the entries that came in."""

    accepted: tuple[int, ...] = ()
    read: int = 0
    known: int = 0
    problem: str | None = None
    unchanged: bool = False  # 304, or the very bytes of the last time


class FolderStamps(Noun, frozen=True, kw_only=True):
    """The files of a folder as they were at the last look."""

    stamps: Mapping[str, Stamp] = {}  # noqa: RUF012 - msgspec makes a new one for each


class Polling:
    """Polls feeds and folders, fetches pages. Safe to use from many threads."""

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
    ) -> None:
        self._database = database
        self._client = client
        self._executor = executor
        self._book = book
        self._rules = book.section("polling", PollRules)
        self._net = net_rules(book)
        self._sources = source_rules(book)
        self._now = now
        self._robots = Robots(client) if robots else None
        self._pages = pages

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
            self._succeeded(source, fetched, now, new=len(parsed.entries)),
            body_hash=body_hash,
            title=parsed.title or source.title,
            health_cause=parsed.problem,
        )
        return self._accept(fresh, parsed.entries, now)

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

    def _accept(self, source: Source, entries: Sequence[Entry], now: dt.datetime) -> Polled:
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
            numbers = tuple(item.n for item in accepted if item.n is not None)
            known = len(accepted) - len(numbers)
            state = msgspec.structs.replace(
                source,
                first_poll_done=True,
                entries_new=source.entries_new + len(numbers),
                entries_known=source.entries_known + known,
            )
            save(connection, state)
        return Polled(accepted=numbers, read=len(given), known=known, problem=source.health_cause)

    def _completed(self, entry: Entry, source: Source, now: dt.datetime) -> Entry:
        """With what the source says for all; an undated entry that is new since the last poll is of today."""
        published = entry.published
        if published is None and source.first_poll_done:
            published = Published(time=now, origin="poll")
        return msgspec.structs.replace(
            entry,
            outlet=source.outlet or entry.outlet,
            language=entry.language or source.language,
            published=published,
            zone=entry.zone or source.timezone,
        )

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
        )

    def _failed(self, source: Source, error: FetchError, now: dt.datetime) -> Polled:
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
            if self._robots is not None and not self._robots.allows(wanted.url):
                raise FetchError("robots", "the site asks programs not to fetch this page")
            fetched = self._client.fetch(wanted.url, accept="page")
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
        if error.cause == "stopped":
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

    # --- folders ------------------------------------------------------------------------------------------

    def look(self, source: Source) -> Polled:
        """Look at a watched folder; read the files that are new or changed since the last look."""
        now = self._now()
        known = blobs.expand_noun(source.stamps, FolderStamps).stamps if source.stamps else {}
        folder = Path(source.address)
        due = msgspec.structs.replace(
            source, next_due_at=now + dt.timedelta(seconds=source.interval_seconds), last_polled_at=now
        )
        try:
            changes = scan(folder, known, now_ns=int(now.timestamp() * 1e9), rules=self._sources)
        except AggregatorError as error:
            return self._folder_failed(due, str(error))
        problems: list[FoundProblem] = []
        entries: list[Entry] = []
        for relative in changes.changed:
            for found in self.read_below(folder, relative, now):
                if isinstance(found, FoundProblem):
                    problems.append(found)
                else:
                    entries.append(_with_source(found, source))
        return self._accept_files(due, entries, problems, FolderStamps(stamps=changes.stamps), now)

    def read_below(self, folder: Path, relative: str, now: dt.datetime) -> list[Entry | FoundProblem]:
        """The entries of one file below a folder."""
        reading = Reading(rules=self._sources, progress=Progress(), seen=now)
        found: list[Entry | FoundProblem] = []
        for item in read_file(folder / relative, place_below(folder, relative), reading):
            found += self.entries_of(item, now)
        return found

    def entries_of(
        self, found: FoundEntry | FoundBytes | FoundProblem, now: dt.datetime
    ) -> list[Entry | FoundProblem]:
        """What a file holds, with feeds in it parsed by a worker."""
        if isinstance(found, FoundProblem):
            return [found]
        if isinstance(found, FoundEntry):
            return [found.entry]
        job = FeedJob(data=found.data, source=found.source, seen=now, rules=self._book.to_json())
        try:
            parsed = parse_feed(self._executor, job)
        except FetchError as error:
            return [FoundProblem(where=found.where, reason=str(error))]
        entries: list[Entry | FoundProblem] = [
            msgspec.structs.replace(entry, authority="handed") for entry in reversed(parsed.entries)
        ]
        if parsed.problem:
            entries.append(FoundProblem(where=found.where, reason=parsed.problem))
        return entries

    def _accept_files(
        self,
        source: Source,
        entries: Sequence[Entry],
        problems: Sequence[FoundProblem],
        stamps: FolderStamps,
        now: dt.datetime,
    ) -> Polled:
        with self._database.write() as connection:
            accepted = inbox.accept(connection, entries, seen=[now] * len(entries))
            for problem in problems:
                inbox.note_refusal(
                    connection,
                    source=source.entry_source,
                    item=problem.where,
                    verdict=problem.verdict or "unreadable",
                    reason=problem.reason,
                    at=now,
                )
            numbers = tuple(item.n for item in accepted if item.n is not None)
            words = None if not problems else f"{problems[-1].where}: {problems[-1].reason}"
            state = msgspec.structs.replace(
                source,
                stamps=blobs.squeeze_noun(stamps),
                first_poll_done=True,
                last_success_at=now,
                health="ok",
                health_cause=words or (source.health_cause if not entries else None),
                failures=0,
                entries_new=source.entries_new + len(numbers),
                entries_known=source.entries_known + len(accepted) - len(numbers),
                entries_refused=source.entries_refused + len(problems),
            )
            save(connection, state)
        return Polled(accepted=numbers, read=len(accepted), known=len(accepted) - len(numbers), problem=words)

    def _folder_failed(self, source: Source, cause: str) -> Polled:
        failed = msgspec.structs.replace(
            source, health="failing", health_cause=cause, failures=source.failures + 1
        )
        with self._database.write() as connection:
            save(connection, failed)
        return Polled(problem=cause)


def parse_feed(executor: Executor, job: FeedJob) -> ParsedFeed:
    """A feed's entries, read by a worker. Raises FetchError where the bytes broke it."""
    try:
        answer = executor.submit(read_feed, msgspec.msgpack.encode(job)).result()
    except WorkError as error:
        raise FetchError(error.verdict, f"the feed could not be read: {error.detail}") from error
    return msgspec.msgpack.decode(answer, type=ParsedFeed)


def _with_source(entry: Entry, source: Source) -> Entry:
    return msgspec.structs.replace(
        entry,
        outlet=source.outlet or entry.outlet,
        language=entry.language or source.language,
        zone=entry.zone or source.timezone,
    )


def _content_type(fetched: Fetched) -> str | None:
    if not fetched.content_type:
        return None
    return f"{fetched.content_type}; charset={fetched.charset}" if fetched.charset else fetched.content_type


def _cause(error: FetchError) -> str:
    return f"http {error.status}" if error.status and error.cause == "http" else error.cause


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
