"""Temporary folders and databases. If a killed process leaves one, the next run deletes it."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from aggregator.model.errors import NoScratchFolderError
from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade

_PREFIX = ".recluster-"


@contextmanager
def scratch_database(live: Database) -> Iterator[Database]:
    """Yield an empty SQLite database with tables: beside the file of `live`, or for a server among the temporary files.

    Raises NoScratchFolderError if its folder cannot be written.
    """
    parent = _parent(live)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch_folder(parent, _PREFIX))
        except OSError as error:
            raise NoScratchFolderError(
                f"{parent} cannot be written: {error.strerror}"
            ) from error
        database = stack.enter_context(
            closing(Database(f"sqlite:///{folder / 'scratch.db'}"))
        )
        upgrade(database)
        yield database


def delete_abandoned_databases(live: Database) -> None:
    """Delete the scratch databases of killed runs, because they contain texts."""
    delete_abandoned(_parent(live), _PREFIX)


def _parent(live: Database) -> Path:
    return Path(tempfile.gettempdir()) if live.file is None else live.file.parent


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a private folder in `parent`, after deleting folders that killed processes left.

    A process holds a lock on a file in its folder, which ends with the process. The file is named "lock" only after it
    is locked, so that no other process takes a new folder for an abandoned one.
    """
    delete_abandoned(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    with (folder / "unlocked").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "unlocked").rename(folder / "lock")
        try:
            yield folder
        finally:  # the folder is still locked, so that no other process deletes it, too
            shutil.rmtree(folder)


def delete_abandoned(parent: Path, prefix: str) -> None:
    """Delete the scratch folders with this beginning that no process has locked."""
    for folder in parent.glob(f"{prefix}*"):
        # Folders that are in use, new, or not ours cannot be opened or locked
        with suppress(OSError), (folder / "lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
