"""Rendering of merged texts, after placing. They are stored with the story and can be rendered again.

Each new article clears the text of its story; unrendered stories are rendered by their last bump, the newest
first. After a change of code or tuning, the stories of the last weeks are rendered again, the newest first, a
few at a time, when nothing else waits. Until then readers get the old text.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, exists, func, select, update

from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views, story_links
from aggregator.store.tables import article, counter_value, rows_with, set_counter, story
from aggregator.stories.subjects import SUBJECTS_VERSION
from aggregator.stories.text.merged_text import MERGE_VERSION
from aggregator.stories.text.rendering import Renderer, UnrenderedStory, render
from aggregator.stories.tuning import StoryTuning

_RENDERED_BY = "render_version"  # counter: `render_version` of the last rendering
_RENDERED_FROM = "render_from"  # counter: stories with a lower number are rendered again; 0: all are done


def render_next(
    database: Database,
    limit: int,
    tuning: StoryTuning,
    *,
    of: Collection[str] | None = None,
    renderer: Renderer | None = None,
) -> int:
    """Render up to `limit` stories: unrendered ones, else those of another version. Return their number.

    `of` are ids: only unrendered stories with one of these are rendered. `renderer`: with the same tuning; by
    default this thread renders.
    """
    renderer = renderer or (lambda stories: [render(one, tuning) for one in stories])
    with database.read() as connection:
        unrendered = _STORIES.where(story.c.text.is_(None)).order_by(story.c.bumped_at.desc())
        if of is not None:
            unrendered = unrendered.where(story.c.id.in_(of))
        waiting = connection.execute(unrendered.limit(limit)).all()
        is_first = not counter_value(connection, _RENDERED_BY)
    if not waiting:
        return 0 if of is not None else _render_again(database, limit, tuning, renderer)
    _render(database, waiting, renderer)
    if is_first:  # no story was rendered with another version
        with database.write() as connection:
            set_counter(connection, _RENDERED_BY, render_version(tuning))
    return len(waiting)


def unrendered_of_several(connection: Connection) -> Sequence[str]:
    """Return the ids of the unrendered stories of several articles, the last bumped first."""
    several = select(story.c.id).where(
        story.c.text.is_(None), story.c.redirect_to.is_(None), story.c.article_count > 1
    )
    return connection.execute(several.order_by(story.c.bumped_at.desc())).scalars().all()


def render_version(tuning: StoryTuning) -> int:
    """Return a 48-bit hash of the code version and the tuning that merged texts depend on."""
    content = f"{MERGE_VERSION} {SUBJECTS_VERSION} {msgspec.json.encode(tuning, order='sorted').decode()}"
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:6])


_STORIES: Select[Any] = select(*story_links.COMPARED, story.c.last_inbox_no).where(
    story.c.redirect_to.is_(None)
)


def _render(database: Database, rows: Sequence[Row[Any]], renderer: Renderer) -> None:
    with database.read() as connection:
        members = article_views.views_of_stories(connection, [row.id for row in rows], "text")
    stories = [UnrenderedStory(title=row.title, articles=tuple(members[row.id])) for row in rows]
    renderings = renderer(stories)
    with database.write() as connection:
        numbers = select(story.c.id, story.c.last_inbox_no).with_for_update()
        ids = [row.id for row in rows]
        found = {one.id: one.last_inbox_no for one in rows_with(connection, numbers, story.c.id, ids)}
        unchanged = [
            (row, one)
            for row, one in zip(rows, renderings, strict=True)
            if found.get(row.id) == row.last_inbox_no
        ]
        written = [
            {"story_id": row.id, "merged": codecs.compress_struct(one.merged), "rendered": one.text}
            for row, one in unchanged
        ]
        if written:
            connection.execute(_WRITE, written)
            _note_originals(connection, {row.id: one.originals for row, one in unchanged})
        for row, one in unchanged:
            story_links.write(connection, row, one.names, one.topics)


def _render_again(database: Database, limit: int, tuning: StoryTuning, renderer: Renderer) -> int:
    """Render up to `limit` stories of another version. Return their number."""
    version = render_version(tuning)
    with database.read() as connection:
        rendered_by = counter_value(connection, _RENDERED_BY)
        below = counter_value(connection, _RENDERED_FROM)
        if rendered_by != version:
            below = counter_value(connection, "story") + 1
        newest = select(func.max(story.c.bumped_at)).where(story.c.redirect_to.is_(None))
        last = connection.execute(newest).scalar()
        rows: Sequence[Row[Any]] = []
        if below and last is not None:
            since = last - dt.timedelta(days=tuning.rerender_days)
            is_gone = exists().where(article.c.story == story.c.id, article.c.text.is_(None))
            chosen = _STORIES.where(
                story.c.story_no < below,
                story.c.text.is_not(None),
                story.c.bumped_at >= since,
                ~is_gone,  # its text is final
            )
            rows = connection.execute(chosen.order_by(story.c.story_no.desc()).limit(limit)).all()
    _render(database, rows, renderer)
    reached = min((row.story_no for row in rows), default=0)
    if rendered_by != version or below != reached:
        with database.write() as connection:
            set_counter(connection, _RENDERED_BY, version)
            set_counter(connection, _RENDERED_FROM, reached)
    return len(rows)


_WRITE = (
    update(story)
    .where(story.c.id == bindparam("story_id"))
    .values(merged_story=bindparam("merged"), text=bindparam("rendered"))
)
_NOTE = (
    update(article).where(article.c.id == bindparam("article_id")).values(original=bindparam("original_id"))
)


def _note_originals(connection: Connection, stories: Mapping[str, Mapping[str, str | None]]) -> None:
    """Write `article.original` of copies and excerpts where it changed; `stories`: by id, then by article."""
    members = select(article.c.id, article.c.story, article.c.original)
    before = [*rows_with(connection, members, article.c.story, stories)]
    changed = [
        {"article_id": row.id, "original_id": original}
        for row in before
        if (original := stories[row.story].get(row.id, row.original)) != row.original
    ]
    if changed:
        connection.execute(_NOTE, changed)
