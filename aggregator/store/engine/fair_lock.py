"""A lock that serves threads in the order in which they came.

The locks of `threading` do not: a thread that releases one and asks again is mostly served before those that
wait, and under load some wait for half a minute.
"""

import threading
from collections import deque


class FairLock:
    """A reentrant lock, first come, first served."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()
        self._owner: int | None = None
        self._depth = 0

    def acquire(self, seconds: float) -> bool:
        """Wait at most so long; whether this thread holds it now."""
        thread, turn = threading.get_ident(), threading.Event()
        with self._changing:
            if self._owner is None or self._owner == thread:
                self._owner = thread
                self._depth += 1
                return True
            self._waiting.append((thread, turn))
        is_interrupted = True
        try:
            turn.wait(seconds)
            is_interrupted = False
        finally:
            with self._changing:
                if not turn.is_set():
                    self._waiting.remove((thread, turn))
                elif is_interrupted:
                    self._pass_on()
        return turn.is_set()

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return len(self._waiting)

    def release(self) -> None:
        """Give it back, or to the thread that has waited longest."""
        with self._changing:
            self._depth -= 1
            if not self._depth:
                self._pass_on()

    def _pass_on(self) -> None:
        self._owner = None
        if self._waiting:
            self._owner, turn = self._waiting.popleft()
            self._depth = 1
            turn.set()
