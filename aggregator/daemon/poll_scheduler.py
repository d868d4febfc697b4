"""What is asked next: every second, the sources and pages that are due go to the fetch threads.

When a source is due is a column of its row, so restarts and thousands of sources cost nothing here. Several
daemons on one Postgres share the hosts (store/intake/host_leases.py); folders are on a machine, and the
writer's alone.
"""

import datetime as dt
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.errors import AggregatorError, TooManyFilesError
from aggregator.pipeline.poll import Poller, PollResult
from aggregator.pipeline.watch_folder import FolderWatcher
from aggregator.pipeline.workers.thread_pool import ThreadPool
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.poll_schedule import correct_due, is_overdue_by_jump, longest_wait
from aggregator.sources.fetch.rate_limiter import HostLimits
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import LeaseTuning
from aggregator.store.intake import pending_pages
from aggregator.store.intake.host_backoff import HostBackoff, active_host_backoffs, host_backoffs
from aggregator.store.intake.host_leases import HostLeases
from aggregator.store.intake.sources import Source, all_due, due, set_due

log = logging.getLogger(__name__)

TICK_SECONDS = 1
QUEUED_A_THREAD = 8  # jobs handed out for each thread: quick ones need not wait for the next tick
# A job that failed through no fault of its source (a full disk) is tried again after this.
BACKOFF_SECONDS = 10.0
FILES_TOLD_SECONDS = 60.0  # between two lines in the log that there are too many open files
JOBS_A_HOST = 2  # handed out at once: one host's hundred pages must not fill all threads with waiting
PAGES_READ = 1000  # in each second, the longest waiting first; ...
MOST_PAGES_READ = 16_000  # ... more where all of these are of hosts that are not ready

Given = TypeVar("Given")


class FetchJob(msgspec.Struct, frozen=True, kw_only=True):
    """Something for a fetch thread to do. `url` is "" where none is asked."""

    name: str
    url: str
    run: Callable[[], None]


