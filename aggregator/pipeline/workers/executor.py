"""Running pure functions over strangers' bytes: here, in killable processes, or on other machines.

A job is one function of this program and the bytes it is given; the result is bytes. What the bytes mean
(mostly msgpack of a Noun) is the business of the room that submits them.

Naming a function so that another process can call it.

Only a top-level function of this program may be named: a message that went wrong can never make a worker call
anything else.
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
    """ "module:function" of a top-level function below `aggregator`; ValueError for any other."""
    name = f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', '?')}"
    if not _ALLOWED.match(name):
        raise ValueError(f"{name} cannot run in a worker: it is no top-level function below aggregator")
    return name


def function_named(name: str) -> JobFunction:
    """The function of that name; ValueError when the name is not allowed or there is none."""
    if not _ALLOWED.match(name):
        raise ValueError(f"{name!r} is no top-level function below aggregator")
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute, None)
    if function is None:
        raise ValueError(f"there is no function {name}")
    found: JobFunction = function
    return found


_DETAIL_CHARS = 500


class WorkerTuning(msgspec.Struct, frozen=True, kw_only=True):
    """The section `work` of config/tuning.yaml; units stand there."""

    parse_deadline_seconds: float
    start_deadline_seconds: float
    memory_extra_bytes: int
    answer_cap_bytes: int
    jobs_before_retiring: int
    queued_jobs_per_worker: int
    outside_deaths_per_job: int
    connect_seconds: float
    remote_deadline_seconds: float


class Executor(Protocol):
    """Where jobs run. Safe to use from several threads."""

    @property
    def workers(self) -> int:
        """How many jobs run at the same time."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why nothing can run, in words; None where it can, or nobody knows better."""
        ...

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Queue one job; blocks while the queue is full.

        `function` is a top-level function below `aggregator`. The future ends with the result or with a
        WorkError whose verdict is "timeout", "memory", "died" or "failed", or, where the workers are on other
        machines and cannot be had, with NoWorkersError: then the job is to be tried again.
        """
        ...

    def close(self) -> None:
        """Stop at once: running jobs are killed, waiting ones end with WorkError("died")."""
        ...


def failure(error: BaseException) -> WorkError:
    """What a job's own exception becomes: "memory" or "failed", with the exception's name and words."""
    if isinstance(error, MemoryError):
        return WorkError("memory", "the job asked for more memory than a worker may have")
    return WorkError("failed", describe(error))


def describe(error: BaseException) -> str:
    """An exception in one bounded line that is safe to log and to encode."""
    words = f"{type(error).__name__}: {error}"[:_DETAIL_CHARS]
    return "".join(sign if sign.isprintable() else " " for sign in words)


class InlineExecutor:
    """Runs each job in the caller, without limits: for one-off commands, tests and bytes that are our own."""

    workers = 1
    trouble = None

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Run the job now; the future is done when this returns."""
        name_of(function)
        future: Future[bytes] = Future()
        try:
            future.set_result(function(job))
        except Exception as error:  # noqa: BLE001 - the boundary: parsers raise whatever they like
            future.set_exception(failure(error))
        return future

    def close(self) -> None:
        """Nothing is ever waiting."""
