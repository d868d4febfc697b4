"""Translates errors of the database drivers to subclasses of AggregatorError, which tell whether to retry.

SQLite's errors have the names of its result codes, PostgreSQL's a SQLSTATE
(https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

import getpass
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

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
from aggregator.store.engine.engines import shown_url

# An error class of ours with its message
_Kind = tuple[type[AggregatorError], str]

_ALL_IN_USE = (
    DatabaseBusyError,
    "all connections to the database {url} are in use; try again in a moment",
)
_LOCKED = (
    DatabaseLockedError,
    "another program keeps {url} locked for writing; try again when it has finished",
)
_CONFLICT = (
    DatabaseBusyError,
    "the database {url}: {said}; nothing was written, try again",
)
_HELD = (
    DatabaseBusyError,
    "a lock in the database {url} was not released in time; nothing was written, try again",
)
_TOO_LONG = (
    DatabaseBusyError,
    "a query of the database {url} took too long; narrow it, or try again",
)
_NOT_WRITABLE = (
    NotWritableError,
    "the database {url} cannot be written ({said}); check the free space on its disk, the folder and its "
    "owner",
)
_WITHOUT_TABLES = (
    AggregatorError,
    "the database {url} has no tables yet; type: aggregator db upgrade",
)
_DAMAGED = DamagedFileError, "the database {url} is damaged ({said})"
_REFUSED = (
    AggregatorError,
    "the database {url} refuses the connection: {said}; run `aggregator doctor`",
)
_AWAY = DatabaseAwayError, "the database {url} does not answer ({said})"
_OTHER = AggregatorError, "the database {url}: {said}; run `aggregator doctor`"

# Beginnings of SQLite's result codes
_SQLITE_KINDS: tuple[tuple[tuple[str, ...], _Kind], ...] = (
    (("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"), _LOCKED),
    (("SQLITE_INTERRUPT",), _TOO_LONG),
    (
        ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR"),
        _NOT_WRITABLE,
    ),
)
_POSTGRES_KINDS: dict[str, _Kind] = {
    "40001": _CONFLICT,  # serialisation failure
    "40P01": _CONFLICT,  # deadlock
    "55P03": _HELD,  # lock timeout
    "57014": _TOO_LONG,  # statement timeout, or the query was cancelled
    "25006": _NOT_WRITABLE,  # read only
    "53100": _NOT_WRITABLE,  # disk full
    "42P01": _WITHOUT_TABLES,
}
# Insufficient privilege; no schema of the search path may be used
_NOT_ALLOWED = ("42501", "3F000")
# Beginnings of codes that mean a lost connection: connection, shutdown, insufficient resources, idle in a transaction
_LOST = ("08", "57P", "53", "25P03")
# Messages of a server that will accept connections soon. A refusal at login has no SQLSTATE.
_SOON = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "too many clients",
    "remaining connection slots",
)
_OF_OUR_SQL = (
    IntegrityError,
    ProgrammingError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
)


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Translate errors of the database in the block; errors of our SQL are raised unchanged.

    Raises DatabaseBusyError, DatabaseAwayError, NotWritableError, DamagedFileError, or AggregatorError for
    other permanent errors.
    """
    try:
        yield
    # Direct calls of the driver, such as a checkpoint, raise the driver's own errors
    except (PoolTimeoutError, DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = " ".join(str(cause).split())
        kind: _Kind | None = _ALL_IN_USE
        if isinstance(cause, sqlite3.Error):
            kind = _kind_in_sqlite(cause)
        elif isinstance(error, DBAPIError):
            state = getattr(cause, "sqlstate", None) or ""
            if state in _NOT_ALLOWED:
                raise not_allowed(url, said) from error
            kind = _kind_in_postgres(error, state, said)
        if kind is None and (not said or isinstance(error, _OF_OUR_SQL)):
            raise
        ours, words = kind or _OTHER
        raise ours(words.format(url=shown_url(url), said=said)) from error


def _kind_in_sqlite(error: sqlite3.Error) -> _Kind | None:
    if is_damage(error):
        return _DAMAGED
    if "no such table" in str(error):
        return _WITHOUT_TABLES
    name = getattr(error, "sqlite_errorname", None) or ""
    for beginnings, kind in _SQLITE_KINDS:
        if name.startswith(beginnings):
            return kind
    return None


def is_damage(error: BaseException | None) -> bool:
    """Return whether the error reports a damaged SQLite file: a page, or text that is not UTF-8."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or (
        isinstance(error, sqlite3.OperationalError)
        and str(error).startswith("Could not decode to UTF-8")
    )


def _kind_in_postgres(error: DBAPIError, state: str, said: str) -> _Kind | None:
    if state in _POSTGRES_KINDS:
        return _POSTGRES_KINDS[state]
    # The driver reports broken and failed connections with a message but without a code.
    without_code = not state and type(error.orig).__name__ in (
        "OperationalError",
        "ConnectionTimeout",
    )
    if not (error.connection_invalidated or without_code or state.startswith(_LOST)):
        return None
    is_refusal = "FATAL" in said and not state
    if is_refusal and not any(words in said for words in _SOON):
        return _REFUSED
    return _AWAY


def not_allowed(url: str, said: str = "schema") -> NotWritableError:
    """Return the error for a role that lacks a privilege.

    If the message `said` names a schema, the role may not create tables, which is the default since PostgreSQL 15.
    Otherwise it may not use the tables of another role.
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