class PollScheduler:
    """Hands out what is due. `tick` is for one thread; everything else happens in the fetch threads."""

    def __init__(
        self,
        database: Database,
        client: Client,
        poller: Poller,
        folder_watcher: FolderWatcher,
        now: Callable[[], dt.datetime],
        *,
        threads: int,
        arrived: Callable[[], None],
        stops: Callable[[], bool],
        leads: Callable[[], bool] = lambda: True,
        all_tuning: Tuning | None = None,
    ) -> None:
        """`arrived` is called when there is something to be placed; after `stops` nothing is handed out.

        `leads`: whether this is the daemon that looks at folders and mends due times, the writer.
        """
        self._database = database
        self._client = client
        self._poller = poller
        self._folder_watcher = folder_watcher
        self._now = now
        self._arrived = arrived
        self._stops = stops
        self._leads = leads
        self._host_leases = HostLeases(
            database, (all_tuning or effective_tuning()).section("sharing", LeaseTuning)
        )
        tuning = client.tuning
        self._threads = ThreadPool(
            threads, "fetch", self._done, spare=tuning.slow_fetches, slow_seconds=tuning.slow_fetch_seconds
        )
        self._busy: dict[str, str] = {}  # jobs handed out → their hosts
        self._backing_off: dict[str, float] = {}  # jobs that failed → when they may be tried again, monotonic
        self._files_told_until = 0.0  # monotonic
        self._elsewhere: frozenset[str] = frozenset()  # hosts that another daemon asks
        self._last_tick: dt.datetime | None = None
        self._pages_read = PAGES_READ

    def stop(self) -> None:
        """Start nothing more."""
        self._threads.stop()

    def join(self, patience_seconds: Callable[[], float]) -> int:
        """After `stop`: wait for what is under way; returns how many jobs are left behind."""
        left = self._threads.join(patience_seconds)
        if not left:  # in a thread: the database may hang
            giving = threading.Thread(target=self._release_hosts, name="claims", daemon=True)
            giving.start()
            giving.join(max(0.0, patience_seconds()))
        return left

    def _release_hosts(self) -> None:
        try:
            self._host_leases.give_back(self._client.rate_limiter.ready_in, but=())
        except AggregatorError as error:
            log.info("other daemons ask our hosts a minute later: %s", error)

    def take_up(self, now: dt.datetime) -> None:
        """At the start: what hosts asked of us before; and no due time of a clock that was wrong."""
        with self._database.write() as connection:
            self._restore(active_host_backoffs(connection, now), now)
        if self._leads():
            self.cap_due_times(now)

    def _restore(self, hosts: Iterable[HostBackoff], now: dt.datetime) -> None:
        for one in hosts:
            held = (one.held_until - now).total_seconds() if one.held_until else 0.0
            self._client.rate_limiter.restore(
                HostLimits(name=one.name, held_seconds=held, gap_factor=one.gap_factor)
            )

    def cap_due_times(self, now: dt.datetime) -> None:
        """No due time may be further away than the longest wait: the clock may have gone back."""
        tuning = self._client.tuning
        latest = now + dt.timedelta(seconds=tuning.interval_cap_seconds)
        with self._database.write() as connection:
            moved = {}
            for row in all_due(connection):
                longest = longest_wait(
                    failures=row.failures + row.gone_count,
                    interval_seconds=row.interval_seconds,
                    rhythm_seconds=row.rhythm_seconds,
                    asked_seconds=row.asked_seconds,
                    tuning=tuning,
                )
                sooner = correct_due(row.id, row.next_due_at, now, longest_seconds=longest, tuning=tuning)
                if sooner != row.next_due_at:
                    moved[row.id] = sooner
            set_due(connection, moved)
            pending_pages.cap_due_times(connection, latest)

    def tick(self) -> None:
        """Hand what is due to the fetch threads; what finds no free thread waits for a later tick."""
        now = self._now()
        jumped = self._last_tick is not None and is_overdue_by_jump(self._last_tick, now)
        if jumped and self._leads():
            self.cap_due_times(now)
        self._last_tick = now
        self._threads.relieve()
        under_way = dict(self._busy)  # before rows are read: who is not in it has written its next due time
        free = QUEUED_A_THREAD * max(1, self._threads.count) + self._threads.slow() - len(under_way)
        if free <= 0 or self._stops():
            return
        limit = free + len(under_way) + len(self._backing_off)
        due_now = self._due(now, limit)
        startable = self._startable(due_now, under_way)[:free]
        self._advance_page_window(due_now, startable)
        startable = self._claimed(startable, under_way, now, limit)[:free]
        for job, host in startable:
            self._busy[job.name] = host
            self._threads.submit(job.name, job.run)

    def _claimed(
        self,
        startable: list[tuple[FetchJob, str]],
        under_way: Mapping[str, str],
        now: dt.datetime,
        limit: int,
    ) -> list[tuple[FetchJob, str]]:
        """Those whose hosts are this daemon's now; the others are somebody else's at present."""
        asked = {host for _, host in startable if host}
        busy = {host for host in under_way.values() if host}
        self._host_leases.keep(asked | busy)  # of quick answers: asked at each tick, and busy at none
        self._host_leases.give_back(self._client.rate_limiter.ready_in, but=asked | busy)
        missing = self._host_leases.missing(asked)
        if not missing:
            return startable
        taken = self._host_leases.take(missing)
        with self._database.read() as connection:
            self._restore(host_backoffs(connection, taken), now)
        # Read anew: another daemon may have asked these hosts since the rows were read.
        fresh = self._startable(self._due(now, limit), under_way)
        return [(job, host) for job, host in fresh if not self._host_leases.missing({host} - {""})]

    def _advance_page_window(self, due_now: list[FetchJob], startable: list[tuple[FetchJob, str]]) -> None:
        """One host's thousand pages, which it may want to be asked for days, must not hide the others'."""
        pages = sum(job.name.startswith("page ") for job in due_now)
        if pages < self._pages_read:
            self._pages_read = PAGES_READ
        elif not any(job.name.startswith("page ") for job, _ in startable):
            self._pages_read = min(2 * self._pages_read, MOST_PAGES_READ)

    def _due(self, now: dt.datetime, limit: int) -> list[FetchJob]:
        """What is due, jobs under way included: folders, feeds, pages, of each the longest waiting first."""
        with self._database.read() as connection:
            self._elsewhere = self._host_leases.of_others(connection)
            blocked = {*self._client.rate_limiter.not_ready(TICK_SECONDS), *self._elsewhere}
            folders = due(connection, "folder", now, limit) if self._leads() else []
            feeds = due(connection, "feed", now, limit, a_host=JOBS_A_HOST, without_hosts=blocked)
            pages = pending_pages.due_pages(connection, now, self._pages_read)
        return [
            *(
                FetchJob(name=f"source {one.id}", url="", run=_bound(self._scan_folder, one))
                for one in folders
            ),
            *(
                FetchJob(name=f"source {one.id}", url=one.asked_at, run=_bound(self._poll, one))
                for one in feeds
            ),
            *(FetchJob(name=f"page {one.n}", url=one.url, run=_bound(self._page, one)) for one in pages),
        ]

    def _startable(self, jobs: list[FetchJob], under_way: Mapping[str, str]) -> list[tuple[FetchJob, str]]:
        """Jobs with their hosts: those not under way, not held back, whose host is not busy with others."""
        at_host = Counter(under_way.values())
        found: list[tuple[FetchJob, str]] = []
        for job in jobs:
            host = self._client.host_of(job.url) if job.url else ""
            if job.name in under_way or self._backing_off.get(job.name, 0.0) > time.monotonic():
                continue
            if host in self._elsewhere:
                continue
            if (
                host
                and at_host[host] < JOBS_A_HOST
                and self._client.rate_limiter.ready_in(host) > TICK_SECONDS
            ):
                at_host[host] = JOBS_A_HOST
            if not host or at_host[host] < JOBS_A_HOST:
                at_host[host] += 1
                found.append((job, host))
        return found

    def _poll(self, source: Source) -> None:
        started = time.monotonic()
        self._report(source, self._poller.poll(source), time.monotonic() - started)

    def _scan_folder(self, source: Source) -> None:
        started = time.monotonic()
        self._report(source, self._folder_watcher.poll(source), time.monotonic() - started)

    def _report(self, source: Source, polled: PollResult, seconds: float) -> None:
        """One line a poll, where there is something to say; a cause that was told is not told again."""
        if polled.accepted:
            self._arrived()
        ids = {"source": source.id}
        if polled.problem is not None:
            level = logging.DEBUG if polled.problem == source.health_cause else logging.WARNING
            log.log(level, "%s: %s", source.shown_name, polled.problem, extra=ids)
        elif polled.accepted:
            new = len(polled.accepted) - polled.revised
            words = f"{new} new, {polled.revised} revised, {polled.known} known"
            log.info("%s: %s (%.1f s)", source.shown_name, words, seconds, extra=ids)
        else:
            log.debug("%s: nothing new (%.1f s)", source.shown_name, seconds, extra=ids)

    def _page(self, due_pages: pending_pages.PendingPage) -> None:
        if self._poller.fetch_page(due_pages):
            self._arrived()

    def _say_too_many_files(self, error: TooManyFilesError) -> None:
        """Once in a while: it meets all sources."""
        now = time.monotonic()
        if now >= self._files_told_until:
            self._files_told_until = now + FILES_TOLD_SECONDS
            log.error("sources are asked again in %.0f s: %s", BACKOFF_SECONDS, error)

    def _done(self, name: str, error: BaseException | None) -> None:
        """After a job; one that failed through no fault of its source is left alone for a while."""
        self._busy.pop(name, None)
        if error is None:
            self._backing_off.pop(name, None)
        elif not self._stops():
            self._backing_off[name] = time.monotonic() + BACKOFF_SECONDS
            if isinstance(error, TooManyFilesError):
                self._say_too_many_files(error)
                return
            log.error("%s: %s", name, error, exc_info=None if isinstance(error, AggregatorError) else error)


def _bound(work: Callable[[Given], None], given: Given) -> Callable[[], None]:
    """`work` on `given`: a loop's variable must not change under a job."""
    return lambda: work(given)
