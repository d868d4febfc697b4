"""All rows of a database, in one order on both kinds: what an export holds and an import puts back.

Left out is what belongs to one installation: tokens, answers to pushes, requests of commands, webhooks and
what waits for them; and what the daemons that run tell each other. The full-text index is made anew from the
articles. Backups and copies of a database (copying.py) hold all but the last two.
"""

import base64
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    collate,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError

from aggregator.model.errors import ReadError
from aggregator.store.maintenance.salvage import GARBLED, salvage_rows
from aggregator.store.tables import UtcTime, article, counter, metadata, story

# Of the daemons that run now: nobody else can do anything with it.
PASSING: Final = frozenset({"writer", "claim", "prepared"})
LEFT_OUT: Final = frozenset({"token", "push", "request", "hook", "outbox"}) | PASSING
_AT_ONCE = 500
_INDEX_COUNTERS = ("searchable", "unindexed")  # of the full-text index, which begins from nothing
_LEAST, _MOST = -(2**63), 2**63 - 1

Values = dict[str, Any]


def tables() -> tuple[str, ...]:
    """The tables of an export, those that others refer to first."""
    return tuple(str(table.name) for table in metadata.sorted_tables if table.name not in LEFT_OUT)


def count(connection: Connection) -> int:
    """How many rows an export has."""
    return sum(
        connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
        for name in tables()
    )


def is_empty(connection: Connection) -> bool:
    """Whether there is nothing but the counters that every new database has."""
    kept = (metadata.tables[name] for name in tables() if name != counter.name)
    return all(connection.execute(select(table).limit(1)).first() is None for table in kept)


def read(connection: Connection, name: str) -> Iterator[Values]:
    """The rows of a table by their keys, as JSON can hold them: times as text, bytes as base64."""
    table = metadata.tables[name]
    # By bytes: what the locale of a server makes of letters is not the same everywhere.
    plain = connection.dialect.name == "sqlite"
    order = [
        collate(column, "C") if isinstance(column.type, Text) and not plain else column
        for column in table.primary_key.columns
    ]
    statement = select(table).order_by(*order).execution_options(stream_results=True, yield_per=_AT_ONCE)
    as_values = _as_values(table)
    yield from map(as_values, connection.execute(statement))


def read_what_is_left(connection: Connection, name: str) -> Iterator[Values | None]:
    """As `read`, of a damaged SQLite file and in no order; None for a row, or some, that cannot be read."""
    table = metadata.tables[name]
    as_values = _as_values(table)
    for row in salvage_rows(connection, table):
        try:
            values = None if row is None else _without_nul(as_values(row))
            if values is not None:
                checked(name, values)
        except (ReadError, *GARBLED):
            values = None
        yield values


def _without_nul(values: Values) -> Values:
    """Postgres takes none in a text."""
    return {
        key: value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for key, value in values.items()
    }


def _as_values(table: Table) -> Callable[[Row[Any]], Values]:
    kinds = {str(column.name): _writer_of(column) for column in table.columns}

    def as_values(row: Row[Any]) -> Values:
        held = row._mapping
        values = {key: None if held[key] is None else kind(held[key]) for key, kind in kinds.items()}
        if table.name == counter.name and values["name"] in _INDEX_COUNTERS:
            values["value"] = 0
        return values

    return as_values


def checked(name: str, given: Mapping[str, Any]) -> Values:
    """A row as `read` gave it, ready for `put`. Raises ReadError where it does not fit the table."""
    columns = metadata.tables[name].columns
    if unknown := sorted(set(given) - set(columns.keys())):
        raise ReadError(f"there is no column {unknown[0]} in {name}")
    if missing := sorted(one.name for one in columns if not one.nullable and given.get(one.name) is None):
        raise ReadError(f"the column {missing[0]} is missing")
    return {column.name: _value(column, given.get(column.name)) for column in columns}


