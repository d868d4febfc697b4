"""What is shown and told of stored articles, without what decides where they belong."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from aggregator.model.core import ArticleView, Evidence
from aggregator.store import codecs
from aggregator.store.stories import article_text
from aggregator.store.stories.articles import ArticleDetails, NewArticle
from aggregator.store.tables import article, in_parts

SHOWN_MEMBERS = 64  # of a larger story only so many articles are weighed for headline and summary

_VIEW = (
    "id",
    "story",
    "outlet",
    "url",
    "title",
    "published",
    "seen",
    "effective",
    "language",
    "copy_of",
    "wire",
    "role",
    "lead",
    "author",
    "published_origin",
    "published_precision",
    "details",
)


def view_columns(*more: str) -> Select[Any]:
    """SELECT of what an ArticleView holds; `more` may add "text" and "evidence"."""
    return select(*(article_text.TEXT if name == "text" else article.c[name] for name in (*_VIEW, *more)))


def view_of(new: NewArticle) -> ArticleView:
    """The view of an article whose row is about to be written."""
    clean, published = new.clean, new.clean.published
    return ArticleView(
        id=new.id,
        outlet=new.outlet,
        url=new.url,
        title=clean.title,
        published=published.time if published else None,
        seen=new.seen,
        effective=new.effective,
        language=clean.language,
        copy_of=new.placement.copy_of,
        wire=new.wire,
        role=new.placement.role,
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
    """The ArticleView of a row that `view_columns` selected."""
    details = codecs.unpack(row.details, ArticleDetails)
    held = row._fields
    return ArticleView(
        id=row.id,
        outlet=row.outlet,
        url=row.url,
        title=row.title,
        published=row.published,
        seen=row.seen,
        effective=row.effective,
        language=row.language,
        copy_of=copy_of,
        wire=row.wire,
        role=row.role,
        lead=row.lead,
        author=row.author,
        published_origin=row.published_origin,
        published_precision=row.published_precision,
        text=row.text if "text" in held else "",
        timed=details.timed,
        evidence=codecs.unpack(row.evidence, Evidence) if "evidence" in held else None,
        nosnippet=details.nosnippet,
        noarchive=details.noarchive,
        tdm_reserved=details.tdm_reserved,
        media=details.media,
    )


_VIEWS_OF_STORY = (
    view_columns().where(article.c.story == bindparam("story_id")).order_by(article.c.effective, article.c.n)
)


def views_of_story(connection: Connection, story: str) -> list[ArticleView]:
    """The articles of one story, oldest first, without their texts."""
    rows = connection.execute(_VIEWS_OF_STORY, {"story_id": story})
    return [view(row, copy_of=row.copy_of) for row in rows]


_TITLES_OF_LARGE = (
    view_columns()
    .where(article.c.story == bindparam("story_id"), article.c.copy_of.is_(None))
    .order_by(article.c.effective.desc(), article.c.n.desc())
    .limit(SHOWN_MEMBERS)
)


_ONE_OF_STORY = view_columns().where(
    article.c.story == bindparam("story_id"), article.c.id == bindparam("article_id")
)


def views_for_title(
    connection: Connection, story: str, article_count: int, shown: str | None
) -> list[ArticleView]:
    """What headline and summary are chosen from: a small story whole, the newest originals of a large one.

    With article `shown` of the story, which has the title that people see, however old it is.
    """
    if article_count > SHOWN_MEMBERS:
        rows = connection.execute(_TITLES_OF_LARGE, {"story_id": story}).all()
        if rows:
            if shown is not None and all(row.id != shown for row in rows):
                rows = [*rows, *connection.execute(_ONE_OF_STORY, {"story_id": story, "article_id": shown})]
            return [view(row, copy_of=row.copy_of) for row in reversed(rows)]
    return views_of_story(connection, story)


def views_of(connection: Connection, ids: Iterable[str]) -> list[ArticleView]:
    """These articles, oldest first, without their texts."""
    rows: list[Row[Any]] = []
    for part in in_parts(sorted(ids)):
        rows += connection.execute(view_columns().where(article.c.id.in_(part))).all()
    rows.sort(key=lambda row: (row.effective, row.id))
    return [view(row, copy_of=row.copy_of) for row in rows]


def views_with_text(connection: Connection, ids: Iterable[str]) -> Iterator[ArticleView]:
    """These articles with their texts, in the order of their ids."""
    for part in in_parts(sorted(ids)):
        statement = view_columns("text").where(article.c.id.in_(part)).order_by(article.c.id)
        for row in connection.execute(statement):
            yield view(row, copy_of=row.copy_of)


def views_of_stories(
    connection: Connection, stories: Iterable[str], *more: str
) -> dict[str, list[ArticleView]]:
    """The articles of `stories`, oldest first; `copy_of` is the twin that was found when they were placed."""
    ids = sorted(stories)
    found: dict[str, list[ArticleView]] = {one: [] for one in ids}
    for part in in_parts(ids):
        statement = view_columns(*more).where(article.c.story.in_(part))
        for row in connection.execute(statement.order_by(article.c.effective, article.c.n)):
            found[row.story].append(view(row, copy_of=row.copy_of))
    return found
