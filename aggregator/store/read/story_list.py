"""Which stories a filter asks for, in the order of their last bump, without reading all of them.

What fits hardly anything (a rare word, an outlet with few articles) is found by its own index. Anything else
is met often enough on the way through the newest stories, which are gone through in steps. A filter whose
parts are common each, and together fit nothing, would go through them all: so a page looks at
`_SCANNED_AT_ONCE`
stories at most, and may be short.
"""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    literal_column,
    or_,
    select,
)

from aggregator.model.errors import UsageError
from aggregator.model.read_model import StoryFilter
from aggregator.store.read.story_filter import StoryMatcher, fitting, of_articles, of_stories
from aggregator.store.search import match
from aggregator.store.search.query_syntax import parse_query
from aggregator.store.tables import article, in_parts, story

FEW = 1_000  # stories, or articles: what fits no more is found by its own index
FEW_WITH_WORDS = 5_000  # articles: reading which stories they are of is all that they cost
_SCANNED_AT_ONCE = 5_000  # stories on the way to one page
_FIRST_STEP, _STEP = 250, 2_000  # stories at once: few where nearly all fit, more where hardly any does
_CLASSES = (5, 2)  # least reports that have an index of their own (tables.py)

LIST_COLUMNS = tuple(
    story.c[name]
    for name in (
        "n",
        "id",
        "title",
        "summary",
        "language",
        "first_published",
        "last_published",
        "updated",
        "article_count",
        "outlet_count",
        "report_count",
    )
)  # what a list shows: texts, sums and evidence stay where they are
_Place = tuple[dt.datetime, int]  # `updated` and `n` of the story before
_NEWEST_FIRST = (story.c.updated.desc(), story.c.n.desc())


def page(connection: Connection, wanted: StoryFilter, limit: int) -> tuple[list[Row[Any]], str | None]:
    """Rows of `LIST_COLUMNS`, newest bump first, and where the next page goes on; None at the end.

    Raises UsageError for an `after` that is no cursor and for a query that asks for nothing.
    """
    few = few_that_may_fit(connection, wanted)
    begin = read_cursor(wanted.after) if wanted.after is not None else None
    if few is None:
        return _scan(connection, wanted, limit, begin)
    fits = sorted(_fitting(connection, wanted, few))
    places: Select[Any] = select(story.c.updated, story.c.n, story.c.id)
    rows: list[Row[Any]] = []
    for part in in_parts(fits):
        some = story.c.id.in_(part)
        rows += connection.execute(places.where(some)).all()
    rows = [row for row in rows if begin is None or (row.updated, row.n) < begin]
    rows.sort(key=lambda row: (row.updated, row.n), reverse=True)
    return _listed(connection, rows[:limit]), cursor(rows[limit - 1]) if len(rows) > limit else None


class _Few(NamedTuple):
    """Ids of stories, live or not, among which are all that fit; `by_query`: all of them fit the query."""

    ids: set[str]
    by_query: bool = False


def few_that_may_fit(connection: Connection, wanted: StoryFilter) -> _Few | None:
    """Stories among which are all that fit `wanted`, where they are few; else None."""
    found = (
        _by_articles(connection, wanted),
        _by_counts(connection, wanted),
        _by_query(connection, wanted),
    )
    return min((few for few in found if few is not None), key=lambda few: len(few.ids), default=None)


def _fitting(connection: Connection, wanted: StoryFilter, few: _Few) -> set[str]:
    left = msgspec.structs.replace(wanted, query="") if few.by_query else wanted
    return fitting(connection, left, few.ids)


def _by_query(connection: Connection, wanted: StoryFilter) -> _Few | None:
    if not wanted.query:
        return None
    numbers = match.all_of(connection, parse_query(wanted.query), FEW_WITH_WORDS)
    return None if numbers is None else _Few(_homes(connection, numbers), by_query=True)


