"""Translates errors of the database drivers to AggregatorError, which tells whether to retry."""

import getpass
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aggregator.model.errors import (
    AggregatorError,
    DamagedFileError,
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseLockedError,
    NotWritableError,
)


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Translate errors of the database in the block; errors of our SQL are raised unchanged.

    Raises DatabaseBusyError, DatabaseAwayError, NotWritableError, DamagedFileError, or AggregatorError for
    other permanent errors.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseBusyError(
            f"all connections to the database {shown_url(url)} are in use; try again in a moment"
        ) from error
    except DBAPIError as error:
        ours = _ours(error, url)
        if ours is None:
            raise
        raise ours from error
    # From direct calls of the driver, such as a checkpoint
    except sqlite3.Error as error:
        ours = _of_sqlite(error, " ".join(str(error).split()), url)
        if ours is None:
            raise
        raise ours from error


def shown_url(url: str) -> str:
    """Return the address for messages: the path of the file, or the URL without its password."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        return parsed.database or url
    return parsed.set(drivername="postgresql").render_as_string(hide_password=True)


def _ours(error: DBAPIError, url: str) -> AggregatorError | None:
    """Return the translated error; None for a bug in our SQL."""
    said = " ".join(str(error.orig).split())
    if isinstance(error.orig, sqlite3.Error):
        translated = _of_sqlite(error.orig, said, url)
    else:
        translated = _of_postgres(error, said, url)
    if (
        translated is not None
        or isinstance(error, IntegrityError | ProgrammingError)
        or not said
    ):
        return translated
    if isinstance(error.orig, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return None
    return AggregatorError(
        f"the database {shown_url(url)}: {said}; run `aggregator doctor`"
    )


# --- SQLite: names of its result codes ---------------------------------------------------------------------

_CANNOT_WRITE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")


def _of_sqlite(error: sqlite3.Error, said: str, url: str) -> AggregatorError | None:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return DatabaseLockedError(
            f"another program keeps {shown_url(url)} locked for writing; try again when it has finished"
        )
    if name == "SQLITE_INTERRUPT":
        return _TOO_LONG.made(said, url)
    if name.startswith(_CANNOT_WRITE) or "unable to open" in said:
        return _NOT_WRITABLE.made(said, url)
    if "no such table" in said:
        return _WITHOUT_TABLES.made(said, url)
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


# --- Postgres: SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html --------------------

# Messages of a server that will accept connections soon. A refusal at login has no SQLSTATE.
_SOON = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "too many clients",
    "remaining connection slots",
)


def _of_postgres(error: DBAPIError, said: str, url: str) -> AggregatorError | None:
    state: str = getattr(error.orig, "sqlstate", None) or ""
    if state in _NOT_ALLOWED:
        return not_allowed(url, said)
    if state in _BY_STATE:
        return _BY_STATE[state].made(said, url)
    if not _is_away(error, state):
        return None
    if "FATAL" in said and not state and not any(words in said for words in _SOON):
        return AggregatorError(
            f"the database {shown_url(url)} refuses the connection: {said}; run `aggregator doctor`"
        )
    return DatabaseAwayError(f"the database {shown_url(url)} does not answer ({said})")


# Insufficient privilege; no schema of the search path may be used
_NOT_ALLOWED = {"42501", "3F000"}


def not_allowed(url: str, said: str = "schema") -> NotWritableError:
    """Return the error for a role that may not create tables, as by default since PostgreSQL 15.

    Or for one that may not use those of another role, if the server has `said` nothing of a schema.
    """
    parsed = make_url(url)
    role = parsed.username or os.environ.get("PGUSER") or getpass.getuser()
    name = parsed.database or os.environ.get("PGDATABASE") or role
    if "schema" in said:
        return NotWritableError(
            f"the role {role} may not create tables in the database {name}; as a superuser type: ALTER "
            f"DATABASE {name} OWNER TO {role} (or in this database: GRANT CREATE ON SCHEMA public TO {role})"
        )
    return NotWritableError(
        f"the role {role} may not use the tables of the database {name} ({said}); connect as the role that "
        f"made them, or as that one type: GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
    )


def _is_away(error: DBAPIError, state: str) -> bool:
    """Whether there is no connection: SQLSTATE 08 connection, 57P shutdown, 53 insufficient resources."""
    if (
        error.connection_invalidated
        or state.startswith(("08", "57P", "53"))
        or state == "25P03"
    ):
        return True
    # For broken and failed connections the driver has a message but no code.
    return not state and type(error.orig).__name__ in (
        "OperationalError",
        "ConnectionTimeout",
    )


class _Kind(NamedTuple):
    """An error of ours, and its message, in which {url} and {said} are replaced."""

    error: type[AggregatorError]
    message: str

    def made(self, said: str, url: str) -> AggregatorError:
        return self.error(self.message.format(url=shown_url(url), said=said))


_CONFLICT = _Kind(
    DatabaseBusyError, "the database {url}: {said}; nothing was written, try again"
)
_HELD = _Kind(
    DatabaseBusyError,
    "a lock in the database {url} was not released in time; nothing was written, try again",
)
_TOO_LONG = _Kind(
    DatabaseBusyError,
    "a query of the database {url} took too long; narrow it, or try again",
)
_NOT_WRITABLE = _Kind(
    NotWritableError,
    "the database {url} cannot be written ({said}); check the free space on its disk, the folder and its "
    "owner",
)
_WITHOUT_TABLES = _Kind(
    AggregatorError, "the database {url} has no tables yet; type: aggregator db upgrade"
)
_BY_STATE = {
    "40001": _CONFLICT,  # serialisation failure
    "40P01": _CONFLICT,  # deadlock
    "55P03": _HELD,  # lock timeout
    "57014": _TOO_LONG,  # statement timeout, or the query was cancelled
    "25006": _NOT_WRITABLE,  # read only
    "53100": _NOT_WRITABLE,  # disk full
    "42P01": _WITHOUT_TABLES,
}
