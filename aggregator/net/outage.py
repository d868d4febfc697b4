"""Telling our own outage from that of others: when nobody can be reached, it is not everybody's fault."""

import threading


class Outage:
    """Counts the hosts that could not be reached one after the other. Safe to use from many threads."""

    def __init__(self, hosts: int) -> None:
        """So many different hosts in a row, without an answer from any, are an outage of our own."""
        self._most = hosts
        self._silent: set[str] = set()
        self._lock = threading.Lock()

    def answered(self) -> None:
        """Somebody answered, with whatever."""
        with self._lock:
            self._silent.clear()

    def unreachable(self, host: str, known: int | None = None) -> bool:
        """Take in a host that could not be reached; whether that looks like an outage of our own.

        `known`: how many hosts there are to be asked; where that is less, all of them are enough. One alone
        tells nothing.
        """
        most = self._most if known is None else min(self._most, max(known, 2))
        with self._lock:
            if len(self._silent) < self._most:
                self._silent.add(host)
            return len(self._silent) >= most