def _homes(connection: Connection, numbers: Sequence[int]) -> set[str]:
    found: set[str] = set()
    for part in in_parts(numbers):
        asked = article.c.n.in_(part)
        found |= set(connection.execute(select(article.c.story).where(asked)).scalars())
    return found


def _by_articles(connection: Connection, wanted: StoryFilter) -> _Few | None:
    for condition in of_articles(connection, wanted):
        # Not the distinct ones: to tell them apart, all of a common one would be read.
        held = list(connection.execute(select(article.c.story).where(condition).limit(FEW + 1)).scalars())
        if len(held) <= FEW:
            return _Few(set(held))
    return None


def _by_counts(connection: Connection, wanted: StoryFilter) -> _Few | None:
    conditions = []
    if wanted.since is not None or wanted.until is not None:
        of_time = of_stories(StoryFilter(since=wanted.since, until=wanted.until))
        conditions.append(and_(*of_time))
    if wanted.min_outlets > 1:
        conditions.append(
            and_(story.c.outlet_count > literal_column("1"), story.c.outlet_count >= wanted.min_outlets)
        )
    if wanted.min_reports >= _CLASSES[0]:
        asked = with_reports(_CLASSES[0]), story.c.report_count >= wanted.min_reports
        conditions.append(and_(story.c.redirect_to.is_(None), *asked))
    for condition in conditions:
        found = list(connection.execute(select(story.c.id).where(condition).limit(FEW + 1)).scalars())
        if len(found) <= FEW:
            return _Few(set(found))
    return None


# --- the way through all of them ---------------------------------------------------------------------------


def _scan(
    connection: Connection, wanted: StoryFilter, limit: int, begin: _Place | None
) -> tuple[list[Row[Any]], str | None]:
    matcher = StoryMatcher(connection, wanted)
    on, live, further = _way(connection, wanted, matcher)
    newest_first = (on.c.updated.desc(), on.c.n.desc())
    found: list[Row[Any]] = []
    looked, step = 0, max(_FIRST_STEP, limit + 1)
    while looked < _SCANNED_AT_ONCE:
        span = [*live, *([_is_after(on, begin)] if begin else [])]
        prefetcher = select(on.c.updated, on.c.n).where(*span).order_by(*newest_first)
        edge = connection.execute(prefetcher.offset(step - 1).limit(1)).first()
        if edge is not None:
            span.append(on.c.updated >= edge.updated)
        places: Select[Any] = select(on.c.updated, on.c.n, on.c.id).where(*span, *further)
        chosen = places.order_by(*newest_first)
        most = limit + 1 - len(found)
        if matcher.asks_articles:
            found += _filtered(connection, matcher, connection.execute(chosen).all(), most)
        else:
            found += connection.execute(chosen.limit(most)).all()
        if len(found) > limit:
            return _listed(connection, found[:limit]), cursor(found[limit - 1])
        if edge is None:
            return _listed(connection, found), None
        begin = (edge.updated, edge.n)
        looked, step = looked + step, _STEP
    assert begin is not None, "at least one step was gone"
    return _listed(connection, found), _written(*begin)


_Conditions = list[ColumnElement[bool]]


def _way(
    connection: Connection, wanted: StoryFilter, matcher: StoryMatcher
) -> tuple[FromClause, _Conditions, _Conditions]:
    """What is gone through, with what bounds it (by an index) and what is asked of each story besides.

    That is all live stories, but where many came after the end of the time that is asked for: then those of
    that time are gathered first, out of their index.
    """
    live = story.c.redirect_to.is_(None)
    if wanted.until is not None and _are_more(connection, and_(live, story.c.last_published > wanted.until)):
        of_time = of_stories(StoryFilter(since=wanted.since, until=wanted.until))
        gathered = select(story.c.updated, story.c.n, story.c.id).where(*of_time)
        within: FromClause = gathered.cte("within").prefix_with("MATERIALIZED")
        rest = of_stories(msgspec.structs.replace(wanted, since=None, until=None))[1:]
        others: _Conditions = [within.c.n.in_(select(story.c.n).where(*rest))] if rest else []
        return within, [], others
    bounds = next(([with_reports(least)] for least in _CLASSES if wanted.min_reports >= least), [])
    return story, [live, *bounds], matcher.of_stories


