"""How long a transaction waits and works, and how surely it is kept: settings of a connection for a while."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, text


class DatabaseTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `database` of config/tuning.yaml; units and origins stand there."""

    lock_seconds: float
    idle_seconds: float
    read_seconds: float
    tries: int
    pause_seconds: float
    log_mib: int
    checkpoint_seconds: float
    log_rest_seconds: float
    free_mib: int
    look_seconds: float


@contextmanager
def full_sync(connection: Connection) -> Iterator[None]:
    """SQLite syncs its log at each commit within the block; to be entered outside of a transaction."""
    driver = sqlite_driver(connection)
    driver.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def lock_timeout(connection: Connection, seconds: float, usual_seconds: float) -> Iterator[None]:
    """On SQLite: a transaction in the block waits so long for other programs; elsewhere the server counts."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = sqlite_driver(connection)
    driver.execute(f"PRAGMA busy_timeout={milliseconds(seconds)}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout={milliseconds(usual_seconds)}")


_STATEMENT_ENDS = text("SELECT set_config('statement_timeout', :ends, true)")
# Between two looks at the clock, some 20 ms: a look takes the interpreter's lock, which others may have.
_STEPS = 500_000
_LATE_SECONDS = 2.0  # by which a server may end a statement too late; then it hangs (chosen)


@contextmanager
def statement_timeout(connection: Connection, seconds: float | None) -> Iterator[None]:
    """Within an open transaction: no statement, on SQLite the whole block, takes more than `seconds`."""
    if seconds is None:
        yield
    elif connection.dialect.name == "sqlite":
        driver, ends = sqlite_driver(connection), time.monotonic() + seconds
        driver.set_progress_handler(lambda: int(time.monotonic() > ends), _STEPS)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)
    else:
        server: Any = connection.connection.driver_connection
        server.most_seconds = seconds + _LATE_SECONDS
        try:
            connection.execute(_STATEMENT_ENDS, {"ends": str(milliseconds(seconds))})
            yield
        finally:
            server.most_seconds = None


@contextmanager
def lossy_text(connection: Connection, *, is_asked: bool) -> Iterator[None]:
    """SQLite's texts that are no UTF-8 are read with signs of replacement in the block, if `is_asked`."""
    if not is_asked:
        yield
        return
    driver = sqlite_driver(connection)
    driver.text_factory = _with_replacements
    try:
        yield
    finally:
        driver.text_factory = str


def _with_replacements(found: bytes) -> str:
    return found.decode("utf-8", "replace")


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """The connection of the driver below."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def milliseconds(seconds: float) -> int:
    """As databases are told; at least one."""
    return max(1, round(seconds * 1000))
