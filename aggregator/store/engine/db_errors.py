"""Translates errors of the database drivers to AggregatorError, which tells whether to retry."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aggregator.model.errors import (
    AggregatorError,
    DatabaseBusyError,
)
from aggregator.store.engine.engines import shown_url
from aggregator.store.engine.postgres_errors import of_postgres
from aggregator.store.engine.sqlite_errors import of_sqlite

_OF_OUR_SQL = (sqlite3.IntegrityError, sqlite3.ProgrammingError)


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
        said = " ".join(str(error.orig).split())
        if isinstance(error.orig, sqlite3.Error):
            ours = of_sqlite(error.orig, said, url)
        else:
            ours = of_postgres(error, said, url)
        if ours is None and said and not isinstance(error.orig, _OF_OUR_SQL):
            if isinstance(error, IntegrityError | ProgrammingError):
                raise
            ours = AggregatorError(
                f"the database {shown_url(url)}: {said}; run `aggregator doctor`"
            )
        if ours is None:
            raise
        raise ours from error
    # Direct calls of the driver, such as a checkpoint, raise the driver's own errors
    except sqlite3.Error as error:
        ours = of_sqlite(error, " ".join(str(error).split()), url)
        if ours is None:
            raise
        raise ours from error
