"""What the writer does beside placing: small steps between two batches, long jobs on APScheduler's schedule.

When something is due is asked of the database or of files, so restarts cost nothing. A failure is logged and
tried again after a rest; it never ends the daemon.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aggregator.model.errors import AggregatorError, DatabaseAwayError, DatabaseLockedError, LeaseLostError

log = logging.getLogger(__name__)

REST_SECONDS = 600.0  # after a failure
CHECK_SECONDS = 10.0  # between two looks at which job is due

Stops = Callable[[], bool]


class MaintenanceStep(NamedTuple):
    """Short pieces of work for the thread that places: one transaction each, well under 100 ms.

    `run` does the next piece and says whether there is more.
    """

    name: str
    run: Callable[[Stops], bool]


class MaintenanceJob(NamedTuple):
    """Long work. `due_at` is asked every LOOK_SECONDS (None: it is not due); `run` should ask its `stops`."""

    name: str
    due_at: Callable[[], dt.datetime | None]
    run: Callable[[Stops], object]


class TaskFailures:
    """Which chores failed lately: they rest, and are told of."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[float, str]] = {}

    def note(self, name: str, error: Exception) -> None:
        """It failed: log it and let it rest."""
        self._failed[name] = (self._clock() + REST_SECONDS, str(error) or type(error).__name__)
        known = isinstance(error, AggregatorError)
        trace = None if known else error  # in words, else a mistake of ours
        log.error("%s: %s; again in %.0f s", name, error, REST_SECONDS, exc_info=trace, extra={"job": name})

    def clear(self, name: str) -> None:
        """It went well."""
        self._failed.pop(name, None)

    def is_backing_off(self, name: str) -> bool:
        """Whether it failed so lately that it is not to be tried."""
        return name in self._failed and self._failed[name][0] > self._clock()

    def words(self) -> tuple[str, ...]:
        """What failed at its last try."""
        return tuple(f"{name}: {words}" for name, (_, words) in sorted(self._failed.copy().items()))


class MaintenanceSteps:
    """All steps, taken in turn by the thread that places."""

    def __init__(self, steps: Sequence[MaintenanceStep], failures: TaskFailures) -> None:
        self._steps = list(steps)
        self._failures = failures

    def next(self, stops: Stops) -> bool:
        """Do one piece of the next step that has any; False where none has, or all of them rest.

        Raises LeaseLostError where this process is not the writer any more, DatabaseAwayError or
        DatabaseLockedError where nobody can write: no step failed then.
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
        except Exception as error:  # noqa: BLE001 - whatever it is, placing goes on
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
        """Begin, where there is any job."""
        if self._jobs:
            self._scheduler = _scheduler()
            for job in self._jobs:
                self._scheduler.add_job(
                    self._run_if_due, "interval", seconds=CHECK_SECONDS, args=(job,), id=job.name
                )
            self._scheduler.start()

    def clock_jumped(self) -> None:
        """Look at every job now: APScheduler waits by the clock, which may have gone back by hours."""
        if self._scheduler is not None:
            for job in self._jobs:
                self._scheduler.modify_job(job.name, next_run_time=dt.datetime.now(dt.UTC))

    def stop(self) -> None:
        """Start nothing more, and ask the one under way to end."""
        self._stopping.set()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    def join(self, seconds: float) -> bool:
        """After `stop`: wait so long; whether one is left behind."""
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
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon goes on
            if not self._stops():
                self._failures.note(job.name, error)
        else:
            self._failures.clear(job.name)


def _scheduler() -> Any:
    """APScheduler with its defaults put right, in this one place.

    Its own would drop a job that comes a second late without a word (misfire_grace_time 1), and run a burst
    of missed ones after a suspended machine wakes (coalesce off). One thread: one job at a time.
    """
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a job that takes longer than a look is no news
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    return BackgroundScheduler(
        timezone=dt.UTC,
        executors={"default": ThreadPoolExecutor(1, {"thread_name_prefix": "chores"})},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
