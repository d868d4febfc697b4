"""Notifications by Apprise, each sent by a process of its own."""

import os
import subprocess
import sys
import threading

import msgspec

from aggregator.deliver.apprise_process import Notice, NotificationJob
from aggregator.model.errors import TooManyFilesError
from aggregator.sources.fetch.posting import PostResult

# The process may take this long to start and load Apprise on a busy machine (0.5 s on a quiet machine).
_START_SECONDS = 15.0
_REPLY_CAP_BYTES = 10_000


class AppriseRunner:
    """Runs Apprise in a process of its own for each notification. Thread-safe."""

    def __init__(self, allow_private: tuple[str, ...], deadline_seconds: float) -> None:
        """`deadline_seconds` limits one notification, after its process has started."""
        self._allow_private = allow_private
        self._seconds = _START_SECONDS + deadline_seconds
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = threading.Event()

    def send(self, url: str, notice: Notice) -> PostResult:
        """Send a notification to an Apprise URL. Errors are returned in the result.

        Raise TooManyFilesError if this process cannot open the pipes.
        """
        # Behind a proxy the guard would not see where a connection leads.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy")
        }
        try:
            with self._lock:
                if self._stopped.is_set():
                    return PostResult(status=None, problem="stopped", is_stopped=True)
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "aggregator.deliver.apprise_process"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    # Ctrl-C at the terminal goes to the daemon only
                    start_new_session=True,
                )
                self._running.add(process)
        except OSError as error:  # no files, processes or memory left
            if TooManyFilesError.is_behind(error):
                raise TooManyFilesError from error
            return PostResult(
                status=None, problem=f"Apprise cannot be started: {error.strerror}"
            )
        job = NotificationJob(
            url=url,
            notice=notice,
            allow_private=self._allow_private,
            # Later than the end of `communicate` below
            deadline_seconds=int(self._seconds) + 1,
        )
        try:
            reply, _ = process.communicate(
                msgspec.json.encode(job), timeout=self._seconds
            )
            # "" if it was sent
            problem = msgspec.json.decode(reply[:_REPLY_CAP_BYTES], type=str)
        except subprocess.TimeoutExpired:
            problem = f"not sent within {self._seconds:.0f} s"
        except (OSError, msgspec.DecodeError):
            problem = "Apprise ended without an answer"
        finally:
            process.kill()
            process.communicate()
            with self._lock:
                self._running.discard(process)
        return PostResult(
            status=None if problem else 200,
            problem=problem,
            is_stopped=self._stopped.is_set() and problem != "",
        )

    def close(self) -> None:
        """Stop: kill the running processes, and start no more."""
        with self._lock:
            self._stopped.set()
            for process in self._running:
                process.kill()
