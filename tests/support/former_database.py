"""Databases that former programs made, and what is in them, whatever columns they have."""

from typing import Any

import psycopg
import zstandard
from sqlalchemy import MetaData, inspect, make_url, select, text

from aggregator.store.engine.database import Database
from aggregator.store.tables import VIEWS
from tests.support.make_upgrade_fixture import Fixture
from tests.support.rows import queried

Row = dict[str, Any]


def with_former_rows(database: Database, fixture: Fixture) -> None:
    """Make an empty database that of the former program."""
    if database.file is not None:
        database.file.touch(0o600)
        database.file.write_bytes(zstandard.decompress(fixture.sqlite.read_bytes()))
        return
    dump = zstandard.decompress(fixture.postgres.read_bytes())
    address = make_url(database.url).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        connection.execute(dump)


def observed_once(former: list[Row]) -> list[Row]:
    """Return the observations that an upgrade makes of those of a former program, one a source."""
    contents: dict[tuple[str, str], list[Row]] = {}
    for row in former:
        contents.setdefault((row["article"], row["source"]), []).append(row)
    return [
        {
            "article": id_,
            "source": source,
            "contents": b"".join(bytes(row["content_hash"])[:8] for row in shown)
            if all(row["title_hash"] is None for row in shown)
            else b"",
            "changes": len(shown) - 1
            if all(row["title_hash"] is None for row in shown)
            else 0,
            "changed_at": max(row["first_seen_at"] for row in shown),
        }
        for (id_, source), shown in contents.items()
    ]


def rows_of_tables(database: Database) -> dict[str, list[Row]]:
    """Return the rows of all tables by plain SQL, whatever columns they have, in the order of their keys."""
    rows: dict[str, list[Row]] = {}
    with database.read() as connection:
        tables = MetaData()
        tables.reflect(
            connection, only=lambda name, _: not name.startswith("article_search")
        )
        for name, table in tables.tables.items():
            chosen = select(table).order_by(
                *(table.primary_key.columns or table.columns)
            )
            rows[name] = [dict(row) for row in connection.execute(chosen).mappings()]
    return rows


def rows_of_views(database: Database) -> dict[str, list[Row]]:
    """Return the rows of the views that it has, but of the one that shows the time."""
    rows: dict[str, list[Row]] = {}
    with database.read() as connection:
        present = VIEWS.intersection(inspect(connection).get_view_names())
    for name in present - {"v_now"}:
        shown = queried(database, text(f"SELECT * FROM {name}")).mappings()
        rows[name] = sorted((dict(row) for row in shown), key=repr)
    return rows
