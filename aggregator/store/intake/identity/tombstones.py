"""Tombstones of erased articles, and how often each arrived again and was refused."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import Connection

from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    read_map,
    read_structs,
    read_value,
    write_each,
    write_sql,
)

TombstoneKind = Literal["forgotten", "retention"]
REASON = "it was forgotten; `aggregator forget --list` names it"
VERDICT = "forgotten"


class Tombstone(FrozenStruct, omit_defaults=False):
    """An erased article. `rejected_count`: how often it arrived again, last at `rejected_at`."""

    article: str
    at: datetime
    rejected_count: int = msgspec.field(name="refused")
    rejected_at: datetime | None = msgspec.field(name="refused_at")


def add_tombstones(
    connection: Connection,
    ids: Collection[str],
    at: datetime,
    kind: TombstoneKind = "forgotten",
) -> None:
    """Add tombstones. An article that has one keeps it, but "forgotten" replaces "retention"."""
    present = "NOTHING"
    if kind == "forgotten":  # overrides "retention"
        present = """UPDATE SET kind = excluded.kind,
            at = CASE WHEN tombstone.kind = excluded.kind THEN tombstone.at ELSE excluded.at END"""
    rows = [{"article": article, "at": at, "kind": kind} for article in sorted(ids)]
    write_each(
        connection,
        f"""
        INSERT INTO tombstone (article, at, kind) VALUES (:article, :at, :kind)
        ON CONFLICT (article) DO {present}
        """,  # noqa: S608
        rows,
    )


def find_tombstones(
    connection: Connection, ids: Collection[str]
) -> dict[str, TombstoneKind]:
    """Return the kind of tombstone of each of these articles that has one."""
    return read_map(
        connection, "SELECT article, kind FROM tombstone WHERE article IN :ids", ids=ids
    )


def count_refused(connection: Connection, ids: Sequence[str], at: datetime) -> None:
    """Count that these articles arrived again and were refused. `ids` may list an article repeatedly."""
    counted = """
        UPDATE tombstone SET rejected_count = rejected_count + 1, rejected_at = :at WHERE article = :id
        """
    for id_ in sorted(ids):
        write_sql(connection, counted, at=at, id=id_)


def newest(connection: Connection) -> datetime | None:
    """Return the time of the last `forget`; None if there was none."""
    return read_value(
        connection, "SELECT max(at) AS at FROM tombstone WHERE kind = 'forgotten'"
    )


def newest_tombstones(connection: Connection, limit: int) -> list[Tombstone]:
    """Return at most `limit` tombstones of forgotten articles, the newest first."""
    return read_structs(
        connection,
        Tombstone,
        """
        SELECT article, at, rejected_count, rejected_at FROM tombstone WHERE kind = 'forgotten'
        ORDER BY at DESC, article LIMIT :limit
        """,
        limit=limit,
    )
