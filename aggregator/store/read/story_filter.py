"""Conditions of a filter on stories and their articles, and a test of given stories."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.model.prepared import OPINION_KINDS
from aggregator.store.read import muted
from aggregator.store.read.storyline_views import members_of_lines, storylines_by_story
from aggregator.store.stories.storyline_rows import LINE_OF
from aggregator.store.tables import OTHER_KINDS, Where, read_map, read_rows, read_values
from aggregator.stories.lexicon import subject_key

if TYPE_CHECKING:
    from aggregator.store.search.query import Query


def matching_stories(
    connection: Connection, wanted: StoryFilter, ids: Collection[str]
) -> set[str]:
    """Return those of the live stories `ids` that match. Raises UsageError for a query without words."""
    chosen = of_stories(wanted)
    chosen.take_in(of_its_articles(connection, wanted))
    few = f"SELECT id FROM story WHERE id IN :stories AND {chosen}"  # noqa: S608
    fits = set(chosen.read_values(connection, few, stories=ids))
    fits = with_words(connection, fits, query_of(wanted))
    fits = muted.without_muted_words(connection, fits, wanted.mutes)
    return with_enough(connection, fits, wanted)


def heads_of_storylines(
    connection: Connection, wanted: StoryFilter, ids: Collection[str]
) -> set[str]:
    """Return those of the stories that stand for their storyline: the last bumped of those that match."""
    members = members_of_lines(connection, ids)
    members_and_ids = {row.id for row in members} | {*ids}
    matching = matching_stories(connection, wanted, members_and_ids)
    newest = {row.storyline: row.id for row in members if row.id in matching}
    others = {row.id for row in members} - {*newest.values()}
    return matching & {*ids} - others


def query_of(wanted: StoryFilter) -> "Query | None":
    """Return the words to search for. Raises UsageError for a query without words."""
    if not wanted.query:
        return None
    from aggregator.store.search.query import parse_query

    return parse_query(wanted.query)


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
    fits = {stories[n] for n in match.among(connection, query, stories)}
    if query.without:
        from aggregator.store.search.searchable_text import SearchableText

        # A headline may have an excluded word that not all articles have.
        for row in read_rows(
            connection, "SELECT id, title FROM story WHERE id IN :ids", ids=fits
        ):
            title = SearchableText(row.title, title=row.title)
            if any(map(title.holds_term, query.without)):
                fits.remove(row.id)
    return fits


# Least numbers of reports that have an index of their own (`store/tables/story_tables.py`)
REPORT_CLASSES = (5, 2)


def of_stories(wanted: StoryFilter) -> Where:
    """Return the conditions of `wanted` on the row of a story."""
    chosen = Where("story.redirect_to IS NULL")
    if wanted.since is not None:
        chosen.add("story.last_published >= :since", since=wanted.since)
    if wanted.until is not None:
        chosen.add("story.last_published <= :until", until=wanted.until)
    # The partial indexes have literal numbers: no plan could use one for the number of a parameter.
    counts = Where()
    if wanted.min_outlets > 1:
        counts.add(
            "outlet_count > 1 AND outlet_count >= :min_outlets",
            min_outlets=wanted.min_outlets,
        )
    if wanted.min_reports > 1:
        least = next(least for least in REPORT_CLASSES if wanted.min_reports >= least)
        counts.add(
            f"report_count >= {least} AND report_count >= :min_reports",
            min_reports=wanted.min_reports,
        )
    if counts.conditions:
        # The other stories of a folded storyline count, too: see `with_enough`.
        folded = "story.storyline IS NOT NULL OR " if wanted.fold else ""
        chosen.add(f"({folded}{counts})", **counts.values)
    if wanted.storyline:
        chosen.add(f"({LINE_OF}) IN (story.storyline, story.id)", id=wanted.storyline)
    chosen.take_in(muted.not_muted(wanted.mutes))
    for subject in of_subjects(wanted):
        chosen.add(
            f"EXISTS (SELECT 1 FROM story_subject WHERE {OF_STORY} AND {subject})",  # noqa: S608
            **subject.values,
        )
    return chosen


OF_STORY = "story_subject.story_no = story.story_no"


def of_subjects(wanted: StoryFilter) -> list[Where]:
    """Return the conditions of `wanted` on a name and on a topic."""
    return [
        Where(
            f"story_subject.kind = '{kind}' AND story_subject.key = :{kind}",
            **{kind: subject_key(label)},
        )
        for kind, label in (("name", wanted.name), ("topic", wanted.topic))
        if label
    ]


def with_enough(connection: Connection, ids: set[str], wanted: StoryFilter) -> set[str]:
    """Return those of the stories that have enough reports and outlets, alone or in a folded storyline."""
    if not wanted.fold or wanted.min_reports == wanted.min_outlets == 1:
        return ids
    alone = of_stories(wanted.model_copy(update={"fold": ""}))
    own = f"SELECT id FROM story WHERE id IN :stories AND {alone}"  # noqa: S608
    enough = set(alone.read_values(connection, own, stories=ids))
    # Several stories of one outlet are not several reports.
    outlets = max(wanted.min_reports, wanted.min_outlets)
    for id_, line in storylines_by_story(connection, ids - enough).items():
        if (
            line.day_report_count >= wanted.min_reports
            and line.day_outlet_count >= outlets
        ):
            enough.add(id_)
    return enough & ids


_OPINIONS = "('" + "', '".join(sorted(OPINION_KINDS)) + "')"
_ITS_ARTICLE = "EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND"
# A story has more than opinions and explainers
HAS_REPORT = f"""
    (NOT {_ITS_ARTICLE} kind IN {_OPINIONS} AND {OTHER_KINDS}) OR {_ITS_ARTICLE} kind NOT IN {_OPINIONS}))
    """


def of_its_articles(connection: Connection, wanted: StoryFilter) -> Where:
    """Return the conditions of `wanted` on the articles of a story; different articles may meet them."""
    asked = of_articles(connection, wanted, by_story=True)
    conditions = [f"{_ITS_ARTICLE} {condition})" for condition in asked.conditions]
    return Where(*conditions, **asked.values)


def of_articles(
    connection: Connection, wanted: StoryFilter, *, by_story: bool = False
) -> Where:
    """Return the conditions of `wanted` on articles, without its query.

    `by_story`: write the conditions so that the database uses the index on stories, not the index on sources.
    """
    asked = Where()
    if wanted.outlet:
        asked.add(
            "article.outlet IN :keys", keys=outlets_named(connection, wanted.outlet)
        )
    if wanted.language:
        asked.add("article.language = :language", language=wanted.language)
    if wanted.kind:
        of_index = "" if wanted.kind == "report" else f" AND {OTHER_KINDS}"
        asked.add(f"article.kind = :kind{of_index}", kind=wanted.kind)
    if wanted.folder:
        in_it = "SELECT coalesce(folder_name, id) FROM source WHERE folder = :folder"
        few = read_values(connection, in_it, folder=wanted.folder)
        # SQLite plans a list better, but neither database takes any length
        source = "article.source || ''" if by_story else "article.source"
        if len(few) > FEW:
            asked.add(f"{source} IN ({in_it})", folder=wanted.folder)
        else:
            asked.add(f"{source} IN :sources", sources=few)
    return asked


def outlets_named(connection: Connection, name: str) -> list[str]:
    """Return the keys of the outlets that are, or were once, called `name`, or have it as key."""
    known = {}
    for column in ("outlet", "outlet_name"):
        # It skips from value to value in the index, because there are few outlets and many articles
        every = f"""
            WITH RECURSIVE known(value) AS (
              SELECT min({column}) FROM article UNION ALL
              SELECT (SELECT min({column}) FROM article WHERE {column} > known.value) FROM known
              WHERE known.value IS NOT NULL
            ) SELECT value FROM known WHERE value IS NOT NULL
            """  # noqa: S608
        # Compared here: SQLite's lower() covers only ASCII
        known[column] = [
            value
            for value in read_values(connection, every)
            if value.casefold() == name.casefold()
        ]
    keys = read_values(
        connection,
        "SELECT DISTINCT outlet FROM article WHERE outlet_name IN :names",
        names=known["outlet_name"],
    )
    return sorted({*known["outlet"], *keys})


# If a condition matches no more stories or articles than this, the ids of the stories are listed instead
FEW = 1_000