def put(connection: Connection, name: str, values: Sequence[Values]) -> None:
    """Insert rows. Raises ReadError for one that is there twice, or that refers to what is not there."""
    table = metadata.tables[name]
    try:
        if name == counter.name:  # a new database has most of them already
            connection.execute(delete(counter).where(counter.c.name.in_([one["name"] for one in values])))
        if values:
            connection.execute(insert(table), values)
    except IntegrityError as error:
        raise ReadError(f"a row of {name} is there twice, or refers to one that is not there") from error


def put_what_fits(connection: Connection, name: str, values: Sequence[Values]) -> int:
    """Insert what does not refer to a lost row, and returns how many; a story that is lost gets a stub."""
    try:
        with connection.begin_nested():
            if name == article.name:
                _stand_in(connection, values)
            put(connection, name, values)
        return len(values)
    except (ReadError, IntegrityError, DataError):
        if len(values) == 1:
            return 0
    return sum(put_what_fits(connection, name, [one]) for one in values)


def _stand_in(connection: Connection, articles: Sequence[Values]) -> None:
    """A story for each article that has lost its own: `db check --repair` works out what it is."""
    wanted = {one["story"]: one for one in articles}
    known = select(story.c.id).where(story.c.id.in_(sorted(wanted)))
    for id_ in sorted(set(wanted) - set(connection.execute(known).scalars())):
        one = wanted[id_]
        highest = select(func.coalesce(func.max(story.c.n), 0)).scalar_subquery()
        counted = select(func.coalesce(func.max(counter.c.value), 0)).where(counter.c.name == "story")
        number = max(connection.execute(select(highest, counted.scalar_subquery())).one()) + 1
        connection.execute(update(counter).where(counter.c.name == "story").values(value=number))
        times = dict.fromkeys(("first_published", "last_published", "updated"), one["effective"])
        counts = dict.fromkeys(("article_count", "outlet_count", "report_count"), 1)
        words = {"title": one["title"], "summary": one["lead"], "language": one["language"]}
        origin = {"founder": one["id"], "founding": 0, "last_inbox_no": one["n"], "sums": b""}
        connection.execute(insert(story).values(n=number, id=id_, **times, **counts, **words, **origin))


def continue_numbers(connection: Connection) -> None:
    """The server's own running numbers go on after the highest that came; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for table in metadata.sorted_tables:
        for column in table.primary_key.columns:
            sequence = connection.execute(
                text("SELECT pg_get_serial_sequence(:table_name, :column_name)"),
                {"table_name": table.name, "column_name": column.name},
            ).scalar()
            if sequence is not None:
                last = connection.execute(select(func.max(column))).scalar() or 0
                connection.execute(
                    text("SELECT setval(:sequence, :last, false)"), {"sequence": sequence, "last": last + 1}
                )


def _writer_of(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, UtcTime):
        return lambda value: value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(column.type, LargeBinary):
        return lambda value: base64.b64encode(value).decode()
    return lambda value: value


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    try:
        read = _READERS[_kind(column)](value)
    except (ValueError, TypeError) as error:
        raise ReadError(f"the column {column.name} holds {str(value)[:40]!r}: {error}") from error
    return read


def _kind(column: Column[Any]) -> type:
    kinds: tuple[type, ...] = (UtcTime, LargeBinary, Boolean, BigInteger, Integer, Float, Text)
    return next(kind for kind in kinds if isinstance(column.type, kind))


def _time(value: Any) -> dt.datetime:
    when = dt.datetime.fromisoformat(_text(value))
    if when.tzinfo is None:
        raise ValueError("a time without a zone")
    return when.astimezone(dt.UTC)


def _bytes(value: Any) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("this is no text")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not _LEAST <= value <= _MOST:
        raise TypeError("this is no whole number")
    return value


def _real(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("this is no number")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("this is neither true nor false")
    return value


_READERS: Final[dict[type, Callable[[Any], Any]]] = {
    UtcTime: _time,
    LargeBinary: _bytes,
    Boolean: _truth,
    BigInteger: _whole,
    Integer: _whole,
    Float: _real,
    Text: _text,
}
