"""The database of the first release, with rows in all of its tables, and single steps of migrations.

`tests/data/first_release.jsonl` was written by the program of that time: a feed and a folder, four articles
of two stories, a revision, a refusal, and what waits for its page and for placing.
"""

import base64
import datetime as dt
import json
from functools import cache
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import DateTime, LargeBinary, MetaData, insert, select, text

from aggregator.store.engine.database import Connection, Database
from aggregator.store.migrate import make_file, migrations_folder
from tests.conftest import REPOSITORY

FIRST = "0001"
Rows = dict[str, list[dict[str, Any]]]


@cache
def first_rows() -> Rows:
    """The rows by table, as JSON has them: bytes are base64, times are text."""
    found: Rows = {}
    file = REPOSITORY / "tests" / "data" / "first_release.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        found.setdefault(one["table"], []).append(one["row"])
    return found


def of_first_release(database: Database) -> Database:
    """The same database, which must be empty, as the first release left it."""
    migrate_to(database, FIRST)
    with database.write() as connection:
        tables = _reflected(connection)
        connection.execute(tables["counter"].delete())
        for name in sorted(first_rows(), key=_after_what_it_refers_to):
            table = tables[name]
            rows = [
                {key: _read(table.c[key].type, value) for key, value in row.items()}
                for row in first_rows()[name]
            ]
            connection.execute(insert(table), rows)
        if not database.is_sqlite:  # the server's own numbers go on after those that came
            sequence = "pg_get_serial_sequence('story_log', 'n')"
            connection.execute(text(f"SELECT setval({sequence}, (SELECT max(n) FROM story_log))"))
    return database


def rows_now(database: Database) -> Rows:
    """All rows of the tables of the first release, with the columns that they had then."""
    found: Rows = {}
    with database.read() as connection:
        tables = _reflected(connection)
        for name, before in first_rows().items():
            table = tables[name]
            rows = connection.execute(
                select(*(table.c[key] for key in before[0])).order_by(*table.primary_key.columns)
            )
            found[name] = [{key: _written(value) for key, value in row.items()} for row in rows.mappings()]
    return found


def migrate_to(database: Database, revision: str) -> None:
    """Up or down to a revision, in one transaction."""
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(migrations_folder()))
    make_file(database)
    with database.write() as connection:
        settings.attributes["connection"] = connection
        up = revision == "head" or revision > (_revision_in(connection) or "")
        (command.upgrade if up else command.downgrade)(settings, revision)


def _revision_in(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _reflected(connection: Connection) -> dict[str, Any]:
    found = MetaData()
    found.reflect(connection, only=list(first_rows()))
    return found.tables


def _after_what_it_refers_to(name: str) -> tuple[bool, str]:
    return name == "article", name  # articles refer to stories, nothing else to anything then


def _read(kind: Any, value: Any) -> Any:
    if isinstance(value, str) and isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    if isinstance(value, str) and isinstance(kind, DateTime):
        return dt.datetime.fromisoformat(value)
    return value


def _written(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat()
    return value
