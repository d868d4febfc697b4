"""Copies an SQLite database page by page, while other processes may write to it."""

import sqlite3

from sqlalchemy import text

from aggregator.model.errors import NotWritableError
from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import translate_errors
from aggregator.store.engine.engines import sqlite_driver
from aggregator.store.maintenance.row_stream import Advance

_PAGES_A_STEP = 256  # 0.5 MiB, after which progress is reported


def copy_pages(source: Database, target: sqlite3.Connection, advance: Advance) -> None:
    """Replace the content of an SQLite database by the pages of another database.

    One state of the source is copied: writes during the copy are not included, and do not restart it.
    """
    done = 0

    def step(_status: int, left: int, total: int) -> None:
        nonlocal done
        advance(total - left - done)
        done = total - left

    with source.read() as connection:
        # This read fixes the state of the source that is copied
        connection.execute(text("SELECT count(*) FROM sqlite_master"))
        sqlite_driver(connection).backup(target, pages=_PAGES_A_STEP, progress=step)


def take_pages(target: Database, source: Database, advance: Advance) -> None:
    """Replace the content of `target` by the pages of `source`, in one SQLite transaction.

    Raises NotWritableError.
    """
    target.engine.dispose()  # idle connections of this process would block it
    with translate_errors(target.url), target.engine.connect() as connection:
        try:
            driver = sqlite_driver(connection)
            if driver.execute("PRAGMA page_size").fetchone()[0] != source.space().page:
                # The page size cannot change in WAL mode
                driver.execute("PRAGMA journal_mode=DELETE")
            copy_pages(source, driver, advance)
        except sqlite3.OperationalError as error:
            raise NotWritableError(
                f"{target.file} cannot be written: {error}"
            ) from error
    target.engine.dispose()  # the WAL may be a new file now
