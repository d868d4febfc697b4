"""Maintenance tasks of the writer: short steps between two batches, and long jobs scheduled by APScheduler.

Due times come from the database or from files, so a restart needs no state. A failed task is logged and tried
again after a back-off; it never ends the daemon.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aggregator.model.errors import AggregatorError, DatabaseAwayError, DatabaseLockedError, LeaseLostError

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 600.0  # after a failure
CHECK_SECONDS = 10.0  # between two checks of due times

Stops = Callable[[], bool]


class MaintenanceStep(NamedTuple):
    """Work for the placing thread in short parts: one transaction each, well under 100 ms.

    `run` does the next part and returns whether there are more.
    """

    name: str
    run: Callable[[Stops], bool]


class MaintenanceJob(NamedTuple):
    """Long work. `due_at` is called every CHECK_SECONDS (None: not due); `run` should check its `stops`."""

    name: str
    due_at: Callable[[], dt.datetime | None]
    run: Callable[[Stops], object]


class TaskFailures:
    """Maintenance tasks that failed at their last run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[float, str]] = {}

    def note(self, name: str, error: Exception) -> None:
        """Log a failure and start the back-off of the task."""
        self._failed[name] = (self._clock() + BACKOFF_SECONDS, str(error) or type(error).__name__)
        trace = None if isinstance(error, AggregatorError) else error
        log.error(
            "%s: %s; again in %.0f s",
            name,
            error,
            BACKOFF_SECONDS,
            exc_info=trace,
            extra={"event": "maintenance_task_failed", "job": name},
        )

    def clear(self, name: str) -> None:
        """Record that the task succeeded."""
        self._failed.pop(name, None)

    def is_backing_off(self, name: str) -> bool:
        """Whether the task failed less than BACKOFF_SECONDS ago."""
        return name in self._failed and self._failed[name][0] > self._clock()

    def words(self) -> tuple[str, ...]:
        """Return the failed tasks with their errors."""
        return tuple(f"{name}: {words}" for name, (_, words) in sorted(self._failed.copy().items()))


class MaintenanceSteps:
    """All steps, run in turn by the placing thread."""

    def __init__(self, steps: Sequence[MaintenanceStep], failures: TaskFailures) -> None:
        self._steps = list(steps)
        self._failures = failures

    def next(self, stops: Stops) -> bool:
        """Run one part of the next step that has work; return False if none has, or all back off.

        Raises LeaseLostError if this process is no longer the writer, DatabaseAwayError or
        DatabaseLockedError if the database cannot be written: these are not failures of a step.
        """
        for _ in range(len(self._steps)):
            step = self._steps.pop(0)
            self._steps.append(step)
            if not self._failures.is_backing_off(step.name) and self._is_more(step, stops):
                return True
        return False

    def _is_more(self, step: MaintenanceStep, stops: Stops) -> bool:
        try:
            is_more = step.run(stops)
        except (LeaseLostError, DatabaseAwayError, DatabaseLockedError):
            raise
        except Exception as error:  # noqa: BLE001 - placing continues after any error
            self._failures.note(step.name, error)
            return False
        self._failures.clear(step.name)
        return is_more


class MaintenanceJobs:
    """All long jobs, one at a time, while this process is the writer."""

    def __init__(
        self,
        jobs: Sequence[MaintenanceJob],
        failures: TaskFailures,
        now: Callable[[], dt.datetime],
        *,
        is_writer: Callable[[], bool],
    ) -> None:
        self._jobs = tuple(jobs)
        self._failures = failures
        self._now = now
        self._is_writer = is_writer
        self._stopping = threading.Event()
        self._running = threading.Lock()
        self._scheduler: Any = None

    def start(self) -> None:
        """Start the scheduler if there is a job."""
        if self._jobs:
            self._scheduler = _scheduler()
            for job in self._jobs:
                self._scheduler.add_job(
                    self._run_if_due, "interval", seconds=CHECK_SECONDS, args=(job,), id=job.name
                )
            self._scheduler.start()

    def clock_jumped(self) -> None:
        """Check every job now: APScheduler waits by the wall clock, which may have been set back."""
        if self._scheduler is not None:
            for job in self._jobs:
                self._scheduler.modify_job(job.name, next_run_time=dt.datetime.now(dt.UTC))

    def stop(self) -> None:
        """Start no more jobs, and ask the running one to end."""
        self._stopping.set()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    def join(self, seconds: float) -> bool:
        """After `stop`: wait `seconds`; return whether a job still runs."""
        if not self._running.acquire(timeout=seconds):
            return True
        self._running.release()
        return False

    def _stops(self) -> bool:
        return self._stopping.is_set() or not self._is_writer()

    def _run_if_due(self, job: MaintenanceJob) -> None:
        with self._running:
            if not self._stops() and not self._failures.is_backing_off(job.name):
                self._run(job)

    def _run(self, job: MaintenanceJob) -> None:
        try:
            due = job.due_at()
            if due is None or due > self._now():
                return
            job.run(self._stops)
        except Exception as error:  # noqa: BLE001 - the daemon continues after any error
            if not self._stops():
                self._failures.note(job.name, error)
        else:
            self._failures.clear(job.name)


def _scheduler() -> Any:
    """Return an APScheduler with other defaults.

    Its own skip a job that is a second late (misfire_grace_time 1), and run all missed jobs after a suspended
    machine wakes (coalesce off). One thread: one job at a time.
    """
    logging.getLogger("apscheduler").setLevel(
        logging.ERROR
    )  # it warns of a job that takes longer than its interval
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    return BackgroundScheduler(
        timezone=dt.UTC,
        executors={"default": ThreadPoolExecutor(1, {"thread_name_prefix": "maintenance"})},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
