"""Maintenance tasks of the writer, scheduled by APScheduler.

A step is short work: the schedule marks it as due, and the placing thread runs it between two batches. A job
is long work, such as a backup, and runs in a thread of its own. What a task has done is in the database or in
files, so a restart needs no state. A failed task is logged and tried again after a back-off; it never ends
the daemon.
"""

import datetime as dt
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aggregator.model.errors import AggregatorError, DatabaseAwayError, DatabaseLockedError, LeaseLostError

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 600.0  # after a failure

Stops = Callable[[], bool]


class MaintenanceTask(NamedTuple):
    """Work that is due at the start and every `every_seconds` (a job: first after `every_seconds`).

    `run` returns whether there is more to do; it should return soon once its argument returns True. A step
    does a part of its work each time: one transaction, well under 100 ms.
    """

    name: str
    every_seconds: float
    run: Callable[[Stops], bool]


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
        self._steps = tuple(steps)
        self._turns = deque(steps)  # of the placing thread alone
        self._jobs = tuple(jobs)
        self._due = {step.name for step in steps}
        self._is_writer = is_writer
        self._clock = clock
        self._failed: dict[str, tuple[float, str]] = {}  # end of the back-off (`clock`), and the error
        self._stopping = threading.Event()
        self._running = threading.Lock()  # held while a job runs
        self._scheduler: Any = None

    def start(self) -> None:
        """Start the schedule."""
        scheduler = _scheduler()
        for task in self._steps:
            scheduler.add_job(self.mark_due, executor="direct", args=(task.name,), **_interval(task))
        for task in self._jobs:
            scheduler.add_job(self._run_job, args=(task,), **_interval(task))
        scheduler.start()
        self._scheduler = scheduler  # last: before the start its jobs have no next run

    def clock_jumped(self) -> None:
        """Run every task now: APScheduler waits by the wall clock, which may have been set back."""
        if self._scheduler is not None:
            for task in (*self._steps, *self._jobs):
                self._scheduler.modify_job(task.name, next_run_time=dt.datetime.now(dt.UTC))

    def next_runs(self) -> dict[str, dt.datetime]:
        """Return when each task is due next."""
        jobs = [] if self._scheduler is None else self._scheduler.get_jobs()
        return {job.id: job.next_run_time for job in jobs}

    def failures(self) -> tuple[str, ...]:
        """Return the tasks that failed at their last run, with their errors."""
        return tuple(f"{name}: {words}" for name, (_, words) in sorted(self._failed.copy().items()))

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

    # --- steps, in the placing thread ---------------------------------------------------------------------

    def mark_due(self, step: str) -> None:
        """Have the placing thread run a step."""
        self._due.add(step)

    def run_step(self, stops: Stops) -> bool:
        """Run a part of the next step that is due; return False if none is, or all back off.

        Raises LeaseLostError if this process is no longer the writer, DatabaseAwayError or
        DatabaseLockedError if the database cannot be written: these are not failures of a step.
        """
        for _ in range(len(self._turns)):
            step = self._turns[0]
            self._turns.rotate(-1)
            if step.name not in self._due or self._is_backing_off(step):
                continue
            self._due.discard(step.name)  # first, because the schedule may mark it while it runs
            is_more = True
            try:
                is_more = step.run(stops) or stops()
            except (LeaseLostError, DatabaseAwayError, DatabaseLockedError):
                raise
            except Exception as error:  # noqa: BLE001 - placing continues after any error
                self._note(step, error)
                continue
            finally:
                if is_more:
                    self._due.add(step.name)
            self._failed.pop(step.name, None)
            if is_more:
                return True
        return False

    # --- jobs, in the thread of the scheduler -------------------------------------------------------------

    def _run_job(self, job: MaintenanceTask) -> None:
        def stops() -> bool:
            return self._stopping.is_set() or not self._is_writer()

        with self._running:
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
        self._failed[task.name] = (self._clock() + BACKOFF_SECONDS, str(error) or type(error).__name__)
        log.error(
            "%s: %s; again in %.0f s",
            task.name,
            error,
            BACKOFF_SECONDS,
            exc_info=None if isinstance(error, AggregatorError) else error,
            extra={"event": "maintenance_task_failed", "job": task.name},
        )


def _interval(task: MaintenanceTask) -> dict[str, Any]:
    return {"id": task.name, "trigger": "interval", "seconds": task.every_seconds}


def _scheduler() -> Any:
    """Return an APScheduler with other defaults.

    Its own skip a job that is a second late (misfire_grace_time 1), and run all missed jobs after a suspended
    machine wakes (coalesce off). One thread: one job at a time; "direct" calls in the thread that schedules.
    """
    logging.getLogger("apscheduler").setLevel(
        logging.ERROR
    )  # it warns of a job that takes longer than its interval
    from apscheduler.executors.debug import DebugExecutor
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    pool = ThreadPoolExecutor(1, {"thread_name_prefix": "maintenance"})
    return BackgroundScheduler(
        timezone=dt.UTC,
        executors={"default": pool, "direct": DebugExecutor()},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
