"""Stories that match a filter: tests of given stories, and lists without reading all stories, newest first.

A list is one statement. If a condition is selective (an outlet with few articles, a rare word), the stories
that it finds are named in it; else the newest stories are read until enough match. Common words are compared
with stories in steps, at most `_SCANNED_AT_ONCE` for a page, which may be short.

The change stream, as update feeds and webhooks read it. `Ledger.change` writes it with each decision.

A change is a bump of a story (a new story, a new independent report, another headline, a correction), a merge
or a split. Copies cause no change.
"""

import datetime as dt
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    literal_column,
    or_,
    select,
    text,
)

from aggregator.config.webhooks import DIGEST
from aggregator.model.core import OPINION_KINDS, FrozenStruct, StoryView
from aggregator.model.errors import UsageError
from aggregator.model.read_model import (
    Change,
    ChangedStories,
    ChangedStory,
    StoryFilter,
)
from aggregator.store import codecs
from aggregator.store.read import muted
from aggregator.store.search.progress import indexed_to
from aggregator.store.stories import article_views
from aggregator.store.stories.stories import shown_columns
from aggregator.store.tables import (
    OTHER_KINDS,
    article,
    change,
    in_parts,
    outbox,
    rows_with,
    story,
    story_log,
    story_subject,
    webhook,
)
from aggregator.stories.lexicon import subject_key

# The search and the sources compile large patterns, so they are imported where a filter asks for them.
if TYPE_CHECKING:
    from aggregator.store.search.match import Query


Conditions = list[ColumnElement[bool]]


class StoryMatcher:
    """A prepared filter, for repeated use within one transaction."""

    def __init__(self, connection: Connection, wanted: StoryFilter) -> None:
        """Raises UsageError for a query without words."""
        self._conditions = [*of_stories(wanted), *_of_its_articles(connection, wanted)]
        self._query = query_of(wanted)
        self._mutes = wanted.mutes

    def matching(self, connection: Connection, ids: Collection[str]) -> set[str]:
        """Return those of the live stories `ids` that match."""
        found: set[str] = set()
        for part in in_parts(sorted(ids)):
            few = select(story.c.id).where(story.c.id.in_(part), *self._conditions)
            fits = with_words(connection, set(connection.scalars(few)), self._query)
            found |= muted.without_muted_words(connection, fits, self._mutes)
        return found


def query_of(wanted: StoryFilter) -> "Query | None":
    """Return the words to search for. Raises UsageError for a query without words."""
    if not wanted.query:
        return None
    from aggregator.store.search.match import parse_query

    return parse_query(wanted.query)


def with_words(
    connection: Connection, ids: set[str], query: "Query | None"
) -> set[str]:
    """Return those of the stories that match the query."""
    if query is None or not ids:
        return ids
    from aggregator.store.search import match

    statement = select(article.c.inbox_no, article.c.story).where(
        article.c.story.in_(sorted(ids))
    )
    assigned_stories = {
        row.inbox_no: row.story for row in connection.execute(statement)
    }
    fits = {
        assigned_stories[n] for n in match.among(connection, query, assigned_stories)
    }
    if not query.without:
        return fits
    # Without those whose headline has an excluded word, though not all articles have it.
    headed = connection.execute(
        select(story.c.id, story.c.title).where(story.c.id.in_(sorted(fits)))
    )
    titles = {
        row.id: match.SearchableText(row.title, title=row.title) for row in headed
    }
    return {
        id_
        for id_, title in titles.items()
        if not any(map(title.holds_term, query.without))
    }


def of_stories(wanted: StoryFilter) -> Conditions:
    """Return the conditions of `wanted` on the row of a story."""
    conditions: Conditions = [story.c.redirect_to.is_(None)]
    if wanted.since is not None:
        conditions.append(story.c.last_published >= wanted.since)
    if wanted.until is not None:
        conditions.append(story.c.last_published <= wanted.until)
    if wanted.min_outlets > 1:
        conditions += [
            story.c.outlet_count > literal_column("1"),
            story.c.outlet_count >= wanted.min_outlets,
        ]
    if wanted.min_reports > 1:
        least = next(least for least in _CLASSES if wanted.min_reports >= least)
        conditions += [with_reports(least), story.c.report_count >= wanted.min_reports]
    conditions += muted.of_other_articles(wanted.mutes)
    for subject in _subjects(wanted):
        of_story = story_subject.c.story_no == story.c.story_no
        conditions.append(
            select(story_subject.c.story_no).where(of_story, subject).exists()
        )
    return conditions


