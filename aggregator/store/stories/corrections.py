"""Corrections: what persons decided, and the bonds that it lays on articles."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from aggregator.cluster.constraints import Constraint
from aggregator.model.core import Evidence, FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import article, bond, correction, in_parts

CorrectionKind = Literal["merge", "split", "move"]


class MovedArticle(FrozenStruct, frozen=True, kw_only=True):
    """An article that a correction took from one story to another."""

    article: str
    before: str
    after: str
    evidence: Evidence | None = None  # why it was where it was, where the correction put its own word there


class Redirect(FrozenStruct, frozen=True, kw_only=True):
    """An address that led to a story which gave way."""

    story: str
    to: str


class CorrectionDetail(FrozenStruct, frozen=True, kw_only=True):
    """What a correction did, for its undoing and for people."""

    moved: tuple[MovedArticle, ...] = ()
    retired: tuple[str, ...] = ()  # ids of stories that gave way
    redirects: tuple[Redirect, ...] = ()  # of stories that had given way to these before
    founded: str | None = None  # the story that it opened
    words: str = ""  # what was asked, for the list


class Correction(FrozenStruct, frozen=True, kw_only=True):
    """One correction as it is stored."""

    n: int
    at: dt.datetime
    kind: CorrectionKind
    undone_at: dt.datetime | None
    detail: CorrectionDetail


def add(
    connection: Connection,
    at: dt.datetime,
    kind: CorrectionKind,
    detail: CorrectionDetail,
    constraints: Sequence[Constraint],
) -> int:
    """Store a correction with its bonds (their `correction` is set here); returns its number."""
    n = (connection.execute(select(func.max(correction.c.n))).scalar_one() or 0) + 1
    text = msgspec.json.encode(detail).decode()
    connection.execute(insert(correction), [{"n": n, "at": at, "kind": kind, "detail": text}])
    rows = [
        {"correction": n, "article": one.article, "relation": one.relation, "side": one.side}
        for one in constraints
    ]
    if rows:
        connection.execute(insert(bond), rows)
    return n


def undo(connection: Connection, n: int, at: dt.datetime) -> None:
    """Correction `n` binds nothing any more."""
    connection.execute(update(correction).where(correction.c.n == n).values(undone_at=at))
    connection.execute(delete(bond).where(bond.c.correction == n))


def all_corrections(connection: Connection, since: dt.datetime | None = None) -> list[Correction]:
    """In the order in which they were made; `since`: only those made then or later."""
    chosen = select(correction).order_by(correction.c.n)
    if since is not None:
        chosen = chosen.where(correction.c.at >= since)
    return [_correction(row) for row in connection.execute(chosen)]


def newest(connection: Connection, limit: int, before: int | None = None) -> list[Correction]:
    """The last ones first, those with lower numbers than `before` where it is given."""
    chosen = select(correction).order_by(correction.c.n.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(correction.c.n < before)
    return [_correction(row) for row in connection.execute(chosen)]


def _correction(row: Row[Any]) -> Correction:
    return Correction(
        n=row.n,
        at=row.at,
        kind=row.kind,
        undone_at=row.undone_at,
        detail=msgspec.json.decode(row.detail, type=CorrectionDetail),
    )


def all_constraints(connection: Connection) -> list[Constraint]:
    """All bonds in force."""
    rows = connection.execute(select(bond).order_by(bond.c.correction, bond.c.article, bond.c.relation))
    return [Constraint(**row._mapping) for row in rows]


def constrained_articles(connection: Connection) -> frozenset[str]:
    """The articles that any correction in force names."""
    return frozenset(connection.execute(select(bond.c.article).distinct()).scalars())


def evidence_of(connection: Connection, ids: Sequence[str]) -> dict[str, Evidence]:
    """Why these articles are where they are."""
    found: dict[str, Evidence] = {}
    for part in in_parts(ids):
        chosen = select(article.c.id, article.c.evidence).where(article.c.id.in_(part))
        found |= {row.id: codecs.unpack(row.evidence, Evidence) for row in connection.execute(chosen)}
    return found
