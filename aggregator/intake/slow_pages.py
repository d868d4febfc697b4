"""Sources whose pages take workers too long: for an hour, none of their pages are read.

Otherwise a feed with many slow pages would keep all workers busy, and the entries of all other feeds would wait.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable

# Pages that take less CPU time are not slow (measured: the slowest of 217 real pages takes .3 s).
_SLOW_SECONDS = 0.4
# A source rests when its slow pages of the last hour took this many times the deadline of a worker.
_DEADLINES = 3.0
_HOUR_SECONDS = 3600.0


class SlowPages:
    """The time that the slow pages of each source took within the last hour. A restart forgets it.

    Only one thread may call `note`; any thread may call the other methods.
    """

    def __init__(
        self, deadline_seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`deadline_seconds` is the time that a worker may take for a job; `now` returns seconds."""
        self._allowed_seconds = _DEADLINES * deadline_seconds
        self._now = now
        # The slow pages of each source: when they were read, and their seconds of CPU
        self._spent: defaultdict[str, deque[tuple[float, float]]] = defaultdict(deque)
        self._rests_until: dict[str, float] = {}

    def note(self, source: str, seconds: float) -> bool:
        """Count the `seconds` that a page of a source took; return whether the source rests from now on."""
        if seconds < _SLOW_SECONDS:
            return False
        now = self._now()
        spent = self._spent[source]
        spent.append((now, seconds))
        while spent[0][0] <= now - _HOUR_SECONDS:
            spent.popleft()
        if sum(page_seconds for _, page_seconds in spent) < self._allowed_seconds:
            return False
        del self._spent[source]
        self._rests_until[source] = now + _HOUR_SECONDS
        return True

    def slow(self) -> list[str]:
        """Return the sources that had a slow page within the last hour."""
        earliest = self._now() - _HOUR_SECONDS
        spent = list(self._spent.items())
        return [source for source, pages in spent if pages[-1][0] > earliest]

    def rests(self, source: str) -> bool:
        """Return whether the pages of a source are not read at present."""
        return self._now() < self._rests_until.get(source, 0.0)

    def resting(self) -> list[str]:
        """Return the sources whose pages are not read at present."""
        return sorted(filter(self.rests, list(self._rests_until)))
