"""Executors: run pure functions on untrusted data, in this process, in worker processes or on other machines.

A job is a top-level function of this program and its argument, as bytes; the result is bytes, mostly msgpack.
Only functions below `aggregator` can be named, so that a damaged message cannot call anything else.
"""

import importlib
import re
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import msgspec

from aggregator.model.errors import WorkError

JobFunction = Callable[[bytes], bytes]

_ALLOWED = re.compile(r"aggregator(?:\.[a-z_][a-z0-9_]*)+:[A-Za-z_][A-Za-z0-9_]*\Z")


def name_of(function: JobFunction) -> str:
    """Return "module:function" of a top-level function below `aggregator`. Raises ValueError for others."""
    name = f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', '?')}"
    if not _ALLOWED.match(name):
        raise ValueError(f"{name} cannot run in a worker: it is not a top-level function of aggregator")
    return name


def function_named(name: str) -> JobFunction:
    """Return the function of that name. Raises ValueError if the name is not allowed or unknown."""
    if not _ALLOWED.match(name):
        raise ValueError(f"{name!r} is not a top-level function of aggregator")
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute, None)
    if function is None:
        raise ValueError(f"there is no function {name}")
    found: JobFunction = function
    return found


_DETAIL_CHARS = 500


class WorkerTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `work` of config/tuning.yaml, which states the units."""

    parse_deadline_seconds: float
    start_deadline_seconds: float
    memory_extra_bytes: int
    result_cap_bytes: int
    jobs_before_retiring: int
    queued_jobs_per_worker: int
    outside_deaths_per_job: int
    connect_seconds: float
    remote_deadline_seconds: float


class Executor(Protocol):
    """Runs jobs. Thread-safe."""

    @property
    def workers(self) -> int:
        """How many jobs run at the same time."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why no job can run; None if jobs can run or the cause is unknown."""
        ...

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Queue one job; blocks while the queue is full.

        `function` is a top-level function below `aggregator`. The future ends with the result or with a
        WorkError whose verdict is "timeout", "memory", "died" or "failed"; or with NoWorkersError if the
        workers are on other machines and unreachable: then the job should be repeated.
        """
        ...

    def close(self) -> None:
        """Stop at once: running jobs are killed, waiting ones end with WorkError("died")."""
        ...


def failure(error: BaseException) -> WorkError:
    """Convert an exception of a job to a WorkError with the verdict "memory" or "failed"."""
    if isinstance(error, MemoryError):
        return WorkError("memory", "the job asked for more memory than a worker may have")
    return WorkError("failed", describe(error))


def describe(error: BaseException) -> str:
    """Return an exception as one bounded line of printable text."""
    words = f"{type(error).__name__}: {error}"[:_DETAIL_CHARS]
    return "".join(sign if sign.isprintable() else " " for sign in words)


class InlineExecutor:
    """Runs each job in the caller, without limits: for single commands, tests and trusted data."""

    workers = 1
    trouble = None

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Run the job now; the future is done when this returns."""
        name_of(function)
        future: Future[bytes] = Future()
        try:
            future.set_result(function(job))
        except Exception as error:  # noqa: BLE001 - parsers may raise anything
            future.set_exception(failure(error))
        return future

    def close(self) -> None:
        """Nothing is ever waiting."""
