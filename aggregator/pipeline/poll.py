"""Polling feeds and fetching the pages of their entries, into the inbox.

The entries and the new state of the source (ETag, due time, health) are stored in one transaction. If it
fails, the source is polled again, which changes nothing.

One permanent redirect (301, 308) or 410 proves little: a captive portal, a parked domain or a mistake of an
administrator sends it, too. So a response must be the same several times over some days, and a new address
must have listed an entry that was known from the old one (ADR 8).

If no host can be reached, the cause is assumed to be an outage of the own network.
"""

import datetime as dt
import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from aggregator.cluster.rekeyed_entries import IdentityTuning
from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.extract.urls import same_site
from aggregator.model.core import Entry, FrozenStruct, ParsedFeed, Published, Verdict
from aggregator.model.errors import (
    DatabaseAwayError,
    DatabaseBusyError,
    FetchError,
    NotWritableError,
    WorkError,
)
from aggregator.model.health_report import (
    decay_rate,
    expected_gap_seconds,
    initial_rate,
    silence_seconds,
    update_rate,
)
from aggregator.pipeline.jobs import FeedJob, read_feed
from aggregator.pipeline.workers.executor import Executor
from aggregator.sources.fetch.client import Client, FetchResult
from aggregator.sources.fetch.poll_schedule import (
    after_failure,
    after_gone,
    after_hold,
    after_outage,
    after_success,
)
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT
from aggregator.sources.fetch.robots import Robots
from aggregator.sources.limits import NetTuning, net_tuning
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox, pending_pages
from aggregator.store.intake.hosts import HostBackoff, save_host_backoffs
from aggregator.store.intake.identify import PollContext, RereadTuning
from aggregator.store.intake.inbox import AcceptResult
from aggregator.store.intake.pending_pages import PendingPage
from aggregator.store.intake.sources import (
    Source,
    feed_at,
    host_of,
    polled_host_count,
    pull_in,
    restart_merged_sources,
    save,
)

_MOST_BEFORE = 500  # sources; many may be at few hosts


class DetectedOutage(NamedTuple):
    """An outage of the local network: its start, whether it is new, and the sources that failed before."""

    since: dt.datetime
    is_new: bool
    before: frozenset[str]


class OutageDetector:
    """Counts consecutive hosts that could not be reached. Thread-safe."""

    def __init__(self, hosts: int) -> None:
        """An outage is detected after `hosts` different hosts in a row without a response."""
        self._most = hosts
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._silent: set[str] = set()
        self._before: set[str] = set()
        self._since: dt.datetime | None = None
        self._is_known = False

    def answered(self) -> dt.datetime | None:
        """Record a response; return the start of the outage that it ends, if there was one."""
        with self._lock:
            since = self._since if self._is_known else None
            self._forget()
            return since

    def unreachable(
        self, host: str, at: dt.datetime, known: int | None = None, source: str = ""
    ) -> DetectedOutage | None:
        """Record that the host of `source` was not reached; return the outage, if there is one.

        `known`: the number of polled hosts; if it is smaller than the limit, all of them are enough, but at
        least two.
        """
        most = self._most if known is None else min(self._most, max(known, 2))
        with self._lock:
            self._since = at if self._since is None else min(self._since, at)
            if len(self._silent) < self._most:
                self._silent.add(host)
            if not self._is_known and len(self._silent) < most:
                if len(self._before) < _MOST_BEFORE:
                    self._before.add(source)
                return None
            was_known, self._is_known = self._is_known, True
            return DetectedOutage(self._since, not was_known, frozenset(self._before - {source}))


class RedirectObservation(msgspec.Struct, frozen=True, kw_only=True):
    """A permanent redirect under observation; `to` is None where there is none."""

    to: str | None = None
    count: int = 0
    since: dt.datetime | None = None
    proven: bool = False  # the target listed a known entry when it was first requested


def observe_redirect(
    move: RedirectObservation, to: str | None, *, now: dt.datetime, shares: bool
) -> RedirectObservation:
    """Return the observation after one more successful response.

    `to` is the target if the whole chain of redirects is permanent, else None. `shares`: whether the response
    listed a known entry; only the first response of a target counts, because its entries are known later.
    """
    if to is None:
        return RedirectObservation()
    if to != move.to:
        return RedirectObservation(to=to, count=1, since=now, proven=shares)
    return msgspec.structs.replace(move, count=move.count + 1)


