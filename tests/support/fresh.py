"""Fresh databases with tables, without migrating each one: that would take most of the tests' time."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, text

from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.tables import counter, metadata
from tests.support.rows import queried


def with_tables(database: Database) -> Database:
    """The same database, which must be new, with tables: on SQLite a copy of a file that was migrated."""
    if database.file is None:
        upgrade(database)
    else:
        database.file.touch(0o600)
        database.file.write_bytes(_migrated().file)
    return database


def sqlite_file(file: Path | str) -> Database:
    """The database of a SQLite file, without tables where the file is new."""
    return Database(f"sqlite:///{file}")


@contextmanager
def opened_at(file: Path | str) -> Iterator[Database]:
    """The same, closed in the end."""
    with closing(sqlite_file(file)) as database:
        yield database


@contextmanager
def sqlite_at(file: Path | str) -> Iterator[Database]:
    """A new SQLite database with tables; closed in the end."""
    with closing(with_tables(sqlite_file(file))) as made:
        yield made


class _Migrated(NamedTuple):
    file: bytes
    counters: list[dict[str, Any]]


@cache
def _migrated() -> _Migrated:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "migrated.db"
        with opened_at(file) as database:
            upgrade(database)
            counters = [
                dict(row) for row in queried(database, select(counter)).mappings()
            ]
        return _Migrated(file.read_bytes(), counters)


def emptied(database: Database) -> Database:
    """The same database as a fresh one: to make and to drop one on a server takes two seconds."""
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(insert(counter), _migrated().counters)
        if not database.is_sqlite:
            # Which only its migration knows
            connection.execute(text("DELETE FROM article_search"))
        numbered_on(connection)
    return database


def numbered_on(connection: Connection) -> None:
    """The server's own numbers go on after the highest there is; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for name, column in (("story_log", "log_no"), ("command", "command_no")):
        sequence = f"pg_get_serial_sequence('{name}', '{column}')"
        last = f"coalesce((SELECT max({column}) FROM {name}), 0) + 1"
        connection.execute(text(f"SELECT setval({sequence}, {last}, false)"))


def shape(database: Database) -> str:
    """On Postgres: a sum of all tables, columns, indexes and views, and the revision; "none" without any."""
    with database.read() as connection:
        reported = connection.execute(_SHAPE).one()
        if reported.counter is None:
            return "none"
        kept = connection.execute(_KEPT).scalars()
        return f"{reported.shape} {' '.join(kept)}"


_SHAPE = text(
    "SELECT md5(string_agg(concat_ws(' ', c.relname, c.relkind, a.attname, a.atttypid, a.attnotnull), ',' "
    "ORDER BY c.relname, a.attnum)) AS shape, to_regclass('public.counter') AS counter "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
    "WHERE c.relnamespace = 'public'::regnamespace"
)
_KEPT = text("SELECT version_num FROM alembic_version")
