"""Threads for waiting on other machines, whose last wait nobody waits for.

Not ThreadPoolExecutor: the interpreter joins its threads at the end, and one that hangs in the system's
resolver would hold up a stop for 20 seconds. What runs here writes in transactions, so it may end anywhere.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

ThreadJob = Callable[[], object]
Ended = Callable[[str, BaseException | None], None]


def is_left_behind(thread: threading.Thread, seconds: float) -> bool:
    """Wait at most so long for a thread to end; whether it still runs. One that was not started does not."""
    if thread.ident is not None:
        thread.join(max(0.0, seconds))
    return thread.is_alive()


class ThreadPool:
    """A number of threads that run named jobs in the order in which they came.

    A job that takes longer than `slow_seconds` gives up its place: another thread takes the next job, up to
    `spare` such threads. So fifty servers that drip do not hold up the fifty that answer.
    """

    def __init__(
        self, count: int, name: str, ended: Ended, *, spare: int = 0, slow_seconds: float = 0.0
    ) -> None:
        """`ended(job's name, what it raised)` is called after each job, in the job's thread.

        With a `count` of 0 there are none: `submit` runs the job itself, which tests of a whole week need.
        """
        self.count = count
        self._name = name
        self._ended = ended
        self._spare = spare
        self._slow_seconds = slow_seconds
        self._jobs: deque[tuple[str, ThreadJob]] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._began: dict[int, float] = {}  # threads that run a job → since when
        self._threads: list[threading.Thread] = []
        with self._changed:
            for _ in range(count):
                self._add_thread()

    def submit(self, name: str, job: ThreadJob) -> None:
        """Queue one job; dropped where `stop` was called."""
        if self.count == 0:
            self._run_one(name, job)
            return
        with self._changed:
            if not self._stopped:
                self._jobs.append((name, job))
                self._changed.notify()

    def slow(self) -> int:
        """How many jobs under way have given up their places."""
        with self._changed:
            return self._slow()

    def relieve(self) -> None:
        """Start threads in the place of slow ones, where jobs wait; to be called now and then."""
        with self._changed:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            missing = min(self._slow() + self.count - len(self._threads), len(self._jobs))
            for _ in range(0 if self._stopped else missing):
                self._add_thread()

    def stop(self) -> None:
        """Start no further job."""
        with self._changed:
            self._stopped = True
            self._jobs.clear()
            self._changed.notify_all()

    def join(self, patience_seconds: Callable[[], float]) -> int:
        """After `stop`: wait for the jobs under way while there is patience; returns how many are left."""
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
        except Exception as error:  # noqa: BLE001 - one job's failure is told, the thread lives on
            self._ended(name, error)
        else:
            self._ended(name, None)

    def _next(self) -> tuple[str, ThreadJob] | None:
        """The next job of this thread; None where it is to end: all stop, or it is one too many by now."""
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
