"""Tombstones: which articles were forgotten, and how often each came again and was refused."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Literal

from sqlalchemy import Connection, bindparam, func, select, update

from aggregator.model.core import FrozenStruct
from aggregator.store.tables import in_parts, insert_or, tombstone

TombstoneKind = Literal["forgotten", "retention"]
REASON = "it was forgotten; `aggregator forget --list` names it"
VERDICT = "forgotten"


class Tombstone(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """An article that was forgotten. `refused`: how often it came again since, last at `refused_at`."""

    article: str
    at: dt.datetime
    refused: int
    refused_at: dt.datetime | None


def add_tombstones(
    connection: Connection, ids: Collection[str], at: dt.datetime, kind: TombstoneKind = "forgotten"
) -> None:
    """These articles are gone and do not come back; one that was forgotten before keeps its stone."""
    statement = insert_or(connection, tombstone)
    if kind == "forgotten":  # whatever it was before, a person wants it gone now
        statement = statement.on_conflict_do_update(index_elements=["article"], set_={"kind": kind})
    else:
        statement = statement.on_conflict_do_nothing(index_elements=["article"])
    rows = [{"article": one, "at": at, "kind": kind} for one in sorted(ids)]
    if rows:
        connection.execute(statement, rows)


def find_tombstones(connection: Connection, ids: Collection[str]) -> dict[str, TombstoneKind]:
    """Those of the articles that are gone for good, and why."""
    found: dict[str, TombstoneKind] = {}
    for part in in_parts(sorted(ids)):
        chosen = select(tombstone.c.article, tombstone.c.kind).where(tombstone.c.article.in_(part))
        found |= {row.article: row.kind for row in connection.execute(chosen)}
    return found


_COUNT = (
    update(tombstone)
    .where(tombstone.c.article == bindparam("of_article"))
    .values(refused=tombstone.c.refused + 1, refused_at=bindparam("now"))
)


def count_refused(connection: Connection, ids: Sequence[str], at: dt.datetime) -> None:
    """These came again, one as often as it is named, and were refused."""
    if ids:
        connection.execute(_COUNT, [{"of_article": one, "now": at} for one in sorted(ids)])


def newest(connection: Connection) -> dt.datetime | None:
    """When something was forgotten last."""
    forgotten = select(func.max(tombstone.c.at)).where(tombstone.c.kind == "forgotten")
    at: dt.datetime | None = connection.execute(forgotten).scalar_one()
    return at


def newest_tombstones(connection: Connection, limit: int) -> list[Tombstone]:
    """What was forgotten, the last first."""
    columns = [tombstone.c[name] for name in Tombstone.__struct_fields__]
    chosen = select(*columns).where(tombstone.c.kind == "forgotten")
    chosen = chosen.order_by(tombstone.c.at.desc(), tombstone.c.article).limit(limit)
    return [Tombstone(**row._mapping) for row in connection.execute(chosen)]
