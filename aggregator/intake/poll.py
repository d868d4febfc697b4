"""Polling feeds and fetching the pages of their entries, into the inbox.

The entries and the new state of the source (ETag, due time, health) are stored in one transaction. If it
fails, the source is polled again, which changes nothing. What a response means is decided in
intake/poll_decision.py.
"""

import datetime as dt
import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.config.messages import counted
from aggregator.config.source_access import SourceExtras
from aggregator.config.tuning import Tuning
from aggregator.extract.entry_identity import IdentityTuning
from aggregator.extract.outlets import is_page_of
from aggregator.extract.urls import registrable_domain, same_site
from aggregator.grouping.mutes import Mutes
from aggregator.intake.jobs import FeedJob, read_feed, read_mail
from aggregator.intake.poll_decision import (
    PollAnswer,
    PollOutcome,
    PollRules,
    PollTuning,
    decide,
)
from aggregator.intake.quiet_polls import QuietPolls
from aggregator.intake.slow_pages import SlowPages
from aggregator.intake.workers.executor import Executor, answer_of
from aggregator.model.core import Entry, FrozenStruct, ParsedFeed, Published, Verdict
from aggregator.model.errors import (
    DatabaseAwayError,
    DatabaseBusyError,
    FetchError,
    NotWritableError,
    ReadError,
    WorkError,
)
from aggregator.model.health_report import silence_seconds
from aggregator.sources.fetch.client import Client, FetchResult
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT
from aggregator.sources.fetch.robots import Robots
from aggregator.sources.limits import SourceTuning, net_tuning, source_tuning
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import acceptance, inbox, pending_pages, rejected
from aggregator.store.intake.acceptance import AcceptedBatch
from aggregator.store.intake.identity.identified_entry import (
    PollContext,
    WholeFeedNeededError,
)
from aggregator.store.intake.identity.reread_limits import RereadTuning
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.intake.known_items import (
    KnownItems,
    known_items_of,
    save_known_items,
)
from aggregator.store.intake.pending_pages import PendingPage
from aggregator.store.intake.source_access import extras_typed
from aggregator.store.intake.sources import (
    Source,
    restart_merged_sources,
    save,
    source_at,
)
from aggregator.text.language import primary_tag

# That a response waits for a database that cannot be written; then the source is polled again.
_STORE_SECONDS = 900.0
# Before the second attempt; doubled before each further one, ...
_STORE_PAUSE_SECONDS = 0.5
# ... up to this: a daemon that stops waits for it (chosen, all three)
_STORE_PAUSE_MAX_SECONDS = 5.0
# An older date takes no credit: no story has articles that are so far apart (`window_days`). So an archive
# that comes at once keeps its dates.
_CREDITED_DAYS = 14.0
# That the entries of a first poll without any date are assumed to be old (chosen)
_UNDATED_AGE_DAYS = 30.0
# How often a page is fetched again when its feed entry changes: some entries differ at every poll, by a
# counter of comments or the time of the response as their date (chosen).
_REREADS = RereadTuning(most=6, others=12, hours=48.0)

log = logging.getLogger(__name__)
Stored = TypeVar("Stored")

_FINAL = frozenset(
    {
        "refused",
        "redirect",
        "address",
        "too_large",
        "encoding",
        "robots",
        "http 404",
        "http 410",
    }
)
# Feed generators change it in every response.
_BUILT = re.compile(rb"<lastBuildDate>[^<]{0,100}</lastBuildDate>")


# Refused for this client; the page may exist
_BLOCKED = frozenset({401, 403, 407, 429, 451})


class PollResult(FrozenStruct):
    """The result of one poll. `accepted` are the numbers of the accepted entries."""

    succeeded: bool = True  # False also for a poll that was not sent or was stopped
    name: str = ""  # of the source, with the title of its feed
    accepted: tuple[int, ...] = ()
    read: int = 0
    revised: int = 0  # of those accepted
    known: int = 0
    problem: str | None = None
    unchanged: bool = False  # 304, or the very bytes of the last time


