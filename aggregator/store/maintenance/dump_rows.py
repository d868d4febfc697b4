"""The rows of an export and an import, in the same order on both databases.

An export leaves out what belongs to one installation: tokens, responses to pushes, commands, webhooks and
their deliveries; and leases and prefetched texts of running daemons. The full-text index is built again from
the articles. Backups and copies of a database (copy_database.py) leave out the leases, the prefetched texts
and the index only.
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
    MetaData,
    Row,
    Table,
    Text,
    collate,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError

from aggregator.model.errors import ReadError
from aggregator.store.maintenance.salvage import GARBLED, salvage_rows
from aggregator.store.tables import UtcTime, article, counter, metadata, story
from aggregator.store.upgrade_0018 import renamed_rows, table_of_0018

# State of the daemons that run now, useless in a copy.
PASSING: Final = frozenset({"writer_lease", "host_lease", "prefetched"})
LEFT_OUT: Final = frozenset({"api_token", "idempotency_key", "command", "webhook", "outbox"}) | PASSING
_AT_ONCE = 500
_INDEX_COUNTERS = ("searchable", "unindexed")  # of the full-text index, which is empty after an import
_LEAST, _MOST = -(2**63), 2**63 - 1

Values = dict[str, Any]


def tables() -> tuple[str, ...]:
    """Return the tables of an export, referenced tables first."""
    return tuple(str(table.name) for table in metadata.sorted_tables if table.name not in LEFT_OUT)


def count(connection: Connection) -> int:
    """Return the number of rows of an export."""
    return sum(
        connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
        for name in tables()
    )


def is_empty(connection: Connection) -> bool:
    """Whether the tables of an export are empty, except for the counters."""
    kept = (metadata.tables[name] for name in tables() if name != counter.name)
    return all(connection.execute(select(table).limit(1)).first() is None for table in kept)


def read(connection: Connection, name: str) -> Iterator[Values]:
    """Yield the rows of a table by their keys, as JSON values: times as text, bytes as base64."""
    table = metadata.tables[name]
    # By bytes, because the order of letters depends on the locale of a server.
    plain = connection.dialect.name == "sqlite"
    order = [
        collate(column, "C") if isinstance(column.type, Text) and not plain else column
        for column in table.primary_key.columns
    ]
    statement = select(table).order_by(*order).execution_options(stream_results=True, yield_per=_AT_ONCE)
    as_values = _as_values(table)
    yield from map(as_values, connection.execute(statement))


def read_what_is_left(connection: Connection, name: str, *, is_0018: bool = False) -> Iterator[Values | None]:
    """As `read`, from a damaged SQLite file and unordered; None for unreadable rows.

    `is_0018`: the file is at revision 0018. Its rows get the new names. A table that an earlier revision
    does not have yet has no rows.
    """
    table = metadata.tables[name]
    if is_0018:
        table = table_of_0018(table)
    if not inspect(connection).has_table(table.name):
        return
    table = _with_columns(table, {one["name"] for one in inspect(connection).get_columns(table.name)})
    as_values = _as_values(table)
    for row in salvage_rows(connection, table):
        try:
            values = None if row is None else _without_nul(as_values(row))
            if values is not None:
                if is_0018:
                    _, [values] = renamed_rows(table.name, [values])
                checked(name, values)
        except (ReadError, *GARBLED):
            values = None
        yield values


def _with_columns(table: Table, names: set[str]) -> Table:
    """Return the table without the columns that a file of an earlier revision does not have."""
    if names.issuperset(table.columns.keys()):
        return table
    held = (
        Column(one.name, one.type, primary_key=one.primary_key) for one in table.columns if one.name in names
    )
    with_rowid = table.dialect_options["sqlite"]["with_rowid"]
    return Table(table.name, MetaData(), *held, sqlite_with_rowid=with_rowid)


def _without_nul(values: Values) -> Values:
    """Replace NUL characters, which Postgres does not accept in text."""
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


# What the rows of earlier revisions have in columns that were added since.
_ADDED: Final[dict[str, Values]] = {
    article.name: {"date_counts": True, "kind": "report", "counts_as_report": True},
    story.name: {"unknown_outlet_count": 0},
}


def checked(name: str, given: Mapping[str, Any]) -> Values:
    """Convert a row from `read` for `put`. Raises ReadError if it does not fit the table."""
    columns = metadata.tables[name].columns
    if unknown := sorted(set(given) - set(columns.keys())):
        raise ReadError(f"there is no column {unknown[0]} in {name}")
    given = {**_ADDED.get(name, {}), **given}
    if missing := sorted(one.name for one in columns if not one.nullable and given.get(one.name) is None):
        raise ReadError(f"the column {missing[0]} is missing")
    return {column.name: _value(column, given.get(column.name)) for column in columns}


def put(connection: Connection, name: str, values: Sequence[Values]) -> None:
    """Insert rows. Raises ReadError for a duplicate, or for a reference to a missing row."""
    table = metadata.tables[name]
    try:
        if name == counter.name:  # a new database has most of them already
            connection.execute(delete(counter).where(counter.c.name.in_([one["name"] for one in values])))
        if values:
            connection.execute(insert(table), values)
    except IntegrityError as error:
        raise ReadError(f"a row of {name} is a duplicate, or refers to a row that does not exist") from error


def put_what_fits(connection: Connection, name: str, values: Sequence[Values]) -> int:
    """Insert the rows that refer to no lost row. Return their number. A lost story is replaced by a stub."""
    try:
        with connection.begin_nested():
            if name == article.name:
                _insert_stub_stories(connection, values)
            put(connection, name, values)
        return len(values)
    except (ReadError, IntegrityError, DataError):
        if len(values) == 1:
            return 0
    return sum(put_what_fits(connection, name, [one]) for one in values)


def _insert_stub_stories(connection: Connection, articles: Sequence[Values]) -> None:
    """Insert a story for each article whose story is lost; `db check --repair` computes its columns."""
    by_story = {one["story"]: one for one in articles}
    existing = select(story.c.id).where(story.c.id.in_(sorted(by_story)))
    for id_ in sorted(set(by_story) - set(connection.execute(existing).scalars())):
        one = by_story[id_]
        highest = select(func.coalesce(func.max(story.c.story_no), 0)).scalar_subquery()
        counted = select(func.coalesce(func.max(counter.c.value), 0)).where(counter.c.name == "story")
        number = max(connection.execute(select(highest, counted.scalar_subquery())).one()) + 1
        connection.execute(update(counter).where(counter.c.name == "story").values(value=number))
        times = dict.fromkeys(("first_published", "last_published", "bumped_at"), one["effective_at"])
        counts = dict.fromkeys(("article_count", "outlet_count", "report_count"), 1)
        words = {"title": one["title"], "summary": one["lead"], "language": one["language"]}
        origin = {
            "founding_article": one["id"],
            "founding_no": 0,
            "last_inbox_no": one["inbox_no"],
            "centroid": b"",
        }
        connection.execute(
            insert(story).values(story_no=number, id=id_, **times, **counts, **words, **origin)
        )


def count_unknown_outlets(connection: Connection) -> None:
    """Count articles of unknown outlet apart: an `outlet_count` of revisions before 0022 includes them."""
    unknown = select(article.c.story, func.count().label("unknown")).where(article.c.outlet.is_(None))
    for row in connection.execute(unknown.group_by(article.c.story)).all():
        known = story.c.outlet_count - row.unknown
        values = {"outlet_count": known, "unknown_outlet_count": row.unknown}
        connection.execute(update(story).where(story.c.id == row.story).values(**values))


def restate_dates(connection: Connection) -> None:
    """Take the dates of stories from their dated articles; before revision 0024 undated ones count, too."""
    dated = article.c.published.is_not(None), article.c.story == story.c.id
    span = {
        "first_published": select(func.min(article.c.effective_at)).where(*dated).scalar_subquery(),
        "last_published": select(func.max(article.c.effective_at)).where(*dated).scalar_subquery(),
    }
    undated = select(article.c.story).where(article.c.published.is_(None))
    mixed = story.c.id.in_(undated), select(article.c.id).where(*dated).exists()
    connection.execute(update(story).where(*mixed).values(**span))


def continue_numbers(connection: Connection) -> None:
    """Set the sequences of a server to the highest inserted number; SQLite does so by itself."""
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
        raise ReadError(f"the column {column.name} has the value {str(value)[:40]!r}: {error}") from error
    return read


def _kind(column: Column[Any]) -> type:
    kinds: tuple[type, ...] = (UtcTime, LargeBinary, Boolean, BigInteger, Integer, Float, Text)
    return next(kind for kind in kinds if isinstance(column.type, kind))


def _time(value: Any) -> dt.datetime:
    when = dt.datetime.fromisoformat(_text(value))
    if when.tzinfo is None:
        raise ValueError("a time without a time zone")
    return when.astimezone(dt.UTC)


def _bytes(value: Any) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not _LEAST <= value <= _MOST:
        raise TypeError("not a 64-bit integer")
    return value


def _real(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("not a number")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
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
