"""Stored articles as output shows them, without the columns of clustering."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, func, select

from aggregator.model.core import ArticleView, Evidence
from aggregator.store import codecs
from aggregator.store.stories import article_text
from aggregator.store.stories.articles import ArticleDetails, NewArticle
from aggregator.store.tables import article, in_parts

SHOWN_MEMBERS = 64  # articles of a large story from which headline and summary are chosen

_VIEW = (
    "id",
    "story",
    "outlet",
    "outlet_name",
    "url",
    "title",
    "published",
    "seen_at",
    "effective_at",
    "language",
    "copy_of",
    "reuses",
    "counts_as_report",
    "wire",
    "role",
    "kind",
    "kind_evidence",
    "lead",
    "author",
    "published_origin",
    "published_precision",
    "details",
)


def view_columns(*more: str) -> Select[Any]:
    """Return SELECT of the columns of an ArticleView; `more` may add "text" and "evidence"."""
    return select(*(article_text.TEXT if name == "text" else article.c[name] for name in (*_VIEW, *more)))


def view_of(new: NewArticle) -> ArticleView:
    """Return the view of an article that is not written yet."""
    clean, published = new.clean, new.clean.published
    return ArticleView(
        id=new.id,
        outlet=new.outlet_name or new.outlet,
        outlet_key=new.outlet,
        url=new.url,
        title=clean.title,
        published=published.time if published else None,
        seen=new.seen_at,
        effective_at=new.effective_at,
        language=clean.language,
        copy_of=new.placement.copy_of,
        reuses=new.placement.reuses,
        counts_as_report=new.placement.evidence.counts_as_report,
        wire=new.wire,
        role=new.placement.role,
        kind=clean.kind,
        kind_evidence=clean.kind_evidence,
        lead=clean.lead,
        author=new.author,
        published_origin=published.origin if published else None,
        published_precision=published.precision if published else None,
        timed=clean.timed,
        nosnippet=clean.nosnippet,
        noarchive=clean.noarchive,
        tdm_reserved=clean.tdm_reserved,
        media=clean.media,
    )


def view(row: Row[Any], *, copy_of: str | None) -> ArticleView:
    """Return the ArticleView of a row from `view_columns`."""
    details = codecs.unpack(row.details, ArticleDetails)
    fields = row._fields
    return ArticleView(
        id=row.id,
        outlet=row.outlet_name or row.outlet,
        outlet_key=row.outlet,
        url=row.url,
        title=row.title,
        published=row.published,
        seen=row.seen_at,
        effective_at=row.effective_at,
        language=row.language,
        copy_of=copy_of,
        reuses=row.reuses,
        counts_as_report=row.counts_as_report,
        wire=row.wire,
        role=row.role,
        kind=row.kind,
        kind_evidence=row.kind_evidence,
        lead=row.lead,
        author=row.author,
        published_origin=row.published_origin,
        published_precision=row.published_precision,
        text=row.text if "text" in fields else "",
        timed=details.timed,
        evidence=codecs.unpack(row.evidence, Evidence) if "evidence" in fields else None,
        nosnippet=details.nosnippet,
        noarchive=details.noarchive,
        tdm_reserved=details.tdm_reserved,
        media=details.media,
    )


_VIEWS_OF_STORY = (
    view_columns()
    .where(article.c.story == bindparam("story_id"))
    .order_by(article.c.effective_at, article.c.inbox_no)
)


def views_of_story(connection: Connection, story: str) -> list[ArticleView]:
    """Return the articles of a story, oldest first, without texts."""
    rows = connection.execute(_VIEWS_OF_STORY, {"story_id": story})
    return [view(row, copy_of=row.copy_of) for row in rows]


_TITLES_OF_LARGE = (
    view_columns()
    .where(article.c.story == bindparam("story_id"), article.c.copy_of.is_(None))
    .order_by(article.c.effective_at.desc(), article.c.inbox_no.desc())
    .limit(SHOWN_MEMBERS)
)


_ONE_OF_STORY = view_columns().where(
    article.c.story == bindparam("story_id"), article.c.id == bindparam("article_id")
)


def views_for_title(
    connection: Connection, story: str, article_count: int, shown: str | None
) -> list[ArticleView]:
    """Return the articles from which headline and summary are chosen.

    All of a small story; the newest originals of a large one, and article `shown` of the present headline.
    """
    if article_count > SHOWN_MEMBERS:
        rows = connection.execute(_TITLES_OF_LARGE, {"story_id": story}).all()
        if rows:
            if shown is not None and all(row.id != shown for row in rows):
                rows = [*rows, *connection.execute(_ONE_OF_STORY, {"story_id": story, "article_id": shown})]
            return [view(row, copy_of=row.copy_of) for row in reversed(rows)]
    return views_of_story(connection, story)


def views_of(connection: Connection, ids: Iterable[str]) -> list[ArticleView]:
    """Return these articles, oldest first, without texts."""
    rows: list[Row[Any]] = []
    for part in in_parts(sorted(ids)):
        rows += connection.execute(view_columns().where(article.c.id.in_(part))).all()
    rows.sort(key=lambda row: (row.effective_at, row.id))
    return [view(row, copy_of=row.copy_of) for row in rows]


def views_with_text(connection: Connection, ids: Iterable[str]) -> Iterator[ArticleView]:
    """Yield these articles with texts, ordered by id."""
    for part in in_parts(sorted(ids)):
        statement = view_columns("text").where(article.c.id.in_(part)).order_by(article.c.id)
        for row in connection.execute(statement):
            yield view(row, copy_of=row.copy_of)


def views_of_stories(
    connection: Connection, stories: Iterable[str], *more: str
) -> dict[str, list[ArticleView]]:
    """Return the articles of `stories`, oldest first; `copy_of` is the match that was found at placing."""
    ids = sorted(stories)
    found: dict[str, list[ArticleView]] = {one: [] for one in ids}
    for part in in_parts(ids):
        statement = view_columns(*more).where(article.c.story.in_(part))
        for row in connection.execute(statement.order_by(article.c.effective_at, article.c.inbox_no)):
            found[row.story].append(view(row, copy_of=row.copy_of))
    return found


def undated_stories(connection: Connection, ids: Iterable[str]) -> dict[str, dt.datetime]:
    """Return those of the stories without any date (`ArticleView.is_dated`): when each was seen first."""
    dated = func.count(case((article.c.published_origin != "poll", article.c.published)))
    found: dict[str, dt.datetime] = {}
    for part in in_parts(sorted(ids)):
        of_stories = select(article.c.story, func.min(article.c.seen_at).label("seen")).where(
            article.c.story.in_(part)
        )
        rows = connection.execute(of_stories.group_by(article.c.story).having(dated == 0))
        found |= {row.story: row.seen for row in rows}
    return found