class PollServices(NamedTuple):
    """What sources are polled with.

    `stops`: whether the program ends; interrupted work does not count as a failure. `quiet_polls`: by default
    every poll is written. `slow_pages`: whose pages are not fetched; None: nobody's.
    """

    database: Database
    client: Client
    executor: Executor
    all_tuning: Tuning
    now: Callable[[], dt.datetime]
    stops: Callable[[], bool] = lambda: False
    extras: Mapping[str, SourceExtras] = {}
    pause: Callable[[float], object] = time.sleep
    quiet_polls: QuietPolls = QuietPolls()
    slow_pages: SlowPages | None = None


class Poller:
    """Polls feeds and fetches pages. Safe to use from many threads."""

    def __init__(
        self,
        services: PollServices,
        *,
        robots: bool,
        pages: str,
        mutes: Mutes | None = None,
    ) -> None:
        """`robots`: whether robots.txt is followed. `pages`: the setting of sources that have none."""
        self._mutes = mutes or Mutes()
        self.services = services
        self._database, self._client, self._executor, self._all_tuning, self._now = (
            services[:5]
        )
        self._stops, self._extras = services.stops, services.extras
        net, polling = (
            net_tuning(self._all_tuning),
            self._all_tuning.section("polling", PollTuning),
        )
        self._rules = self._net, self._tuning = PollRules(net, polling)
        self._identity = self._all_tuning.section("identity", IdentityTuning)
        self._robots = Robots(self._client) if robots else None
        self._pages = pages

    # --- feeds --------------------------------------------------------------------------------------------

    def poll(
        self, source: Source, read: Callable[[bytes], bytes] = read_feed
    ) -> PollResult:
        """Poll the feed once as `poll_with`; `read`: a function of the worker, from FeedJob to ParsedFeed."""
        return self.poll_with(source, partial(self._answer, read=read))

    def poll_with(
        self, row: Source, ask: Callable[[Source, dt.datetime], PollAnswer]
    ) -> PollResult:
        """Store what `ask` returns of the source with this row; a FetchError becomes its health."""
        now, source = self._now(), self.services.quiet_polls.latest(row)
        try:
            answer = ask(source, now)
            try:
                return self._accepted(row, source, answer, now)
            except WholeFeedNeededError:
                assert answer.whole is not None, "only then items are left out"
                return self._accepted(
                    row, source, answer._replace(feed=answer.whole()), now
                )
        except FetchError as error:
            return self._failed(row, source, error, now)

    def _answer(
        self, source: Source, now: dt.datetime, read: Callable[[bytes], bytes]
    ) -> PollAnswer:
        """Request and parse the feed. Raises FetchError."""
        extras = self._extras_of(source.id, source.address)
        fetched = self._fetched(source, now, extras)
        body_hash = (
            None if fetched.not_modified else _read_as(extras) + _hash(fetched.body)
        )
        if body_hash is None or body_hash == source.body_hash:
            return PollAnswer(fetched, body_hash)
        whole = partial(self._parsed, fetched, source, now, read, extras=extras)
        known = self._known_items(source)
        feed = whole(known)
        if feed.sitemaps:
            body_hash, feed = read_sitemaps(
                feed,
                partial(self._fetch, extras=extras, linked_from=source.polled_url),
                lambda page: self._parsed(page, source, now, read, extras=extras),
            )
            # Of the index only
            fetched = replace(fetched, etag=None, last_modified=None)
        elif feed.left_out:
            feed = replace(feed, language=known.language)
        is_same = body_hash == source.body_hash or (feed.left_out and not feed.entries)
        return PollAnswer(
            fetched, body_hash, None if is_same else feed, known=known, whole=whole
        )

    def _known_items(self, source: Source) -> KnownItems:
        if not source.first_poll_done:
            return KnownItems()
        with self._database.read() as connection:
            return known_items_of(connection, source.id)

    def _stored(self, name: str, unit: Callable[[Connection], Stored]) -> Stored:
        """Return the result of a transaction, which is repeated while the database cannot be written.

        So the response is neither lost nor requested again. After `_STORE_SECONDS`, or if the transaction may
        have been committed, the error is raised, and the source is polled again.
        """
        ends = time.monotonic() + _STORE_SECONDS
        pause = _STORE_PAUSE_SECONDS
        while True:
            try:
                return self._database.transact(unit)
            except (DatabaseBusyError, DatabaseAwayError, NotWritableError) as error:
                unknown = isinstance(error, DatabaseAwayError) and error.commit_unknown
                if unknown or self._stops() or time.monotonic() >= ends:
                    raise
                log.info(
                    "%s: storing the response is postponed: %s",
                    name,
                    error,
                    extra={"event": "response_store_delayed"},
                )
            self.services.pause(pause)
            pause = min(2 * pause, _STORE_PAUSE_MAX_SECONDS)

    def _fetched(
        self, source: Source, now: dt.datetime, extras: SourceExtras
    ) -> FetchResult:
        """Request the feed; from a new redirect target without a condition, to compare the entries.

        A silent feed may have a server that always answers 304: once a day the request is unconditional. So
        is that of a page after its selectors changed.
        """
        # The target of a redirect was not configured, and an imported address not typed, so they must not
        # lead into private networks.
        redirected_from = source.address if source.redirected_url else None
        fetch = partial(
            self._fetch,
            source.polled_url,
            extras,
            linked_from="" if source.origin == "import" else redirected_from,
        )
        is_read_otherwise = not (source.body_hash or b"").startswith(_read_as(extras))
        if is_read_otherwise or self._is_first_of_a_silent_day(source, now):
            fetched = fetch()
        else:
            fetched = fetch(etag=source.etag, last_modified=source.last_modified)
        if fetched.not_modified and fetched.permanent_url not in (
            None,
            source.moved_to,
        ):
            return fetch()  # a 304 has no entries to compare
        return fetched

    def _fetch(self, url: str, extras: SourceExtras, **options: Any) -> FetchResult:
        return self._client.fetch(url, access=extras.access, **options)

    def _extras_of(self, source_id: str | None, address: str | None) -> SourceExtras:
        """Return what config.yaml says of a source, else what was typed in the browser."""
        configured = self._extras.get(address or "")
        if configured is not None or source_id is None:
            return configured or SourceExtras()
        with self._database.read() as connection:
            return extras_typed(connection, source_id)

    def _is_first_of_a_silent_day(self, source: Source, now: dt.datetime) -> bool:
        if source.last_polled_at is None or source.last_polled_at.date() == now.date():
            return False
        return silence_seconds(source.per_day, source.per_day_at, now) is not None

    def _parsed(
        self,
        fetched: FetchResult,
        source: Source,
        now: dt.datetime,
        read: Callable[[bytes], bytes],
        known: KnownItems = KnownItems(),  # noqa: B008 - frozen
        *,
        extras: SourceExtras,
    ) -> ParsedFeed:
        parsed = parse_feed(
            self._executor,
            FeedJob(
                data=fetched.body,
                selectors=extras.selectors,
                source=source.entry_source,
                seen=now,
                url=fetched.url_final,
                content_type=_content_type(fetched),
                outlet=source.outlet,
                name=source.name,
                zone=source.timezone,
                tuning=source_tuning(self._all_tuning),
                all_tuning=self._all_tuning.to_json(),
                known_items=frozenset(known.articles),
                frame=known.frame,
                states_days=known.states_days,
            ),
            read,
        )
        if parsed.problem and not parsed.entries:
            raise FetchError("no feed", parsed.problem)
        return parsed

    def _accepted(
        self, row: Source, source: Source, answer: PollAnswer, now: dt.datetime
    ) -> PollResult:
        """Store the entries, oldest first (feeds list the newest first), and the outcome of the poll."""
        feed, fetched, known = answer.feed, answer.fetched, answer.known
        if feed is None and fetched.permanent_url is None:
            quiet = decide(source, answer, now, self._rules)
            if self.services.quiet_polls.keep(row, quiet.source, now):
                return PollResult(unchanged=True)
        entries = self._completed(feed, source, now) if feed is not None else []

        def work(connection: Connection) -> tuple[PollOutcome, AcceptedBatch]:
            taken = AcceptedBatch()
            if feed is not None:
                taken = acceptance.accept(
                    connection,
                    entries,
                    seen=[now] * len(entries),
                    wants_page=self._wanted_pages(entries, source),
                    bump_by_clock=source.first_poll_done,
                    gathers=True,
                    poll=PollContext(
                        outlet=source.outlet,
                        is_first=not source.first_poll_done,
                        tuning=self._identity,
                        live=_REREADS,
                        left_out=frozenset(
                            known.articles[item] for item in feed.left_out
                        ),
                    ),
                )
                save_known_items(
                    connection, source.id, known, feed, [*reversed(taken.accepted)]
                )
            for entry, result in zip(entries, taken.accepted, strict=True):
                reason = (
                    self._mutes.why(entry, source) if result.outcome == "new" else None
                )
                # Its page is not fetched either
                if reason is not None and result.entry_no is not None:
                    rejected.quarantine(
                        connection,
                        result.entry_no,
                        at=now,
                        reason=reason,
                        verdict=inbox.MUTED,
                    )
            for item, reason in answer.refused:
                rejected.note(
                    connection,
                    source=source.entry_source,
                    item=item,
                    verdict="unreadable",
                    reason=reason,
                    at=now,
                )
            target = (
                None
                if fetched.permanent_url is None
                else source_at(connection, fetched.permanent_url)
            )
            full = answer._replace(
                entries=entries, accepted=taken.accepted, at_target=target
            )
            outcome = decide(source, full, now, self._rules)
            _write(connection, outcome, row)
            return outcome, taken

        outcome, taken = self._stored(source.shown_name, work)
        name = outcome.source.shown_name
        for note in taken.notes:
            log.info(
                "%s: %s",
                name,
                note,
                extra={"event": "unstable_identifiers_found", "source": source.id},
            )
        _log_changes(source, outcome, fetched.permanent_url)
        if feed is None:
            return PollResult(unchanged=True)
        return replace(summarise_accepted(taken.accepted, feed.problem), name=name)

    def _completed(
        self, feed: ParsedFeed, source: Source, now: dt.datetime
    ) -> list[Entry]:
        """Return the entries, the oldest first, with the settings of their source and a time.

        Undated ones get the present time; those of a first poll, which are a backlog and not news, the
        effective time of the oldest dated one.
        """
        undated: dict[str, object] = {"published": Published(time=now, origin="poll")}
        if not source.first_poll_done:
            times = (
                entry.published.time
                for entry in feed.entries
                if entry.published is not None
            )
            undated = {
                "assumed_at": min(
                    times, default=now - dt.timedelta(days=_UNDATED_AGE_DAYS)
                )
            }
        entries = [
            of_source(entry, source, feed.language) for entry in reversed(feed.entries)
        ]
        completed = [
            one if one.published else replace(one, **undated) for one in entries
        ]
        since = now - dt.timedelta(days=_CREDITED_DAYS)
        return [
            replace(one, last_poll=source.last_success_at)
            if source.first_poll_done and one.published and one.published.time > since
            else one
            for one in completed
        ]

    def wants_page(self, entry: Entry, pages: str = "auto") -> bool:
        """Whether to fetch the page of `entry`; `pages` is the setting of its source."""
        wanted = self._pages if pages == "auto" else pages
        if wanted == "never" or not entry.url:
            return False
        words = len((entry.text or entry.html or "").split())
        return wanted == "always" or words < self._tuning.full_text_words

    def _wanted_pages(self, entries: Sequence[Entry], source: Source) -> list[bool]:
        """Whether to fetch the page of each entry.

        In a first poll only for the newest entries, and for none if pages of the source take too long.
        """
        slow_pages = self.services.slow_pages
        if slow_pages is not None and slow_pages.rests(source.entry_source):
            return [False] * len(entries)
        wanted = [self.wants_page(entry, source.pages) for entry in entries]
        if source.first_poll_done:
            return wanted
        oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
        times = [
            oldest if entry.published is None else entry.published.time
            for entry in entries
        ]
        numbers = [number for number, is_wanted in enumerate(wanted) if is_wanted]
        newest = sorted(
            numbers, key=lambda number: (times[number], number), reverse=True
        )
        kept = set(newest[: self._tuning.first_poll_pages])
        return [number in kept for number in range(len(entries))]

    def _failed(
        self, row: Source, source: Source, error: FetchError, now: dt.datetime
    ) -> PollResult:
        if error.cause == "stopped" or self._stops():
            return PollResult(succeeded=False)
        outcome = decide(source, error, now, self._rules)
        self._stored(source.shown_name, partial(_write, outcome=outcome, before=row))
        _log_changes(source, outcome)
        return PollResult(
            succeeded=False,
            problem=None if error.cause == ASKED_TO_WAIT else str(error),
        )

    # --- pages --------------------------------------------------------------------------------------------

    def place_without_pages(self, now: dt.datetime) -> bool:
        """Queue new entries whose pages have not come in time; return whether there are any."""
        wait = dt.timedelta(seconds=self._tuning.page_wait_seconds)
        with self._database.read() as connection:
            overdue = pending_pages.overdue(connection, now, wait)
        if not overdue:
            return False
        return (
            self._database.transact(
                lambda one: pending_pages.place_without(one, overdue)
            )
            > 0
        )

    def fetch_page(self, wanted: PendingPage) -> bool:
        """Fetch the page of an entry, or give up; return whether there is something to place."""
        try:
            port = _own_port(wanted)
            # unknown: a push, or a feed that was removed
            linked_from = wanted.feed or ""
            if self._robots is not None:
                answer = self._robots.answer(
                    wanted.url, source_port=port, linked_from=linked_from
                )
                if answer == "no":
                    raise FetchError(
                        "robots", "robots.txt of the site forbids this page"
                    )
                if answer == "not now":
                    raise FetchError(
                        "no robots", "robots.txt of the site cannot be read"
                    )
            fetched = self._client.fetch(
                wanted.url,
                accept="page",
                source_port=port,
                linked_from=linked_from,
                access=self._extras_of(wanted.source_id, wanted.source_address).access,
            )
        except FetchError as error:
            return self._without_page(wanted, error)
        site = registrable_domain(wanted.url) or ""
        is_own = same_site(wanted.url, fetched.url_final) or is_page_of(
            site, fetched.url_final
        )
        store = partial(
            pending_pages.store_page,
            n=wanted.entry_no,
            page=fetched.body if is_own else None,
            url=fetched.url_final,
            charset=fetched.charset,
            robots=fetched.robots if is_own else "",
        )
        self._stored(wanted.url, store)
        return True

    def _without_page(self, wanted: PendingPage, error: FetchError) -> bool:
        is_sent = error.cause != ASKED_TO_WAIT  # else its host backs off
        tries = wanted.attempts + is_sent
        if error.cause == "stopped" or self._stops():
            return False
        cause = (
            f"http {error.status}"
            if error.status and error.cause == "http"
            else error.cause
        )
        final = cause in _FINAL or tries >= self._tuning.page_attempts
        now = self._now()

        def work(connection: Connection) -> bool:
            if final:
                reason = f"its page: {error}; the text of the feed is used"
                pending_pages.give_up(
                    connection,
                    wanted.entry_no,
                    verdict=verdict_of(error),
                    reason=reason,
                )
                return True
            wait = self._tuning.page_retry_seconds * 2 ** max(tries - 1, 0)
            due = now + dt.timedelta(seconds=wait)
            is_placed = (
                is_sent
                and pending_pages.place_without(connection, [wanted.entry_no]) > 0
            )
            pending_pages.later(connection, wanted.entry_no, due, attempts=tries)
            return is_placed

        is_ready = self._stored(wanted.url, work)
        outcome = (
            "the text of the feed is used" if final else "it is requested again later"
        )
        log.debug(
            "page %s: %s; %s",
            wanted.url,
            error,
            outcome,
            extra={"event": "page_failed"},
        )
        return is_ready


