"""What a database says when it cannot, as an error of ours: what went wrong, and whether to try again."""

import sqlite3
from collections.abc import Callable, Iterator
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


@contextmanager
def in_words(url: str) -> Iterator[None]:
    """What the database says about itself in the user's words; a mistake in our SQL stays what it is.

    Raises DatabaseBusyError, DatabaseAwayError, NotWritableError, DamagedFileError, or AggregatorError for
    what else stays wrong.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseBusyError(
            f"the database {shown_url(url)} is asked too much at once; try again in a moment"
        ) from error
    except DBAPIError as error:
        ours = _ours(error, url)
        if ours is None:
            raise
        raise ours from error
    except sqlite3.Error as error:  # of a driver that was asked by itself, as for its log
        ours = _of_sqlite(error, " ".join(str(error).split()), url)
        if ours is None:
            raise
        raise ours from error


def shown_url(url: str) -> str:
    """The address as it may be shown: a file's path, or the server without its password."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        return parsed.database or url
    return parsed.set(drivername="postgresql").render_as_string(hide_password=True)


def _ours(error: DBAPIError, url: str) -> AggregatorError | None:
    """None: a mistake of the program, told as it is."""
    said = " ".join(str(error.orig).split())
    if isinstance(error.orig, sqlite3.Error):
        found = _of_sqlite(error.orig, said, url)
    else:
        found = _of_postgres(error, said, url)
    if found is not None or isinstance(error, IntegrityError | ProgrammingError) or not said:
        return found
    if isinstance(error.orig, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return None
    return AggregatorError(f"the database {shown_url(url)}: {said}; `aggregator doctor` looks at it")


# --- SQLite: names of its result codes ---------------------------------------------------------------------

_CANNOT_WRITE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")


def _of_sqlite(error: sqlite3.Error, said: str, url: str) -> AggregatorError | None:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return DatabaseLockedError(
            f"another program keeps {shown_url(url)} to itself for writing; try again when it is done"
        )
    if name == "SQLITE_INTERRUPT":
        return _too_long(said, url)
    if name.startswith(_CANNOT_WRITE) or "unable to open" in said:
        return _not_writable(said, url)
    if "no such table" in said:
        return _without_tables(said, url)
    if is_damage(error):
        return DamagedFileError(
            f"the database {shown_url(url)} is damaged ({said}); type: aggregator db check"
        )
    return None


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite found in its file what cannot be there, in its pages or in a text."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or (
        isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode to UTF-8")
    )


# --- Postgres: SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html --------------------

# What a server says to whom it does not let in now, but soon. Refused at the door there is no SQLSTATE.
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
    if state in _BY_STATE:
        return _BY_STATE[state](said, url)
    if not _is_away(error, state):
        return None
    if "FATAL" in said and not state and not any(words in said for words in _SOON):
        return AggregatorError(
            f"the database {shown_url(url)} does not let us in: {said}; `aggregator doctor` looks at it"
        )
    return DatabaseAwayError(f"the database {shown_url(url)} does not answer ({said})")


def _is_away(error: DBAPIError, state: str) -> bool:
    """Whether the connection could not be made, or is gone: 08 connection, 57P shutting down, 53 no room."""
    if error.connection_invalidated or state.startswith(("08", "57P", "53")) or state == "25P03":
        return True
    # Where a connection breaks or is not made the driver has no code, only its own words.
    return not state and type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")


def _conflict(said: str, url: str) -> AggregatorError:
    return DatabaseBusyError(f"the database {shown_url(url)}: {said}; nothing was written, try again")


def _held(_said: str, url: str) -> AggregatorError:
    return DatabaseBusyError(
        f"somebody else holds what is needed of the database {shown_url(url)}; nothing was written, try again"
    )


def _too_long(_said: str, url: str) -> AggregatorError:
    return DatabaseBusyError(
        f"the database {shown_url(url)} took too long to answer that; ask for less, or try again"
    )


def _not_writable(said: str, url: str) -> AggregatorError:
    return NotWritableError(
        f"the database {shown_url(url)} cannot be written ({said}); check the room on its disk, the folder "
        "and its owner"
    )


def _without_tables(_said: str, url: str) -> AggregatorError:
    return AggregatorError(f"the database {shown_url(url)} has no tables yet; type: aggregator db upgrade")


_BY_STATE: dict[str, Callable[[str, str], AggregatorError]] = {
    "40001": _conflict,  # serialisation failure
    "40P01": _conflict,  # dead lock
    "55P03": _held,  # lock time-out
    "57014": _too_long,  # statement time-out, or somebody ended the query
    "25006": _not_writable,  # read only
    "53100": _not_writable,  # disk full
    "42P01": _without_tables,
}
