"""The meaning of PostgreSQL errors, by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

import getpass
import os
from typing import NamedTuple

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from aggregator.model.errors import (
    AggregatorError,
    DatabaseAwayError,
    DatabaseBusyError,
    NotWritableError,
)
from aggregator.store.engine.engines import shown_url

# Messages of a server that will accept connections soon. A refusal at login has no SQLSTATE.
_SOON = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "too many clients",
    "remaining connection slots",
)


def of_postgres(error: DBAPIError, said: str, url: str) -> AggregatorError | None:
    state: str = getattr(error.orig, "sqlstate", None) or ""
    if state in _NOT_ALLOWED:
        return not_allowed(url, said)
    if state in _BY_STATE:
        return _BY_STATE[state].as_error(said, url)
    # The connection is lost: SQLSTATE 08 connection, 57P shutdown, 53 insufficient resources. The driver reports
    # broken and failed connections with a message but without a code.
    without_code = type(error.orig).__name__ in (
        "OperationalError",
        "ConnectionTimeout",
    )
    if not (
        error.connection_invalidated
        or state.startswith(("08", "57P", "53"))
        or state == "25P03"
        or (not state and without_code)
    ):
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

    If the server has `said` nothing of a schema, the role may not use the tables of another role.
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


class _Kind(NamedTuple):
    """An error class of ours with its message; {url} and {said} in the message are replaced."""

    error: type[AggregatorError]
    message: str

    def as_error(self, said: str, url: str) -> AggregatorError:
        return self.error(self.message.format(url=shown_url(url), said=said))


_CONFLICT = _Kind(
    DatabaseBusyError, "the database {url}: {said}; nothing was written, try again"
)

_HELD = _Kind(
    DatabaseBusyError,
    "a lock in the database {url} was not released in time; nothing was written, try again",
)

TOO_LONG = _Kind(
    DatabaseBusyError,
    "a query of the database {url} took too long; narrow it, or try again",
)

NOT_WRITABLE = _Kind(
    NotWritableError,
    "the database {url} cannot be written ({said}); check the free space on its disk, the folder and its "
    "owner",
)

WITHOUT_TABLES = _Kind(
    AggregatorError, "the database {url} has no tables yet; type: aggregator db upgrade"
)

_BY_STATE = {
    "40001": _CONFLICT,  # serialisation failure
    "40P01": _CONFLICT,  # deadlock
    "55P03": _HELD,  # lock timeout
    "57014": TOO_LONG,  # statement timeout, or the query was cancelled
    "25006": NOT_WRITABLE,  # read only
    "53100": NOT_WRITABLE,  # disk full
    "42P01": WITHOUT_TABLES,
}
