"""Telling our own outage from that of others: when nobody can be reached, it is not everybody's fault."""

import datetime as dt
import threading


class Outage:
    """Counts the hosts that could not be reached one after the other. Safe to use from many threads."""

    def __init__(self, hosts: int) -> None:
        """So many different hosts in a row, without an answer from any, are an outage of our own."""
        self._most = hosts
        self._silent: set[str] = set()
        self._since: dt.datetime | None = None
        self._is_told = False
        self._lock = threading.Lock()

    def answered(self) -> dt.datetime | None:
        """Somebody answered, with whatever; since when nobody had, where that was told as an outage."""
        with self._lock:
            since = self._since if self._is_told else None
            self._silent.clear()
            self._since, self._is_told = None, False
            return since

    def unreachable(self, host: str, at: dt.datetime, known: int | None = None) -> dt.datetime | None:
        """Take in a host that could not be reached; since when that is an outage of our own, if it looks so.

        `known`: how many hosts there are to be asked; where that is less, all of them are enough. One alone
        tells nothing.
        """
        most = self._most if known is None else min(self._most, max(known, 2))
        with self._lock:
            self._since = self._since or at
            if len(self._silent) < self._most:
                self._silent.add(host)
            return self._since if len(self._silent) >= most else None

    def is_new(self) -> bool:
        """Whether nobody has asked this of the outage before."""
        with self._lock:
            was_told, self._is_told = self._is_told, True
            return not was_told
