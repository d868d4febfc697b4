"""The executor with workers on other machines: a Dask cluster.

The scheduler sends a job to a Dask worker, which runs the job in a worker process on its own machine, with the same
limits of time and memory as elsewhere (process_pool.py). If workers or the scheduler fail, the job is submitted
again. After a deadline, the caller gets NoWorkersError, which does not blame the job. Results are bytes, and failures
of a job are part of them, so nothing untrusted is unpickled.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any

import msgspec
from distributed import Client

from aggregator.intake.workers.dask_jobs import RemoteJob, decoded_result, run_isolated
from aggregator.intake.workers.executor import (
    Executor,
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
_STOPPED = "the workers are stopped"
_BREATH_SECONDS = 0.1  # before a job is submitted again after the scheduler ended


class DaskExecutor(Executor):
    """Submits jobs to the Dask scheduler at `address` (tcp:// or tls://); see `Executor`."""

    def __init__(self, address: str, tuning: WorkerTuning) -> None:
        """Raises NoWorkersError if no scheduler answers, or a worker runs another version."""
        self._address = address
        self.available_again = f"the Dask scheduler at {address} has workers again"
        self._tuning = tuning
        self._program = program_versions()
        self._client: Client | None = None
        self._under_way = 0  # jobs without a result
        self._changed = threading.Condition()
        self._closed = False
        self._answers: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="work-dask", daemon=True
        )
        self._thread.start()
        try:
            self._run(self._begin()).result()
        except BaseException:
            self.close()
            raise

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Submit one job; wait while too many are under way. Raises WorkError if the executor is closed."""
        order = msgspec.msgpack.encode(
            RemoteJob(name_of(function), job, self._tuning, self._program)
        )
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._under_way
                    < (self._tuning.queued_jobs_per_worker + 1) * self.workers
                )
            )
            if self._closed:
                raise WorkError("died", _STOPPED)
            self._under_way += 1
            future = self._run(self._answer(order))
        future.add_done_callback(self._end_job)
        return future

    def _end_job(self, _future: Future[bytes]) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Leave the cluster; jobs under way end with WorkError("died"). May be called twice."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        with contextlib.suppress(TimeoutError):
            self._run(self._leave()).result(timeout=2 * _CLOSING_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSING_SECONDS)
        if not self._thread.is_alive():
            # Closing frees its files, because a daemon may reload its configuration many times.
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    # The methods below run in the thread of the loop.

    async def _begin(self) -> None:
        """Connect. Raises NoWorkersError if a worker runs another version.

        If such a worker joins later, the first job that it gets finds out.
        """
        self._connecting = asyncio.Lock()
        await self._count_threads()
        client = await self._connected()
        workers = sorted(await client.nthreads())  # type: ignore[no-untyped-call]
        programs = await asyncio.gather(
            *(self._program_at(client, worker) for worker in workers)
        )
        for worker, program in zip(workers, programs, strict=True):
            if program is None:
                continue  # the worker does not answer, which the first job that it gets finds out
            if isinstance(program, BaseException):
                raise _refusal(worker, f"aggregator is not there: {describe(program)}")
            if (other := version_differences(self._program, program)) is not None:
                raise _refusal(worker, other)
        self._counting = asyncio.create_task(self._watch_workers())

    async def _program_at(self, client: Client, worker: str) -> Any:
        """Return the `program_versions` of a worker, or the exception that it raised; None without an answer."""
        asked = client.run(program_versions, workers=[worker], on_error="return")
        with contextlib.suppress(TimeoutError, OSError):
            answers = await asyncio.wait_for(asked, self._tuning.parse_deadline_seconds)
            return answers.get(worker)
        return None

    async def _connected(self) -> Client:
        """Return the client; a new client if the last gave up, for example after a long outage of the scheduler."""
        async with self._connecting:
            if self._client is None or self._client.status == "closed":
                try:
                    self._client = await Client(  # type: ignore[no-untyped-call]
                        self._address,
                        asynchronous=True,
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

    async def _count_threads(self) -> int:
        """Return and store the number of threads of all workers; each thread runs one job at a time."""
        client = await self._connected()
        threads: dict[str, int] = await asyncio.wait_for(
            client.nthreads(),  # type: ignore[no-untyped-call]
            self._tuning.parse_deadline_seconds,
        )
        count = sum(threads.values())
        with self._changed:
            self.workers = max(1, count)
            self._changed.notify_all()
        return count

    async def _watch_workers(self) -> None:
        while True:
            await asyncio.sleep(_COUNTING_SECONDS)
            trouble = None
            try:
                if not await self._count_threads():
                    trouble = (
                        f"the Dask scheduler at {self._address} has no workers; "
                        f"start some with: dask worker {self._address}"
                    )
            except NoWorkersError as error:
                trouble = str(error)
            except (OSError, TimeoutError):
                continue
            self.note(trouble)

    async def _leave(self) -> None:
        # Waiting callers are released first, because the cluster may not answer.
        for answer in self._answers:
            answer.cancel()
        if self._client is not None:
            with contextlib.suppress(TimeoutError, OSError):
                await self._client.close(timeout=_CLOSING_SECONDS)  # type: ignore[no-untyped-call]
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _answer(self, order: bytes) -> bytes:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)
        try:
            async with asyncio.timeout(self._tuning.remote_deadline_seconds):
                return await self._run_remote(order)
        except TimeoutError:
            raise NoWorkersError(
                f"no Dask worker of {self._address} answered in {self._tuning.remote_deadline_seconds:g} s"
            ) from None
        except asyncio.CancelledError:
            if self._closed:
                raise WorkError("died", _STOPPED) from None
            raise

    async def _run_remote(self, order: bytes) -> bytes:
        """Return the result of a job. If a worker dies, Dask tries another."""
        while True:
            client = await self._connected()
            try:
                reply = await client.submit(run_isolated, order, pure=False)
            except CancelledError:  # the scheduler ended, and forgot our jobs
                await asyncio.sleep(_BREATH_SECONDS)
                continue
            except Exception as error:
                raise NoWorkersError(
                    f"a Dask worker could not run a job: {describe(error)}"
                ) from error
            outcome = decoded_result(reply, self._tuning)
            if outcome.verdict == "stranger":
                raise _refusal(outcome.worker, outcome.detail)
            if outcome.verdict == "ok":
                return outcome.payload
            raise WorkError(outcome.verdict, outcome.detail)


def _refusal(worker: str, words: str) -> NoWorkersError:
    return NoWorkersError(
        f"the Dask worker at {worker} runs another version: {words}; stop it, or give it the version of this "
        "program"
    )
