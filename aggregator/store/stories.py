"""Story rows: founding, growing, giving way."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from aggregator.model import Noun
from aggregator.store.tables import article, story


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


_ROW_COLUMNS = [story.c[name] for name in StoryRow.__struct_fields__]
_ROW = select(*_ROW_COLUMNS).where(story.c.id == bindparam("story_id"), story.c.redirect_to.is_(None))
_ROW_OF_ARTICLE = (
    select(*_ROW_COLUMNS)
    .join(article, article.c.story == story.c.id)
    .where(article.c.id == bindparam("article_id"))
)
_UPDATE = (
    update(story)
    .where(story.c.id == bindparam("story_id"))
    .values({name: bindparam(name) for name in StoryState.__struct_fields__} | {"text": None, "merged": None})
)


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
    connection.execute(_UPDATE, {"story_id": id} | _columns(state))


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
    row = connection.execute(_ROW, {"story_id": id}).first()
    return None if row is None else StoryRow(**row._mapping)


def open_stories(connection: Connection, *, reach: int) -> Iterator[StoryRow]:
    """The live stories that grew within the last `reach` inbox numbers, in the order of their numbers."""
    newest = connection.execute(select(func.max(story.c.last_inbox_no))).scalar_one() or 0
    statement = (
        select(*_ROW_COLUMNS)
        .where(story.c.redirect_to.is_(None), story.c.last_inbox_no >= newest - reach)
        .order_by(story.c.n)
    )
    for row in connection.execute(statement).yield_per(1000):
        yield StoryRow(**row._mapping)


def home_of(connection: Connection, article_id: str) -> StoryRow | None:
    """The home story of an article."""
    row = connection.execute(_ROW_OF_ARTICLE, {"article_id": article_id}).first()
    return None if row is None else StoryRow(**row._mapping)
