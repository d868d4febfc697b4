"""The merged texts of stories: worked out after placing, kept beside the story, derived at any time.

A story's row loses its text whenever an article comes; the newest of the untold ones are told first. When
stories were told by other rules, those of the last weeks are told anew, the newest first, a few at a time,
when nothing else waits. Until then their old text is read.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, bindparam, exists, func, insert, select, update

from aggregator.model.core import ArticleView, MergedStory
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_text, article_views
from aggregator.store.tables import article, counter, story
from aggregator.stories.counts import with_originals
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.plain_text import as_text
from aggregator.stories.tuning import StoryTuning

# Raised by hand when code (not a constant) changes what is told of the same articles.
RENDER_CODE_VERSION = 3

_RENDERED_BY = "told_by"  # counter: the version of the rules that stories are told by
_RENDERED_FROM = "told_from"  # counter: stories with a lower number are still to be told by them; 0: none


def render_next(database: Database, limit: int, tuning: StoryTuning) -> int:
    """Work out the merged text of up to `limit` stories; returns how many there were, 0 when all are told.

    First those that have none, then those told by other rules.
    """
    with database.read() as connection:
        waiting = _chosen(
            connection, _STORIES.where(story.c.text.is_(None)).order_by(story.c.updated.desc()).limit(limit)
        )
        is_first = (
            bool(waiting) and not _counted(connection, _RENDERED_BY) and not _is_any_rendered(connection)
        )
    if not waiting:
        return _render_again(database, limit, tuning)
    _render(database, waiting, tuning)
    if is_first:  # nothing was ever told by other rules
        with database.write() as connection:
            _count(connection, _RENDERED_BY, render_version(tuning))
    return len(waiting)


def render_version(tuning: StoryTuning) -> int:
    """A number over all that can change a merged text."""
    words = f"{RENDER_CODE_VERSION} {msgspec.json.encode(tuning, order='sorted').decode()}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:6])


def rendered_since(connection: Connection, tuning: StoryTuning) -> tuple[int, dt.datetime] | None:
    """From which number and which last bump on stories are told by these rules; None: none surely."""
    if _counted(connection, _RENDERED_BY) != render_version(tuning):
        return None
    live = story.c.redirect_to.is_(None)
    last = connection.execute(select(func.max(story.c.updated)).where(live)).scalar()
    if last is None:
        return None
    return _counted(connection, _RENDERED_FROM), last - dt.timedelta(days=tuning.told_again_days)


_STORIES = select(story.c.id, story.c.n, story.c.title, story.c.last_inbox_no).where(
    story.c.redirect_to.is_(None)
)


class _StoryToRender(NamedTuple):
    id: str
    n: int
    title: str
    last_inbox_no: int


def _chosen(connection: Connection, wanted: Select[Any]) -> list[_StoryToRender]:
    found = connection.execute(wanted).all()
    return [_StoryToRender(row.id, row.n, row.title, row.last_inbox_no) for row in found]


def _is_any_rendered(connection: Connection) -> bool:
    return connection.execute(select(story.c.n).where(story.c.text.is_not(None)).limit(1)).first() is not None


def _render(database: Database, rows: Sequence[_StoryToRender], tuning: StoryTuning) -> None:
    with database.read() as connection:
        members = article_views.views_of_stories(connection, [row.id for row in rows], "text")
    told = [(row, tell(members[row.id], row.title, tuning)) for row in rows]
    with database.write() as connection:
        for row, one in told:
            written = connection.execute(
                update(story)
                .where(story.c.id == row.id, story.c.last_inbox_no == row.last_inbox_no)
                .values(
                    merged=codecs.compress_struct(one.merged),
                    text=one.text,
                    disagreement_count=len(one.merged.disagreements),
                )
            )
            if written.rowcount:
                _note_originals(connection, row.id, one.articles)


class Told(NamedTuple):
    """What is stored of a story's merged text."""

    articles: list[ArticleView]  # each `copy_of` names the original
    merged: MergedStory
    text: str  # for SQL; of one article it would be that article's text once more


def tell(members: Sequence[ArticleView], title: str, tuning: StoryTuning) -> Told:
    """The merged text of these articles, without their addresses.

    An address changes while the story stays as it is; readers take it from the article.
    """
    articles = [msgspec.structs.replace(one, url=None) for one in with_originals(members)]
    merged = merge(articles, title, tuning)
    return Told(articles, merged, "" if len(articles) == 1 else as_text(merged, articles))


def _render_again(database: Database, limit: int, tuning: StoryTuning) -> int:
    """Tell up to `limit` stories again that other rules told; how many."""
    version = render_version(tuning)
    with database.read() as connection:
        told_by, below = _counted(connection, _RENDERED_BY), _counted(connection, _RENDERED_FROM)
        # Asked apart, each of its own index: of both at once SQLite reads every story.
        newest = connection.execute(select(func.max(story.c.n))).scalar()
        last = connection.execute(
            select(func.max(story.c.updated)).where(story.c.redirect_to.is_(None))
        ).scalar()
        if told_by != version:
            below = (newest or 0) + 1
        if not below or last is None:
            rows: list[_StoryToRender] = []
        else:
            since = last - dt.timedelta(days=tuning.told_again_days)
            is_gone = exists().where(article.c.story == story.c.id, article_text.IS_GONE)
            chosen = _STORIES.where(
                story.c.n < below,
                story.c.text.is_not(None),
                story.c.updated >= since,
                ~is_gone,  # it was told for the last time
            )
            rows = _chosen(connection, chosen.order_by(story.c.n.desc()).limit(limit))
    _render(database, rows, tuning)
    reached = min((row.n for row in rows), default=0)
    if told_by != version or below != reached:
        with database.write() as connection:
            _count(connection, _RENDERED_BY, version)
            _count(connection, _RENDERED_FROM, reached)
    return len(rows)


def _counted(connection: Connection, name: str) -> int:
    found = connection.execute(select(counter.c.value).where(counter.c.name == name)).scalar()
    return found or 0


def _count(connection: Connection, name: str, value: int) -> None:
    if not connection.execute(update(counter).where(counter.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(counter).values(name=name, value=value))


_ORIGINALS = select(article.c.id, article.c.original).where(article.c.story == bindparam("story_id"))
_NOTE = (
    update(article).where(article.c.id == bindparam("article_id")).values(original=bindparam("original_id"))
)


def _note_originals(connection: Connection, story_id: str, views: Sequence[ArticleView]) -> None:
    """Who copied whom, for SQL: of each copy and excerpt the original, where that is another one now."""
    before = {row.id: row.original for row in connection.execute(_ORIGINALS, {"story_id": story_id})}
    changed = [
        {"article_id": view.id, "original_id": view.copy_of}
        for view in views
        if view.id in before and before[view.id] != view.copy_of
    ]
    if changed:
        connection.execute(_NOTE, changed)
