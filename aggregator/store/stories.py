"""Story rows: founding, growing, giving way; and the log of all that happened to them."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from aggregator.dedup.identity import story_id
from aggregator.model import Noun
from aggregator.store.tables import article, story, story_log

LogKind = Literal["created", "joined", "merged", "headline", "revised", "corrected"]


class StoryRow(Noun, frozen=True, kw_only=True):
    """A live story as placing needs it."""

    n: int
    id: str
    title: str
    sums: bytes
    container_only: bool
    last_inbox_no: int
    updated: dt.datetime
    report_count: int


class StoryState(Noun, frozen=True, kw_only=True):
    """What a story's row says after a decision."""

    title: str
    summary: str
    language: str | None
    first_published: dt.datetime
    last_published: dt.datetime
    updated: dt.datetime
    article_count: int
    outlet_count: int
    report_count: int
    container_only: bool
    last_inbox_no: int
    sums: bytes


def next_story_id(connection: Connection, founder: str) -> tuple[str, int]:
    """The id of the next story that article `founder` founds, and how many it founded before."""
    founding: int = connection.execute(
        select(func.count()).select_from(story).where(story.c.founder == founder)
    ).scalar_one()
    return story_id(founder, founding), founding


def insert_story(
    connection: Connection,
    *,
    n: int,
    id: str,  # noqa: A002 - the word that people type
    founder: str,
    founding: int,
    state: StoryState,
) -> None:
    """Write a new story."""
    row = {"n": n, "id": id, "founder": founder, "founding": founding}
    connection.execute(insert(story), [row | _columns(state)])


def update_story(connection: Connection, id: str, state: StoryState) -> None:  # noqa: A002
    """Write what a story is after an article came; its merged text has to be told anew."""
    connection.execute(
        update(story).where(story.c.id == id).values(**_columns(state), text=None, merged=None)
    )


def _columns(state: StoryState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in StoryState.__struct_fields__}


def give_way(connection: Connection, loser: str, winner: str) -> None:
    """`loser` and all that gave way to it redirect to `winner` for ever; its articles must have moved."""
    connection.execute(update(story).where(story.c.redirect_to == loser).values(redirect_to=winner))
    connection.execute(
        update(story).where(story.c.id == loser).values(redirect_to=winner, text=None, merged=None)
    )


def row_of(connection: Connection, id: str) -> StoryRow | None:  # noqa: A002
    """The live story `id`; None when there is none, or it gave way."""
    names = StoryRow.__struct_fields__
    statement = select(*(story.c[name] for name in names)).where(
        story.c.id == id, story.c.redirect_to.is_(None)
    )
    row = connection.execute(statement).first()
    return None if row is None else StoryRow(**row._mapping)


def open_stories(connection: Connection, *, reach: int) -> Iterator[StoryRow]:
    """The live stories that grew within the last `reach` inbox numbers, in the order of their numbers."""
    names = StoryRow.__struct_fields__
    newest = connection.execute(select(func.max(story.c.last_inbox_no))).scalar_one() or 0
    statement = (
        select(*(story.c[name] for name in names))
        .where(story.c.redirect_to.is_(None), story.c.last_inbox_no >= newest - reach)
        .order_by(story.c.n)
    )
    for row in connection.execute(statement).yield_per(1000):
        yield StoryRow(**row._mapping)


def log(
    connection: Connection,
    at: dt.datetime,
    story_of: str,
    kind: LogKind,
    *,
    article_id: str | None = None,
    **detail: str | float | None,
) -> None:
    """Add a line to a story's log."""
    text = json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else None
    connection.execute(
        insert(story_log),
        [{"story": story_of, "at": at, "kind": kind, "article": article_id, "detail": text}],
    )


def home_of(connection: Connection, article_id: str) -> str | None:
    """The home story of an article."""
    return connection.execute(select(article.c.story).where(article.c.id == article_id)).scalar()
