"""Rendering of stories, after placing: what a story shows is stored with it and can be rendered again.

Each new article clears the text of its story; unrendered stories are rendered by their last bump, the newest
first.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, func, select, update

from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views, related_stories
from aggregator.store.tables import article, execute_each, rows_with, story
from aggregator.stories.rendering import render
from aggregator.stories.tuning import StoryTuning


def render_next(
    database: Database,
    limit: int,
    tuning: StoryTuning,
    *,
    of: Collection[str] | None = None,
) -> int:
    """Render up to `limit` unrendered stories, `of` these ids only if given. Return their number."""
    with database.read() as connection:
        unrendered = (
            _UNRENDERED if of is None else _UNRENDERED.where(story.c.id.in_(of))
        )
        waiting = connection.execute(unrendered, {"limit": limit}).all()
    if waiting:
        _render(database, waiting, tuning)
    return len(waiting)


def unrendered_of_several(connection: Connection) -> Sequence[str]:
    """Return the ids of the unrendered stories of several articles, the last bumped first."""
    several = select(story.c.id).where(
        story.c.text.is_(None), story.c.redirect_to.is_(None), story.c.article_count > 1
    )
    return connection.scalars(several.order_by(story.c.bumped_at.desc())).all()


def count_unrendered(connection: Connection) -> int:
    """Return the number of stories that wait to be rendered."""
    waiting = select(func.count()).select_from(story)
    waiting = waiting.where(story.c.text.is_(None), story.c.redirect_to.is_(None))
    return connection.execute(waiting).scalar_one()


def clear_rendered(connection: Connection) -> None:
    """Let all stories be rendered again, except those whose texts retention has deleted."""
    has_texts = exists().where(
        article.c.story == story.c.id, article.c.text.is_not(None)
    )
    live = update(story).where(story.c.redirect_to.is_(None), has_texts)
    connection.execute(live.values(text=None, rendered=None))


_UNRENDERED: Select[Any] = (
    select(*related_stories.COMPARED, story.c.last_inbox_no)
    .where(story.c.redirect_to.is_(None), story.c.text.is_(None))
    .order_by(story.c.bumped_at.desc())
    .limit(bindparam("limit"))
)
_LAST_NUMBERS = select(story.c.id, story.c.last_inbox_no).with_for_update()
_MEMBERS = select(article.c.id, article.c.story, article.c.original)


def _render(database: Database, rows: Sequence[Row[Any]], tuning: StoryTuning) -> None:
    with database.read() as connection:
        members = article_views.views_of_stories(
            connection, [row.id for row in rows], "text"
        )
    renderings = [render(row.title, members[row.id], tuning) for row in rows]
    with database.write() as connection:
        ids = [row.id for row in rows]
        last_numbers = {
            rendering.id: rendering.last_inbox_no
            for rendering in rows_with(connection, _LAST_NUMBERS, story.c.id, ids)
        }
        unchanged = [
            (row, rendering)
            for row, rendering in zip(rows, renderings, strict=True)
            if last_numbers.get(row.id) == row.last_inbox_no
        ]
        written = [
            {
                "story_id": row.id,
                "shown": codecs.compress_struct(rendering.shown),
                "plain": rendering.text,
            }
            for row, rendering in unchanged
        ]
        if written:
            connection.execute(_WRITE, written)
            _note_originals(
                connection,
                {row.id: rendering.originals for row, rendering in unchanged},
            )
            related_stories.write(
                connection,
                [
                    (row, rendering.names, rendering.topics)
                    for row, rendering in unchanged
                ],
            )


_WRITE = (
    update(story)
    .where(story.c.id == bindparam("story_id"))
    .values(rendered=bindparam("shown"), text=bindparam("plain"))
)
_NOTE = (
    update(article)
    .where(article.c.id == bindparam("article_id"))
    .values(original=bindparam("original_id"))
)


def _note_originals(
    connection: Connection, stories: Mapping[str, Mapping[str, str | None]]
) -> None:
    """Write `article.original` of copies and excerpts where it changed; `stories`: by id, then by article."""
    before = [*rows_with(connection, _MEMBERS, article.c.story, stories)]
    changed = [
        {"article_id": row.id, "original_id": original}
        for row in before
        if (original := stories[row.story].get(row.id, row.original)) != row.original
    ]
    execute_each(connection, _NOTE, changed)
