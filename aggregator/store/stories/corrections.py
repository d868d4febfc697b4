"""Corrections by persons, and the constraints that they put on articles."""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from aggregator.cluster.constraints import Constraint
from aggregator.model.core import Evidence, FrozenStruct
from aggregator.store.tables import correction, link_constraint

CorrectionKind = Literal["merge", "split", "move"]


class MovedArticle(FrozenStruct, frozen=True, kw_only=True):
    """An article that a correction took from one story to another."""

    article: str
    before: str
    after: str
    evidence: Evidence | None = None  # before the correction, if the correction replaced it


class Redirect(FrozenStruct, frozen=True, kw_only=True):
    """A redirect that the correction changed."""

    story: str
    to: str


class CorrectionDetail(FrozenStruct, frozen=True, kw_only=True):
    """What a correction changed, for undoing and listing it."""

    moved: tuple[MovedArticle, ...] = ()
    retired: tuple[str, ...] = ()  # ids of stories that redirect since
    redirects: tuple[Redirect, ...] = ()  # of stories that redirected to these before
    founded: str | None = None  # the story that it created
    titles: tuple[tuple[str, str], ...] = ()  # stories and the articles of their headlines before it
    words: str = ""  # the command in words, for the list


class Correction(FrozenStruct, frozen=True, kw_only=True):
    """One correction as it is stored."""

    correction_no: int = msgspec.field(name="n")
    at: dt.datetime
    kind: CorrectionKind
    undone_at: dt.datetime | None
    detail: CorrectionDetail


def add(
    connection: Connection,
    at: dt.datetime,
    kind: CorrectionKind,
    detail: CorrectionDetail,
    *,
    together: Sequence[str],
    leaving: Sequence[str] = (),
    staying: Sequence[str] = (),
) -> int:
    """Store a correction and its constraints; return its number.

    `together`: articles that belong in one story; `leaving`: those that belong apart from `staying`.
    """
    n = (connection.execute(select(func.max(correction.c.correction_no))).scalar_one() or 0) + 1
    text = msgspec.json.encode(detail).decode()
    connection.execute(insert(correction), [{"correction_no": n, "at": at, "kind": kind, "detail": text}])
    for relation, side, ids in (("together", 0, together), ("apart", 0, leaving), ("apart", 1, staying)):
        if ids:
            shared = {"correction": n, "relation": relation, "side": side}
            connection.execute(insert(link_constraint), [shared | {"article": id_} for id_ in ids])
    return n


def undo(connection: Connection, n: int, at: dt.datetime) -> None:
    """Mark correction `n` as undone and delete its constraints."""
    connection.execute(update(correction).where(correction.c.correction_no == n).values(undone_at=at))
    connection.execute(delete(link_constraint).where(link_constraint.c.correction == n))


def all_corrections(
    connection: Connection, *, before: int | None = None, limit: int | None = None
) -> list[Correction]:
    """Return the corrections, newest first: those with numbers below `before`."""
    chosen = select(correction).order_by(correction.c.correction_no.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(correction.c.correction_no < before)
    return [
        Correction(**dict(row._mapping) | {"detail": msgspec.json.decode(row.detail, type=CorrectionDetail)})
        for row in connection.execute(chosen)
    ]


def all_constraints(connection: Connection) -> list[Constraint]:
    """Return all constraints in force."""
    rows = connection.execute(select(link_constraint).order_by(*link_constraint.primary_key.columns))
    return [Constraint(**row._mapping) for row in rows]
