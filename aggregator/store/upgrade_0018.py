"""Upgrade of revision 0018, the last one before version 0.1, to the names of revision 0019.

`db upgrade` renames tables and columns in place; `import` renames the rows of an export, and `export
--salvage` those of a damaged file. Version 0.2 drops this file.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, inspect, text

from aggregator.store.tables import metadata

REVISION_BEFORE_0_1: Final = "0018"

VIEWS: Final = frozenset(
    {
        "v_copies", "v_corrections", "v_headline_changes", "v_live_links", "v_now", "v_refused", "v_sources",
        "v_stories", "v_story_articles", "v_story_log", "v_waiting",
    }
)  # fmt: skip
TABLES: Final[Mapping[str, str]] = {
    "across": "cross_language",
    "bond": "link_constraint",
    "claim": "host_lease",
    "entry_link": "live_blog_link",
    "habit": "unstable_identifier",
    "hook": "webhook",
    "intake": "intake_count",
    "prepared": "prefetched",
    "push": "idempotency_key",
    "refusal": "rejected_input",
    "request": "command",
    "sighting": "observation",
    "token": "api_token",
    "writer": "writer_lease",
}
# Old names of columns by the new name of the table.
COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "article": {
        "n": "inbox_no",
        "root": "root_article",
        "weighs": "counts_in_centroid",
        "packed": "compressed_text",
        "seen": "seen_at",
        "effective": "effective_at",
        "zone_assumed": "timezone_assumed",
    },
    "change": {"n": "change_no", "updated": "bumped_at"},
    "command": {"n": "command_no", "answer": "result"},
    "correction": {"n": "correction_no"},
    "entry": {
        "n": "entry_no",
        "revises": "is_revision",
        "page_tries": "page_attempts",
        "bumps_by_clock": "bump_by_clock",
    },
    "host": {"held_until": "backoff_until"},
    "host_lease": {"until": "expires_at"},
    "idempotency_key": {"answer": "response"},
    "intake_count": {"gone": "deleted"},
    "live_blog": {"marks": "entry_fingerprints", "round": "link_round"},
    "observation": {"gives": "is_authoritative", "declared": "declared_at", "reverts": "revert_count"},
    "outbox": {
        "hook": "webhook",
        "tries": "attempts",
        "first_tried_at": "first_attempt_at",
        "next_at": "next_attempt_at",
    },
    "prefetched": {"until": "expires_at", "made_for": "code_version"},
    "source": {
        "known_as": "folder_name",
        "rhythm_seconds": "adaptive_interval_seconds",
        "stamps": "folder_state",
        "entries_refused": "entries_rejected",
        "adopted": "redirected_url",
        "moved_proven": "move_confirmed",
        "asked_seconds": "ttl_seconds",
    },
    "story": {
        "n": "story_no",
        "founder": "founding_article",
        "founding": "founding_no",
        "merged": "merged_story",
        "updated": "bumped_at",
        "touched_no": "membership_changed_no",
        "sums": "centroid",
        "standing": "count_state",
    },
    "story_log": {"n": "log_no"},
    "tombstone": {"refused": "rejected_count", "refused_at": "rejected_at"},
    "webhook": {"place": "url_hash", "is_on": "is_configured", "read_to": "last_change_no"},
    "writer_lease": {"since": "acquired_at"},
}
COUNTERS: Final[Mapping[str, str]] = {
    "told_by": "render_version",
    "told_from": "render_from",
    "untold_to": "unrendered_to",
}


def renamed_rows(table: str, rows: Iterable[Mapping[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Return table name and rows of an export of revision 0018 with the new names."""
    name = TABLES.get(table, table)
    columns = COLUMNS.get(name, {})
    renamed = [{columns.get(key, key): value for key, value in row.items()} for row in rows]
    if name == "counter":
        for row in renamed:
            row["name"] = COUNTERS.get(str(row.get("name")), row.get("name"))
    return name, renamed


def names_of_0018(table: str) -> tuple[str, dict[str, str]]:
    """Return the name of a table at revision 0018, and its changed names of columns, by new name."""
    before = {new: old for old, new in TABLES.items()}
    return before.get(table, table), {new: old for old, new in COLUMNS.get(table, {}).items()}


def upgrade_in_place(connection: Connection) -> None:
    """Rename tables, columns, indexes and constraints; migration 0019 then replaces the views.

    Views of users stay. Postgres renames in views without changing their columns, so ours stay, too, with all
    rights to them. SQLite would change their columns, so they are dropped and those of users created again.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    of_users: list[str] = []
    if is_sqlite:
        views = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'view'")).all()
        of_users = [row.sql for row in views if row.name not in VIEWS]
        for row in views:
            connection.execute(text(f'DROP VIEW "{row.name}"'))
    connection.execute(text("DELETE FROM alembic_version"))
    for before, after in TABLES.items():
        connection.execute(text(f'ALTER TABLE "{before}" RENAME TO "{after}"'))
    for table, columns in COLUMNS.items():
        for before, after in columns.items():
            connection.execute(text(f'ALTER TABLE "{table}" RENAME COLUMN "{before}" TO "{after}"'))
    for before, after in COUNTERS.items():
        connection.execute(
            text("UPDATE counter SET name = :after WHERE name = :before"), {"before": before, "after": after}
        )
    existing = set(inspect(connection).get_table_names())
    for one in metadata.tables.values():
        if one.name not in existing:  # a later migration creates it
            continue
        _rename_indexes(connection, one)
        if not is_sqlite:  # SQLite neither uses nor changes the names of constraints
            _rename_constraints(connection, one)
    for sql in of_users:
        connection.exec_driver_sql(sql)


def _rename_indexes(connection: Connection, table: Table) -> None:
    """Drop and create the indexes whose name changed: SQLite cannot rename an index."""
    existing = {str(one["name"]) for one in inspect(connection).get_indexes(table.name)}
    columns = {one["name"] for one in inspect(connection).get_columns(table.name)}
    # Later revisions add the columns of other indexes.
    indexes = {str(one.name): one for one in table.indexes if {c.name for c in one.columns} <= columns}
    unique = {str(one["name"]) for one in inspect(connection).get_unique_constraints(table.name)}
    for name in sorted(existing - set(indexes) - unique):
        if not name.startswith("ix_"):
            continue  # a user's
        connection.execute(text(f'DROP INDEX "{name}"'))
    for name in sorted(set(indexes) - existing):
        if connection.dialect.name != "sqlite":  # tables.py gives the condition of partial indexes for SQLite
            options = indexes[name].dialect_options
            options["postgresql"]["where"] = options["sqlite"]["where"]
        indexes[name].create(connection)


def _rename_constraints(connection: Connection, table: Table) -> None:
    schema = inspect(connection)
    names: dict[tuple[str, tuple[str, ...]], str | None] = {
        ("pk", ()): schema.get_pk_constraint(table.name)["name"]
    }
    names |= {
        ("fk", tuple(one["constrained_columns"])): one["name"] for one in schema.get_foreign_keys(table.name)
    }
    names |= {
        ("uq", tuple(one["column_names"])): one["name"] for one in schema.get_unique_constraints(table.name)
    }
    for (kind, columns), before in names.items():
        after = "_".join((kind, table.name, *columns))
        if before != after:
            connection.execute(text(f'ALTER TABLE "{table.name}" RENAME CONSTRAINT "{before}" TO "{after}"'))
