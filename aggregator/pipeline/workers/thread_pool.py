"""Threads for requests to other machines, which a stop need not wait for.

ThreadPoolExecutor is not used: the interpreter joins its threads at the end, and one that hangs in the
resolver would delay a stop by 20 seconds. Jobs write in transactions, so they may be interrupted anywhere.
"""

import threading
from collections import deque
from collections.abc import Callable

ThreadJob = Callable[[], object]
Ended = Callable[[str, BaseException | None], None]


def is_left_behind(thread: threading.Thread, seconds: float) -> bool:
    """Wait at most `seconds` for a thread; return whether it still runs. A thread not started does not."""
    if thread.ident is not None:
        thread.join(max(0.0, seconds))
    return thread.is_alive()


class ThreadPool:
    """At most `most` threads that run named jobs in order; each ends when no job waits."""

    def __init__(self, most: int, name: str, ended: Ended) -> None:
        """`ended(name, error)` is called after each job, in its thread; `error` is None on success.

        With `most` 0 there are no threads: `submit` runs the job, for tests that simulate weeks.
        """
        self._most = most
        self._name = name
        self._ended = ended
        self._jobs: deque[tuple[str, ThreadJob]] = deque()
        self._lock = threading.Lock()
        self._stopped = False
        self._threads: set[threading.Thread] = set()

    def submit(self, name: str, job: ThreadJob) -> None:
        """Queue one job; dropped after `stop`."""
        if self._most == 0:
            self._run_one(name, job)
            return
        with self._lock:
            if self._stopped:
                return
            self._jobs.append((name, job))
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._threads.add(thread)
                thread.start()

    def stop(self) -> None:
        """Start no more jobs."""
        with self._lock:
            self._stopped = True
            self._jobs.clear()

    def join(self, patience_seconds: Callable[[], float]) -> int:
        """After `stop`: wait for jobs under way; return how many still run."""
        with self._lock:
            threads = list(self._threads)
        return sum(is_left_behind(thread, patience_seconds()) for thread in threads)

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._run_one(*item)

    def _next(self) -> tuple[str, ThreadJob] | None:
        """Return the next job; None to end this thread."""
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._threads.discard(threading.current_thread())
            return None

    def _run_one(self, name: str, job: ThreadJob) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - reported; the thread continues
            self._ended(name, error)
        else:
            self._ended(name, None)