def has_report() -> ColumnElement[bool]:
    """Return the condition that a story is not one of opinions and explainers alone."""
    of_story = article.c.story == story.c.id
    opinions = article.c.kind.in_(sorted(OPINION_KINDS))
    opinion = select(article.c.inbox_no).where(of_story, opinions, text(OTHER_KINDS))
    return or_(
        ~opinion.exists(),
        select(article.c.inbox_no).where(of_story, ~opinions).exists(),
    )


def _subjects(wanted: StoryFilter) -> Conditions:
    """Return the conditions of `wanted` on names and topics."""
    asked = (("name", wanted.name), ("topic", wanted.topic))
    return [
        and_(story_subject.c.kind == kind, story_subject.c.key == subject_key(label))
        for kind, label in asked
        if label is not None
    ]


def _of_its_articles(connection: Connection, wanted: StoryFilter) -> Conditions:
    """Return the conditions of `wanted` on the articles of a story, without its query."""
    return [
        select(article.c.inbox_no)
        .where(article.c.story == story.c.id, condition)
        .exists()
        for condition in _of_articles(connection, wanted, by_story=True)
    ]


def _of_articles(
    connection: Connection, wanted: StoryFilter, *, by_story: bool = False
) -> Conditions:
    """Return the conditions of `wanted` on articles, without its query; different articles may meet them.

    `by_story`: write them so that the index on stories is used, not the one on sources.
    """
    asked: Conditions = []
    if wanted.outlet is not None:
        asked.append(article.c.outlet.in_(outlets_named(connection, wanted.outlet)))
    if wanted.language is not None:
        asked.append(article.c.language == wanted.language)
    if wanted.kind is not None:
        by_index = [] if wanted.kind == "report" else [text(OTHER_KINDS)]
        asked.append(and_(article.c.kind == wanted.kind, *by_index))
    if wanted.folder is not None:
        from aggregator.store.intake.sources import in_folders

        named = article.c.source.concat("") if by_story else article.c.source
        in_it = in_folders([wanted.folder])
        # SQLite plans a list better
        few = connection.scalars(in_it.limit(FEW + 1)).all()
        # But neither database takes any length
        asked.append(named.in_(few if len(few) <= FEW else in_it))
    return asked


def outlets_named(connection: Connection, name: str) -> list[str]:
    """Return the keys of the outlets that are, or were once, called `name`, or have it as key."""
    names = _values_like(connection, article.c.outlet_name, name)
    keys = (
        select(article.c.outlet).where(article.c.outlet_name.in_(names)).distinct()
        if names
        else None
    )
    named = set() if keys is None else set(connection.scalars(keys))
    return sorted(named.union(_values_like(connection, article.c.outlet, name)))


def _values_like(
    connection: Connection, column: Column[str | None], wanted: str
) -> list[str]:
    """Return the values of a column that equal `wanted`, ignoring case; SQLite's lower() covers only ASCII.

    Skips from value to value in the index, because there are few outlets and many articles.
    """
    firsts = select(func.min(column).label("value")).cte(recursive=True)
    following = select(func.min(column)).where(column > firsts.c.value)
    every = firsts.union_all(
        select(following.correlate(firsts).scalar_subquery()).where(
            firsts.c.value.is_not(None)
        )
    )
    found = connection.scalars(select(every.c.value).where(every.c.value.is_not(None)))
    return [value for value in found if value.casefold() == wanted.casefold()]


# --- lists -------------------------------------------------------------------------------------------------

# Stories or articles; of a condition that matches no more the stories are named
FEW = 1_000
FEW_WITH_WORDS = 5_000  # articles; higher, because only their stories are read
_SCANNED_AT_ONCE = 5_000  # stories compared with common words for one page
_STEP = 500  # of them at a time
# Stories whose articles are read for muted words at a time, as most of them stay
_STEP_OF_MUTES = 100
_CLASSES = (5, 2)  # least numbers of reports with an index of their own (tables.py)

LIST_COLUMNS = shown_columns(StoryView)  # columns of a list, without texts
_Place = tuple[dt.datetime, int]  # `bumped_at` and `story_no` of the previous story
_PLACES: Select[Any] = select(story.c.bumped_at, story.c.story_no, story.c.id)
_NEWEST_FIRST = (story.c.bumped_at.desc(), story.c.story_no.desc())


def page(
    connection: Connection, wanted: StoryFilter, limit: int
) -> tuple[list[Row[Any]], str | None]:
    """Return rows of `LIST_COLUMNS`, otherwise as `places`."""
    rows, following = places(connection, wanted, limit)
    listed = rows_with(
        connection, select(*LIST_COLUMNS), story.c.id, (row.id for row in rows)
    )
    by_id = {row.id: row for row in listed}
    return [by_id[row.id] for row in rows], following


