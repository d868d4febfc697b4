"""A lock that serves threads in the order of their requests."""

import threading
from collections import deque


class FairLock:
    """A reentrant lock, first come, first served."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()  # one sign of each waiting thread
        self._owner: int | None = None
        self._depth = 0

    def acquire(self, seconds: float) -> bool:
        """Wait at most `seconds` for the lock. Return whether this thread has it."""
        thread = threading.get_ident()
        sign = object()
        with self._changed:
            is_mine = self._owner == thread
            if not is_mine:
                self._queue.append(sign)
                try:
                    is_mine = self._changed.wait_for(
                        lambda: self._owner is None and self._queue[0] is sign, seconds
                    )
                finally:
                    self._queue.remove(sign)
                    # The next thread may be first now
                    self._changed.notify_all()
            if is_mine:
                self._owner = thread
                self._depth += 1
            return is_mine

    @property
    def waiting(self) -> int:
        """The number of waiting threads."""
        return len(self._queue)

    def release(self) -> None:
        """Release the lock to the thread that has waited longest."""
        with self._changed:
            self._depth -= 1
            if not self._depth:
                self._owner = None
                self._changed.notify_all()
