"""The meaning of SQLite errors, by the names of its result codes."""

import sqlite3

from aggregator.model.errors import (
    AggregatorError,
    DamagedFileError,
    DatabaseLockedError,
)
from aggregator.store.engine.engines import shown_url
from aggregator.store.engine.postgres_errors import (
    NOT_WRITABLE,
    TOO_LONG,
    WITHOUT_TABLES,
)

_CANNOT_WRITE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")


def of_sqlite(error: sqlite3.Error, said: str, url: str) -> AggregatorError | None:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return DatabaseLockedError(
            f"another program keeps {shown_url(url)} locked for writing; try again when it has finished"
        )
    if name == "SQLITE_INTERRUPT":
        return TOO_LONG.as_error(said, url)
    if name.startswith(_CANNOT_WRITE) or "unable to open" in said:
        return NOT_WRITABLE.as_error(said, url)
    if "no such table" in said:
        return WITHOUT_TABLES.as_error(said, url)
    if is_damage(error):
        return DamagedFileError(f"the database {shown_url(url)} is damaged ({said})")
    return None


def is_damage(error: BaseException | None) -> bool:
    """Return whether the error reports a damaged SQLite file: a page, or text that is not UTF-8."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or (
        isinstance(error, sqlite3.OperationalError)
        and str(error).startswith("Could not decode to UTF-8")
    )