def places(
    connection: Connection, wanted: StoryFilter, limit: int
) -> tuple[list[Row[Any]], str | None]:
    """Return `bumped_at`, `story_no` and `id`, newest bump first, and the cursor of the next page, if any.

    Raises UsageError for an invalid cursor or a query without words.
    """
    begin = read_cursor(wanted.after) if wanted.after is not None else None
    query = query_of(wanted)
    conditions = [*of_stories(wanted), *_of_its_articles(connection, wanted)]
    chosen = _PLACES.where(*conditions).order_by(*_NEWEST_FIRST)
    few = _few(connection, wanted, query)
    if few is not None:
        chosen = chosen.where(story.c.id.in_(sorted(few)))
    step = limit + 1 if query is None else max(_STEP, limit + 1)
    if muted.has_words(wanted.mutes):
        step = max(_STEP_OF_MUTES, step)
    found: list[Row[Any]] = []
    for _ in range(0, _SCANNED_AT_ONCE, step):
        rows = connection.execute(
            (chosen.where(_is_after(begin)) if begin else chosen).limit(step)
        ).all()
        fits = with_words(connection, {row.id for row in rows}, query)
        fits = muted.without_muted_words(connection, fits, wanted.mutes)
        found += [row for row in rows if row.id in fits]
        if len(found) > limit:
            return found[:limit], cursor_at(
                found[limit - 1].bumped_at, found[limit - 1].story_no
            )
        if len(rows) < step:
            return found, None
        begin = (rows[-1].bumped_at, rows[-1].story_no)
    assert begin is not None, "at least one step was gone"
    return found, cursor_at(*begin)


def _few(
    connection: Connection, wanted: StoryFilter, query: "Query | None"
) -> set[str] | None:
    """Return a few stories that include all matches of `wanted`; None if no condition is selective.

    Without DISTINCT, which would read all articles of a common condition.
    """
    probes = [
        select(article.c.story).where(one) for one in _of_articles(connection, wanted)
    ]
    alone: list[StoryFilter] = []
    if wanted.since is not None or wanted.until is not None:
        alone.append(StoryFilter(since=wanted.since, until=wanted.until))
    if wanted.min_outlets > 1:
        alone.append(StoryFilter(min_outlets=wanted.min_outlets))
    if wanted.min_reports >= _CLASSES[0]:
        alone.append(StoryFilter(min_reports=wanted.min_reports))
    probes += [select(story.c.id).where(*of_stories(one)) for one in alone]
    of_subject = select(story.c.id).join(
        story_subject, story_subject.c.story_no == story.c.story_no
    )
    probes += [of_subject.where(subject) for subject in _subjects(wanted)]
    for probe in probes:
        found = connection.scalars(probe.limit(FEW + 1)).all()
        if len(found) <= FEW:
            return set(found)
    if query is None:
        return None
    from aggregator.store.search.match import all_of

    numbers = all_of(connection, query, FEW_WITH_WORDS)
    return None if numbers is None else _stories_of(connection, numbers)


def _stories_of(connection: Connection, numbers: Sequence[int]) -> set[str]:
    rows = rows_with(connection, select(article.c.story), article.c.inbox_no, numbers)
    return {row.story for row in rows}


def with_reports(least: int) -> ColumnElement[bool]:
    """At least so many reports, as an index says it: a plan made once for any value could not take it."""
    return story.c.report_count >= literal_column(str(least))


def _is_after(place: _Place) -> ColumnElement[bool]:
    updated, n = place
    return and_(
        story.c.bumped_at <= updated,
        or_(story.c.bumped_at < updated, story.c.story_no < n),
    )


def selection(connection: Connection, wanted: StoryFilter) -> Select[Any]:
    """The newest stories that fit, as a statement to be narrowed; `limit` and `after` are not looked at.

    Of a query that much fits, only stories of the newest articles that do are in it; of one that only
    excludes, also stories that do not fit, which the caller has to leave out. Of common articles, only the
    newest `_SCANNED_AT_ONCE` stories are looked at.
    """
    of_its_articles = _of_its_articles(connection, wanted)
    chosen = (
        select(story)
        .where(*of_stories(wanted), *of_its_articles)
        .order_by(*_NEWEST_FIRST)
    )
    query = query_of(wanted)
    few = _few(connection, wanted, query)
    if few is None and query is not None and not query.only_excludes:
        from aggregator.store.search.match import newest

        few = _stories_of(connection, newest(connection, query, FEW, reach=FEW))
    if few is not None:
        fits = (
            StoryMatcher(connection, wanted).matching(connection, few) if query else few
        )
        return chosen.where(story.c.id.in_(sorted(fits)))
    if not of_its_articles:
        return chosen
    live = (
        select(story.c.bumped_at)
        .where(story.c.redirect_to.is_(None))
        .order_by(*_NEWEST_FIRST)
    )
    oldest = connection.scalar(live.offset(_SCANNED_AT_ONCE - 1).limit(1))
    return chosen.where(story.c.bumped_at >= oldest) if oldest else chosen


