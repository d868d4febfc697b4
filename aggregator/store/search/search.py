"""Search: the newest matching articles, ranked, their stories, and snippets.

The rank functions of the databases (bm25, ts_rank) differ and read every match. This rank uses the positions
of the words, the number of reports of the story, and the age relative to the newest match. At most RANKED
articles are ranked. The order is the same on both databases.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Row, Select, select

from aggregator.config.story_query import StoryFilter
from aggregator.extract.language.search_tokens import is_unspaced, search_words
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchHit, SearchResults, StoryHit
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.search import match
from aggregator.store.search.nearest import nearest_search
from aggregator.store.search.progress import unindexed_to
from aggregator.store.search.query import Phrase, Query, Term, parse_query, with_title
from aggregator.store.search.searchable_text import SearchableText
from aggregator.store.search.snippets import snippet
from aggregator.store.stories import article_views, articles
from aggregator.store.stories.stories import shown_columns
from aggregator.store.tables import article, rows_with, story

_ARTICLES_SHOWN = 3  # of one story
# Newest matches that are ranked, and half as many that have all the words in their headline: a search takes
# less than 300 ms at 1,000,000 articles (measured: python -m benchmarks.reading).
RANKED = 400

# Chosen by reading results, not measured on judgments; only their proportions matter.
TITLE_POINTS = 3.0  # for all the terms in the headline; for some of them that share

LEAD_POINTS = 1.5  # for all the terms in the first paragraph, or that share
PHRASE_POINTS = 1.0  # where all the words are adjacent, in the headline or the lead
REPORT_POINTS = 0.3  # each time the independent reports of its story double
RECENT_POINTS = 2.0  # of the newest match; older ones get less
# Newest articles with all the words in which phrases are searched
_PHRASE_REACH = 5_000

_MAX_REPORTS = 32  # independent reports of a story that count at most
# In effective time, after which half of the points of the newest match are left
_HALF_LIFE_DAYS = 14.0


class _RankedArticle(FrozenStruct):
    inbox_no: int
    story: str
    points: float


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
    ranked = _ranked(connection, query, max(RANKED, min(limit, 10**9) + 1))
    shown = [best.inbox_no for best in ranked[:limit]]
    by_story: dict[str, list[int]] = {}
    for matching in ranked:
        by_story.setdefault(matching.story, []).append(matching.inbox_no)
    chosen = dict(list(by_story.items())[:limit])
    wanted = set(shown)
    for numbers in chosen.values():
        wanted.update(numbers[:_ARTICLES_SHOWN])
    hits = _hits(connection, wanted, query)
    nearest = None
    if not ranked:
        nearest = nearest_search(connection, text)
    return SearchResults(
        hits=tuple(hits[number] for number in shown),
        stories=_story_hits(connection, chosen, hits),
        more=len(ranked) > len(shown),
        partial=unindexed_to(connection) > 0,
        nearest=nearest,
    )


def _story_hits(
    connection: Connection,
    stories: Mapping[str, Sequence[int]],
    hits: Mapping[int, SearchHit],
) -> tuple[StoryHit, ...]:
    """Return stories with a few of their articles; `stories`: the numbers of all that match, by story."""
    rows = rows_with(connection, _STORIES, story.c.id, stories)
    columns = {row.story: row._mapping for row in rows}
    story_hits = []
    for id_, numbers in stories.items():
        shown = tuple(hits[number] for number in numbers[:_ARTICLES_SHOWN])
        story_hits.append(StoryHit(found=len(numbers), hits=shown, **columns[id_]))
    return tuple(story_hits)


def within(query: Query, bounds: StoryFilter) -> Query:
    """Return `query` within further bounds; where both have one, both hold."""
    until = None
    language = query.language
    if bounds.until:
        until = min(bounds.until, _LAST_MOMENT - _INSTANT) + _INSTANT
    if bounds.language:
        language = bounds.language.strip().casefold()
    return replace(
        query,
        since=max(filter(None, (query.since, bounds.since)), default=None),
        before=min(filter(None, (query.before, until)), default=None),
        language=language,
        outlet=(*query.outlet, *search_words(bounds.outlet or "")),
    )


_INSTANT = dt.timedelta(microseconds=1)
_LAST_MOMENT = dt.datetime.max.replace(tzinfo=dt.UTC)


def _ranked(connection: Connection, query: Query, most: int) -> list[_RankedArticle]:
    """Return the newest that have all in the title, and the newest that have it anywhere, best first."""
    reach = max(_PHRASE_REACH, most)
    titled = replace(query, terms=with_title(query.terms))
    numbers = match.newest(connection, query, most, reach=reach)
    if query.terms and len(numbers) == most:
        numbers += match.newest(connection, titled, RANKED // 2, reach=reach)
    rows = rows_with(connection, _RANKED_COLUMNS, article.c.inbox_no, numbers)
    rows_within = []
    for row in rows:  # the index knows only the days of articles
        is_late_enough = query.since is None or row.effective_at >= query.since
        if is_late_enough and (query.before is None or row.effective_at < query.before):
            rows_within.append(row)
    if not rows_within:
        return []
    latest = max(row.effective_at for row in rows_within)
    whole = _as_written(query)
    ranked = []
    for row in rows_within:
        points = _points_of_words(row, query.terms, titled.terms, whole)
        reports = min(max(row.report_count, 1), _MAX_REPORTS)
        points += REPORT_POINTS * math.log2(reports)
        days = (latest - row.effective_at) / dt.timedelta(days=1)
        points += RECENT_POINTS * 2 ** (-days / _HALF_LIFE_DAYS)
        ranked.append(
            _RankedArticle(
                inbox_no=row.inbox_no, story=row.story, points=round(points, 6)
            )
        )
    return sorted(ranked, key=lambda best: (-best.points, -best.inbox_no))


def _points_of_words(
    row: Row[Any],
    terms: Sequence[Term],
    titled: Sequence[Term],
    whole: tuple[Phrase, Phrase] | None,
) -> float:
    """Return points for where the words stand; `titled`: terms in the headline, `whole`: all words in a row."""
    wording = SearchableText(row.lead, title=row.title)
    count = len(terms) or 1
    points = TITLE_POINTS * sum(map(wording.holds_term, titled)) / count
    points += LEAD_POINTS * sum(map(wording.holds_term, terms)) / count
    return points + PHRASE_POINTS * (
        whole is not None and any(map(wording.holds, whole))
    )


def _as_written(query: Query) -> tuple[Phrase, Phrase] | None:
    """Return the words of a search in a row, anywhere and in the headline; None if there is only one."""
    firsts = [phrase for term in query.terms for phrase in term.any_of[0]]
    words: list[str] = []
    for phrase in firsts:
        words += phrase.words
    is_run = any(len(word) > 2 and is_unspaced(word) for word in words)
    if len(words) < 2 and not is_run:
        return None
    anywhere = Phrase(words=tuple(words), prefix=firsts[-1].prefix)
    return anywhere, replace(anywhere, in_title=True)


_RANKED_COLUMNS: Select[Any] = select(
    article.c.inbox_no,
    article.c.story,
    article.c.title,
    article.c.lead,
    article.c.effective_at,
    story.c.report_count,
).join(story, story.c.id == article.c.story)


def _hits(
    connection: Connection, numbers: Iterable[int], query: Query
) -> dict[int, SearchHit]:
    """Return these articles as hits, by their numbers."""
    hits = {}
    for row in rows_with(connection, _HITS, article.c.inbox_no, numbers):
        details = codecs.unpack(row.details, articles.ArticleDetails)
        shown, marks = snippet(row.text or row.lead, query.phrases)
        hits[row.inbox_no] = SearchHit(
            story=row.story,
            story_title=row.story_title,
            title=row.title,
            url=row.url,
            effective_at=row.effective_at,
            language=row.language,
            article=row.id,
            outlet=row.outlet_name or row.outlet,
            snippet=shown,
            marks=marks,
            nosnippet=details.nosnippet,
        )
    return hits


_HITS = (
    article_views.view_columns("text")
    .add_columns(story.c.title.label("story_title"))
    .join(story, story.c.id == article.c.story)
)


_STORIES = select(*shown_columns(StoryHit))
