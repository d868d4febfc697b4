"""An outage of the local network: no host can be reached."""

import datetime as dt
import threading
from typing import NamedTuple

_MOST_BEFORE = 500  # sources; many may be at few hosts


class DetectedOutage(NamedTuple):
    """An outage of the local network: its start, whether it is new, and the sources that failed before."""

    since: dt.datetime
    is_new: bool
    before: frozenset[str]


class OutageDetector:
    """Counts consecutive hosts that could not be reached. Thread-safe."""

    def __init__(self, hosts: int) -> None:
        """An outage is detected after `hosts` different hosts in a row without a response."""
        self._most = hosts
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._silent: set[str] = set()
        self._before: set[str] = set()
        self._since: dt.datetime | None = None
        self._is_known = False

    def answered(self) -> dt.datetime | None:
        """Record a response; return the start of the outage that it ends, if there was one."""
        with self._lock:
            since = self._since if self._is_known else None
            self._forget()
            return since

    def unreachable(
        self, host: str, at: dt.datetime, known: int | None = None, source: str = ""
    ) -> DetectedOutage | None:
        """Record that the host of `source` was not reached; return the outage, if there is one.

        `known`: the number of polled hosts; if it is smaller than the limit, all of them are enough, but at
        least two.
        """
        most = self._most if known is None else min(self._most, max(known, 2))
        with self._lock:
            self._since = at if self._since is None else min(self._since, at)
            if len(self._silent) < self._most:
                self._silent.add(host)
            if not self._is_known and len(self._silent) < most:
                if len(self._before) < _MOST_BEFORE:
                    self._before.add(source)
                return None
            was_known, self._is_known = self._is_known, True
            return DetectedOutage(self._since, not was_known, frozenset(self._before - {source}))
