"""What a Dask worker runs for us: it hands a job to an isolated process of its own machine.

Strangers' bytes pass through the Dask worker, and are parsed in the processes that it starts, with the same
deadline and limit of memory as anywhere else (processes.py). The answer is bytes; nothing is raised, so
nothing of theirs is pickled on the way back.
"""

import threading

import msgspec
from distributed import get_worker

from aggregator.model.errors import WorkError
from aggregator.pipeline.workers.code_version import differences, program
from aggregator.pipeline.workers.executor import WorkRules, describe
from aggregator.pipeline.workers.function_names import function_named
from aggregator.pipeline.workers.process_pool import ProcessExecutor


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A job, the limits of the process that runs it, and the program that it is meant for."""

    function: str
    payload: bytes
    rules: WorkRules
    program: dict[str, str]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of an order: "ok", "stranger", or the verdict of a WorkError.

    "stranger": the Dask worker at `worker` has another program, and did nothing.
    """

    verdict: str
    payload: bytes = b""
    detail: str = ""
    worker: str = ""


class _Pools:
    """The isolated processes of this machine, as long as the Dask worker lives; they end with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_rules: dict[WorkRules, ProcessExecutor] = {}

    def pool(self, rules: WorkRules, threads: int) -> ProcessExecutor:
        """One process for each thread of the Dask worker; none is started before the first job."""
        with self._lock:
            if rules not in self._by_rules:
                self._by_rules[rules] = ProcessExecutor(threads, rules)
            return self._by_rules[rules]


_POOLS = _Pools()  # a Dask worker calls plain functions: what lasts from job to job has no other place


def run_isolated(order: bytes) -> bytes:
    """Order → Outcome, both as msgpack."""
    return msgspec.msgpack.encode(_outcome(msgspec.msgpack.decode(order, type=Order)))


def _outcome(order: Order) -> Outcome:
    worker = get_worker()
    other = differences(order.program, program())
    if other is not None:
        return Outcome("stranger", detail=other, worker=worker.address)
    pool = _POOLS.pool(order.rules, worker.state.nthreads)
    try:
        answer = pool.submit(function_named(order.function), order.payload).result()
    except WorkError as error:
        return Outcome(error.verdict, detail=error.detail, worker=worker.address)
    except ValueError as error:  # no such function: an order that we never gave
        return Outcome("failed", detail=describe(error), worker=worker.address)
    return Outcome("ok", answer, worker=worker.address)
