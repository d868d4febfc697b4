"""Lists of stories that match a filter, without reading all stories, the newest bump first.

A list is one statement. If a condition is selective (an outlet with few articles, a rare word), the ids of
its stories are listed in the statement; else the newest stories are read until enough match. Common words are compared
with stories in steps, at most `_SCANNED_AT_ONCE` for a page, which may be short.
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, or_, select

from aggregator.config.story_query import StoryFilter
from aggregator.model.story import StoryView
from aggregator.store.read import muted
from aggregator.store.read.cursors import cursor_at, read_cursor
from aggregator.store.read.story_filter import (
    FEW,
    REPORT_CLASSES,
    StoryMatcher,
    of_articles,
    of_its_articles_of,
    of_stories,
    query_of,
    with_subjects,
    with_words,
)
from aggregator.store.stories.story_rows import shown_columns
from aggregator.store.tables import (
    article,
    read_value,
    read_values,
    rows_in_order,
    story,
    story_subject,
)

if TYPE_CHECKING:
    from aggregator.store.search.query import Query


FEW_WITH_WORDS = 5_000  # articles; higher, because only their stories are read
_SCANNED_AT_ONCE = 5_000  # stories compared with common words for one page
# Stories compared at a time
_STEP = 500
# Stories whose articles are read for muted words at a time, as most of them stay
_STEP_OF_MUTES = 100

LIST_COLUMNS = shown_columns(StoryView)  # columns of a list, without texts
_Place = tuple[dt.datetime, int]  # `bumped_at` and `story_no` of the previous story
_NEWEST_FIRST = (story.c.bumped_at.desc(), story.c.story_no.desc())


def page(
    connection: Connection, wanted: StoryFilter, limit: int
) -> tuple[list[Row[Any]], str | None]:
    """Return rows of `LIST_COLUMNS`, otherwise as `places`."""
    rows, following = places(connection, wanted, limit)
    ids = [row.id for row in rows]
    listed = rows_in_order(connection, select(*LIST_COLUMNS), story.c.id, ids)
    return listed, following


def places(
    connection: Connection, wanted: StoryFilter, limit: int
) -> tuple[list[Row[Any]], str | None]:
    """Return `bumped_at`, `story_no` and `id`, newest bump first, and the cursor of the next page, if any.

    Raises UsageError for an invalid cursor or a query without words.
    """
    begin: _Place | None = None
    if wanted.after is not None:
        begin = read_cursor(wanted.after)
    query = query_of(wanted)
    conditions = [*of_stories(wanted), *of_its_articles_of(connection, wanted)]
    few = _few(connection, wanted, query)
    if few is not None:
        conditions.append(story.c.id.in_(sorted(few)))
    chosen: Select[Any] = select(story.c.bumped_at, story.c.story_no, story.c.id)
    chosen = chosen.where(*conditions).order_by(*_NEWEST_FIRST)
    step = limit + 1
    if query is not None:
        step = max(_STEP, step)
    if wanted.fold or muted.has_words(wanted.mutes):
        step = max(_STEP_OF_MUTES, step)
    matches = []
    for _ in range(0, _SCANNED_AT_ONCE, step):
        rows = connection.execute(_after(chosen, begin).limit(step)).all()
        fits = with_words(connection, {row.id for row in rows}, query)
        fits = muted.without_muted_words(connection, fits, wanted.mutes)
        if wanted.fold:
            fits = StoryMatcher(connection, wanted).folded(connection, fits)
        matches += [row for row in rows if row.id in fits]
        if len(matches) > limit:
            last = matches[limit - 1]
            return matches[:limit], cursor_at(last.bumped_at, last.story_no)
        if len(rows) < step:
            return matches, None
        begin = (rows[-1].bumped_at, rows[-1].story_no)
    assert begin is not None, "at least one step was gone"
    return matches, cursor_at(*begin)


def _after(chosen: Select[Any], place: _Place | None) -> Select[Any]:
    """Return the statement for the stories after a place."""
    if place is None:
        return chosen
    bump, number = place
    is_after = or_(story.c.bumped_at < bump, story.c.story_no < number)
    return chosen.where(story.c.bumped_at <= bump, is_after)


def _few(
    connection: Connection, wanted: StoryFilter, query: "Query | None"
) -> set[str] | None:
    """Return a few stories that include all matches of `wanted`; None if no condition is selective."""
    for probe in _probes(connection, wanted):
        few = connection.scalars(probe.limit(FEW + 1)).all()
        if len(few) <= FEW:
            return set(few)
    if query is None:
        return None
    from aggregator.store.search.match import all_of

    numbers = all_of(connection, query, FEW_WITH_WORDS)
    if numbers is None:
        return None
    return set(read_values(connection, _STORIES_OF, numbers=numbers))


def _probes(connection: Connection, wanted: StoryFilter) -> Iterator[Select[Any]]:
    """Yield a statement for the stories of each condition that may be selective.

    They do without DISTINCT, which would read all articles that meet a common condition.
    """
    for condition in of_articles(connection, wanted):
        yield select(article.c.story).where(condition)
    ids = select(story.c.id)
    if wanted.since is not None or wanted.until is not None:
        dates = StoryFilter(since=wanted.since, until=wanted.until)
        yield ids.where(*of_stories(dates))
    if wanted.min_outlets > 1:
        several = StoryFilter(min_outlets=wanted.min_outlets, fold=wanted.fold)
        yield ids.where(*of_stories(several))
    if wanted.min_reports >= REPORT_CLASSES[0]:
        many = StoryFilter(min_reports=wanted.min_reports, fold=wanted.fold)
        yield ids.where(*of_stories(many))
    is_of_story = story_subject.c.story_no == story.c.story_no
    for subject in with_subjects(wanted):
        yield ids.join(story_subject, is_of_story).where(subject)


_STORIES_OF = "SELECT DISTINCT story FROM article WHERE inbox_no IN :numbers"


def selection(connection: Connection, wanted: StoryFilter) -> Select[Any]:
    """Return the statement for the newest stories that fit, to be narrowed; without `limit` and `after`.

    If many articles match the query, it selects only stories of the newest matches. If the query only excludes
    words, it also selects stories that do not fit, which the caller must leave out. If a condition on articles is
    common, only the newest `_SCANNED_AT_ONCE` stories are examined.
    """
    of_its_articles = of_its_articles_of(connection, wanted)
    chosen = select(story).where(*of_stories(wanted), *of_its_articles)
    chosen = chosen.order_by(*_NEWEST_FIRST)
    query = query_of(wanted)
    few = _few(connection, wanted, query)
    if few is None and query is not None and not query.only_excludes:
        from aggregator.store.search.match import newest

        numbers = newest(connection, query, FEW, reach=FEW)
        few = set(read_values(connection, _STORIES_OF, numbers=numbers))
    if few is not None:
        if query is not None:
            few = StoryMatcher(connection, wanted).matching(connection, few)
        return chosen.where(story.c.id.in_(sorted(few)))
    oldest = None
    if of_its_articles:
        examined = """
            SELECT bumped_at FROM story WHERE redirect_to IS NULL
            ORDER BY bumped_at DESC LIMIT 1 OFFSET :examined
            """
        oldest = read_value(connection, examined, examined=_SCANNED_AT_ONCE - 1)
    return chosen if oldest is None else chosen.where(story.c.bumped_at >= oldest)