# --- cursors -----------------------------------------------------------------------------------------------


# Microseconds since the year 1 (17 digits suffice until the year 3169) and the number of the story. Digits
# only, so that the OpenAPI description can give a pattern.
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})", re.ASCII)
_BEGINNING = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


def cursor_at(updated: dt.datetime, n: int) -> str:
    """Return the cursor of the page after a story with this bump and number; it does not move with them."""
    return f"{(updated - _BEGINNING) // dt.timedelta(microseconds=1)}-{n}"


def read_cursor(cursor: str) -> tuple[dt.datetime, int]:
    """Parse a cursor of a list, the newest bump first. Raises UsageError if it is invalid."""
    microseconds, number = cursor_numbers(cursor)
    return _BEGINNING + dt.timedelta(microseconds=microseconds), number


def cursor_numbers(cursor: str) -> tuple[int, int]:
    """Return the two numbers of any cursor of stories. Raises UsageError if it is invalid."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise UsageError("invalid cursor; use `next` of the previous page unchanged")
    return int(found[1]), int(found[2])


# The story of the change, which may have been merged since
_THEN = story.alias("story_then")


def following(
    connection: Connection, after: int, limit: int, *, indexed_to: int
) -> tuple[Change, ...]:
    """Return the changes after number `after`, oldest first, up to the first whose article is not indexed.

    `indexed_to`: the inbox number up to which articles are in the full-text index.
    """
    statement = (
        select(change, story.c.id.label("today"), article.c.inbox_no.label("article_n"))
        .join(_THEN, _THEN.c.id == change.c.story)
        .join(story, story.c.id == func.coalesce(_THEN.c.redirect_to, _THEN.c.id))
        .outerjoin(article, article.c.id == change.c.article)
        .where(change.c.change_no > after)
        .order_by(change.c.change_no)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    ready = next(
        (i for i, row in enumerate(rows) if (row.article_n or 0) > indexed_to),
        len(rows),
    )
    return _changes(connection, rows[:ready])


def changed_stories(
    connection: Connection, since: int | None, limit: int
) -> ChangedStories:
    """Return the stories of the first `limit` log lines after number `since`, each once, as they are now."""
    if since is None:
        last = connection.scalar(select(func.max(story_log.c.log_no)))
        return ChangedStories(next=last or 0)
    columns = (story_log.c.log_no, story_log.c.story, story_log.c.kind)
    lines = (
        select(*columns)
        .where(story_log.c.log_no > since)
        .order_by(story_log.c.log_no)
        .limit(limit)
    )
    numbers: dict[str, int] = {}
    created: set[str] = set()
    for line in connection.execute(lines):
        numbers[line.story] = line.log_no
        created |= {line.story} if line.kind == "created" else set()
    named = select(story.c.id, story.c.redirect_to, story.c.bumped_at)
    found = [
        ChangedStory(
            n=numbers[row.id],
            story=row.id,
            kind="removed"
            if row.redirect_to == ""
            else "merged"
            if row.redirect_to
            else "created"
            if row.id in created
            else "changed",
            into=row.redirect_to or None,
            updated=row.bumped_at if row.redirect_to is None else None,
        )
        for row in rows_with(connection, named, story.c.id, numbers)
    ]
    found.sort(key=lambda one: one.n)
    return ChangedStories(
        changes=tuple(found), next=max(numbers.values(), default=since)
    )


def last_number(connection: Connection) -> int:
    """Return the number of the newest change; 0 without changes."""
    return connection.scalar(select(func.max(change.c.change_no))) or 0


def _changes(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Change, ...]:
    wanted = {row.article for row in rows if row.article is not None}
    came = {view.id: view for view in article_views.views_of(connection, wanted)}
    same = ("kind", "at", "title", "title_before", "report_count")
    return tuple(
        Change(
            **{name: row._mapping[name] for name in same},
            n=row.change_no,
            story=row.today,
            was=row.story,
            updated=row.bumped_at,
            others=tuple(row.others.split(",")) if row.others else (),
            article=came.get(row.article),
        )
        for row in rows
    )


# --- digests: which stories gained the most independent reports since the last one --------------------------

# A digest is a span of the change stream. Its stories are read when it is shown or sent, so that it contains
# nothing that was forgotten meanwhile, and links to stories as they are.

# A change that sorts longer before its time is of an archive, and not sent (as polling.flood_age_hours).
OLD_NEWS = dt.timedelta(hours=48)
_MATCHED_AT_ONCE = 500  # stories that are compared with the filter in one step


class DigestSpan(FrozenStruct):
    """The changes of one digest: their numbers are above `after` and at most `to`."""

    after: int
    to: int
    since: dt.datetime
    until: dt.datetime


def lock_digests(connection: Connection) -> None:
    """Let no other transaction make a digest until this one ends."""
    connection.execute(
        select(webhook.c.name).where(webhook.c.name == DIGEST).with_for_update()
    )


def next_span(
    connection: Connection, name: str, until: dt.datetime
) -> DigestSpan | None:
    """Return the changes up to `until` that the recipient `name` has not received; None without any."""
    of_name = select(webhook.c.last_change_no).where(
        webhook.c.name == name, webhook.c.is_configured
    )
    after = connection.scalar(of_name)
    since = connection.scalar(
        select(func.max(outbox.c.at)).where(outbox.c.webhook == name)
    )
    if after is None or (since is not None and since >= until):
        return None
    new = select(func.max(change.c.change_no), func.min(change.c.at))
    to, first = connection.execute(
        new.where(change.c.change_no > after, change.c.at <= until)
    ).one()
    return (
        None
        if to is None
        else DigestSpan(after=after, to=to, since=since or first, until=until)
    )


def span_since(
    connection: Connection, since: dt.datetime, until: dt.datetime
) -> DigestSpan | None:
    """Return the changes after `since` and up to `until`; None without any."""
    new = select(func.min(change.c.change_no), func.max(change.c.change_no))
    first, to = connection.execute(
        new.where(change.c.at > since, change.c.at <= until)
    ).one()
    return (
        None
        if to is None
        else DigestSpan(after=first - 1, to=to, since=since, until=until)
    )


def is_span_indexed(connection: Connection, span: DigestSpan) -> bool:
    """Return whether the full-text index has the articles of the span, which a query needs."""
    missing = (
        select(article.c.id)
        .join(change, change.c.article == article.c.id)
        .where(*_within(span), article.c.inbox_no > indexed_to(connection))
    )
    return connection.execute(missing.limit(1)).first() is None


def stored_digests(connection: Connection, most: int) -> list[DigestSpan]:
    """Return the newest digests, newest first."""
    kept = (
        select(outbox.c.body)
        .where(outbox.c.webhook == DIGEST)
        .order_by(outbox.c.change.desc())
    )
    bodies = connection.scalars(kept.limit(most))
    return [
        msgspec.json.decode(codecs.decompress_bytes(one), type=DigestSpan)
        for one in bodies
    ]


def ranked_for_digest(
    connection: Connection, span: DigestSpan, wanted: StoryFilter
) -> dict[str, int]:
    """Return the stories with the most new reports, at most `wanted.limit`, with the numbers of those."""
    reports = func.count().label("reports")
    rows = connection.execute(
        select(story.c.id, reports)
        .select_from(change)
        .join(_THEN, _THEN.c.id == change.c.story)
        .join(story, story.c.id == func.coalesce(_THEN.c.redirect_to, _THEN.c.id))
        .where(
            *_within(span),
            change.c.kind.in_(("created", "report")),
            change.c.bumped_at > span.since - OLD_NEWS,
        )
        .group_by(story.c.id, story.c.report_count)
        .order_by(reports.desc(), story.c.report_count.desc(), story.c.id)
    ).all()
    matcher = StoryMatcher(connection, wanted)
    found: dict[str, int] = {}
    for start in range(0, len(rows), _MATCHED_AT_ONCE):
        part = rows[start : start + _MATCHED_AT_ONCE]
        matches = matcher.matching(connection, {row.id for row in part})
        found |= {row.id: row.reports for row in part if row.id in matches}
        if len(found) >= wanted.limit:
            break
    return dict(list(found.items())[: wanted.limit])


def _within(span: DigestSpan) -> tuple[ColumnElement[bool], ...]:
    return change.c.change_no > span.after, change.c.change_no <= span.to
