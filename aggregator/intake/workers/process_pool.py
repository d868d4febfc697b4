"""The executor with worker processes that can be killed individually.

ProcessPoolExecutor is not used, because its timeout leaves the job running, and one dead worker breaks the pool. Each
lane is a thread with one worker process: the thread takes a job from the common queue, sends it to the process, and
waits for the result until the deadline. A worker that is late, too large or dead is killed and replaced.
"""

import math
import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import BinaryIO

from aggregator.config.memory import own_bytes
from aggregator.intake.workers.executor import (
    Executor,
    JobFunction,
    WorkerTuning,
    failure,
    name_of,
)
from aggregator.intake.workers.ipc import WorkerJob
from aggregator.intake.workers.worker_process import WorkerProcess
from aggregator.model.counters import WORKERS_ENDED, Metrics
from aggregator.model.errors import NoWorkersError, WorkError
from aggregator.text.shared_model import memory_file

# A worker must load the parsers within this time: it takes 0.3 s when idle, far more on a busy machine.
_START_DEADLINE_SECONDS = 60.0
# Signals not caused by the job: a person killed the worker, or the kernel did when memory ran out.
_OUTSIDE_SIGNALS = (
    -signal.SIGKILL,
    -signal.SIGTERM,
    -signal.SIGINT,
    -signal.SIGHUP,
)
# Jobs wait this long before a further worker is started. Starting one takes a second of CPU time, enough
# for a running worker to read the new entries of a hundred polls in a quiet hour (chosen).
_PATIENCE_SECONDS = 3.0
_CLOSING_SECONDS = 1.0
_START_AGAIN_SECONDS = 0.5  # after the system refused a new process
_LAST_BREATH_SECONDS = 2.0  # a socket closes before the exit status is available
_STOPPED = "the workers are stopped"


# A job, and the future that ends with its result
_Waiting = tuple[WorkerJob, Future[bytes]]


