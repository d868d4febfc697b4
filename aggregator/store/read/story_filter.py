"""Conditions of a filter on stories and their articles, and a test of given stories."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import (
    ColumnElement,
    Connection,
    TextClause,
    and_,
    exists,
    literal_column,
    or_,
    select,
    text,
)

from aggregator.config.story_query import StoryFilter
from aggregator.model.prepared import OPINION_KINDS
from aggregator.store.read import muted
from aggregator.store.read.storyline_views import members_of_lines, storylines_by_story
from aggregator.store.stories.storyline_rows import LINE_OF
from aggregator.store.tables import (
    IS_LIVE,
    OTHER_KINDS,
    article,
    in_parts,
    read_rows,
    read_values,
    story,
    story_subject,
)
from aggregator.stories.lexicon import subject_key

if TYPE_CHECKING:
    from aggregator.store.search.query import Query


Conditions = list[ColumnElement[bool] | TextClause]


class StoryMatcher:
    """A prepared filter, for repeated use within one transaction."""

    def __init__(self, connection: Connection, wanted: StoryFilter) -> None:
        """Raises UsageError for a query without words."""
        self._conditions = [
            *of_stories(wanted),
            *of_its_articles_of(connection, wanted),
        ]
        self._query = query_of(wanted)
        self._wanted = wanted

    def matching(self, connection: Connection, ids: Collection[str]) -> set[str]:
        """Return those of the live stories `ids` that match."""
        matches = set()
        for part in in_parts(sorted(ids)):
            few = select(story.c.id).where(story.c.id.in_(part), *self._conditions)
            fits = with_words(connection, set(connection.scalars(few)), self._query)
            matches |= muted.without_muted_words(connection, fits, self._wanted.mutes)
        return with_enough(connection, matches, self._wanted)

    def folded(self, connection: Connection, ids: Collection[str]) -> set[str]:
        """Return those of the stories that stand for their storyline: the last bumped of those that match."""
        members = members_of_lines(connection, ids)
        matching = self.matching(connection, {row.id for row in members} | {*ids})
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

    of_stories = "SELECT inbox_no, story FROM article WHERE story IN :ids"
    stories: dict[int, str] = dict(read_rows(connection, of_stories, ids=ids))
    fits = {stories[n] for n in match.among(connection, query, stories)}
    if query.without:
        from aggregator.store.search.searchable_text import SearchableText

        # A headline may have an excluded word that not all articles have.
        headed = "SELECT id, title FROM story WHERE id IN :ids"
        for row in read_rows(connection, headed, ids=fits):
            title = SearchableText(row.title, title=row.title)
            if any(map(title.holds_term, query.without)):
                fits.remove(row.id)
    return fits


def of_stories(wanted: StoryFilter) -> Conditions:
    """Return the conditions of `wanted` on the row of a story."""
    conditions: Conditions = [IS_LIVE]
    if wanted.since is not None:
        conditions.append(story.c.last_published >= wanted.since)
    if wanted.until is not None:
        conditions.append(story.c.last_published <= wanted.until)
    counts: Conditions = []
    if wanted.min_outlets > 1:
        counts += [
            story.c.outlet_count > literal_column("1"),
            story.c.outlet_count >= wanted.min_outlets,
        ]
    if wanted.min_reports > 1:
        least = next(least for least in REPORT_CLASSES if wanted.min_reports >= least)
        counts += [with_reports(least), story.c.report_count >= wanted.min_reports]
    if counts and wanted.fold:
        # The others of a storyline count, too: see `with_enough`.
        counts = [or_(story.c.storyline.is_not(None), and_(*counts))]
    conditions += counts
    if wanted.storyline:
        in_line = text(f"({LINE_OF}) IN (story.storyline, story.id)")
        conditions.append(in_line.bindparams(id=wanted.storyline))
    conditions += muted.not_muted(wanted.mutes)
    of_story = story_subject.c.story_no == story.c.story_no
    conditions += [
        exists().where(of_story, subject) for subject in with_subjects(wanted)
    ]
    return conditions


def with_enough(connection: Connection, ids: set[str], wanted: StoryFilter) -> set[str]:
    """Return those of the stories that have enough reports and outlets, alone or in a folded storyline."""
    if not wanted.fold or wanted.min_reports == wanted.min_outlets == 1:
        return ids
    alone = wanted.model_copy(update={"fold": ""})
    enough: set[str] = set()
    for part in in_parts(sorted(ids)):
        own = select(story.c.id).where(story.c.id.in_(part), *of_stories(alone))
        enough.update(connection.scalars(own))
    # Several stories of one outlet are not several reports.
    outlets = max(wanted.min_reports, wanted.min_outlets)
    for id_, line in storylines_by_story(connection, ids - enough).items():
        if (
            line.day_report_count >= wanted.min_reports
            and line.day_outlet_count >= outlets
        ):
            enough.add(id_)
    return enough & ids


def has_report() -> ColumnElement[bool]:
    """Return the condition that a story has more than opinions and explainers."""
    of_story = article.c.story == story.c.id
    opinions = article.c.kind.in_(sorted(OPINION_KINDS))
    has_opinion = exists().where(of_story, opinions, text(OTHER_KINDS))
    return or_(~has_opinion, exists().where(of_story, ~opinions))


def with_subjects(wanted: StoryFilter) -> Conditions:
    """Return the conditions of `wanted` on names and topics."""
    asked = (("name", wanted.name), ("topic", wanted.topic))
    return [
        and_(story_subject.c.kind == kind, story_subject.c.key == subject_key(label))
        for kind, label in asked
        if label
    ]


def of_its_articles_of(connection: Connection, wanted: StoryFilter) -> Conditions:
    """Return the conditions of `wanted` on the articles of a story, without its query."""
    return [
        exists().where(article.c.story == story.c.id, condition)
        for condition in of_articles(connection, wanted, by_story=True)
    ]


def of_articles(
    connection: Connection, wanted: StoryFilter, *, by_story: bool = False
) -> Conditions:
    """Return the conditions of `wanted` on articles, without its query; different articles may meet them.

    `by_story`: write the conditions so that the database uses the index on stories, not the index on sources.
    """
    asked: Conditions = []
    if wanted.outlet:
        asked.append(article.c.outlet.in_(outlets_named(connection, wanted.outlet)))
    if wanted.language:
        asked.append(article.c.language == wanted.language)
    if wanted.kind:
        is_of_kind = article.c.kind == wanted.kind
        if wanted.kind != "report":
            is_of_kind = and_(is_of_kind, text(OTHER_KINDS))
        asked.append(is_of_kind)
    if wanted.folder:
        named: ColumnElement[str] = article.c.source
        if by_story:
            named = named.concat("")
        in_it = text(
            "SELECT coalesce(folder_name, id) FROM source WHERE folder = :folder"
        ).bindparams(folder=wanted.folder)
        # SQLite plans a list better, but neither database takes any length
        few = connection.scalars(in_it).all()
        asked.append(named.in_(in_it if len(few) > FEW else few))
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
    called = "SELECT DISTINCT outlet FROM article WHERE outlet_name IN :names"
    keys = read_values(connection, called, names=known["outlet_name"])
    return sorted({*known["outlet"], *keys})


# If a condition matches no more stories or articles than this, the ids of the stories are listed instead
FEW = 1_000

# Least numbers of reports that have an index of their own (`store/tables/story_tables.py`)
REPORT_CLASSES = (5, 2)


def with_reports(least: int) -> ColumnElement[bool]:
    """Return the condition of at least so many reports, in the form that an index has.

    With the number as a parameter, the plan of the statement could not use the index.
    """
    return story.c.report_count >= literal_column(str(least))
