"""Searches the newest matching articles, in the order of the database, with their stories and snippets."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchHit, SearchResults, StoryHit
from aggregator.store import codecs
from aggregator.store.search import match
from aggregator.store.search.index_rows import LANGUAGE, OUTLET, TITLE
from aggregator.store.search.nearest import nearest_search
from aggregator.store.search.progress import unindexed_to
from aggregator.store.search.query import Query, filter_term, parse_query
from aggregator.store.search.snippets import snippet
from aggregator.store.stories import article_views, stored_articles
from aggregator.store.stories.story_rows import shown_columns
from aggregator.store.tables import read_map, read_rows

# At most this many articles of one story are shown
_ARTICLES_SHOWN = 3
# Newest matches that are ranked: a search takes less than 300 ms at 1,000,000 articles (measured:
# python -m benchmarks.reading).
RANKED = 400
# Phrases are searched only in this many articles, the newest that have all words of the search.
_PHRASE_REACH = 5_000
_INSTANT = timedelta(microseconds=1)
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

_STORIES = f"SELECT {shown_columns(StoryHit)} FROM story WHERE id IN :ids"  # noqa: S608


def search(
    connection: Connection,
    text: str,
    limit: int,
    bounds: StoryFilter = StoryFilter(),  # noqa: B008 - frozen
) -> SearchResults:
    """Return the articles and stories that match `text` within `bounds`, best first."""
    try:
        query = within(parse_query(text), bounds)
    except UsageError as error:
        return SearchResults(problem=str(error))
    most = max(RANKED, min(limit, 10**9) + 1)
    numbers = match.rank_matches(
        connection, query, most, reach=max(_PHRASE_REACH, most)
    )
    # The index knows only the days of articles, so exact times are compared here.
    stories = read_map(
        connection,
        """
        SELECT inbox_no, story FROM article
        WHERE inbox_no IN :numbers AND effective_at >= :since AND effective_at < :before
        """,
        numbers=numbers,
        since=query.since or _FIRST_MOMENT,
        before=query.before or _LAST_MOMENT,
    )
    found = [number for number in numbers if number in stories]
    # Stories are in the order of their best articles.
    by_story: dict[str, list[int]] = {}
    for number in found:
        by_story.setdefault(stories[number], []).append(number)
    by_story = dict(list(by_story.items())[:limit])

    # The result lists articles, and stories with their best articles; each article is read once.
    shown = {*found[:limit]}
    for of_story in by_story.values():
        shown.update(of_story[:_ARTICLES_SHOWN])
    hits = _hits(connection, query, shown)
    columns = {
        row.id: row._mapping for row in read_rows(connection, _STORIES, ids=by_story)
    }
    return SearchResults(
        hits=tuple(hits[number] for number in found[:limit]),
        stories=tuple(
            StoryHit(
                found=len(of_story),
                hits=tuple(hits[number] for number in of_story[:_ARTICLES_SHOWN]),
                **columns[id_],
            )
            for id_, of_story in by_story.items()
        ),
        more=len(found) > limit,
        partial=unindexed_to(connection) > 0,
        nearest=None if found else nearest_search(connection, text),
    )


def _hits(
    connection: Connection, query: Query, numbers: Collection[int]
) -> dict[int, SearchHit]:
    """Return these articles by number, each with the words around the phrases of the search."""
    phrases = [
        phrase
        for term in query.terms
        for phrase in term.phrases
        if phrase.mark in ("", TITLE)
    ]
    articles = f"""
        SELECT {article_views.view_columns("text")}, story.title AS story_title
        FROM article JOIN story ON story.id = article.story WHERE inbox_no IN :numbers
        """  # noqa: S608
    hits = {}
    for row in read_rows(connection, articles, numbers=numbers):
        details = codecs.unpack(row.details, stored_articles.ArticleDetails)
        excerpt, marks = snippet(row.text or row.lead, phrases)
        hits[row.inbox_no] = SearchHit(
            story=row.story,
            story_title=row.story_title,
            title=row.title,
            url=row.url,
            effective_at=row.effective_at,
            language=row.language,
            article=row.id,
            outlet=row.outlet_name or row.outlet,
            snippet=excerpt,
            marks=marks,
            nosnippet=details.nosnippet,
        )
    return hits


def within(query: Query, bounds: StoryFilter) -> Query:
    """Return `query` with further bounds. If both have a bound of the same kind, both apply."""
    until = None
    if bounds.until:
        until = min(bounds.until, _LAST_MOMENT - _INSTANT) + _INSTANT
    filters = (
        filter_term(bounds.outlet or "", OUTLET),
        filter_term(bounds.language or "", LANGUAGE),
    )
    return replace(
        query,
        terms=(*query.terms, *filter(None, filters)),
        since=max(filter(None, (query.since, bounds.since)), default=None),
        before=min(filter(None, (query.before, until)), default=None),
    )
