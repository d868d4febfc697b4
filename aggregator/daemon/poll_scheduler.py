"""Every second, pass the sources and pages that are due to the fetch threads.

The due time of a source is a column, so a restart needs no state. Only the writer polls.
"""

import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

import msgspec

from aggregator.config.source_settings import SOURCE_KINDS
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.poll_result import PollResult
from aggregator.model.errors import AggregatorError, TooManyFilesError
from aggregator.sources.fetch.poll_schedule import (
    correct_due,
    is_overdue_by_jump,
    longest_wait,
)
from aggregator.sources.fetch.server_keys import key_of_address
from aggregator.store.intake import pending_pages
from aggregator.store.intake.sources import (
    DueSource,
    Source,
    all_due,
    schedule,
    set_due,
    sources_with_ids,
)

# For concurrent requests: fifty servers that send drop by drop do not delay others (chosen; a waiting thread
# needs some 100 KiB).
_THREADS = 64

log = logging.getLogger(__name__)

TICK_SECONDS = 1
# jobs: after a short one, a thread need not wait for the next tick
MOST_UNDER_WAY = 192
# After this a job is repeated that failed for a reason other than its source, such as a full disk.
BACKOFF_SECONDS = 10.0
FILES_LOGGED_SECONDS = 60.0  # between two log records of `open_files_exhausted`
JOBS_A_HOST = 2  # at once: a hundred pages of one host must not occupy all threads
PAGES_READ = 1000  # per tick, the longest waiting first; ...
MOST_PAGES_READ = 16_000  # ... more if all of these are of hosts that are not ready


class FetchJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job for a fetch thread. `url` is None if it sends no request."""

    name: str
    url: str | None
    run: Callable[[], None]


class PollScheduler:
    """Starts jobs that are due. `tick` is for one thread; jobs run in the fetch threads."""

    def __init__(
        self,
        poller: Poller,
        *,
        arrived: Callable[[], None],
        threads: int = _THREADS,
    ) -> None:
        """`arrived` is called when entries were accepted.

        `threads` is for tests; with 0 of them `tick` runs the jobs itself, to simulate weeks.
        """
        services = poller.services
        self._database, self._client = services.database, services.client
        self._now, self._stops = services.now, services.stops
        self._quiet_polls = services.quiet_polls
        self._poller = poller
        self._pollers = {
            kind: source_kind(kind).poller(poller) for kind in SOURCE_KINDS
        }
        self._arrived = arrived
        self._threads = ThreadPoolExecutor(threads, "fetch") if threads else None
        self._under_way: set[Future[None]] = set()
        self._busy: dict[str, str] = {}  # jobs under way → their hosts
        # Failed jobs → next attempt, monotonic
        self._backing_off: dict[str, float] = {}
        self._files_logged_until = 0.0  # monotonic
        self._last_tick: dt.datetime | None = None
        self._pages_read = PAGES_READ
        # Of the database when what follows was read
        self._version: int | str | None = None
        self._schedule: list[DueSource] = []
        # When the first page is due; None without pages
        self._pages_at: dt.datetime | None = None

    def stop(self) -> None:
        """Start no more jobs."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def join(self, seconds: float) -> int:
        """After `stop`: wait for jobs under way, and write the times of quiet polls; return how many run."""
        running = len(wait(self._under_way.copy(), seconds).not_done)
        # A stop does not wait for long
        self._quiet_polls.write(self._database.with_read_timeout())
        return running

    def cap_due_times(self, now: dt.datetime) -> None:
        """Limit due times to the longest wait: the clock may have been set back."""
        self._quiet_polls.forget()
        tuning = self._client.tuning
        latest = now + dt.timedelta(seconds=tuning.interval_cap_seconds)
        with self._database.write() as connection:
            moved = {}
            for row in all_due(connection):
                longest = longest_wait(
                    failures=row.failures + row.gone_count,
                    interval_seconds=row.interval_seconds,
                    tuning=tuning,
                )
                sooner = correct_due(
                    row.id, row.next_due_at, now, longest_seconds=longest
                )
                if sooner != row.next_due_at:
                    moved[row.id] = sooner
            set_due(connection, moved)
            pending_pages.cap_due_times(connection, latest)

    def tick(self) -> None:
        """Pass jobs that are due to the fetch threads; without a free thread they wait for a later tick."""
        now = self._now()
        if self._last_tick is not None and now < self._last_tick:
            self._version = None  # what is due when was found by another clock
            if is_overdue_by_jump(self._last_tick, now):
                self.cap_due_times(now)
        self._last_tick = now
        # Before rows are read: other jobs have stored their next due time
        under_way = dict(self._busy)
        self._read_due_times(now)
        if (
            self._pages_at is not None
            and self._pages_at <= now
            and self._poller.place_without_pages(now)
        ):
            self._arrived()
        free = MOST_UNDER_WAY - len(under_way)
        if free <= 0 or self._stops():
            return
        limit = free + len(under_way) + len(self._backing_off)
        due_now = [*self._due_sources(now, limit), *self._due_pages(now)]
        startable = self._startable(due_now, under_way)[:free]
        self._advance_page_window(due_now, startable)
        for job, host in startable:
            self._busy[job.name] = host
            if self._threads is None:
                self._run(job)
                continue
            try:
                future = self._threads.submit(self._run, job)
            except RuntimeError:
                if not self._stops():
                    # No thread can be started, and systemd starts the daemon again
                    raise
                return
            self._under_way.add(future)
            future.add_done_callback(self._under_way.discard)

    def _read_due_times(self, now: dt.datetime) -> None:
        """Read what is due when, unless nothing was stored since it was read."""
        version = self._database.data_version()
        if version != self._version:
            with self._database.read() as connection:
                self._schedule = schedule(connection)
                self._pages_at = pending_pages.next_due(connection, now)
            self._version = version

    def _advance_page_window(
        self, due_now: list[FetchJob], startable: list[tuple[FetchJob, str]]
    ) -> None:
        """Read more pages if all are of hosts that are not ready: they must not hide those of others."""
        pages = sum(job.name.startswith("page ") for job in due_now)
        if pages < self._pages_read:
            self._pages_read = PAGES_READ
        elif not any(job.name.startswith("page ") for job, _ in startable):
            self._pages_read = min(2 * self._pages_read, MOST_PAGES_READ)

    def _due_sources(self, now: dt.datetime, limit: int) -> list[FetchJob]:
        """Return at most `limit` due sources, with those under way, the longest waiting first.

        Of each host they are few: a slow or limiting one must not fill the list with its hundred feeds.
        """
        blocked = self._client.rate_limiter.not_ready(TICK_SECONDS)
        at_host = Counter(dict.fromkeys(blocked, JOBS_A_HOST))
        chosen: list[str] = []
        for waiting in self._schedule:
            if (
                self._quiet_polls.due_at(waiting) > now
                or at_host[waiting.host or ""] >= JOBS_A_HOST
            ):
                continue
            at_host[waiting.host or ""] += waiting.host is not None  # folders have none
            chosen.append(waiting.id)
            if len(chosen) == limit:
                break
        if not chosen:
            return []
        with self._database.read() as connection:
            sources = sources_with_ids(connection, chosen)
        return [
            FetchJob(
                name=f"source {source.id}",
                url=source.host and source.polled_url,
                run=partial(self._poll, source),
            )
            for source in sources
        ]

    def _due_pages(self, now: dt.datetime) -> list[FetchJob]:
        """Return pages that are due, with those under way, the longest waiting first."""
        if self._pages_at is None or self._pages_at > now:
            return []
        with self._database.read() as connection:
            pages = pending_pages.due_pages(connection, now, self._pages_read)
        return [
            FetchJob(
                name=f"page {page.entry_no}",
                url=page.url,
                run=partial(self._page, page),
            )
            for page in pages
        ]

    def _startable(
        self, jobs: list[FetchJob], under_way: Mapping[str, str]
    ) -> list[tuple[FetchJob, str]]:
        """Return jobs with their hosts that are not under way or backing off, and whose host is not busy."""
        at_host = Counter(under_way.values())
        startable: list[tuple[FetchJob, str]] = []
        for job in jobs:
            host = key_of_address(job.url) if job.url else ""
            if (
                job.name in under_way
                or self._backing_off.get(job.name, 0.0) > time.monotonic()
            ):
                continue
            is_page = job.name.startswith("page ")
            ready_in = partial(
                self._client.rate_limiter.ready_in, host, is_page=is_page
            )
            if host and at_host[host] < JOBS_A_HOST and ready_in() > TICK_SECONDS:
                at_host[host] = JOBS_A_HOST
            if not host or at_host[host] < JOBS_A_HOST:
                at_host[host] += 1
                startable.append((job, host))
        return startable

    def _poll(self, source: Source) -> None:
        started = time.monotonic()
        self._report(
            source, self._pollers[source.kind](source), time.monotonic() - started
        )

    def _report(self, source: Source, polled: PollResult, seconds: float) -> None:
        """Log the poll in one line; a source that starts to fail, or works again, in another one."""
        if polled.accepted:
            self._arrived()
        name, was_failing = polled.name or source.shown_name, source.health == "failing"
        if polled.problem is not None:
            is_repeat = polled.problem == source.health_cause or (
                was_failing and not polled.succeeded
            )
            level = logging.DEBUG if is_repeat else logging.WARNING
            line = (level, "%s: %s", name, polled.problem)
            if polled.succeeded:
                log.log(*line, extra={"event": "input_rejected", "source": source.id})
            else:
                log.log(*line, extra={"event": "poll_failed", "source": source.id})
        if not polled.succeeded:
            return
        if was_failing:
            log.info(
                "%s works again",
                name,
                extra={"event": "source_recovered", "source": source.id},
            )
        new = len(polled.accepted) - polled.revised
        words = [f"{new:,} new"] if polled.accepted else ["nothing new"]
        words += [f"{polled.revised:,} revised"] if polled.revised else []
        log.log(
            logging.INFO if polled.accepted else logging.DEBUG,
            "%s: %s (%.1f s)", name, ", ".join(words), seconds,
            extra={"event": "source_polled", "source": source.id},
        )  # fmt: skip

    def _page(self, page: pending_pages.PendingPage) -> None:
        if self._poller.fetch_page(page):
            self._arrived()

    def _log_too_many_files(self, error: TooManyFilesError) -> None:
        """Log at most once a minute: the cause affects all sources."""
        now = time.monotonic()
        if now >= self._files_logged_until:
            self._files_logged_until = now + FILES_LOGGED_SECONDS
            log.error(
                "sources are polled again in %.0f s: %s",
                BACKOFF_SECONDS,
                error,
                extra={"event": "open_files_exhausted"},
            )

    def _run(self, job: FetchJob) -> None:
        try:
            job.run()
        except BaseException as error:  # noqa: BLE001 - reported; nobody asks the future for it
            self._done(job.name, error)
        else:
            self._done(job.name, None)

    def _done(self, name: str, error: BaseException | None) -> None:
        """Record the end of a job; one that raised an error backs off."""
        self._busy.pop(name, None)
        if error is None:
            self._backing_off.pop(name, None)
        elif not self._stops():
            self._backing_off[name] = time.monotonic() + BACKOFF_SECONDS
            if isinstance(error, TooManyFilesError):
                self._log_too_many_files(error)
                return
            log.error(
                "%s: %s",
                name,
                error,
                exc_info=None if isinstance(error, AggregatorError) else error,
                extra={"event": "fetch_job_failed"},
            )
