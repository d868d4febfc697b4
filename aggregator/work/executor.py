"""Running pure functions over strangers' bytes: here, in killable processes, or later elsewhere.

A job is one function of this program and the bytes it is given; the result is bytes. What the bytes mean
(mostly msgpack of a Noun) is the business of the room that submits them.
"""

from concurrent.futures import Future
from typing import Protocol

import msgspec

from aggregator.errors import ConfigError, WorkError
from aggregator.rules import RuleBook
from aggregator.work.functions import JobFunction, name_of

_DETAIL_CHARS = 500


class WorkRules(msgspec.Struct, frozen=True, kw_only=True):
    """The section `work` of rules.yaml; units stand there."""

    parse_deadline_seconds: float
    start_deadline_seconds: float
    memory_extra_bytes: int
    answer_cap_bytes: int
    jobs_before_retiring: int
    queued_jobs_per_worker: int
    outside_deaths_per_job: int


class Executor(Protocol):
    """Where jobs run. Safe to use from several threads."""

    workers: int  # how many jobs run at the same time

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        """Queue one job; blocks while the queue is full.

        `function` is a top-level function below `aggregator`. The future ends with the result or with a
        WorkError whose verdict is "timeout", "memory", "died" or "failed"; never with anything else.
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


def open_executor(kind: str, workers: int, rules: RuleBook) -> Executor:
    """The executor that config.yaml asks for: "inline" or "processes".

    `workers` below 1 means one for each processor. No process is started before the first job.
    """
    section = rules.section("work", WorkRules)
    if kind == "inline":
        return InlineExecutor()
    if kind == "processes":
        from aggregator.work.processes import ProcessExecutor

        return ProcessExecutor(workers, section)
    raise ConfigError(f"work.executor: there is no executor {kind!r}; choose processes or inline")
