"""A database of revision 0018, with rows in all of its tables, as the program before version 0.1 left it.

`tests/data/revision_0018.*` were written by that program: the SQLite file, a dump of the same rows on
Postgres, and its export.
"""

from typing import Any

import zstandard
from sqlalchemy import MetaData, select

from aggregator.store.engine.database import Database
from tests.conftest import REPOSITORY

_DATA = REPOSITORY / "tests" / "data"


def of_revision_0018(database: Database) -> Database:
    """The same database, which must be new, at revision 0018."""
    if database.file is not None:
        database.file.touch(0o600)
        database.file.write_bytes(_read("db"))
        return database
    dump = _read("sql").decode()
    statements = "\n".join(line for line in dump.splitlines() if not line.startswith(("\\", "--")))
    connection = database.engine.raw_connection()
    try:
        connection.cursor().execute(statements)
        connection.commit()
    finally:
        connection.invalidate()  # the dump empties the search path of its session
    return database


def export_of_revision_0018() -> list[bytes]:
    """The lines of the export of the same rows."""
    return _read("jsonl").splitlines(keepends=True)


def rows_of_all_tables(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows as they are stored, whatever tables are called; not those of the full-text index."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.read() as connection:
        tables = MetaData()
        tables.reflect(connection, only=lambda name, _: not name.startswith("article_search"))
        for name, table in tables.tables.items():
            rows = connection.execute(select(table).order_by(*(table.primary_key.columns or table.columns)))
            found[name] = [tuple(row) for row in rows]
    return found


def _read(kind: str) -> bytes:
    return zstandard.decompress(
        (_DATA / f"revision_0018.{kind}.zst").read_bytes(), max_output_size=8 * 1024 * 1024
    )
