"""Start the polls of sources and the requests of pages that are due, each in a thread.

The daemon calls `PollScheduler.tick` every second. The due time of a source is a column, so nothing is lost by
a restart. Only the daemon that holds the writer lease polls.
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

# Requests run at the same time, so fifty servers that trickle their answers do not delay others (chosen; a waiting
# thread needs some 100 KiB).
_THREADS = 64

log = logging.getLogger(__name__)

# A thread whose job was short takes the next one, and need not wait for the next tick.
MOST_UNDER_WAY = 3 * _THREADS
# A job that failed for a reason other than its source, such as a full disk, is repeated after this time.
BACKOFF_SECONDS = 10.0
# Pause between two log records that say that the process has too many open files
FILES_LOGGED_SECONDS = 60.0


class PollScheduler:
    """Starts jobs that are due. `tick` is for one thread; jobs run in the fetch threads."""

    def __init__(
        self,
        poller: Poller,
        *,
        arrived: Callable[[], None],
        threads: int = _THREADS,
    ) -> None:
        """`arrived` is called when there are entries to place.

        `threads` is for tests: with 0, `tick` runs the jobs itself, which simulates weeks in seconds.
        """
        self._services = poller.services
        self._poller = poller
        self._pollers = {
            kind: source_kind(kind).poller(poller) for kind in SOURCE_KINDS
        }
        self._arrived = arrived
        self._executor = ThreadPoolExecutor(threads, "fetch") if threads else None
        self._under_way: set[Future[None]] = set()
        # The hosts of the jobs under way, by the name of the job
        self._busy: dict[str, str] = {}
        # When failed jobs may start again (monotonic), by the name of the job
        self._backing_off: dict[str, float] = {}
        self._files_logged_until = 0.0  # monotonic
        self._last_tick: datetime | None = None
        self._due_jobs = DueJobs(poller.services)

    def tick(self) -> None:
        """Pass due jobs to the fetch threads; jobs beyond `MOST_UNDER_WAY` stay due for a later tick."""
        now = self._services.now()
        if self._last_tick is not None and is_overdue_by_jump(self._last_tick, now):
            self.cap_due_times(now)
        self._last_tick = now
        # Copied first: a job that ends while the rows are read counts as under way, because the rows may still have
        # its old due time.
        under_way = dict(self._busy)
        self._due_jobs.read(now)
        if self._due_jobs.has_pages(now) and self._poller.place_without_pages(now):
            self._arrived()
        free = MOST_UNDER_WAY - len(under_way)
        if free <= 0 or self._services.stops():
            return
        for job in self._due_jobs.next(now, under_way, self._backing_off, free):
            self._busy[job.name] = job.host
            if self._executor is None:
                self._run(job)
                continue
            try:
                future = self._executor.submit(self._run, job)
            except RuntimeError:
                if self._services.stops():
                    return
                raise  # no thread can be started: the daemon ends, and systemd starts it again
            self._under_way.add(future)
            future.add_done_callback(self._under_way.discard)

    def _run(self, job: FetchJob) -> None:
        """Do a job in a fetch thread; a job that raises an error is repeated after a pause."""
        try:
            if isinstance(job.work, Source):
                self._poll(job.work)
            elif self._poller.fetch_page(job.work):
                self._arrived()
        except BaseException as error:  # noqa: BLE001 - reported; nobody asks the future for it
            self._busy.pop(job.name, None)
            self._back_off(job.name, error)
        else:
            self._busy.pop(job.name, None)
            self._backing_off.pop(job.name, None)

    def _poll(self, source: Source) -> None:
        """Poll a source and log the result."""
        started = time.monotonic()
        result = self._pollers[source.kind](source)
        seconds = time.monotonic() - started
        if result.accepted:
            self._arrived()
        name = result.name or source.shown_name
        if result.problem is not None:
            is_known = result.problem == source.health_cause or (
                source.health == "failing" and not result.succeeded
            )
            level = logging.DEBUG if is_known else logging.WARNING
            problem = level, "%s: %s", name, result.problem
            if result.succeeded:
                log.log(
                    *problem, extra={"event": "input_rejected", "source": source.id}
                )
            else:
                log.log(*problem, extra={"event": "poll_failed", "source": source.id})
        if not result.succeeded:
            return
        if source.health == "failing":
            log.info(
                "%s works again",
                name,
                extra={"event": "source_recovered", "source": source.id},
            )
        news = "nothing new"
        if result.accepted:
            news = f"{len(result.accepted) - result.revised:,} new"
        if result.revised:
            news += f", {result.revised:,} revised"
        log.log(
            logging.INFO if result.accepted else logging.DEBUG,
            "%s: %s (%.1f s)",
            name,
            news,
            seconds,
            extra={"event": "source_polled", "source": source.id},
        )

    def _back_off(self, name: str, error: BaseException) -> None:
        """Let a failed job wait for `BACKOFF_SECONDS`, and log its error."""
        if self._services.stops():
            return
        self._backing_off[name] = time.monotonic() + BACKOFF_SECONDS
        if isinstance(error, TooManyFilesError):
            now = time.monotonic()
            if now >= self._files_logged_until:  # all sources fail: log this once
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

    def cap_due_times(self, now: datetime) -> None:
        """Move due times that are too far ahead to the longest wait from now: the clock may have been set back."""
        self._services.quiet_polls.forget()
        latest = now + timedelta(
            seconds=self._services.client.tuning.interval_cap_seconds
        )
        with self._services.database.write() as connection:
            corrected = {}
            for row in all_due(connection):
                longest = longest_wait(
                    failures=row.failures + row.gone_count,
                    interval_seconds=row.interval_seconds,
                    tuning=self._services.client.tuning,
                )
                due = correct_due(row.id, row.next_due_at, now, longest_seconds=longest)
                if due != row.next_due_at:
                    corrected[row.id] = due
            set_due(connection, corrected)
            pending_pages.cap_due_times(connection, latest)

    def stop(self) -> None:
        """Start no more jobs."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def join(self, seconds: float) -> int:
        """After `stop`, wait at most `seconds` for jobs, and write the times of quiet polls.

        Return how many jobs still run.
        """
        running = len(wait(self._under_way.copy(), seconds).not_done)
        self._services.quiet_polls.write(self._services.database.with_read_timeout())
        return running
