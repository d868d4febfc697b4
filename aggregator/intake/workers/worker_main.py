"""A worker process: runs the jobs that come through the socket that it has as standard input.

It is started by exec (`python -P -m aggregator.intake.workers.worker_main`), not by fork, because the
daemon has threads. It ends with its parent, and its memory is limited after the parsers are loaded.
"""

import contextlib
import ctypes
import gc
import importlib
import logging
import os
import resource
import signal
import socket
import sys
import warnings
from pkgutil import resolve_name

from aggregator.config.memory import (
    collect_garbage_seldom,
    give_back_memory,
    own_bytes,
    set_malloc_options,
)
from aggregator.grouping.copies.minhash import load_datasketch
from aggregator.intake.workers.executor import verdict_on
from aggregator.intake.workers.ipc import WorkerJob, WorkerReply, receive, send

# These are loaded before the memory limit is set, so that the limit applies to jobs and not to libraries.
# trafilatura is not loaded, because it takes 10 MB and many workers never meet a page.
_WARM_UP = ("lxml.html", "feedparser", "py3langid")
_PR_SET_PDEATHSIG = 1
_JOB_CAP_BYTES = 1 << 30
# A worker with more memory of its own is cleaned up after a job. Otherwise the parent would end it sooner (tuning.yaml,
# work.bytes_before_retiring), and a new worker costs a second of CPU time. feedparser's parsers refer to themselves and
# to the text of their feed, .5 MB a poll, so only a search for cycles frees them.
_TRIMMED_FROM_BYTES = 40 << 20


def main(arguments: list[str]) -> None:
    """Run jobs. `arguments`: process id of the parent, bytes of memory allowed beyond the present size."""
    # The kernel kills this process when the thread that started it ends.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(arguments[0]):  # the parent ended before prctl
        os._exit(1)
    # A service manager signals the whole group; the parent decides when its workers end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_malloc_options()
    link = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - no need of pathlib here
        os.dup2(nothing.fileno(), 0)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in _WARM_UP:
        with contextlib.suppress(ImportError):  # a job that needs it fails
            importlib.import_module(name)
    load_datasketch()
    gc.collect()
    collect_garbage_seldom()
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no need of pathlib here
        pages = int(statm.read().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + int(arguments[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(OSError):  # the parent closed its end, to stop the worker
        send(link, WorkerReply("ready"))
        while True:
            reply = _answer(receive(link, WorkerJob, cap_bytes=_JOB_CAP_BYTES))
            if own_bytes(os.getpid()) > _TRIMMED_FROM_BYTES:
                # Generations 0 and 1 have the objects of this job, and not those that outlived earlier jobs.
                gc.collect(1)
                give_back_memory()
            send(link, reply)


def _answer(job: WorkerJob) -> WorkerReply:
    try:
        return WorkerReply("ok", resolve_name(job.function)(job.payload))
    except Exception as error:  # noqa: BLE001 - parsers may raise anything
        gc.collect()
        verdict, detail = verdict_on(error)
        return WorkerReply(verdict, detail=detail)


if __name__ == "__main__":
    main(sys.argv[1:])
