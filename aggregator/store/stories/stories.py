"""Story rows: founding, growing, giving way."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from aggregator.model.core import FrozenStruct
from aggregator.store.tables import article, in_parts, story


class StoryRow(FrozenStruct, frozen=True, kw_only=True):
    """A live story as placing needs it."""

    n: int
    id: str
    title: str
    sums: bytes
    standing: bytes | None
    container_only: bool
    last_inbox_no: int
    touched_no: int
    first_published: dt.datetime
    last_published: dt.datetime
    updated: dt.datetime
    article_count: int
    report_count: int
    language: str | None = None
    title_article: str | None = None


class StoryState(FrozenStruct, frozen=True, kw_only=True):
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
    touched_no: int
    sums: bytes
    standing: bytes | None
    title_article: str | None = None  # whose title it is; None: the words of a lead


# Built once: SQLAlchemy takes as long to build a statement as to run it.
_INSERT = insert(story)
_ROW_COLUMNS = [story.c[name] for name in StoryRow.__struct_fields__]
_ROW = select(*_ROW_COLUMNS).where(story.c.id == bindparam("story_id"), story.c.redirect_to.is_(None))
_ROW_OF_ARTICLE = (
    select(*_ROW_COLUMNS)
    .join(article, article.c.story == story.c.id)
    .where(article.c.id == bindparam("article_id"))
)
_ROWS = (
    select(*_ROW_COLUMNS)
    .where(story.c.n.in_(bindparam("numbers", expanding=True)), story.c.redirect_to.is_(None))
    .order_by(story.c.n)
)
# Not ordered by the database: SQLite would go through all stories in the order of their numbers.
_MEMBERSHIP_CHANGED = select(story.c.n).where(
    story.c.touched_no >= bindparam("since"), story.c.redirect_to.is_(None)
)
_FOUNDINGS = select(func.count()).select_from(story).where(story.c.founder == bindparam("article_id"))
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
    connection.execute(_INSERT, [row | _columns(state)])


def update_story(connection: Connection, id: str, state: StoryState) -> None:  # noqa: A002
    """Write what a story is after an article came; its merged text has to be told anew."""
    connection.execute(_UPDATE, {"story_id": id} | _columns(state))


def _columns(state: StoryState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in StoryState.__struct_fields__}


def redirect_story(connection: Connection, loser: str, winner: str) -> None:
    """`loser` and all that gave way to it redirect to `winner` for ever; its articles must have moved."""
    connection.execute(update(story).where(story.c.redirect_to == loser).values(redirect_to=winner))
    derived = {"text": None, "merged": None, "standing": None, "sums": b""}  # it is restated if it comes back
    connection.execute(update(story).where(story.c.id == loser).values(redirect_to=winner, **derived))


def row_of(connection: Connection, id: str) -> StoryRow | None:  # noqa: A002
    """The live story `id`; None when there is none, or it gave way."""
    row = connection.execute(_ROW, {"story_id": id}).first()
    return None if row is None else StoryRow(**row._mapping)


def title_of(connection: Connection, id: str) -> str:  # noqa: A002 - the word that people type
    """The headline of story `id`, also of one that gave way."""
    return str(connection.execute(select(story.c.title).where(story.c.id == id)).scalar() or "")


def rows_of(connection: Connection, numbers: Iterable[int]) -> list[StoryRow]:
    """The live stories of these running numbers, in the order of the numbers."""
    rows: list[Any] = []
    for part in in_parts(sorted(numbers)):
        rows += connection.execute(_ROWS, {"numbers": part}).all()
    return [StoryRow(**row._mapping) for row in rows]


_CENTROID = select(story.c.sums).where(story.c.n == bindparam("number"), story.c.redirect_to.is_(None))


def centroid_of(connection: Connection, number: int) -> bytes:
    """The sums of the live story of this running number, which must exist."""
    blob: bytes = connection.execute(_CENTROID, {"number": number}).scalar_one()
    return blob


def last_membership_change(connection: Connection) -> int:
    """The inbox number at which a story changed its members last; 0 in an empty database."""
    newest: int | None = connection.execute(select(func.max(story.c.touched_no))).scalar_one()
    return max(newest or 0, 0)  # -1: a story of before the second look


def membership_changed_since(connection: Connection, inbox_no: int) -> list[int]:
    """The running numbers of the live stories whose members changed at `inbox_no` or later."""
    return sorted(connection.execute(_MEMBERSHIP_CHANGED, {"since": inbox_no}).scalars())


def foundings(connection: Connection, founder: str) -> int:
    """How many stories the article has founded before."""
    count: int = connection.execute(_FOUNDINGS, {"article_id": founder}).scalar_one()
    return count


def revive(connection: Connection, id: str) -> None:  # noqa: A002 - the word that people type
    """A story that gave way is one again; it has no articles yet."""
    connection.execute(update(story).where(story.c.id == id).values(redirect_to=None))


def redirecting_to(connection: Connection, id: str) -> list[str]:  # noqa: A002 - the word that people type
    """The ids of the stories that gave way to story `id`."""
    statement = select(story.c.id).where(story.c.redirect_to == id).order_by(story.c.id)
    return list(connection.execute(statement).scalars())


def redirect(connection: Connection, ids: Iterable[str], id: str) -> None:  # noqa: A002 - as above
    """Of the stories `ids` those that gave way lead to story `id` from now on."""
    statement = update(story).where(story.c.id == bindparam("gone"), story.c.redirect_to.is_not(None))
    rows = [{"gone": gone} for gone in ids]
    if rows:
        connection.execute(statement.values(redirect_to=id), rows)


def target_of(connection: Connection, id: str) -> str | None:  # noqa: A002
    """The id that story `id` has today: itself, or what it gave way to; None where there is none any more."""
    row = connection.execute(select(story.c.id, story.c.redirect_to).where(story.c.id == id)).first()
    return None if row is None or row.redirect_to == "" else row.redirect_to or row.id


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


def assigned_story(connection: Connection, article_id: str) -> StoryRow | None:
    """The home story of an article."""
    row = connection.execute(_ROW_OF_ARTICLE, {"article_id": article_id}).first()
    return None if row is None else StoryRow(**row._mapping)