def _are_more(connection: Connection, condition: ColumnElement[bool]) -> bool:
    """Whether so many stories fit that going past them would take long."""
    past = select(story.c.last_published).where(condition).offset(_STEP).limit(1)
    return connection.execute(past).first() is not None


def _filtered(
    connection: Connection, matcher: StoryMatcher, rows: Sequence[Row[Any]], most: int
) -> list[Row[Any]]:
    """The first `most` of `rows` that fit, or some more."""
    found: list[Row[Any]] = []
    for some in in_parts(rows):
        fits = matcher.matching(connection, [row.id for row in some])
        found += [row for row in some if row.id in fits]
        if len(found) >= most:
            break
    return found


def _listed(connection: Connection, chosen: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The rows of the chosen stories, in their order."""
    rows: dict[str, Row[Any]] = {}
    for part in in_parts(chosen):
        ids = [row.id for row in part]
        listed = connection.execute(select(*LIST_COLUMNS).where(story.c.id.in_(ids)))
        rows |= {row.id: row for row in listed}
    return [rows[row.id] for row in chosen]


def with_reports(least: int) -> ColumnElement[bool]:
    """At least so many reports, as an index says it: a plan made once for any value could not take it."""
    return story.c.report_count >= literal_column(str(least))


def _is_after(on: FromClause, place: _Place) -> ColumnElement[bool]:
    updated, n = place
    return and_(on.c.updated <= updated, or_(on.c.updated < updated, on.c.n < n))


def selection(connection: Connection, wanted: StoryFilter) -> Select[Any]:
    """The newest stories that fit, as a statement to be narrowed; `limit` and `after` are not looked at.

    Bounded as a page is. Of a query that much fits, only stories of the newest articles that do are in it.
    """
    few = few_that_may_fit(connection, wanted)
    if few is None and wanted.query:
        numbers = match.newest(connection, parse_query(wanted.query), FEW, reach=FEW)
        few = _Few(_homes(connection, numbers), by_query=True)
    live = select(story).where(story.c.redirect_to.is_(None)).order_by(*_NEWEST_FIRST)
    if few is not None:
        return live.where(story.c.id.in_(sorted(_fitting(connection, wanted, few))))
    chosen = live.where(*of_stories(wanted))
    asked = [
        select(article.c.n).where(article.c.story == story.c.id, condition).exists()
        for condition in of_articles(connection, wanted)
    ]
    if not asked:
        return chosen
    last = live.with_only_columns(story.c.updated).offset(_SCANNED_AT_ONCE - 1).limit(1)
    oldest = connection.execute(last).scalar()
    return chosen.where(*asked, *([story.c.updated >= oldest] if oldest else []))


# --- cursors -----------------------------------------------------------------------------------------------


def cursor(row: Row[Any]) -> str:
    """Where the page after `row` begins: it stands still while stories move."""
    return _written(row.updated, row.n)


# Digits alone, so that the description of the API can say what is a cursor: microseconds since the year 1
# (17 digits last until the year 3169) and the number of the story.
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})", re.ASCII)
_BEGINNING = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


def _written(updated: dt.datetime, n: int) -> str:
    return f"{(updated - _BEGINNING) // dt.timedelta(microseconds=1)}-{n}"


def read_cursor(cursor: str) -> tuple[dt.datetime, int]:
    """Raises UsageError for what `cursor` did not write."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise UsageError("that is no cursor of ours; take `next` of the page before as it is")
    return _BEGINNING + dt.timedelta(microseconds=int(found[1])), int(found[2])
