"""Detection of a replaced SQLite file while it is open."""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aggregator.model.errors import DatabaseReplacedError, NotWritableError

_LOGS = ("-wal", "-shm")  # created with the first connection, removed with the last one


def files_of(file: Path) -> tuple[Path, ...]:
    """Return the paths of an SQLite database: its file, the two logs and the lock; each may be missing."""
    return tuple(file.with_name(file.name + ending) for ending in ("", *_LOGS, ".lock"))


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Create a folder and its missing parents. If root creates them, they get the owner of the existing parent."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode, exist_ok=True)
        hand_over(folder)


def hand_over(path: Path) -> None:
    """Give a file or folder that root has made to the owner of its folder.

    Otherwise a service that runs as another user could not use what root's commands create beside its database.
    SQLite does the same with its logs.
    """
    if os.geteuid() == 0:
        folder = path.parent.stat()
        # The root of a container may not have this right
        with suppress(PermissionError):
            os.lchown(path, folder.st_uid, folder.st_gid)


class OpenFile:
    """An SQLite file that is opened by its path; detects that another file took its place. Thread-safe."""

    def __init__(self, path: Path, mode: str = "rw") -> None:
        """`mode` is written as in SQLite's URIs, such as "ro" for read-only."""
        self.mode = mode
        self._path = path.absolute()
        self._changing = threading.Lock()
        self._connections = 0
        # Device and inode of each file, by the suffix of its path
        self._identities: dict[str, tuple[int, int]] = {}
        self._watching = threading.Lock()
        # This connection never commits, so it sees every commit of others
        self._watch: sqlite3.Connection | None = None

    def connect(
        self, configure: Callable[[sqlite3.Connection], None], **how: Any
    ) -> sqlite3.Connection:
        """Return a new connection; does not create the file. Raises DatabaseReplacedError."""
        with self._changing:
            self.check()
            if self._identity("") is None:
                raise DatabaseReplacedError(f"there is no database at {self._path}")
            address = f"{self._path.as_uri()}?mode={self.mode}"
            connection = sqlite3.connect(
                address, factory=_Connection, **how | {"uri": True}
            )
            self._connections += 1
            connection.closing = self._closing
        try:
            configure(connection)
        except BaseException:
            connection.close()
            raise
        with self._changing:
            for ending in ("", *_LOGS):  # `configure` has created the logs
                identity = self._identity(ending)
                if identity is not None:
                    self._identities.setdefault(ending, identity)
        return connection

    def check(self) -> None:
        """Raise DatabaseReplacedError if an opened file was removed, renamed or replaced."""
        for ending, former in tuple(self._identities.items()):
            now = self._identity(ending)
            if (
                now == former or ending not in self._identities
            ):  # another thread may just have closed the last connection
                continue
            what = (
                "was removed or renamed"
                if now is None
                else "was replaced by another file"
            )
            advice = "restart the program"
            if now is None and not ending:
                advice = f"put it back, or restore a backup (aggregator db restore FILE); then {advice}"
            raise DatabaseReplacedError(
                f"{self._path}{ending} {what} while the database was open; writing has stopped; {advice}"
            )

    def data_version(self) -> int:
        """Return a number that changes with every commit of any connection or process. This takes 0.01 ms."""
        with self._watching:
            if self._watch is None:
                self._watch = self.connect(
                    lambda _: None, check_same_thread=False, isolation_level=None
                )
            return self._watch.execute("PRAGMA data_version").fetchone()[0]

    def close(self) -> None:
        """Close the connection of `data_version`."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _closing(self) -> None:
        with self._changing:
            self._connections -= 1
            if not self._connections:
                for ending in _LOGS:
                    self._identities.pop(ending, None)

    def _identity(self, ending: str) -> tuple[int, int] | None:
        try:
            status = os.stat(f"{self._path}{ending}")  # noqa: PTH116 - called before each transaction
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise NotWritableError(
                f"{self._path}{ending} cannot be read: {error.strerror}"
            ) from error
        return status.st_dev, status.st_ino


class _Connection(sqlite3.Connection):
    """A connection that calls `closing` once, before it is closed."""

    closing: Callable[[], None] | None = None

    def close(self) -> None:
        closing, self.closing = self.closing, None
        if closing is not None:
            closing()
        super().close()
