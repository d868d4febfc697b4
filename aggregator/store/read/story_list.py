"""Lists of stories that match a filter, without reading all stories, the newest bump first.

If a condition is selective (an outlet with few articles, a rare word), the statement lists the ids of its stories.
Otherwise, the newest stories are read until enough match. Conditions that SQL cannot express, such as common words, are
compared with stories in steps, at most `_SCANNED_AT_ONCE` stories for a page. Such a page may be short.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.model.story import StoryView
from aggregator.store.read import muted
from aggregator.store.read.cursors import cursor_at, read_cursor
from aggregator.store.read.story_filter import (
    FEW,
    OF_STORY,
    REPORT_CLASSES,
    heads_of_storylines,
    matching_stories,
    of_articles,
    of_its_articles,
    of_stories,
    of_subjects,
    query_of,
    with_words,
)
from aggregator.store.stories.story_rows import shown_columns
from aggregator.store.tables import (
    Row,
    Values,
    Where,
    read_set,
    read_value,
    rows_in_order,
)

if TYPE_CHECKING:
    from aggregator.store.search.query import Query


# If the words of a search match at most this many articles, the statement lists their stories. This is higher than FEW,
# because only the stories of these articles are read.
FEW_WITH_WORDS = 5_000
# Most stories that are compared with common words for one page
_SCANNED_AT_ONCE = 5_000
# Stories compared with words at a time
_STEP = 500
# Stories compared with muted words, or with the other stories of their storyline, at a time. Most of them stay.
_STEP_OF_MUTES = 100

# SQL text for the columns of a list, without the texts
LIST_COLUMNS = shown_columns(StoryView)
# SQL text for stories in the order of a list
NEWEST_FIRST = "ORDER BY story.bumped_at DESC, story.story_no DESC"
_STORIES_OF = "SELECT DISTINCT story FROM article WHERE inbox_no IN :numbers"


def page(
    connection: Connection, filters: StoryFilter, limit: int
) -> tuple[list[Row], str | None]:
    """Return the rows of a page with `LIST_COLUMNS`, and the cursor of the next page, as `places` does."""
    rows, following = places(connection, filters, limit)
    ids = [row.id for row in rows]
    listed = f"SELECT {LIST_COLUMNS} FROM story WHERE id IN :ids"  # noqa: S608
    return rows_in_order(connection, listed, ids), following


def places(
    connection: Connection, filters: StoryFilter, limit: int
) -> tuple[list[Row], str | None]:
    """Return `bumped_at`, `story_no` and `id`, newest bump first, and the cursor of the next page, if any.

    Raises UsageError for an invalid cursor or a query without words.
    """
    query = query_of(filters)
    conditions = of_stories(filters)
    conditions.take_in(of_its_articles(connection, filters))
    candidates = _list_few_stories(connection, filters, query)
    if candidates is not None:
        conditions.add("story.id IN :candidates", candidates=sorted(candidates))
    # If most stories fit, one step suffices: the next story tells whether there is another page.
    step = limit + 1
    if query is not None:
        step = max(_STEP, step)
    if filters.fold or muted.has_words(filters.mutes):
        step = max(_STEP_OF_MUTES, step)
    matches = []
    for rows in _read_in_steps(connection, conditions, filters.after, step):
        # These conditions cannot be written in the statement.
        matching = with_words(connection, {row.id for row in rows}, query)
        matching = muted.without_muted_words(connection, matching, filters.mutes)
        if filters.fold:
            matching = heads_of_storylines(connection, filters, matching)
        matches += [row for row in rows if row.id in matching]
        if len(matches) > limit:
            last = matches[limit - 1]
            return matches[:limit], cursor_at(last.bumped_at, last.story_no)
        if len(rows) < step:
            return matches, None
    # The page is short, because the most stories were compared for it. The next page begins after them.
    last = rows[-1]
    return matches, cursor_at(last.bumped_at, last.story_no)


def _read_in_steps(
    connection: Connection, conditions: Where, after: str | None, step: int
) -> Iterator[list[Row]]:
    """Yield the stories after a cursor in lists of `step`, until `_SCANNED_AT_ONCE` were read.

    A list with fewer than `step` stories is the last one.
    """
    place: Values = {}
    if after is not None:
        place["bump"], place["number"] = read_cursor(after)
    for _ in range(0, _SCANNED_AT_ONCE, step):
        below = ""
        if place:
            # The first comparison seems redundant, but lets the database find the place in the index.
            below = """
                AND story.bumped_at <= :bump AND (story.bumped_at < :bump OR story.story_no < :number)
                """
        rows = conditions.read_rows(
            connection,
            f"""
            SELECT bumped_at, story_no, id FROM story WHERE {conditions} {below} {NEWEST_FIRST} LIMIT :step
            """,  # noqa: S608
            step=step,
            **place,
        )
        yield rows
        if len(rows) < step:
            return
        place = {"bump": rows[-1].bumped_at, "number": rows[-1].story_no}


def _list_few_stories(
    connection: Connection, filters: StoryFilter, query: "Query | None"
) -> set[str] | None:
    """Return a few stories that include all matches of `filters`; None if no condition is selective.

    The database then starts from these stories. By itself, it would not know which condition is selective.
    """
    for condition, statement in _selective_conditions(connection, filters):
        stories = condition.read_values(connection, f"{statement} LIMIT {FEW + 1}")
        if len(stories) <= FEW:
            return set(stories)
    if query is None:
        return None
    from aggregator.store.search.match import find_all

    numbers = find_all(connection, query, FEW_WITH_WORDS)
    if numbers is None:
        return None
    return read_set(connection, _STORIES_OF, numbers=numbers)


def _selective_conditions(
    connection: Connection, filters: StoryFilter
) -> Iterator[tuple[Where, str]]:
    """Yield each condition that may be selective, with the statement for its stories.

    The statements have no DISTINCT, which would read all articles that meet a common condition.
    """
    articles = of_articles(connection, filters)
    for condition in articles.conditions:
        yield articles, f"SELECT story FROM article WHERE {condition}"  # noqa: S608
    # Filters with one condition each, on columns of a story that have an index
    column_filters = []
    if filters.since is not None or filters.until is not None:
        column_filters.append(StoryFilter(since=filters.since, until=filters.until))
    if filters.min_outlets > 1:
        column_filters.append(
            StoryFilter(min_outlets=filters.min_outlets, fold=filters.fold)
        )
    if filters.min_reports >= REPORT_CLASSES[0]:
        column_filters.append(
            StoryFilter(min_reports=filters.min_reports, fold=filters.fold)
        )
    for stories in map(of_stories, column_filters):
        yield stories, f"SELECT id FROM story WHERE {stories}"  # noqa: S608
    for subject in of_subjects(filters):
        yield (
            subject,
            f"SELECT story.id FROM story JOIN story_subject ON {OF_STORY} WHERE {subject}",  # noqa: S608
        )


def selection(connection: Connection, filters: StoryFilter) -> Where:
    """Return the conditions for the stories that match, without `limit` and `after`.

    If many articles match the query, only stories of the newest matches meet the conditions. If the query only
    excludes words, stories that do not match meet them, too, and the caller must leave these out. If a condition on
    articles is common, only stories among the newest `_SCANNED_AT_ONCE` meet them.
    """
    article_conditions = of_its_articles(connection, filters)
    conditions = of_stories(filters)
    conditions.take_in(article_conditions)
    query = query_of(filters)
    candidates = _list_few_stories(connection, filters, query)
    if candidates is None and query is not None and not query.only_excludes:
        from aggregator.store.search.match import find_newest

        numbers = find_newest(connection, query, FEW, reach=FEW)
        candidates = read_set(connection, _STORIES_OF, numbers=numbers)
    if candidates is not None:
        # Words cannot be conditions of a statement, so the few candidates are compared with them here.
        if query is not None:
            candidates = matching_stories(connection, filters, candidates)
        conditions.add("story.id IN :candidates", candidates=sorted(candidates))
    elif article_conditions.conditions:
        oldest = read_value(
            connection,
            """
            SELECT bumped_at FROM story WHERE redirect_to IS NULL
            ORDER BY bumped_at DESC LIMIT 1 OFFSET :examined
            """,
            examined=_SCANNED_AT_ONCE - 1,
        )
        if oldest is not None:
            conditions.add("story.bumped_at >= :oldest", oldest=oldest)
    return conditions
