"""Threads for waiting on other machines, whose last wait nobody waits for.

Not ThreadPoolExecutor: the interpreter joins its threads at the end, and one that hangs in the system's
resolver would hold up a stop for 20 seconds. What runs here writes in transactions, so it may end anywhere.
"""

import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], object]
Ended = Callable[[str, BaseException | None], None]


class Threads:
    """A fixed number of threads that run named jobs in the order in which they came."""

    def __init__(self, count: int, name: str, ended: Ended) -> None:
        """`ended(job's name, what it raised)` is called after each job, in the job's thread."""
        self.count = count
        self._ended = ended
        self._jobs: deque[tuple[str, Job]] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, name: str, job: Job) -> None:
        """Queue one job; dropped where `stop` was called."""
        with self._changed:
            if not self._stopped:
                self._jobs.append((name, job))
                self._changed.notify()

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

    def _run(self) -> None:
        while (item := self._next()) is not None:
            name, job = item
            try:
                job()
            except Exception as error:  # noqa: BLE001 - one job's failure is told, the thread lives on
                self._ended(name, error)
            else:
                self._ended(name, None)

    def _next(self) -> tuple[str, Job] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._jobs)
            return None if self._stopped else self._jobs.popleft()
