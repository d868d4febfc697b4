"""A lock that serves threads in the order of their requests."""

import threading
from collections import deque


class FairLock:
    """A lock, first come, first served. A thread that has it must not acquire it again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # One sign per thread: first the thread that has the lock, then the waiting threads
        self._queue: deque[object] = deque()

    def acquire(self, seconds: float) -> bool:
        """Wait at most `seconds` for the lock. Return whether this thread has it."""
        sign = object()
        with self._changed:
            self._queue.append(sign)
            is_mine = False
            try:
                is_mine = self._changed.wait_for(
                    lambda: self._queue[0] is sign, seconds
                )
            finally:
                if not is_mine:
                    self._queue.remove(sign)
                    self._changed.notify_all()
            return is_mine

    @property
    def waiting(self) -> int:
        """The number of waiting threads."""
        return max(0, len(self._queue) - 1)

    def release(self) -> None:
        """Release the lock to the thread that has waited longest."""
        with self._changed:
            self._queue.popleft()
            self._changed.notify_all()
