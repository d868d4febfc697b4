"""Threads for requests to other machines, which a stop need not wait for.

ThreadPoolExecutor is not used: the interpreter joins its threads at the end, and one that hangs in the
resolver would delay a stop by 20 seconds. Jobs write in transactions, so they may be interrupted anywhere.
"""

import threading
import time
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
    """Threads that run named jobs in order.

    A job that takes longer than `slow_seconds` does not count: another thread takes the next job, up to
    `spare` such threads. So fifty slow servers do not delay fifty fast ones.
    """

    def __init__(
        self, count: int, name: str, ended: Ended, *, spare: int = 0, slow_seconds: float = 0.0
    ) -> None:
        """`ended(name, error)` is called after each job, in its thread; `error` is None on success.

        With `count` 0 there are no threads: `submit` runs the job, for tests that simulate weeks.
        """
        self.count = count
        self._name = name
        self._ended = ended
        self._spare = spare
        self._slow_seconds = slow_seconds
        self._jobs: deque[tuple[str, ThreadJob]] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._began: dict[int, float] = {}  # threads that run a job → its start
        self._threads: list[threading.Thread] = []
        with self._changed:
            for _ in range(count):
                self._add_thread()

    def submit(self, name: str, job: ThreadJob) -> None:
        """Queue one job; dropped after `stop`."""
        if self.count == 0:
            self._run_one(name, job)
            return
        with self._changed:
            if not self._stopped:
                self._jobs.append((name, job))
                self._changed.notify()

    def slow(self) -> int:
        """Jobs under way that are slow."""
        with self._changed:
            return self._slow()

    def relieve(self) -> None:
        """Start threads in place of slow ones if jobs wait. To be called regularly.

        Two for each slow one: when all are slow, their number doubles at each call, up to `spare`.
        """
        with self._changed:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            wanted = self.count + min(self._spare, 2 * self._slow())
            missing = min(wanted - len(self._threads), len(self._jobs))
            for _ in range(0 if self._stopped else missing):
                self._add_thread()

    def stop(self) -> None:
        """Start no more jobs."""
        with self._changed:
            self._stopped = True
            self._jobs.clear()
            self._changed.notify_all()

    def join(self, patience_seconds: Callable[[], float]) -> int:
        """After `stop`: wait for jobs under way; return how many still run."""
        for thread in self._threads:
            thread.join(max(0.0, patience_seconds()))
        return sum(thread.is_alive() for thread in self._threads)

    def _slow(self) -> int:
        now = time.monotonic()
        return min(self._spare, sum(now - began > self._slow_seconds for began in self._began.values()))

    def _add_thread(self) -> None:
        number = len(self._threads)
        thread = threading.Thread(target=self._run, name=f"{self._name}-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._run_one(*item)

    def _run_one(self, name: str, job: ThreadJob) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - reported; the thread continues
            self._ended(name, error)
        else:
            self._ended(name, None)

    def _next(self) -> tuple[str, ThreadJob] | None:
        """Return the next job; None to end this thread: after `stop`, or if there are too many threads."""
        me = threading.get_ident()
        with self._changed:
            self._began.pop(me, None)
            while not self._stopped and not self._jobs:
                if len(self._threads) > self.count + self._slow():
                    self._threads.remove(threading.current_thread())
                    return None
                self._changed.wait()
            if self._stopped:
                return None
            self._began[me] = time.monotonic()
            return self._jobs.popleft()
