"""Every second, pass the sources and pages that are due to the fetch threads.

The due time of a source is a column, so a restart needs no state. Only the writer polls.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from aggregator.config.source_settings import SOURCE_KINDS
from aggregator.daemon.due_jobs import DueJobs, FetchJob
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.polling.poll import Poller
from aggregator.model.errors import AggregatorError, TooManyFilesError
from aggregator.sources.fetch.poll_schedule import (
    correct_due,
    is_overdue_by_jump,
    longest_wait,
)
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import Source, all_due, set_due

# Requests run at the same time, so fifty servers that send drop by drop do not delay others (chosen; a waiting
# thread needs some 100 KiB).
_THREADS = 64

log = logging.getLogger(__name__)

# jobs: after a short one, a thread need not wait for the next tick
MOST_UNDER_WAY = 192
# After this a job is repeated that failed for a reason other than its source, such as a full disk.
BACKOFF_SECONDS = 10.0
FILES_LOGGED_SECONDS = 60.0  # between two log records of `open_files_exhausted`


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
        self._services = poller.services
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
        self._last_tick: datetime | None = None
        self._due_jobs = DueJobs(poller.services)

    def stop(self) -> None:
        """Start no more jobs."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def join(self, seconds: float) -> int:
        """After `stop`: wait for jobs under way, and write the times of quiet polls; return how many run."""
        running = len(wait(self._under_way.copy(), seconds).not_done)
        # A stop does not wait for long
        self._services.quiet_polls.write(self._services.database.with_read_timeout())
        return running

    def cap_due_times(self, now: datetime) -> None:
        """Limit due times to the longest wait: the clock may have been set back."""
        self._services.quiet_polls.forget()
        latest = now + timedelta(
            seconds=self._services.client.tuning.interval_cap_seconds
        )
        with self._services.database.write() as connection:
            moved = {}
            for row in all_due(connection):
                longest = longest_wait(
                    failures=row.failures + row.gone_count,
                    interval_seconds=row.interval_seconds,
                    tuning=self._services.client.tuning,
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
        now = self._services.now()
        if self._last_tick is not None and is_overdue_by_jump(self._last_tick, now):
            self.cap_due_times(now)
        self._last_tick = now
        # Before rows are read: other jobs have stored their next due time
        under_way = dict(self._busy)
        self._due_jobs.read(now)
        if self._due_jobs.has_pages(now) and self._poller.place_without_pages(now):
            self._arrived()
        free = MOST_UNDER_WAY - len(under_way)
        if free <= 0 or self._services.stops():
            return
        for job in self._due_jobs.next(now, under_way, self._backing_off, free):
            self._busy[job.name] = job.host
            if self._threads is None:
                self._run(job)
                continue
            try:
                future = self._threads.submit(self._run, job)
            except RuntimeError:
                if not self._services.stops():
                    # No thread can be started, and systemd starts the daemon again
                    raise
                return
            self._under_way.add(future)
            future.add_done_callback(self._under_way.discard)

    def _run(self, job: FetchJob) -> None:
        try:
            if isinstance(job.work, Source):
                source = job.work
                started = time.monotonic()
                polled = self._pollers[source.kind](source)
                seconds = time.monotonic() - started
                name = polled.name or source.shown_name
                if polled.accepted:
                    self._arrived()
                if polled.problem is not None:
                    is_repeat = polled.problem == source.health_cause or (
                        source.health == "failing" and not polled.succeeded
                    )
                    level = logging.DEBUG if is_repeat else logging.WARNING
                    line = level, "%s: %s", name, polled.problem
                    if polled.succeeded:
                        log.log(
                            *line,
                            extra={"event": "input_rejected", "source": source.id},
                        )
                    else:
                        log.log(
                            *line, extra={"event": "poll_failed", "source": source.id}
                        )
                if polled.succeeded:
                    if source.health == "failing":
                        log.info(
                            "%s works again",
                            name,
                            extra={"event": "source_recovered", "source": source.id},
                        )
                    level = logging.DEBUG
                    words = "nothing new"
                    if polled.accepted:
                        level = logging.INFO
                        words = f"{len(polled.accepted) - polled.revised:,} new"
                    if polled.revised:
                        words += f", {polled.revised:,} revised"
                    log.log(
                        level,
                        "%s: %s (%.1f s)",
                        name,
                        words,
                        seconds,
                        extra={"event": "source_polled", "source": source.id},
                    )
            elif self._poller.fetch_page(job.work):
                self._arrived()
        except BaseException as error:  # noqa: BLE001 - reported; nobody asks the future for it
            self._busy.pop(job.name, None)
            self._back_off(job.name, error)
        else:
            self._busy.pop(job.name, None)
            self._backing_off.pop(job.name, None)

    def _back_off(self, name: str, error: BaseException) -> None:
        """Have a job that raised an error wait, and log the error."""
        if self._services.stops():
            return
        self._backing_off[name] = time.monotonic() + BACKOFF_SECONDS
        if isinstance(error, TooManyFilesError):
            now = time.monotonic()
            if now >= self._files_logged_until:  # the cause affects all sources
                self._files_logged_until = now + FILES_LOGGED_SECONDS
                log.error(
                    "sources are polled again in %.0f s: %s",
                    BACKOFF_SECONDS,
                    error,
                    extra={"event": "open_files_exhausted"},
                )
            return
        log.error(
            "%s: %s",
            name,
            error,
            exc_info=None if isinstance(error, AggregatorError) else error,
            extra={"event": "fetch_job_failed"},
        )
