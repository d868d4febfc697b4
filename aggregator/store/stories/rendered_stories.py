"""Rendering of stories, after placing: what a story shows is stored with it and can be rendered again.

Each new article clears the text of its story; unrendered stories are rendered by their last bump, the newest
first.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    select,
    update,
)

from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views, story_subjects
from aggregator.store.tables import (
    IS_LIVE,
    article,
    count_rows,
    execute_each,
    pairs_with,
    rows_with,
    story,
    update_rows,
)
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
    unrendered = _UNRENDERED
    if of is not None:
        unrendered = unrendered.where(story.c.id.in_(of))
    with database.read() as connection:
        waiting = connection.execute(unrendered, {"limit": limit}).all()
    if waiting:
        _render(database, waiting, tuning)
    return len(waiting)


def unrendered_of_several(connection: Connection) -> Sequence[str]:
    """Return the ids of the unrendered stories of several articles, the last bumped first."""
    several = select(story.c.id).where(_IS_UNRENDERED, story.c.article_count > 1)
    return connection.scalars(several.order_by(story.c.bumped_at.desc())).all()


def count_unrendered(connection: Connection) -> int:
    """Return the number of stories that wait to be rendered."""
    return count_rows(connection, story, _IS_UNRENDERED)


def clear_rendered(connection: Connection) -> None:
    """Let all stories be rendered again, except those whose texts retention has deleted."""
    has_texts = exists().where(
        article.c.story == story.c.id, article.c.text.is_not(None)
    )
    update_rows(connection, story, IS_LIVE, has_texts, text=None, rendered=None)


_IS_UNRENDERED = and_(IS_LIVE, story.c.text.is_(None))


_UNRENDERED: Select[Any] = (
    select(story.c.story_no, story.c.id, story.c.title, story.c.last_inbox_no)
    .where(_IS_UNRENDERED)
    .order_by(story.c.bumped_at.desc())
    .limit(bindparam("limit"))
)
_LAST_NUMBERS = select(story.c.id, story.c.last_inbox_no).with_for_update()
_MEMBERS = select(article.c.id, article.c.story, article.c.original)
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


def _render(database: Database, rows: Sequence[Row[Any]], tuning: StoryTuning) -> None:
    ids = [row.id for row in rows]
    with database.read() as connection:
        members = article_views.views_of_stories(connection, ids, "text")
    renderings = [(row, render(row.title, members[row.id], tuning)) for row in rows]
    with database.write() as connection:
        last_numbers = pairs_with(connection, _LAST_NUMBERS, story.c.id, ids)
        unchanged = [
            (row, rendering)
            for row, rendering in renderings
            if last_numbers.get(row.id) == row.last_inbox_no
        ]
        if not unchanged:
            return
        originals = {}
        subjects = []
        texts = []
        for row, rendering in unchanged:
            shown = codecs.compress_struct(rendering.shown)
            texts.append({"story_id": row.id, "shown": shown, "plain": rendering.text})
            originals[row.id] = rendering.originals
            subjects.append((row.story_no, rendering.names, rendering.topics))
        connection.execute(_WRITE, texts)
        # Originals of copies and excerpts are written where they changed.
        changed = []
        for row in list(rows_with(connection, _MEMBERS, article.c.story, originals)):
            original = originals[row.story].get(row.id, row.original)
            if original != row.original:
                changed.append({"article_id": row.id, "original_id": original})
        execute_each(connection, _NOTE, changed)
        story_subjects.write(connection, subjects)
