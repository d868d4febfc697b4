"""Settings of single transactions: how long they wait and last, and how they are synced."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text


@contextmanager
def full_sync(connection: Connection) -> Iterator[None]:
    """Have SQLite sync the WAL at each commit in the block; enter it outside of a transaction."""
    driver = sqlite_driver(connection)
    driver.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def lock_timeout(
    connection: Connection, seconds: float, usual_seconds: float
) -> Iterator[None]:
    """Limit the wait for locks of other programs in the block (SQLite); servers have `lock_timeout`."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = sqlite_driver(connection)
    driver.execute(f"PRAGMA busy_timeout={milliseconds(seconds)}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout={milliseconds(usual_seconds)}")


_SET_STATEMENT_TIMEOUT = text("SELECT set_config('statement_timeout', :ends, true)")
# Instructions between two checks of the clock, about 20 ms: each check needs the GIL.
_STEPS = 500_000


@contextmanager
def statement_timeout(connection: Connection, seconds: float | None) -> Iterator[None]:
    """Limit each statement in the block, on SQLite the whole block, to `seconds`; None: no limit."""
    if seconds is None:
        yield
    elif connection.dialect.name == "sqlite":
        driver = sqlite_driver(connection)
        ends = time.monotonic() + seconds
        driver.set_progress_handler(lambda: int(time.monotonic() > ends), _STEPS)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)
    else:
        connection.execute(_SET_STATEMENT_TIMEOUT, {"ends": str(milliseconds(seconds))})
        yield


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Return the connection of the sqlite3 module."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds; at least 1."""
    return max(1, round(seconds * 1000))
