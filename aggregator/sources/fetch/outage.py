"""Telling our own outage from that of others: when nobody can be reached, it is not everybody's fault."""

import datetime as dt
import threading
from typing import NamedTuple

_MOST_BEFORE = 500  # sources that are remembered: many may be at few hosts


class Silence(NamedTuple):
    """An outage of our own: since when, whether it was told before, and who failed before it was known."""

    since: dt.datetime
    is_new: bool
    before: frozenset[str]


class Outage:
    """Counts the hosts that could not be reached one after the other. Safe to use from many threads."""

    def __init__(self, hosts: int) -> None:
        """So many different hosts in a row, without an answer from any, are an outage of our own."""
        self._most = hosts
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._silent: set[str] = set()
        self._before: set[str] = set()
        self._since: dt.datetime | None = None
        self._is_known = False

    def answered(self) -> dt.datetime | None:
        """Somebody answered, with whatever; since when nobody had, where that was an outage."""
        with self._lock:
            since = self._since if self._is_known else None
            self._forget()
            return since

    def unreachable(
        self, host: str, at: dt.datetime, known: int | None = None, source: str = ""
    ) -> Silence | None:
        """Take in that `source` was asked `at` this time and its host not reached; an outage, if it looks so.

        `known`: how many hosts there are to be asked; where that is less, all of them are enough. One alone
        tells nothing.
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
            return Silence(self._since, not was_known, frozenset(self._before - {source}))
