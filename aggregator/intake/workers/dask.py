"""The executor with workers on other machines: a Dask cluster.

The scheduler sends a job to a Dask worker, which runs it in a worker process of its own machine, with the
same limits of time and memory as elsewhere (process_pool.py). If workers or the scheduler fail, the job is
submitted again; after a deadline the caller gets NoWorkersError, which does not blame the job. Results are
bytes and no exceptions, so nothing untrusted is unpickled.
"""

import contextlib
import threading
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import msgspec
from distributed import Client
from distributed.scheduler import KilledWorker

from aggregator.intake.workers.dask_jobs import RemoteJob, decoded_result, run_isolated
from aggregator.intake.workers.executor import (
    Availability,
    JobFunction,
    WorkerTuning,
    describe,
    name_of,
)
from aggregator.intake.workers.program_versions import (
    program_versions,
    version_differences,
)
from aggregator.model.errors import NoWorkersError, WorkError

_COUNTING_SECONDS = 5.0  # between two counts of workers
_CLOSING_SECONDS = 2.0
_BREATH_SECONDS = 0.1  # before a job is submitted again after the scheduler ended
_MOST_UNDER_WAY = 512  # a thread waits for each job (chosen: some 170 workers)
_STOPPED = "the workers are stopped"


class DaskExecutor(Availability):
    """Submits jobs to the Dask scheduler at `address` (tcp:// or tls://); see `Executor`."""

    def __init__(self, address: str, tuning: WorkerTuning) -> None:
        """Raises NoWorkersError if no scheduler answers, or a worker runs another version."""
        self._address = address
        self.available_again = f"the Dask scheduler at {address} has workers again"
        self._tuning = tuning
        self._program = program_versions()
        # How many jobs run at the same time: the threads of all Dask workers at the last count
        self.workers = 1
        self._client: Client | None = None
        self._connecting = threading.Lock()
        self._under_way = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(_MOST_UNDER_WAY, "work-dask")
        try:
            self._check_versions()
            self._count()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._watch, name="work-dask", daemon=True).start()

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Submit one job; wait while too many are under way. Raises WorkError if the executor is closed."""
        order = msgspec.msgpack.encode(
            RemoteJob(name_of(function), job, self._tuning, self._program)
        )

        def may_go() -> bool:
            most = (self._tuning.queued_jobs_per_worker + 1) * self.workers
            is_free = self._under_way < min(most, _MOST_UNDER_WAY)
            return is_free or self._closing.is_set()

        with self._changed:
            self._changed.wait_for(may_go)
            if self._closing.is_set():
                raise WorkError("died", _STOPPED)
            self._under_way += 1
            future = self._threads.submit(self._answer, order)
        future.add_done_callback(self._end)
        return future

    def rest(self) -> None:
        """The cluster belongs to others."""

    def close(self) -> None:
        """Leave the cluster; jobs under way end with WorkError("died"). May be called twice."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
            self._threads.shutdown(wait=False)
        if self._client is not None:  # jobs that wait for it are released
            with contextlib.suppress(TimeoutError, OSError):
                self._client.close(timeout=_CLOSING_SECONDS)  # type: ignore[no-untyped-call]

    def _end(self, _future: Future[bytes]) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def _connect(self) -> Client:
        """Return the client; a new one if the last gave up, as after a long outage of the scheduler."""
        with self._connecting:
            if self._closing.is_set():
                raise WorkError("died", _STOPPED)
            if self._client is None or self._client.status == "closed":
                try:
                    self._client = Client(  # type: ignore[no-untyped-call]
                        self._address,
                        set_as_default=False,
                        timeout=self._tuning.parse_deadline_seconds,
                        name="aggregator",
                    )
                except (OSError, TimeoutError) as error:
                    raise NoWorkersError(
                        f"no Dask scheduler answers at {self._address} ({describe(error)}); "
                        "start it with: dask scheduler"
                    ) from error
            return self._client

    def _check_versions(self) -> None:
        """Raise NoWorkersError if a worker runs another version; a job finds one that comes later."""
        try:
            programs = self._connect().run(
                program_versions,
                on_error="return",
                callback_timeout=self._tuning.parse_deadline_seconds,
            )
        except TimeoutError:
            return  # a worker stands still: a job finds out
        for worker, theirs in sorted(programs.items()):
            if isinstance(theirs, BaseException):
                raise _refusal(worker, f"aggregator is not there: {describe(theirs)}")
            if (other := version_differences(self._program, theirs)) is not None:
                raise _refusal(worker, other)

    def _watch(self) -> None:
        while not self._closing.wait(_COUNTING_SECONDS):
            # The client may lose its scheduler, or be closed meanwhile
            with contextlib.suppress(Exception):
                try:
                    self._count()
                except NoWorkersError as error:
                    self.note(str(error))

    def _count(self) -> None:
        seconds = self._tuning.parse_deadline_seconds
        counted = self._connect().nthreads(callback_timeout=seconds)  # type: ignore[no-untyped-call]
        threads = sum(counted.values())
        advice = f"start some with: dask worker {self._address}"
        no_workers = f"the Dask scheduler at {self._address} has no workers; {advice}"
        self.note(None if threads else no_workers)
        with self._changed:
            self.workers = max(1, threads)
            self._changed.notify_all()

    def _answer(self, order: bytes) -> bytes:
        """Return the answer of the first worker that has one."""
        seconds = self._tuning.remote_deadline_seconds
        ends = time.monotonic() + seconds
        deaths = 0
        while not self._closing.is_set():
            try:
                task = self._connect().submit(run_isolated, order, pure=False)
                reply = task.result(timeout=max(0.0, ends - time.monotonic()))
            except CancelledError:  # the scheduler went away, and our jobs with it
                self._closing.wait(_BREATH_SECONDS)
            except TimeoutError:
                raise NoWorkersError(
                    f"no Dask worker of {self._address} answered in {seconds:g} s"
                ) from None
            except KilledWorker:  # several workers died under it, which Dask counts
                deaths += 1
                if deaths >= self._tuning.outside_deaths_per_job:
                    raise NoWorkersError(
                        "Dask workers died repeatedly while they ran a job"
                    ) from None
            except (NoWorkersError, WorkError):
                raise
            except Exception as error:
                if not self._closing.is_set():
                    raise NoWorkersError(
                        f"a Dask worker could not run a job: {describe(error)}"
                    ) from error
            else:
                outcome = decoded_result(reply, self._tuning)
                if outcome.verdict == "stranger":
                    raise _refusal(outcome.worker, outcome.detail)
                if outcome.verdict == "ok":
                    return outcome.payload
                raise WorkError(outcome.verdict, outcome.detail)
        raise WorkError("died", _STOPPED)


def _refusal(worker: str, words: str) -> NoWorkersError:
    return NoWorkersError(
        f"the Dask worker at {worker} runs another version: {words}; stop it, or give it the version of this "
        "program"
    )
