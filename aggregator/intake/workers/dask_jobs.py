"""The jobs that a Dask worker runs, in a worker process on its own machine.

The process has the same limits of time and memory as elsewhere (process_pool.py). Results are bytes, and failures of
a job are part of them, so nothing untrusted is unpickled.
"""

import functools
import threading
from pkgutil import resolve_name

import msgspec
from distributed import get_worker

from aggregator.intake.workers.executor import (
    WorkerTuning,
    describe,
)
from aggregator.intake.workers.process_pool import ProcessExecutor
from aggregator.intake.workers.program_versions import (
    program_versions,
    version_differences,
)
from aggregator.model.errors import WorkError


class RemoteJob(msgspec.Struct, frozen=True, array_like=True):
    """A job, the limits of its process, and the program versions that it needs."""

    function: str
    payload: bytes
    tuning: WorkerTuning
    program: dict[str, str]


class RemoteResult(msgspec.Struct, frozen=True, array_like=True):
    """The result of a remote job; `verdict` is "ok", "stranger", or the verdict of a WorkError.

    "stranger" means that the Dask worker at `worker` has another version of the program, and did nothing.
    """

    verdict: str
    payload: bytes = b""
    detail: str = ""
    worker: str = ""


@functools.cache
def _pool(threads: int, tuning: WorkerTuning) -> ProcessExecutor:
    """Return the worker processes of this machine, which start with the first job.

    There is one for each thread of the Dask worker, and they live as long as the Dask worker.
    """
    return ProcessExecutor(threads, tuning)


_OPENING = threading.Lock()  # jobs come in several threads


def run_isolated(order: bytes) -> bytes:
    """Run a RemoteJob and return a RemoteResult, both as msgpack."""
    job = msgspec.msgpack.decode(order, type=RemoteJob)
    worker = get_worker()
    verdict, answer, detail = "ok", b"", ""
    other = version_differences(job.program, program_versions())
    if other is not None:
        verdict, detail = "stranger", other
    else:
        with _OPENING:
            pool = _pool(worker.state.nthreads, job.tuning)
        try:
            answer = pool.submit(resolve_name(job.function), job.payload).result()
        except WorkError as error:
            verdict, detail = error.verdict, error.detail
        except (ImportError, AttributeError) as error:  # no such function
            verdict, detail = "failed", describe(error)
    return msgspec.msgpack.encode(RemoteResult(verdict, answer, detail, worker.address))


# The most bytes of a reply besides its payload
_MESSAGE_BYTES = 4096


def decoded_result(reply: object, tuning: WorkerTuning) -> RemoteResult:
    """Return the result in a reply. Raises WorkError for a reply that is too long or invalid."""
    if (
        not isinstance(reply, bytes)
        or len(reply) > tuning.result_cap_bytes + _MESSAGE_BYTES
    ):
        raise WorkError(
            "died",
            f"an answer that is too long, or none; at most {tuning.result_cap_bytes} bytes are allowed",
        )
    try:
        return msgspec.msgpack.decode(reply, type=RemoteResult)
    except msgspec.DecodeError as error:
        raise WorkError("died", "an invalid reply") from error
