"""Translates the filters of a list into SQL conditions on stories and articles, and tests given stories."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.model.prepared import OPINION_KINDS
from aggregator.store.read import muted
from aggregator.store.read.storyline_views import members_of_lines, storylines_by_story
from aggregator.store.stories.guests import guests_among
from aggregator.store.stories.storyline_rows import LINE_OF
from aggregator.store.tables import OTHER_KINDS, Where, read_map, read_rows, read_values
from aggregator.stories.lexicon import subject_key

if TYPE_CHECKING:
    from aggregator.store.search.query import Query


# If a condition matches no more stories or articles than this, the statement lists the ids of the stories instead.
FEW = 1_000
# Least numbers of reports that have an index of their own (`store/tables/story_tables.py`)
REPORT_CLASSES = (5, 2)
# Joins the names and topics of a story with its row
OF_STORY = "story_subject.story_no = story.story_no"
_OPINIONS = "('" + "', '".join(sorted(OPINION_KINDS)) + "')"
_ITS_ARTICLE = "EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND"
# The condition that a story has more than opinions and explainers
HAS_REPORT = f"""
    (NOT {_ITS_ARTICLE} kind IN {_OPINIONS} AND {OTHER_KINDS}) OR {_ITS_ARTICLE} kind NOT IN {_OPINIONS}))
    """


def matching_stories(
    connection: Connection, filters: StoryFilter, ids: Collection[str]
) -> set[str]:
    """Return those of the live stories `ids` that match. Raises UsageError for a query without words."""
    conditions = of_stories(filters)
    conditions.take_in(of_its_articles(connection, filters))
    statement = f"SELECT id FROM story WHERE id IN :stories AND {conditions}"  # noqa: S608
    matching = set(conditions.read_values(connection, statement, stories=ids))
    matching = with_words(connection, matching, query_of(filters))
    matching = muted.without_muted_words(connection, matching, filters.mutes)
    return with_enough(connection, matching, filters)


def heads_of_storylines(
    connection: Connection, filters: StoryFilter, ids: Collection[str]
) -> set[str]:
    """Return those of the stories that stand for their storyline.

    The last bumped of the matching stories of a storyline stands for it, and a story without one for itself. A guest
    is listed, for itself, only if no other story of its storyline matches.
    """
    members = members_of_lines(connection, ids)
    members_and_ids = {row.id for row in members} | {*ids}
    matching = matching_stories(connection, filters, members_and_ids)
    guests = guests_among(members)
    newest = {}
    # The last one stands for the storyline, so guests come first.
    for row in sorted(members, key=lambda row: row.id not in guests):
        if row.id in matching:
            newest[row.storyline] = row.id
    others = {row.id for row in members} - {*newest.values()}
    return matching & {*ids} - others


def query_of(filters: StoryFilter) -> "Query | None":
    """Return the parsed query; None without one. Raises UsageError for a query without words."""
    if not filters.query:
        return None
    from aggregator.store.search.query import parse_query

    return parse_query(filters.query)


def with_words(
    connection: Connection, ids: set[str], query: "Query | None"
) -> set[str]:
    """Return those of the stories that match the query."""
    if query is None or not ids:
        return ids
    from aggregator.store.search import match

    stories = read_map(
        connection, "SELECT inbox_no, story FROM article WHERE story IN :ids", ids=ids
    )
    matching = {stories[n] for n in match.find_among(connection, query, stories)}
    if query.without:
        from aggregator.store.search.searchable_text import SearchableText

        # The headline may have an excluded word that the matching article does not have.
        for row in read_rows(
            connection, "SELECT id, title FROM story WHERE id IN :ids", ids=matching
        ):
            title = SearchableText(row.title, title=row.title)
            if any(map(title.holds_term, query.without)):
                matching.remove(row.id)
    return matching


def of_stories(filters: StoryFilter) -> Where:
    """Return the conditions of `filters` on the row of a story."""
    conditions = Where("story.redirect_to IS NULL")
    if filters.since is not None:
        conditions.add("story.last_published >= :since", since=filters.since)
    if filters.until is not None:
        conditions.add("story.last_published <= :until", until=filters.until)
    # The numbers in the conditions of partial indexes are literal, so the statement must have literal numbers, too:
    # with parameters only, no plan could use these indexes.
    counts = Where()
    if filters.min_outlets > 1:
        counts.add(
            "outlet_count > 1 AND outlet_count >= :min_outlets",
            min_outlets=filters.min_outlets,
        )
    if filters.min_reports > 1:
        least = next(least for least in REPORT_CLASSES if filters.min_reports >= least)
        counts.add(
            f"report_count >= {least} AND report_count >= :min_reports",
            min_reports=filters.min_reports,
        )
    if counts.conditions:
        # The other stories of a folded storyline count, too: see `with_enough`.
        folded = "story.storyline IS NOT NULL OR " if filters.fold else ""
        conditions.add(f"({folded}{counts})", **counts.values)
    if filters.storyline:
        conditions.add(
            f"({LINE_OF}) IN (story.storyline, story.id)", id=filters.storyline
        )
    conditions.take_in(muted.not_muted(filters.mutes))
    for subject in of_subjects(filters):
        conditions.add(
            f"EXISTS (SELECT 1 FROM story_subject WHERE {OF_STORY} AND {subject})",  # noqa: S608
            **subject.values,
        )
    return conditions


def of_subjects(filters: StoryFilter) -> list[Where]:
    """Return the conditions of `filters` on a name and on a topic."""
    conditions = []
    for kind, label in (("name", filters.name), ("topic", filters.topic)):
        if label:
            condition = f"story_subject.kind = '{kind}' AND story_subject.key = :{kind}"
            conditions.append(Where(condition, **{kind: subject_key(label)}))
    return conditions


def with_enough(
    connection: Connection, ids: set[str], filters: StoryFilter
) -> set[str]:
    """Return those of the stories that have enough reports and outlets, alone or with their folded storyline."""
    if not filters.fold or filters.min_reports == filters.min_outlets == 1:
        return ids
    alone = of_stories(filters.model_copy(update={"fold": ""}))
    own = f"SELECT id FROM story WHERE id IN :stories AND {alone}"  # noqa: S608
    enough = set(alone.read_values(connection, own, stories=ids))
    # Several stories of one outlet are not several reports.
    outlets = max(filters.min_reports, filters.min_outlets)
    for id_, storyline in storylines_by_story(connection, ids - enough).items():
        if (
            id_ not in storyline.guests
            and storyline.day_report_count >= filters.min_reports
            and storyline.day_outlet_count >= outlets
        ):
            enough.add(id_)
    return enough & ids


def of_its_articles(connection: Connection, filters: StoryFilter) -> Where:
    """Return the conditions of `filters` on the articles of a story. Different articles may meet them."""
    where = of_articles(connection, filters, by_story=True)
    conditions = [f"{_ITS_ARTICLE} {condition})" for condition in where.conditions]
    return Where(*conditions, **where.values)


def of_articles(
    connection: Connection, filters: StoryFilter, *, by_story: bool = False
) -> Where:
    """Return the conditions of `filters` on articles, without its query.

    `by_story`: write the conditions so that the database uses the index on stories, not the index on sources.
    """
    conditions = Where()
    if filters.outlet:
        conditions.add(
            "article.outlet IN :keys", keys=outlets_named(connection, filters.outlet)
        )
    if filters.language:
        conditions.add("article.language = :language", language=filters.language)
    if filters.kind:
        # The partial index on kinds leaves out reports.
        in_index = "" if filters.kind == "report" else f" AND {OTHER_KINDS}"
        conditions.add(f"article.kind = :kind{in_index}", kind=filters.kind)
    if filters.folder:
        in_folder = (
            "SELECT coalesce(folder_name, id) FROM source WHERE folder = :folder"
        )
        sources = read_values(connection, in_folder, folder=filters.folder)
        # SQLite finds a better plan for a list, but neither database accepts a list of any length.
        source = "article.source || ''" if by_story else "article.source"
        if len(sources) > FEW:
            conditions.add(f"{source} IN ({in_folder})", folder=filters.folder)
        else:
            conditions.add(f"{source} IN :sources", sources=sources)
    return conditions


def outlets_named(connection: Connection, name: str) -> list[str]:
    """Return the keys of the outlets that are or were called `name`, or that have `name` as their key."""
    called_so = {}
    for column in ("outlet", "outlet_name"):
        # The statement skips from value to value in the index, because there are few outlets and many articles.
        distinct = f"""
            WITH RECURSIVE known(value) AS (
              SELECT min({column}) FROM article UNION ALL
              SELECT (SELECT min({column}) FROM article WHERE {column} > known.value) FROM known
              WHERE known.value IS NOT NULL
            ) SELECT value FROM known WHERE value IS NOT NULL
            """  # noqa: S608
        # Compared in Python, because SQLite's lower() covers only ASCII
        called_so[column] = [
            value
            for value in read_values(connection, distinct)
            if value.casefold() == name.casefold()
        ]
    keys = read_values(
        connection,
        "SELECT DISTINCT outlet FROM article WHERE outlet_name IN :names",
        names=called_so["outlet_name"],
    )
    return sorted({*called_so["outlet"], *keys})