def _write(connection: Connection, outcome: PollOutcome, before: Source) -> None:
    """Store all that a poll changes, apart from new entries."""
    inbox.bump_at_own_time(connection, outcome.own_time)
    save(connection, outcome.source, before)
    if outcome.source.health == "gone":
        restart_merged_sources(connection)


def _log_changes(
    before: Source, outcome: PollOutcome, target: str | None = None
) -> None:
    """Log what is new about a source; `target`: of its permanent redirects."""
    after, name = outcome.source, outcome.source.shown_name
    if outcome.own_time:
        said = counted(len(outcome.own_time), "old entry", "old entries")
        words = "%s: %s at once; stored, not announced"
        log.warning(
            words, name, said, extra={"event": "old_entries_found", "source": after.id}
        )
    if after.merged_into is not None:
        words = "%s moved permanently to %s, which is a source already"
        log.info(
            words, name, target, extra={"event": "source_merged", "source": after.id}
        )
    elif after.health == "gone":
        words = "%s is gone permanently (410); it is no longer polled"
        log.warning(words, name, extra={"event": "source_gone", "source": after.id})
    elif after.redirected_url == before.redirected_url:
        return
    elif after.redirected_url is not None:
        words = "%s moved permanently to %s, where it is polled now"
        log.info(
            words, name, target, extra={"event": "source_moved", "source": after.id}
        )
    else:
        words = "%s: %s fails for days; %s is polled"
        reverted = (name, before.redirected_url, after.address)
        log.info(
            words,
            *reverted,
            extra={"event": "source_address_reverted", "source": after.id},
        )


