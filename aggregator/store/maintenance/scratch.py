"""Temporary folders and databases, which the next run deletes where a killed process left them."""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from aggregator.model.errors import NoScratchFolderError
from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade


@contextmanager
def scratch_database(live: Database) -> Iterator[Database]:
    """Yield an empty SQLite database with tables, beside `live`, for PostgreSQL among the temporary files.

    Raises NoScratchFolderError if its folder cannot be written.
    """
    parent, prefix = _place_beside(live)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch_folder(parent, prefix))
        except OSError as error:
            raise NoScratchFolderError(f"{parent} cannot be written: {error.strerror}") from error
        database = stack.enter_context(closing(Database(f"sqlite:///{folder / 'scratch.db'}")))
        upgrade(database)
        yield database


def delete_abandoned_databases(live: Database) -> None:
    """Delete the scratch databases of killed runs, because they contain texts."""
    delete_abandoned(*_place_beside(live))


def _place_beside(live: Database) -> tuple[Path, str]:
    """Return the parent of scratch folders and the beginning of their names."""
    parent = live.file.parent if live.file is not None else Path(tempfile.gettempdir())
    return parent, f".recluster-{hashlib.blake2b(live.url.encode(), digest_size=8).hexdigest()}-"


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a private folder in `parent`; first delete those that killed processes left.

    The lock of such a folder ends with its process. It gets its name when it is locked, so that no other
    process takes a new folder for an abandoned one.
    """
    delete_abandoned(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    with (folder / "unlocked").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "unlocked").rename(folder / "lock")
        try:
            yield folder
        finally:  # while it is locked: else another process deletes it, too
            shutil.rmtree(folder)


def delete_abandoned(parent: Path, prefix: str) -> None:
    """Delete the scratch folders with this beginning that no process has locked."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError), (folder / "lock").open("r+b") as lock:  # in use, new, or not ours
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
