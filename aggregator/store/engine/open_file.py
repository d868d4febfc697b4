"""The file of an SQLite database while it is open: whether its path still leads to it.

SQLite opens a database and its log by their paths. Where somebody removes, renames or replaces one of them,
connections that are open go on with the old files and new ones meet others: what is written is lost, or
damages both. So new connections and writing transactions are refused then.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aggregator.model.errors import DatabaseReplacedError, NotWritableError

_LOGS = ("-wal", "-shm")  # SQLite makes them for its first connection and removes them with its last one


class OpenFile:
    """One SQLite database, by the path that was given for it. Safe to use from many threads."""

    def __init__(self, path: Path, mode: str = "rw") -> None:
        """`mode`: as of SQLite's URIs; "ro" for a file that is only read."""
        self._mode = mode
        self._path = path.absolute()
        self._changing = threading.Lock()
        self._connections = 0
        self._met: dict[str, tuple[int, int]] = {}  # device and inode, by what follows the path

    def connect(self, configure: Callable[[sqlite3.Connection], None], **how: Any) -> sqlite3.Connection:
        """A new connection to the file, which is never made here. Raises DatabaseReplacedError."""
        with self._changing:
            self.check()
            if self._identity("") is None:
                raise DatabaseReplacedError(f"there is no database at {self._path}")
            address = f"{self._path.as_uri()}?mode={self._mode}"
            connection = sqlite3.connect(address, factory=_Connection, **how | {"uri": True})
            self._connections += 1
            connection.closing = self._closing
        try:
            configure(connection)
        except BaseException:
            connection.close()
            raise
        with self._changing:
            for ending in ("", *_LOGS):  # the logs are there since it was configured
                identity = self._identity(ending)
                if identity is not None:
                    self._met.setdefault(ending, identity)
        return connection

    def check(self) -> None:
        """Raise DatabaseReplacedError where another file, or none, is where one of ours was opened."""
        for ending, met in tuple(self._met.items()):
            now = self._identity(ending)
            if now == met or ending not in self._met:  # the last connection may be closed just now
                continue
            what = "was removed or renamed" if now is None else "was replaced by another file"
            advice = "start the program again"
            if now is None and not ending:
                advice = f"put it back, or restore a backup (aggregator db restore FILE); then {advice}"
            raise DatabaseReplacedError(
                f"{self._path}{ending} {what} while the database was open: nothing more is written; {advice}"
            )

    def _closing(self) -> None:
        with self._changing:
            self._connections -= 1
            if not self._connections:
                for ending in _LOGS:
                    self._met.pop(ending, None)

    def _identity(self, ending: str) -> tuple[int, int] | None:
        try:
            found = os.stat(f"{self._path}{ending}")  # noqa: PTH116 - asked before each transaction
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise NotWritableError(f"{self._path}{ending} cannot be read: {error.strerror}") from error
        return found.st_dev, found.st_ino


class _Connection(sqlite3.Connection):
    """A connection that tells of its end, once and before it."""

    closing: Callable[[], None] | None = None

    def close(self) -> None:
        closing, self.closing = self.closing, None
        if closing is not None:
            closing()
        super().close()
