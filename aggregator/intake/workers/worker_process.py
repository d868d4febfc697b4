"""One worker: a process that runs jobs, and the socket to it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import aggregator
from aggregator.intake.workers.executor import (
    WorkerTuning,
)
from aggregator.intake.workers.ipc import WorkerJob, WorkerReply, receive, send
from aggregator.text.lines import word_list
from aggregator.text.shared_model import DESCRIPTOR_VARIABLE

# A worker parses untrusted data, so it gets only these variables, and no passwords or tokens.
_KEPT_ENVIRONMENT = word_list("""
    PATH HOME LANG LC_ALL LC_CTYPE LD_LIBRARY_PATH TMPDIR PYTHONHASHSEED
""")
_ONE_THREAD = word_list("""
    OPENBLAS_NUM_THREADS OMP_NUM_THREADS MKL_NUM_THREADS NUMEXPR_NUM_THREADS
""")


class WorkerProcess:
    """One process and the socket to it."""

    def __init__(self, tuning: WorkerTuning, language_model: BinaryIO | None) -> None:
        self.jobs = 0
        self._tuning = tuning
        environment = dict.fromkeys(_ONE_THREAD, "1")
        for name in _KEPT_ENVIRONMENT:
            if name in os.environ:
                environment[name] = os.environ[name]
        # This way a worker also finds a checkout that is not installed.
        environment["PYTHONPATH"] = str(
            Path(aggregator.__file__).resolve().parent.parent
        )
        shared = []
        if language_model is not None:
            shared.append(language_model.fileno())
            environment[DESCRIPTOR_VARIABLE] = str(language_model.fileno())
        with contextlib.ExitStack() as if_it_fails:
            self._link, theirs = map(if_it_fails.enter_context, socket.socketpair())
            self.process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own interpreter and module, nothing typed
                # -P: strangers' files in the folder where the program runs must not be imported.
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "aggregator.intake.workers.worker_main",
                    str(os.getpid()),
                    str(tuning.memory_extra_bytes),
                ],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                pass_fds=shared,
                # Ctrl-C at the terminal goes to the daemon only
                start_new_session=True,
            )
            if_it_fails.pop_all()
        theirs.close()

    def ask(self, job: WorkerJob) -> WorkerReply:
        """Run one job. Raises TimeoutError, another OSError, or WorkError for an invalid reply."""
        self.jobs += 1
        deadline = time.monotonic() + self._tuning.parse_deadline_seconds
        send(self._link, job, deadline)
        return self.receive(deadline)

    def receive(self, deadline: float) -> WorkerReply:
        """Return the next reply; `deadline` is monotonic. Raises the same errors as `ask`."""
        return receive(
            self._link,
            WorkerReply,
            cap_bytes=self._tuning.result_cap_bytes,
            deadline=deadline,
        )

    def kill(self) -> None:
        """Kill the process and its children."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    def bury(self, patience_seconds: float) -> int:
        """Close the socket, wait for the process to end, and return its exit code.

        The process is killed after `patience_seconds`.
        """
        self._link.close()
        try:
            return self.process.wait(timeout=patience_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()