def is_confirmed(move: RedirectObservation, now: dt.datetime, tuning: NetTuning) -> bool:
    """Whether the target becomes the address of the source."""
    return (
        move.proven
        and move.since is not None
        and move.count >= tuning.adopt_times
        and now - move.since >= dt.timedelta(hours=tuning.adopt_hours)
    )


def is_gone(count: int, since: dt.datetime | None, now: dt.datetime, tuning: NetTuning) -> bool:
    """Whether a feed that answered 410 `count` times in a row, first at `since`, is no longer polled."""
    return (
        since is not None
        and count >= tuning.gone_times
        and now - since >= dt.timedelta(hours=tuning.gone_hours)
    )


log = logging.getLogger(__name__)
Stored = TypeVar("Stored")

_FINAL = frozenset(
    {"refused", "redirect", "address", "too_large", "encoding", "robots", "http 404", "http 410"}
)
_OUT_OF_REACH = frozenset({"dns", "connect"})
# Feed generators change it in every response.
_BUILT = re.compile(rb"<lastBuildDate>[^<]{0,100}</lastBuildDate>")


_BLOCKED = frozenset({401, 403, 407, 429, 451})  # refused for this client; the page may exist


class PollTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `polling` of config/tuning.yaml."""

    full_text_words: int
    page_attempts: int
    page_wait_seconds: float
    first_poll_pages: int
    store_seconds: float
    store_pause_seconds: float
    store_pause_max_seconds: float
    page_retry_seconds: float
    flood_entries: int
    flood_age_hours: float
    undated_age_days: float
    live_rereads: int
    live_reread_hours: float
    entry_rereads: int


class PollResult(FrozenStruct, frozen=True, kw_only=True):
    """The result of one poll. `accepted` are the numbers of the accepted entries."""

    succeeded: bool = True  # False also for a poll that was not sent or was stopped
    name: str = ""  # of the source, with the title of its feed
    accepted: tuple[int, ...] = ()
    read: int = 0
    revised: int = 0  # of those accepted
    known: int = 0
    forgotten: int = 0  # refused, because a person had them forgotten
    problem: str | None = None
    unchanged: bool = False  # 304, or the very bytes of the last time


class Poller:
    """Polls feeds and fetches pages. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        client: Client,
        executor: Executor,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        *,
        robots: bool,
        pages: str,
        stops: Callable[[], bool] = lambda: False,
    ) -> None:
        """`stops`: whether the program ends; interrupted requests do not count as failures."""
        self._database = database
        self._client = client
        self._executor = executor
        self._all_tuning = all_tuning
        self._tuning = all_tuning.section("polling", PollTuning)
        self._net = net_tuning(all_tuning)
        self._identity = all_tuning.section("identity", IdentityTuning)
        self._live = RereadTuning(
            most=self._tuning.live_rereads,
            others=self._tuning.entry_rereads,
            hours=self._tuning.live_reread_hours,
        )
        self._now = now
        self._robots = Robots(client) if robots else None
        self._outage = OutageDetector(self._net.outage_hosts)
        self._pages = pages
        self._stops = stops
        self._hosts: dict[str, HostBackoff] = {}  # back-off of hosts that is not stored yet

    # --- feeds --------------------------------------------------------------------------------------------

    def poll(self, source: Source) -> PollResult:
        """Poll the feed once and store the result; errors of the server become the health of the source."""
        now = self._now()
        try:
            fetched = self._fetched(source, now)
            body_hash = None if fetched.not_modified else _hash(fetched.body)
            if body_hash is None or body_hash == source.body_hash:
                return self._unchanged(source, fetched, now)
            parsed = self._parsed(fetched, source, now)
        except FetchError as error:
            return self._failed(source, error, now)
        fresh = msgspec.structs.replace(
            source,
            body_hash=body_hash,
            title=parsed.title or source.title,
            site_url=source.site_url or parsed.site_url,
            health_cause=parsed.problem,
            ttl_seconds=max(parsed.ttl_seconds or 0.0, fetched.fresh_seconds or 0.0),
        )
        accept = partial(self._accept, fresh, fetched, parsed, now)
        return self._stored(source.shown_name, lambda: self._database.again(accept))

    def _stored(self, name: str, store: Callable[[], Stored]) -> Stored:
        """Return the result of `store`, which is repeated while the database cannot be written.

        So the response is neither lost nor requested again. After `store_seconds`, or if the transaction may
        have been committed, the error is raised, and the source is polled again.
        """
        ends = time.monotonic() + self._tuning.store_seconds
        pause = self._tuning.store_pause_seconds
        while True:
            try:
                return store()
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
            time.sleep(pause)
            pause = min(2 * pause, self._tuning.store_pause_max_seconds)

    def _fetched(self, source: Source, now: dt.datetime) -> FetchResult:
        """Request the feed; from a new redirect target without a condition, to compare the entries.

        A silent feed may have a server that always answers 304: once a day the request is unconditional.
        """
        # The target of a redirect was not configured, so it must not lead into private networks.
        fetch = partial(
            self._client.fetch,
            source.polled_url,
            linked_from=source.address if source.redirected_url else None,
        )
        if self._is_first_of_a_silent_day(source, now):
            fetched = fetch()
        else:
            fetched = fetch(etag=source.etag, last_modified=source.last_modified)
        self._answered()
        if fetched.not_modified and fetched.permanent_url not in (None, source.moved_to):
            return fetch()  # a 304 has no entries to compare
        return fetched

    def _is_first_of_a_silent_day(self, source: Source, now: dt.datetime) -> bool:
        if source.last_polled_at is None or source.last_polled_at.date() == now.date():
            return False
        silent = silence_seconds(
            source.per_day,
            source.per_day_at,
            now,
            gaps=self._net.silent_gaps,
            days=self._net.silent_days,
        )
        return silent is not None

    def _parsed(self, fetched: FetchResult, source: Source, now: dt.datetime) -> ParsedFeed:
        parsed = parse_feed(
            self._executor,
            FeedJob(
                data=fetched.body,
                source=source.entry_source,
                seen=now,
                url=fetched.url_final,
                content_type=_content_type(fetched),
                outlet=source.outlet,
                name=source.name,
                zone=source.timezone,
                tuning=self._all_tuning.to_json(),
            ),
        )
        if parsed.problem and not parsed.entries:
            raise FetchError("no feed", parsed.problem)
        return parsed

    def _accept(self, source: Source, fetched: FetchResult, feed: ParsedFeed, now: dt.datetime) -> PollResult:
        """Store the entries, oldest first (feeds list the newest first), and the state of the source."""
        assumed_at = None if source.first_poll_done else self._assumed_time(feed.entries, now)
        completed = [
            self._dated(of_source(entry, source, feed.language), now, assumed_at)
            for entry in reversed(feed.entries)
        ]
        with self._database.write() as connection:
            taken = inbox.accept_polled(
                connection,
                completed,
                seen=now,
                wants_page=self._wanted_pages(completed, source),
                bump_by_clock=source.first_poll_done,
                poll=PollContext(
                    outlet=source.outlet,
                    is_first=not source.first_poll_done,
                    tuning=self._identity,
                    live=self._live,
                ),
            )
            accepted = taken.accepted
            polled = summarise_accepted(accepted, source.health_cause)
            new = len(polled.accepted) - polled.revised
            flood = 0
            if source.first_poll_done:
                flood = self._bump_flood_at_own_time(connection, source, accepted, completed, now)
            shares = not source.first_poll_done or any(item.outcome != "new" for item in accepted)
            counted = self._counted(source, completed, new - flood, now)
            if flood:
                counted = msgspec.structs.replace(counted, flooded_at=now, flood_entries=flood)
            state = msgspec.structs.replace(
                self._succeeded(connection, counted, fetched, now, new=len(polled.accepted), shares=shares),
                first_poll_done=True,
                entries_new=source.entries_new + new,
                entries_known=source.entries_known + polled.read - new - polled.forgotten,
                entries_rejected=source.entries_rejected + polled.forgotten,
                health_cause=source.health_cause,
            )
            save(connection, state, source)
        for note in taken.notes:
            log.info(
                "%s: %s",
                source.shown_name,
                note,
                extra={"event": "unstable_identifiers_found", "source": source.id},
            )
        return msgspec.structs.replace(polled, name=source.shown_name)

    def _bump_flood_at_own_time(
        self,
        connection: Connection,
        source: Source,
        accepted: Sequence[AcceptResult],
        entries: Sequence[Entry],
        now: dt.datetime,
    ) -> int:
        """Bump many new entries with old dates at their own time: an archive is not news.

        Return how many they were.
        """
        oldest_news = now - dt.timedelta(hours=self._tuning.flood_age_hours)
        old = [
            item.entry_no
            for item, entry in zip(accepted, entries, strict=True)
            if item.outcome == "new"
            and item.entry_no is not None
            and entry.published is not None
            and entry.published.time < oldest_news
        ]
        if len(old) < self._tuning.flood_entries:
            return 0
        inbox.bump_at_own_time(connection, old)
        words = "%s: %s at once; stored, not announced"
        said = counted(len(old), "old entry", "old entries")
        log.warning(words, source.shown_name, said, extra={"event": "old_entries_found", "source": source.id})
        return len(old)

    def _assumed_time(self, entries: Sequence[Entry], now: dt.datetime) -> dt.datetime:
        """Return the effective time of undated entries of a first poll, which are a backlog and not news."""
        times = (entry.published.time for entry in entries if entry.published is not None)
        return min(times, default=now - dt.timedelta(days=self._tuning.undated_age_days))

    @staticmethod
    def _dated(entry: Entry, now: dt.datetime, assumed_at: dt.datetime | None) -> Entry:
        """Complete an undated entry: in a first poll with an effective time, later with the present time."""
        if entry.published is not None:
            return entry
        if assumed_at is not None:
            return msgspec.structs.replace(entry, assumed_at=assumed_at)
        return msgspec.structs.replace(entry, published=Published(time=now, origin="poll"))

    def wants_page(self, entry: Entry, pages: str = "auto") -> bool:
        """Whether to fetch the page of `entry`; `pages` is the setting of its source."""
        wanted = self._pages if pages == "auto" else pages
        if wanted == "never" or not entry.url:
            return False
        words = len((entry.text or entry.html or "").split())
        return wanted == "always" or words < self._tuning.full_text_words

    def _wanted_pages(self, entries: Sequence[Entry], source: Source) -> list[bool]:
        """Whether to fetch the page of each entry: in a first poll only for the newest entries."""
        wanted = [self.wants_page(entry, source.pages) for entry in entries]
        if source.first_poll_done:
            return wanted
        oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
        times = [oldest if entry.published is None else entry.published.time for entry in entries]
        numbers = [number for number, is_wanted in enumerate(wanted) if is_wanted]
        newest = sorted(numbers, key=lambda number: (times[number], number), reverse=True)
        kept = set(newest[: self._tuning.first_poll_pages])
        return [number in kept for number in range(len(entries))]

    def _unchanged(self, source: Source, fetched: FetchResult, now: dt.datetime) -> PollResult:
        def work(connection: Connection) -> None:
            succeeded = self._succeeded(connection, source, fetched, now, new=0, shares=True)
            save(connection, succeeded, source)

        self._stored(source.shown_name, lambda: self._database.transact(work))
        return PollResult(unchanged=True)

    def _counted(self, source: Source, entries: Sequence[Entry], new: int, now: dt.datetime) -> Source:
        """Update the rate of new entries: at the first poll by their dates, later by their number."""
        if not source.first_poll_done:
            times = [entry.published.time for entry in entries if entry.published is not None]
            newest = max((time for time in times if time <= now), default=now)
            rate = initial_rate(times, now, self._net.rate_days)
            return msgspec.structs.replace(source, per_day=rate, per_day_at=now, last_new_at=newest)
        if new == 0:
            return source
        rate = update_rate(source.per_day, source.per_day_at, now, new, self._net.rate_days)
        return msgspec.structs.replace(source, per_day=rate, per_day_at=now, last_new_at=now)

    def _succeeded(
        self,
        connection: Connection,
        source: Source,
        fetched: FetchResult,
        now: dt.datetime,
        *,
        new: int,
        shares: bool,
    ) -> Source:
        """The source after a good answer; `shares`: it held an entry that was known before."""
        next_poll = after_success(
            source.id,
            now,
            configured_seconds=source.interval_seconds,
            interval_seconds=source.adaptive_interval_seconds,
            new_entries=new,
            ttl_seconds=source.ttl_seconds,
            gap_seconds=expected_gap_seconds(
                decay_rate(source.per_day, source.per_day_at, now, self._net.rate_days)
            ),
            tuning=self._net,
        )
        moved = self._moved(connection, source, fetched, now, shares=shares)
        return msgspec.structs.replace(
            moved,
            etag=fetched.etag or (source.etag if fetched.not_modified else None),
            last_modified=fetched.last_modified or (source.last_modified if fetched.not_modified else None),
            adaptive_interval_seconds=next_poll.interval_seconds,
            next_due_at=next_poll.due,
            last_polled_at=now,
            last_success_at=now,
            failures=0,
            failing_since=None,
            gone_count=0,
            gone_since=None,
            health="merged" if moved.merged_into else "ok",
            health_cause=None if source.health == "failing" else source.health_cause,
        )

    def _moved(
        self, connection: Connection, source: Source, fetched: FetchResult, now: dt.datetime, *, shares: bool
    ) -> Source:
        """Record a permanent redirect, and adopt it once it is confirmed.

        The source keeps its id and its configured address, so its articles stay known. If the target is a
        source already, this one is merged into it.
        """
        if fetched.permanent_url is None and source.moved_to is None:
            return source
        before = RedirectObservation(
            to=source.moved_to,
            count=source.moved_count,
            since=source.moved_since,
            proven=source.move_confirmed,
        )
        move = observe_redirect(before, fetched.permanent_url, now=now, shares=shares)
        if move.to is None or not is_confirmed(move, now, self._net):
            return msgspec.structs.replace(
                source,
                moved_to=move.to,
                moved_count=move.count,
                moved_since=move.since,
                move_confirmed=move.proven,
            )
        settled = msgspec.structs.replace(
            source, moved_to=None, moved_count=0, moved_since=None, move_confirmed=False
        )
        other = feed_at(connection, move.to)
        if other is None or other.id == source.id or other.health in ("gone", "merged"):
            words = "%s moved permanently to %s, where it is polled now"
            log.info(words, source.shown_name, move.to, extra={"event": "source_moved", "source": source.id})
            return msgspec.structs.replace(settled, redirected_url=move.to, host=host_of(move.to))
        if other.paused:
            return source  # the pause of that feed does not apply to this one
        words = "%s moved permanently to %s, which is a source already"
        log.info(words, source.shown_name, move.to, extra={"event": "source_merged", "source": source.id})
        return msgspec.structs.replace(settled, merged_into=other.id)

    def _failed(self, source: Source, error: FetchError, now: dt.datetime) -> PollResult:
        if error.cause == "stopped" or self._stops():
            return PollResult(succeeded=False)
        silence = self._silence(source, now) if error.cause in _OUT_OF_REACH else None
        if error.cause == ASKED_TO_WAIT:
            failed = self._backing_off(source, error, now)
        elif silence is not None:
            failed = self._unreachable(source, error, now, silence)
        elif error.status == HTTPStatus.GONE:
            failed = self._gone(source, error, now)
        else:
            failed = self._later(source, error, now)
        hosts = self._hosts_changed(now)

        def work(connection: Connection) -> None:
            save(connection, failed, source)
            if silence is not None:  # each time: sources that failed before may be stored later
                pull_in(connection, silence.before, _OUT_OF_REACH, failed.next_due_at)
            if failed.health == "gone":
                restart_merged_sources(connection)
            save_host_backoffs(connection, hosts)

        self._stored(source.shown_name, lambda: self._database.transact(work))
        self._hosts_saved(hosts)
        return PollResult(succeeded=False, problem=None if error.cause == ASKED_TO_WAIT else str(error))

    def _silence(self, source: Source, now: dt.datetime) -> DetectedOutage | None:
        """Return the outage of the local network, if there is one."""
        with self._database.read() as connection:
            known = polled_host_count(connection)
        return self._outage.unreachable(source.host or source.id, now, known, source.id)

    def _unreachable(
        self, source: Source, error: FetchError, now: dt.datetime, silence: DetectedOutage
    ) -> Source:
        """Return the source during an outage: the failure is not counted, and the next poll is soon."""
        seconds = source.interval_seconds
        due = after_outage(source.id, now, since=silence.since, configured_seconds=seconds, tuning=self._net)
        if silence.is_new:
            log.warning(
                "no source can be reached (%s); assuming an outage of the local network",
                error,
                extra={"event": "outage_detected"},
            )
        return self._failing(source, error, now, due)

    def _answered(self) -> None:
        since = self._outage.answered()
        if since is not None:
            seconds = max(0, int((self._now() - since).total_seconds()))
            log.info(
                "sources can be reached again after %s",
                counted(seconds, "second"),
                extra={"event": "outage_ended"},
            )

    @staticmethod
    def _failing(source: Source, error: FetchError, now: dt.datetime, due: dt.datetime) -> Source:
        return msgspec.structs.replace(
            source,
            next_due_at=due,
            last_polled_at=now,
            failing_since=source.failing_since or now,
            health="failing",
            health_cause=str(error),
        )

    def _later(self, source: Source, error: FetchError, now: dt.datetime) -> Source:
        """Return the source after a failure, with its back-off."""
        if error.status is not None:
            self._answered()
        next_poll = after_failure(
            source.id,
            now,
            configured_seconds=source.interval_seconds,
            interval_seconds=source.adaptive_interval_seconds,
            failures=source.failures,
            retry_after_seconds=error.retry_after_seconds,
            tuning=self._net,
        )
        failed = self._failing(source, error, now, next_poll.due)
        return self._revert_address(msgspec.structs.replace(failed, failures=next_poll.failures), now)

    def _revert_address(self, source: Source, now: dt.datetime) -> Source:
        """Return to the configured address if the adopted one fails for days."""
        if source.redirected_url is None or source.failures < self._net.adopt_times:
            return source
        if now - (source.failing_since or now) < dt.timedelta(hours=self._net.adopt_hours):
            return source
        words = "%s: %s fails for days; %s is polled"
        log.info(
            words,
            source.shown_name,
            source.redirected_url,
            source.address,
            extra={"event": "source_address_reverted", "source": source.id},
        )
        return msgspec.structs.replace(
            source,
            redirected_url=None,
            host=host_of(source.address),
            etag=None,
            last_modified=None,
            body_hash=None,
        )

    def _gone(self, source: Source, error: FetchError, now: dt.datetime) -> Source:
        """Return the source after a 410; after several ones it is no longer polled."""
        count, since = source.gone_count + 1, source.gone_since or now
        failed = self._later(source, error, now)
        next_poll = after_gone(source.id, now, failures=source.failures, tuning=self._net)
        failed = msgspec.structs.replace(
            failed, next_due_at=next_poll.due, gone_count=count, gone_since=since
        )
        if not is_gone(count, since, now, self._net):
            return failed
        if failed.redirected_url is not None:  # the configured address may still work
            return msgspec.structs.replace(
                failed, redirected_url=None, host=host_of(source.address), gone_count=0
            )
        words = "%s is gone permanently (410); it is no longer polled"
        log.warning(words, source.shown_name, extra={"event": "source_gone", "source": source.id})
        return msgspec.structs.replace(failed, health="gone")

    def _backing_off(self, source: Source, error: FetchError, now: dt.datetime) -> Source:
        """Return the source after a back-off of its host: no request was sent, so nothing failed."""
        due = after_hold(source.id, now, seconds=error.retry_after_seconds or 0.0, tuning=self._net)
        return msgspec.structs.replace(source, next_due_at=due)

    def _hosts_changed(self, now: dt.datetime) -> list[HostBackoff]:
        """Return the back-off of hosts that is not stored yet; `_hosts_saved` removes it."""
        for one in self._client.rate_limiter.changes():
            until = now + dt.timedelta(seconds=one.held_seconds)
            self._hosts[one.name] = HostBackoff(name=one.name, backoff_until=until, gap_factor=one.gap_factor)
        return list(self._hosts.values())

    def _hosts_saved(self, hosts: Sequence[HostBackoff]) -> None:
        for one in hosts:
            if self._hosts.get(one.name) is one:  # else it changed meanwhile
                self._hosts.pop(one.name, None)

    # --- pages --------------------------------------------------------------------------------------------

    def place_without_pages(self, now: dt.datetime) -> bool:
        """Queue new entries whose pages have not come in time; return whether there are any."""
        wait = dt.timedelta(seconds=self._tuning.page_wait_seconds)
        with self._database.read() as connection:
            overdue = pending_pages.overdue(connection, now, wait)
        if not overdue:
            return False
        return self._database.transact(lambda one: pending_pages.place_without(one, overdue)) > 0

    def fetch_page(self, wanted: PendingPage) -> bool:
        """Fetch the page of an entry, or give up; return whether there is something to place."""
        try:
            port = _own_port(wanted)
            linked_from = wanted.feed or ""  # unknown: a push, or a feed that was removed
            self._check_robots(wanted, port, linked_from)
            fetched = self._client.fetch(wanted.url, accept="page", source_port=port, linked_from=linked_from)
        except FetchError as error:
            return self._without_page(wanted, error)
        page = fetched.body if same_site(wanted.url, fetched.url_final) else None
        robots = fetched.robots if page is not None else ""

        def work(connection: Connection) -> None:
            pending_pages.store_page(
                connection,
                wanted.entry_no,
                page=page,
                url=fetched.url_final,
                charset=fetched.charset,
                robots=robots,
            )

        self._stored(wanted.url, lambda: self._database.transact(work))
        return True

    def _check_robots(self, wanted: PendingPage, port: int | None, linked_from: str) -> None:
        """Raise FetchError if robots.txt forbids the page or cannot be read."""
        if self._robots is None:
            return
        answer = self._robots.answer(wanted.url, source_port=port, linked_from=linked_from)
        if answer == "no":
            raise FetchError("robots", "robots.txt of the site forbids this page")
        if answer == "not now":
            raise FetchError("no robots", "robots.txt of the site cannot be read")

    def _without_page(self, wanted: PendingPage, error: FetchError) -> bool:
        is_sent = error.cause != "asked to wait"  # else its host backs off
        tries = wanted.attempts + is_sent
        if error.cause == "stopped" or self._stops():
            return False
        final = _cause(error) in _FINAL or tries >= self._tuning.page_attempts
        now = self._now()
        hosts = self._hosts_changed(now)

        def work(connection: Connection) -> bool:
            save_host_backoffs(connection, hosts)
            if final:
                reason = f"its page: {error}; the text of the feed is used"
                pending_pages.give_up(connection, wanted.entry_no, verdict=verdict_of(error), reason=reason)
                return True
            wait = self._tuning.page_retry_seconds * 2 ** max(tries - 1, 0)
            due = now + dt.timedelta(seconds=wait)
            is_placed = is_sent and pending_pages.place_without(connection, [wanted.entry_no]) > 0
            pending_pages.later(connection, wanted.entry_no, due, attempts=tries)
            return is_placed

        is_ready = self._stored(wanted.url, lambda: self._database.transact(work))
        self._hosts_saved(hosts)
        outcome = "the text of the feed is used" if final else "it is requested again later"
        log.debug("page %s: %s; %s", wanted.url, error, outcome, extra={"event": "page_failed"})
        return is_ready


