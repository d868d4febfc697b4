"""The work of the writer besides placing: rendering, the index, retention and backups, in turn.

Steps run in the placing thread between batches, and jobs in threads of the scheduler.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aggregator.intake.prepare import Stop
from aggregator.model.errors import (
    AggregatorError,
    DatabaseAwayError,
    DatabaseLockedError,
    LeaseLostError,
)

log = logging.getLogger(__name__)


MAINTENANCE_BACKOFF_SECONDS = 600.0  # after a failure


class MaintenanceTask(NamedTuple):
    """Work that is repeated every `every_seconds`; a step is first due at the start, a job after `every_seconds`.

    `run` should return soon once its argument returns True. For a step, `run` does a part of the work in one
    transaction of well under 100 ms, and returns True if there is more to do.
    """

    name: str
    every_seconds: float
    run: Callable[[Stop], bool | None]


class Maintenance:
    """All tasks of one configuration. They run only while this process is the writer."""

    def __init__(
        self,
        steps: Sequence[MaintenanceTask],
        jobs: Sequence[MaintenanceTask],
        *,
        is_writer: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = deque(steps)  # used by the placing thread alone
        self._jobs = jobs
        self._due_at = dict.fromkeys((step.name for step in steps), clock())
        self._is_writer = is_writer
        self._clock = clock
        # When a task may run again after a failure (`clock`), and the error
        self._failed: dict[str, tuple[float, str]] = {}
        self._stopping = threading.Event()
        # Each lock is held while its job runs
        self._running = {job.name: threading.Lock() for job in jobs}
        self._scheduler: Any = None

    def start(self) -> None:
        """Start the schedule.

        By default, APScheduler would skip a job that is more than a second late (misfire_grace_time 1). After a
        suspended machine wakes, each job runs once, however often it was missed (coalesce). Different jobs may run at
        the same time.
        """
        # APScheduler would warn of each job that takes longer than its interval.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={
                "default": ThreadPoolExecutor(
                    pool_kwargs={"thread_name_prefix": "maintenance"}
                )
            },
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": None,
            },
        )
        for job in self._jobs:
            scheduler.add_job(
                self._run_job,
                "interval",
                (job,),
                id=job.name,
                seconds=job.every_seconds,
            )
        scheduler.start()
        # Last, because `clock_jumped` needs a scheduler that has started.
        self._scheduler = scheduler

    def clock_jumped(self) -> None:
        """Run every job now: APScheduler waits by the wall clock, which may have been set back."""
        from apscheduler.jobstores.base import JobLookupError

        if self._scheduler is not None:
            for job in self._jobs:
                with suppress(JobLookupError):  # `stop` was called meanwhile
                    self._scheduler.modify_job(
                        job.name, next_run_time=datetime.now(UTC)
                    )

    def failures(self) -> tuple[str, ...]:
        """Return the tasks that failed at their last run, with their errors."""
        return tuple(
            f"{name}: {words}"
            for name, (_, words) in sorted(self._failed.copy().items())
        )

    def stop(self) -> None:
        """Start no more jobs, and ask running jobs to end."""
        self._stopping.set()
        if self._scheduler is not None and self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def join(self, seconds: float) -> bool:
        """After `stop`, wait at most `seconds` for the jobs; return whether one still runs."""
        deadline = time.monotonic() + seconds
        for running in self._running.values():
            if not running.acquire(timeout=max(0.0, deadline - time.monotonic())):
                return True
            running.release()
        return False

    def run_step(self, stops: Stop) -> bool:
        """Run the steps that are due, in the placing thread, until one has more to do; return whether one has.

        The result is also True if `stops` returned True. Steps that back off are skipped. Raises LeaseLostError if this
        process is no longer the writer, DatabaseAwayError or DatabaseLockedError if the database cannot be written:
        these are not failures of a step.
        """
        for _ in range(len(self._turns)):
            step = self._turns[0]
            self._turns.rotate(-1)
            if self._due_at[step.name] > self._clock() or self._is_backing_off(step):
                continue
            try:
                is_more = step.run(stops) or stops()
            except (LeaseLostError, DatabaseAwayError, DatabaseLockedError):
                raise
            except Exception as error:  # noqa: BLE001 - placing continues after any error
                self._note(step, error)
                continue
            self._failed.pop(step.name, None)
            if is_more:
                return True
            self._due_at[step.name] = self._clock() + step.every_seconds
        return False

    def _run_job(self, job: MaintenanceTask) -> None:
        """Run a job in a thread of the scheduler."""

        def stops() -> bool:
            return self._stopping.is_set() or not self._is_writer()

        with self._running[job.name]:
            if stops() or self._is_backing_off(job):
                return
            try:
                job.run(stops)
            except Exception as error:  # noqa: BLE001 - the daemon continues after any error
                if not stops():
                    self._note(job, error)
            else:
                self._failed.pop(job.name, None)

    def _is_backing_off(self, task: MaintenanceTask) -> bool:
        return task.name in self._failed and self._failed[task.name][0] > self._clock()

    def _note(self, task: MaintenanceTask, error: Exception) -> None:
        self._failed[task.name] = (
            self._clock() + MAINTENANCE_BACKOFF_SECONDS,
            str(error) or type(error).__name__,
        )
        log.error(
            "%s: %s; again in %.0f s",
            task.name,
            error,
            MAINTENANCE_BACKOFF_SECONDS,
            exc_info=None if isinstance(error, AggregatorError) else error,
            extra={"event": "maintenance_task_failed", "job": task.name},
        )
