"""Tests given stories against a filter.

`story_list.page` scans all stories in order. The change stream and webhooks, which have a few stories
already, use this module; its cost depends on their number, not on the frequency of the words.
"""

from collections.abc import Collection

from sqlalchemy import Column, ColumnElement, Connection, func, select

from aggregator.model.read_model import StoryFilter
from aggregator.store.intake import sources
from aggregator.store.search import match
from aggregator.store.search.query_syntax import Query, parse_query
from aggregator.store.tables import article, in_parts, story


def fitting(connection: Connection, wanted: StoryFilter, ids: Collection[str]) -> set[str]:
    """Return those of the live stories `ids` that match `wanted`; ignores its `limit` and `after`.

    Raises UsageError for a query without words.
    """
    return StoryMatcher(connection, wanted).matching(connection, ids)


class StoryMatcher:
    """A prepared filter, for repeated use within one transaction."""

    def __init__(self, connection: Connection, wanted: StoryFilter) -> None:
        """Raises UsageError for a query without words."""
        self.of_stories = of_stories(wanted)
        self._of_articles = of_articles(connection, wanted, by_story=True)
        self._query = parse_query(wanted.query) if wanted.query else None
        self.asks_articles = bool(self._of_articles) or self._query is not None

    def matching(self, connection: Connection, ids: Collection[str]) -> set[str]:
        """Return those of the live stories `ids` that match."""
        found: set[str] = set()
        for part in in_parts(sorted(ids)):
            few = story.c.id.in_(part)
            left = set(connection.execute(select(story.c.id).where(few, *self.of_stories)).scalars())
            for condition in self._of_articles:
                left &= _with_article(connection, left, condition)
            if self._query is not None and left:
                left &= _with_words(connection, left, self._query)
            found |= left
        return found


def _with_article(connection: Connection, ids: set[str], condition: ColumnElement[bool]) -> set[str]:
    if not ids:
        return set()
    statement = select(article.c.story).where(article.c.story.in_(sorted(ids)), condition).distinct()
    return set(connection.execute(statement).scalars())


def _with_words(connection: Connection, ids: set[str], query: Query) -> set[str]:
    statement = select(article.c.inbox_no, article.c.story).where(article.c.story.in_(sorted(ids)))
    assigned_stories = {row.inbox_no: row.story for row in connection.execute(statement)}
    return {assigned_stories[n] for n in match.among(connection, query, assigned_stories)}


def of_stories(wanted: StoryFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of `wanted` on the row of a story."""
    conditions: list[ColumnElement[bool]] = [story.c.redirect_to.is_(None)]
    if wanted.since is not None:
        conditions.append(story.c.last_published >= wanted.since)
    if wanted.until is not None:
        conditions.append(story.c.last_published <= wanted.until)
    if wanted.min_outlets > 1:
        conditions.append(story.c.outlet_count >= wanted.min_outlets)
    if wanted.min_reports > 1:
        conditions.append(story.c.report_count >= wanted.min_reports)
    return conditions


def of_articles(
    connection: Connection, wanted: StoryFilter, *, by_story: bool = False
) -> list[ColumnElement[bool]]:
    """Return the conditions of `wanted` on articles, without its query; different articles may meet them.

    `by_story`: write them so that the index on stories is used, not the one on sources.
    """
    asked: list[ColumnElement[bool]] = []
    if wanted.outlet is not None:
        asked.append(article.c.outlet.in_(outlets_named(connection, wanted.outlet)))
    if wanted.language is not None:
        asked.append(article.c.language == wanted.language)
    if wanted.folder is not None:
        named = article.c.source.concat("") if by_story else article.c.source
        its_sources = sources.in_folder(connection, wanted.folder)
        asked.append(named.in_([one.entry_source for one in its_sources]))
    return asked


def outlets_named(connection: Connection, name: str) -> list[str]:
    """Return the keys of the outlets that are, or were once, called `name`, or have it as key."""
    names = _values_like(connection, article.c.outlet_name, name)
    keys = select(article.c.outlet).where(article.c.outlet_name.in_(names)).distinct() if names else None
    named = set() if keys is None else set(connection.execute(keys).scalars())
    return sorted(named.union(_values_like(connection, article.c.outlet, name)))


def _values_like(connection: Connection, column: Column[str | None], wanted: str) -> list[str]:
    """Return the values of a column that equal `wanted`, ignoring case; SQLite's lower() covers only ASCII.

    Skips from value to value in the index, because there are few outlets and many articles.
    """
    firsts = select(func.min(column).label("value")).cte(recursive=True)
    following = select(func.min(column)).where(column > firsts.c.value)
    every = firsts.union_all(
        select(following.correlate(firsts).scalar_subquery()).where(firsts.c.value.is_not(None))
    )
    found = connection.execute(select(every.c.value).where(every.c.value.is_not(None))).scalars()
    return [value for value in found if value.casefold() == wanted.casefold()]