def verdict_of(error: FetchError) -> Verdict | None:
    """Return the verdict on a page that could not be fetched; None if no site answered."""
    if error.cause == "bot wall" or error.status in _BLOCKED:
        return "block"
    if error.cause == "too_large":
        return "too_long"
    if error.cause == "timeout":
        return "timeout"
    return "not_article" if error.status is not None else None


def summarise_accepted(accepted: Sequence[AcceptResult], problem: str | None) -> PollResult:
    """Count the outcomes of accepted entries."""
    forgotten = sum(item.outcome == "forgotten" for item in accepted)
    return PollResult(
        accepted=tuple(item.entry_no for item in accepted if item.entry_no is not None),
        read=len(accepted),
        revised=sum(item.outcome == "revision" for item in accepted),
        known=sum(item.entry_no is None for item in accepted) - forgotten,
        forgotten=forgotten,
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
    return msgspec.structs.replace(
        entry,
        outlet=source.outlet or entry.outlet,
        resolved_outlet=None if source.outlet else entry.resolved_outlet,
        language=entry.language or source.language or language,
        zone=entry.zone or source.timezone,
    )


def parse_feed(executor: Executor, job: FeedJob) -> ParsedFeed:
    """Parse a feed in a worker. Raises FetchError if the worker failed."""
    try:
        answer = executor.submit(read_feed, msgspec.msgpack.encode(job)).result()
    except WorkError as error:
        raise FetchError(error.verdict, f"the feed could not be read: {error.detail}") from error
    return msgspec.msgpack.decode(answer, type=ParsedFeed)


def _content_type(fetched: FetchResult) -> str | None:
    if not fetched.content_type:
        return None
    return f"{fetched.content_type}; charset={fetched.charset}" if fetched.charset else fetched.content_type


def _cause(error: FetchError) -> str:
    return f"http {error.status}" if error.status and error.cause == "http" else error.cause


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(_BUILT.sub(b"", body), digest_size=16).digest()