def verdict_of(error: FetchError) -> Verdict | None:
    """Return the verdict on a page that could not be fetched; None if no site answered."""
    if error.status in _BLOCKED:
        return "block"
    if error.cause == "too_large":
        return "too_long"
    if error.cause == "timeout":
        return "timeout"
    return "not_article" if error.status is not None else None


def summarise_accepted(
    accepted: Sequence[AcceptResult], problem: str | None
) -> PollResult:
    """Count the outcomes of accepted entries."""
    return PollResult(
        accepted=tuple(item.entry_no for item in accepted if item.entry_no is not None),
        read=len(accepted),
        revised=sum(item.outcome == "revision" for item in accepted),
        known=sum(
            item.entry_no is None and item.outcome != "forgotten" for item in accepted
        ),
        problem=problem,
    )


def _own_port(wanted: PendingPage) -> int | None:
    """Return the port of the feed if the page is on the same site."""
    if wanted.feed is None or not same_site(wanted.feed, wanted.url):
        return None
    try:
        return urlsplit(wanted.feed).port
    except ValueError:
        return None


def of_source(entry: Entry, source: Source, language: str | None = None) -> Entry:
    """Return the entry with the settings of its source; `language`: of its feed, if nothing else says it."""
    return replace(
        entry,
        outlet=source.outlet or entry.outlet,
        resolved_outlet=None if source.outlet else entry.resolved_outlet,
        language=entry.language or language,
        source_language=primary_tag(source.language),
        zone=entry.zone or source.timezone,
    )


