"""Stored articles as output shows them, without the columns that only grouping reads."""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping

from aggregator.model.article import ArticleView
from aggregator.model.evidence import Evidence
from aggregator.model.prepared import ArticleHtml
from aggregator.store import codecs
from aggregator.store.stories.stored_articles import ArticleDetails, StoredArticle
from aggregator.store.tables import (
    Row,
    Values,
    Where,
    article,
    is_sqlite,
    read_rows,
    stream_rows,
)

# The headline and summary of a large story are chosen from this many articles.
SHOWN_MEMBERS = 64

# Fields with a column of the same name
_SAME = [
    name
    for name in ArticleView.__struct_fields__
    if name in article.c and name not in ("outlet", "text", "html", "evidence")
]
_OF_DETAILS = sorted(
    {*ArticleView.__struct_fields__} & {*ArticleDetails.__struct_fields__} - {*_SAME}
)
_COLUMNS = (*_SAME, "story", "outlet", "outlet_name", "seen_at", "details")


_SELECTED = {
    "text": "coalesce(article.text, '') AS text",
    # The HTML of a reprint is left out: no page shows it, and a story may have thousands of reprints.
    "html": "CASE WHEN copy_of IS NULL OR version_of IS NOT NULL THEN html END AS html",
}


def view_columns(*more: str) -> str:
    """Return the columns of an ArticleView, for SQL text; `more` may add "text", "html" and "evidence"."""
    names = (*_COLUMNS, *more)
    return ", ".join(_SELECTED.get(name, f"article.{name}") for name in names)


def of_outlets(connection: Connection, names: Iterable[str]) -> Where:
    """Return the condition that an article is of one of the outlets, by key or name, in any case."""
    fold = "casefold" if is_sqlite(connection) else "lower"
    # casefold() writes ß as ss, but PostgreSQL's lower() keeps it.
    keys = {*map(str.casefold, names), *map(str.lower, names)}
    either = f"({fold}(outlet) IN :outlets OR {fold}(outlet_name) IN :outlets)"
    return Where(either, outlets=sorted(keys))


def view_of(whole: StoredArticle) -> ArticleView:
    """Return the view of an article that is being placed, without its text."""
    return _view(
        msgspec.structs.asdict(whole) | {"outlet": whole.outlet_key},
        whole.read_details(),
    )


def view(row: Row) -> ArticleView:
    """Return the view of a row with `view_columns`. Its `copy_of` is the copied article that placing found."""
    columns = row._mapping
    more = {"text": row.text} if "text" in columns else {}
    if columns.get("html") is not None:
        more["html"] = codecs.decompress_struct(row.html, ArticleHtml)
    if "evidence" in columns:
        more["evidence"] = codecs.unpack(row.evidence, Evidence)
    return _view(columns, codecs.unpack(row.details, ArticleDetails), **more)


def _view(
    columns: Values | RowMapping, details: ArticleDetails, **more: Any
) -> ArticleView:
    outlet = columns["outlet_name"] or columns["outlet"]
    return ArticleView(
        outlet=outlet
        if columns["claimed_outlet"] in (None, columns["outlet"])
        else f"via {outlet}",
        outlet_key=columns["outlet"],
        seen=columns["seen_at"],
        **{name: columns[name] for name in _SAME},
        **{name: getattr(details, name) for name in _OF_DETAILS},
        **more,
    )


def views_for_title(
    connection: Connection, story: str, article_count: int, shown: str | None
) -> list[ArticleView]:
    """Return the articles that compete for the headline and summary of a story.

    For a small story, these are all its articles. For a large story, they are the newest originals and versions, with
    the texts that these replace, and article `shown`, which has the present headline.
    """
    if article_count <= SHOWN_MEMBERS:
        return views_of_stories(connection, [story])[story]
    of_story = f"SELECT {view_columns()} FROM article WHERE story = :story"  # noqa: S608
    rows = read_rows(
        connection,
        f"""
        {of_story} AND (copy_of IS NULL OR version_of IS NOT NULL AND NOT is_little_known)
        ORDER BY effective_at DESC, inbox_no DESC LIMIT {SHOWN_MEMBERS}
        """,
        story=story,
    )
    if not rows:
        return views_of_stories(connection, [story])[story]
    others = f"{of_story} AND id IN :ids"
    missing = {shown} - {None, *(row.id for row in rows)}
    rows += read_rows(connection, others, story=story, ids=missing)
    # The condition on the story leaves out replaced texts that a correction moved to another story.
    replaced = {row.version_of for row in rows} - {None, *(row.id for row in rows)}
    rows += read_rows(connection, others, story=story, ids=replaced)
    return sorted(map(view, rows), key=attrgetter("effective_at", "id"))


def views_of(connection: Connection, ids: Iterable[str]) -> list[ArticleView]:
    """Return these articles, oldest first, without texts."""
    rows = read_rows(
        connection,
        f"SELECT {view_columns()} FROM article WHERE id IN :ids",  # noqa: S608
        ids=ids,
    )
    return list(map(view, sorted(rows, key=attrgetter("effective_at", "id"))))


def views_with_text(
    connection: Connection, ids: Iterable[str]
) -> Iterator[ArticleView]:
    """Yield these articles with their texts, ordered by id."""
    given = f"SELECT {view_columns('text')} FROM article WHERE id IN :ids ORDER BY id"  # noqa: S608
    return map(view, stream_rows(connection, given, ids=ids))


def views_of_stories(
    connection: Connection, stories: Iterable[str], *more: str
) -> dict[str, list[ArticleView]]:
    """Return the articles of `stories` by story, oldest first. `more`: see `view_columns`."""
    return {
        story_id: list(map(view, rows))
        for story_id, rows in rows_of_stories(connection, stories, *more).items()
    }


def rows_of_stories(
    connection: Connection, stories: Iterable[str], *more: str
) -> dict[str, list[Row]]:
    """Return rows with `view_columns` for the articles of `stories`, by story, oldest first."""
    by_story: dict[str, list[Row]] = {story_id: [] for story_id in sorted(stories)}
    for row in stream_rows(
        connection,
        f"""
        SELECT {view_columns(*more)} FROM article WHERE story IN :stories ORDER BY effective_at, inbox_no
        """,  # noqa: S608
        stories=by_story,
    ):
        by_story[row.story].append(row)
    return by_story
