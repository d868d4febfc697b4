"""Tombstones of erased articles, and how often each arrived again and was refused."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, bindparam, case, func, select, update

from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    execute_each,
    fields_of,
    insert_or,
    pairs_with,
    structs_of,
    tombstone,
)

TombstoneKind = Literal["forgotten", "retention"]
REASON = "it was forgotten; `aggregator forget --list` names it"
VERDICT = "forgotten"


class Tombstone(FrozenStruct, omit_defaults=False):
    """An erased article. `rejected_count`: how often it arrived again, last at `rejected_at`."""

    article: str
    at: dt.datetime
    rejected_count: int = msgspec.field(name="refused")
    rejected_at: dt.datetime | None = msgspec.field(name="refused_at")


def add_tombstones(
    connection: Connection,
    ids: Collection[str],
    at: dt.datetime,
    kind: TombstoneKind = "forgotten",
) -> None:
    """Add tombstones. An article that has one already keeps it."""
    statement = insert_or(connection, tombstone)
    if kind == "forgotten":  # overrides "retention"
        since = case(
            (tombstone.c.kind == kind, tombstone.c.at), else_=statement.excluded.at
        )
        statement = statement.on_conflict_do_update(
            index_elements=["article"], set_={"kind": kind, "at": since}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=["article"])
    rows = [{"article": article, "at": at, "kind": kind} for article in sorted(ids)]
    execute_each(connection, statement, rows)


def find_tombstones(
    connection: Connection, ids: Collection[str]
) -> dict[str, TombstoneKind]:
    """Return the kind of the tombstones of these articles, by article."""
    return pairs_with(connection, _KINDS, tombstone.c.article, ids)


_KINDS = select(tombstone.c.article, tombstone.c.kind)


_COUNT = (
    update(tombstone)
    .where(tombstone.c.article == bindparam("of_article"))
    .values(rejected_count=tombstone.c.rejected_count + 1, rejected_at=bindparam("now"))
)


def count_refused(connection: Connection, ids: Sequence[str], at: dt.datetime) -> None:
    """Count that these articles arrived again and were refused; an article may be listed repeatedly."""
    rows = [{"of_article": article, "now": at} for article in sorted(ids)]
    execute_each(connection, _COUNT, rows)


def newest(connection: Connection) -> dt.datetime | None:
    """Return the time of the last `forget`; None if there was none."""
    forgotten = select(func.max(tombstone.c.at)).where(tombstone.c.kind == "forgotten")
    at: dt.datetime | None = connection.execute(forgotten).scalar_one()
    return at


def newest_tombstones(connection: Connection, limit: int) -> list[Tombstone]:
    """Return the newest tombstones of `forget` first."""
    columns = fields_of(tombstone, Tombstone)
    chosen = select(*columns).where(tombstone.c.kind == "forgotten")
    chosen = chosen.order_by(tombstone.c.at.desc(), tombstone.c.article).limit(limit)
    return structs_of(Tombstone, connection.execute(chosen))