def parse_feed(
    executor: Executor, job: FeedJob, read: Callable[[bytes], bytes] = read_feed
) -> ParsedFeed:
    """Parse a feed in a worker. Raises FetchError if the worker failed."""
    try:
        return answer_of(executor, read, job, ParsedFeed)
    except WorkError as error:
        raise FetchError(
            error.verdict, f"the feed could not be read: {error.detail}"
        ) from error


def parse_mail(
    executor: Executor,
    data: bytes,
    *,
    source: str,
    seen: dt.datetime,
    tuning: SourceTuning,
) -> Entry:
    """Parse a message in a worker, as `entry_of_mail`. Raises ReadError, also if the worker failed."""
    job = FeedJob(data=data, source=source, seen=seen, tuning=tuning)
    try:
        parsed = answer_of(executor, read_mail, job, ParsedFeed)
    except WorkError as error:
        raise ReadError(f"this message could not be read: {error.detail}") from error
    if parsed.problem is not None:
        raise ReadError(parsed.problem)
    return parsed.entries[0]


def read_sitemaps(
    index: ParsedFeed,
    fetch: Callable[[str], FetchResult],
    parse: Callable[[FetchResult], ParsedFeed],
) -> tuple[bytes, ParsedFeed]:
    """Return a hash of the sitemaps of an index, and their entries. Raises FetchError if none is read."""
    bodies, feeds, failed = [], [], None
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
            failed = error
    if failed is not None and (not feeds or failed.cause == "stopped"):
        raise failed
    entries = tuple(entry for feed in feeds for entry in feed.entries)
    titles = [feed.title for feed in feeds if feed.title]
    count = sum(feed.entry_count for feed in feeds)
    merged = replace(
        index, entries=entries, entry_count=count, title="".join(titles[:1])
    )
    return _hash(b"".join(bodies)), merged


def _content_type(fetched: FetchResult) -> str | None:
    if not fetched.content_type:
        return None
    return (
        f"{fetched.content_type}; charset={fetched.charset}"
        if fetched.charset
        else fetched.content_type
    )


def _read_as(extras: SourceExtras) -> bytes:
    """Return the beginning of `body_hash`: the same page has other entries for other selectors."""
    return _hash(repr(extras.selectors).encode()) if extras.selectors else b""


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(_BUILT.sub(b"", body), digest_size=16).digest()
