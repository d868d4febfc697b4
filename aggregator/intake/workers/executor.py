"""Executors: run pure functions on untrusted data, in this process, in worker processes or on other machines.

A job is a top-level function of this program and its argument, which is bytes; the result is bytes, mostly msgpack.
Messages name a function as "module:function".
"""

import errno
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, TypeVar

import msgspec

from aggregator.model.errors import NoWorkersError, WorkError

log = logging.getLogger(__name__)
JobFunction = Callable[[bytes], bytes]
FailedVerdict = Literal["memory", "unable", "failed"]
Answer = TypeVar("Answer")


def name_of(function: JobFunction) -> str:
    """Return "module:function". Raises ValueError if it is not a top-level function."""
    name = f"{function.__module__}:{function.__qualname__}"
    if "<" in name:
        raise ValueError(
            f"{name} cannot run in a worker: it is not a top-level function"
        )
    return name


_DETAIL_CHARS = 500


class WorkerTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `work` of config/tuning.yaml, which states the units."""

    parse_deadline_seconds: float
    memory_extra_bytes: int
    result_cap_bytes: int
    jobs_before_retiring: int
    least_jobs_before_retiring: int
    bytes_before_retiring: int
    idle_seconds: float
    spare_seconds: float
    queued_jobs_per_worker: int
    outside_deaths_per_job: int

    @property
    def remote_deadline_seconds(self) -> float:
        """Return the deadline of a job on a cluster (tuning.yaml explains the factor)."""
        return 12 * self.parse_deadline_seconds


class Executor:
    """Runs jobs. Thread-safe. It logs once that no job can run, and once that jobs can run again."""

    workers: int = 1  # how many jobs run at the same time
    # Why no job can run; None if jobs can run or the cause is unknown
    trouble: str | None = None
    available_again = "workers can be started again"

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Queue one job; wait while the queue is full.

        `function` is a top-level function. The future ends with the result, or with a WorkError whose verdict is
        "timeout", "memory", "died" or "failed". If no worker can run jobs, for example because the cluster cannot be
        reached or a disk is full, it ends with NoWorkersError, and the job should be repeated.
        """
        raise NotImplementedError

    def end_idle_workers(self) -> None:
        """End the processes without a job; if all end, free their shared memory. The next job starts a process."""

    def close(self) -> None:
        """Stop at once: running jobs are killed, and waiting jobs end with WorkError("died")."""

    def note(self, trouble: str | None) -> None:
        """Store why no job can run; None: jobs can run."""
        if trouble is not None and self.trouble is None:
            log.warning("%s", trouble, extra={"event": "workers_unavailable"})
        if trouble is None and self.trouble is not None:
            log.warning(
                "%s", self.available_again, extra={"event": "workers_available"}
            )
        self.trouble = trouble


def answer_of(
    executor: Executor, function: JobFunction, job: msgspec.Struct, answer: type[Answer]
) -> Answer:
    """Run a job and wait for its result, both as msgpack. Raises WorkError or NoWorkersError."""
    result = executor.submit(function, msgspec.msgpack.encode(job)).result()
    return msgspec.msgpack.decode(result, type=answer)


def is_left_behind(thread: threading.Thread, seconds: float) -> bool:
    """Wait at most `seconds` for a thread; return whether it still runs. A thread that was not started does not run."""
    if thread.ident is not None:
        thread.join(max(0.0, seconds))
    return thread.is_alive()


def verdict_on(error: Exception) -> tuple[FailedVerdict, str]:
    """Return the verdict on a job that raised an exception, and a line about the exception.

    If a disk is full, the job is not at fault: py3langid, for example, unpacks its model into a temporary file.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "unable", describe(error)
    if isinstance(error, MemoryError):
        return "memory", "the job asked for more memory than a worker may have"
    return "failed", describe(error)


def failure(verdict: str, detail: str) -> WorkError | NoWorkersError:
    """Return the exception for a job without a result; "unable" means that its worker could not run any job."""
    if verdict == "unable":
        return NoWorkersError(f"a worker cannot work: {detail}")
    return WorkError(verdict, detail)


def describe(error: BaseException) -> str:
    """Return an exception as one bounded line of printable text."""
    words = f"{type(error).__name__}: {error}"[:_DETAIL_CHARS]
    return "".join(sign if sign.isprintable() else " " for sign in words)


class InlineExecutor(Executor):
    """Runs each job in the caller, without limits: for single commands, tests and trusted data."""

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Run the job now; the future is done when this returns."""
        name_of(function)
        future: Future[bytes] = Future()
        try:
            future.set_result(function(job))
        except Exception as error:  # noqa: BLE001 - parsers may raise anything
            future.set_exception(failure(*verdict_on(error)))
        return future