class ProcessExecutor(Executor):
    """`workers` processes, each replaced on its own; see `Executor`.

    The first job starts a worker; a further worker is started when jobs have waited for `_PATIENCE_SECONDS`.
    All workers but one end when no job has found all of them busy for `spare_seconds`. The last worker ends after
    `idle_seconds` without any job, and then the language model that the workers share is freed.
    """

    def __init__(
        self,
        workers: int,
        tuning: WorkerTuning,
        metrics_registry: Metrics | None = None,
    ) -> None:
        self.metrics_registry = metrics_registry or Metrics()
        self.workers = workers if workers > 0 else (os.cpu_count() or 1)
        self.tuning = tuning
        self._queue: deque[_Waiting] = deque()
        self._most_queued = self.workers * tuning.queued_jobs_per_worker
        self._changed = threading.Condition()
        self._closed = False
        self._idle = 0
        self._used_at = 0.0  # when a lane last asked for a job (monotonic)
        self._needed_at = 0.0  # when a job last found all workers busy (monotonic)
        self._lanes: list[_Lane] = []
        # This timer runs while jobs wait for a busy worker.
        self._reinforcement: threading.Timer | None = None
        # Shared memory for the language model, which the first worker that needs the model fills
        self.language_model: BinaryIO | None = None

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Queue one job; wait while the queue is full. Raises WorkError if the executor is closed."""
        waiting = WorkerJob(name_of(function), job)
        future: Future[bytes] = Future()
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or len(self._queue) < self._most_queued
            )
            if self._closed:
                raise WorkError("died", _STOPPED)
            self._queue.append((waiting, future))
            if len(self._queue) > self._idle:
                self._needed_at = time.monotonic()
                if not self._lanes:
                    self.language_model = memory_file()
                    self._lanes.append(_Lane(self))
                elif not self._reinforcement and len(self._lanes) < self.workers:
                    self._reinforcement = timer = threading.Timer(
                        _PATIENCE_SECONDS, self._reinforce
                    )
                    timer.daemon = True
                    timer.start()
            self._changed.notify_all()
        return future

    def _reinforce(self) -> None:
        """Start another worker if jobs still wait."""
        with self._changed:
            self._reinforcement = None
            if self._lanes and len(self._queue) > self._idle and not self._closed:
                self._lanes.append(_Lane(self))

    def end_idle_workers(self) -> None:
        """End the workers that have no job, and forget the language model if all of them end."""
        with self._changed:
            self._used_at = self._needed_at = -math.inf
            self._changed.notify_all()

    def close(self) -> None:
        """Kill the workers and end waiting jobs; takes about a second. May be called twice."""
        with self._changed:
            self._closed = True
            left = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        for _, future in left:
            if future.set_running_or_notify_cancel():
                future.set_exception(WorkError("died", _STOPPED))
        deadline = time.monotonic() + _CLOSING_SECONDS
        for lane in self._lanes:
            lane.stop()
        # Stopped lanes start no worker that could still need the model.
        self._forget_language_model()
        for lane in self._lanes:
            lane.thread.join(max(0.0, deadline - time.monotonic()))

    def next_job(self, lane: "_Lane") -> _Waiting | None:
        """Wait for a job and return the job that waits longest; None ends the lane. Only lanes call this."""
        with self._changed:
            self._idle += 1
            self._used_at = time.monotonic()
            while not (self._closed or self._queue):
                since = self._used_at
                limit = self.tuning.idle_seconds
                if len(self._lanes) > 1:
                    since = self._needed_at
                    limit = self.tuning.spare_seconds
                unused = time.monotonic() - since
                if unused >= limit:
                    self._idle -= 1
                    self._lanes.remove(lane)
                    if not self._lanes:
                        self._forget_language_model()
                    return None
                self._changed.wait(limit - unused)
            self._idle -= 1
            if self._closed:
                return None
            waiting = self._queue.popleft()
            self._changed.notify_all()
            return waiting

    def _forget_language_model(self) -> None:
        if self.language_model is not None:
            self.language_model.close()
            self.language_model = None


class _Lane:
    """One thread and its worker."""

    def __init__(self, executor: ProcessExecutor) -> None:
        self.worker: WorkerProcess | None = None
        self._executor = executor
        self._tuning = executor.tuning
        self._stopped = False
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name="work-lane", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Kill the worker and let the thread end."""
        with self._lock:
            self._stopped = True
            if self.worker is not None:
                self.worker.kill()

    def _run(self) -> None:
        while (waiting := self._executor.next_job(self)) is not None:
            job, future = waiting
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._result(job))
            except (WorkError, NoWorkersError) as error:
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - such as no memory: the lane must go on
                self._discard()  # its answer may have been read in part
                future.set_exception(
                    WorkError("died", f"no worker was available: {error}")
                )
        self._discard()

    def _result(self, job: WorkerJob) -> bytes:
        """Return the result of one job. If something outside killed the worker, the job is repeated."""
        for _ in range(self._tuning.outside_deaths_per_job):
            worker = self._ready_worker()
            try:
                answer = worker.ask(job)
            except TimeoutError:
                self._discard("timeout")
                raise WorkError(
                    "timeout",
                    f"no answer within {self._tuning.parse_deadline_seconds:g} s",
                ) from None
            except OSError:
                self._raise_unless_killed()
                continue
            except WorkError:
                self._discard()
                raise
            if answer.verdict == "memory":
                self._discard("memory")
            elif worker.jobs >= self._tuning.jobs_before_retiring or (
                worker.jobs >= self._tuning.least_jobs_before_retiring
                and own_bytes(worker.process.pid) > self._tuning.bytes_before_retiring
            ):
                self._discard("retired")
            if answer.verdict != "ok":
                raise failure(answer.verdict, answer.detail)
            return answer.payload
        raise WorkError("died", "its workers were killed repeatedly")

    def _ready_worker(self) -> "WorkerProcess":
        """Return the worker of the lane, and start it if necessary.

        If something outside kills a worker during its start, another is started. After the start deadline, raises
        NoWorkersError if no process can be created, or WorkError if a new worker is not ready.
        """
        if self.worker is not None and self.worker.process.poll() is not None:
            self._discard("killed")  # between two jobs
        deadline = time.monotonic() + _START_DEADLINE_SECONDS
        while self.worker is None:
            try:
                with self._lock:
                    if self._stopped:
                        raise WorkError("died", _STOPPED)
                    self.worker = WorkerProcess(
                        self._tuning, self._executor.language_model
                    )
            # The system has no files, processes or memory left, which the job did not cause.
            except OSError as error:
                trouble = f"no worker can be started: {error.strerror}"
                self._executor.note(trouble)
                if time.monotonic() > deadline:
                    raise NoWorkersError(trouble) from error
                time.sleep(_START_AGAIN_SECONDS)
                continue
            self._executor.note(None)
            try:
                # The message says that the parsers are loaded and the limits set.
                self.worker.receive(deadline)
            except TimeoutError:
                self._discard()
                raise WorkError("died", "a new worker did not start in time") from None
            except OSError:
                self._raise_unless_killed()
        return self.worker

    def _raise_unless_killed(self) -> None:
        """Remove a worker that has ended. Raises WorkError unless something outside killed it."""
        code = self._discard(patience_seconds=_LAST_BREATH_SECONDS)
        count = self._executor.metrics_registry.count
        if code not in _OUTSIDE_SIGNALS:
            count(WORKERS_ENDED, "died")
            how = f"ended with code {code}"
            if code is not None and code < 0:
                with suppress(ValueError):
                    how = f"was ended by {signal.Signals(-code).name}"
            raise WorkError("died", f"the worker {how}")
        count(WORKERS_ENDED, "killed")

    def _discard(
        self, ended: str | None = None, *, patience_seconds: float = 0.0
    ) -> int | None:
        """Remove the worker, and kill it if it still runs; return its exit code, or None without a worker.

        `ended` is the label under which its end is counted; None: it is not counted.
        """
        if ended is not None:
            self._executor.metrics_registry.count(WORKERS_ENDED, ended)
        with self._lock:
            worker = self.worker
            self.worker = None
        return None if worker is None else worker.bury(patience_seconds)
