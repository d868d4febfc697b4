"""Queries of the web pages: stories for the front page and their order.

The front page is ordered by one number per story:

    weight = last bump (hours) + doubling_hours * (log2(independent reports) + 1/2, if preferred)

The unit is hours: twice as many independent reports are worth `doubling_hours`. The weight does not depend
on the present time, so the order of two stories changes only if one of them changes, and an unchanged page
can be answered with 304. ADR 24 gives the alternatives.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from aggregator.model.core import OPINION_KINDS, Enclosure, FrozenStruct
from aggregator.model.read_model import (
    TITLES_LISTED,
    FrontPageStory,
    ListedTitle,
    StoryListItem,
)
from aggregator.store import codecs
from aggregator.store.read.story_list import cursor_numbers, with_reports
from aggregator.store.stories import article_views
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.stories.stories import shown_columns
from aggregator.store.tables import (
    article,
    rows_with,
    source,
    story,
    story_log,
    story_subject,
)
from aggregator.stories.titles.title_text import TITLE_CHARS, clean_title_text

# The newest stories of each class (at least one, two, five independent reports) are ranked. So newer small
# stories do not hide a story with many reports, and the cost does not depend on the number of stories. Each
# class has a partial index on `bumped_at`.
CLASSES = (1, 2, 5)
# Reports that count at most: the biggest story leads for 36 hours (chosen)
REPORTS_CAP = 64


class FrontPageTuning(FrozenStruct):
    """Section `front_page` of config/tuning.yaml, which gives units and origins."""

    doubling_hours: float
    window: int


def weight(one: FrontPageStory, tuning: FrontPageTuning) -> float:
    """Return the weight in hours: the last bump since 1970, plus the value of reports and of `prefer`."""
    reports = min(max(1, one.report_count), REPORTS_CAP)
    doublings = math.log2(reports) + (0.5 if one.preferred else 0.0)
    return one.updated.timestamp() / 3600 + tuning.doubling_hours * doublings


def ranked(
    stories: Iterable[FrontPageStory], tuning: FrontPageTuning
) -> Sequence[FrontPageStory]:
    """Return the stories by descending weight, equal ones by id; last undated ones and those claimed."""
    return sorted(
        stories,
        key=lambda one: (
            one.is_undated or one.is_claimed,
            -weight(one, tuning),
            one.id,
        ),
    )


def part_after(
    ordered: Sequence[FrontPageStory],
    tuning: FrontPageTuning,
    limit: int,
    after: str | None,
) -> tuple[Sequence[FrontPageStory], str | None]:
    """Return at most `limit` of the ranked stories after a cursor, and the next cursor; None at the end.

    A cursor is the rank of a story, and how many stories of this rank were listed, so that a story that is
    bumped meanwhile moves no other one. Raises UsageError for an invalid cursor.
    """
    ranks = [_rank(one, tuning) for one in ordered]
    begin = 0
    if after is not None:
        rank, listed = cursor_numbers(after)
        begin = sum(one > rank for one in ranks) + min(listed, ranks.count(rank))
    end = min(begin + limit, len(ranks))
    if end == len(ranks):
        return ordered[begin:], None
    last = ranks[end - 1]
    return ordered[begin:end], f"{last}-{ranks[:end].count(last)}"


_FIRST_PART = 10**16  # above the weight of any year until 2286, in microseconds


def _rank(one: FrontPageStory, tuning: FrontPageTuning) -> int:
    """Return the place in `ranked` as a number of at most 17 digits, the first story with the highest."""
    microseconds = max(0, round(weight(one, tuning) * 3_600_000_000))
    return (
        microseconds if one.is_undated or one.is_claimed else _FIRST_PART + microseconds
    )


def front_page_stories(
    connection: Connection,
    wanted: Select[Any],
    window: int,
    prefer: Sequence[str],
    min_reports: int,
) -> list[FrontPageStory]:
    """Return the newest `window` stories of each class among those that `wanted` selects, each once.

    If some of them are undated, also the newest others: files without dates must not fill the page.
    """
    light = wanted.with_only_columns(
        story.c.id,
        story.c.bumped_at.label("updated"),
        story.c.report_count,
        story.c.language,
    )
    found: dict[str, Row[Any]] = {}
    for least in CLASSES:
        if least == 1 or least > min_reports:
            chosen = light if least == 1 else light.where(with_reports(least))
            found |= {row.id: row for row in connection.execute(chosen.limit(window))}
    dated = select(article.c.story).where(article.c.published.is_not(None))
    has_date = set(
        connection.scalars(dated.where(article.c.story.in_(list(found))).distinct())
    )
    if len(has_date) < len(found):
        newest = light.where(dated.where(article.c.story == story.c.id).exists()).limit(
            window
        )
        others = {row.id: row for row in connection.execute(newest)}
        found |= others
        has_date |= others.keys()
    preferred: set[str] = set()
    if prefer and found:
        named = article_views.is_of_outlets(connection, prefer)
        held = select(article.c.story).where(article.c.story.in_(list(found)), named)
        preferred |= set(connection.scalars(held.distinct()))
    claimed = _claimed_stories(connection, found)
    return [
        FrontPageStory(
            **row._mapping,
            preferred=row.id in preferred,
            is_undated=row.id not in has_date,
            is_claimed=row.id in claimed,
        )
        for row in found.values()
    ]


_IS_OF_OTHER_SITE = article.c.claimed_outlet != article.c.outlet


def _claimed_stories(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return those stories that nobody tells but feeds without standing, in the name of several outlets.

    An item of a planet or a link list stays where it is: only in a story of its own making a feed is several.
    """
    several = (
        select(article.c.story)
        .where(
            article.c.story.in_(list(ids)),
            article.c.claimed_outlet.is_not(None),
            _IS_OF_OTHER_SITE,
        )
        .group_by(article.c.story)
        .having(func.count(article.c.claimed_outlet.distinct()) > 1)
    )
    claimed = set(connection.scalars(several))
    if not claimed:
        return claimed
    is_confirmed = or_(article.c.claimed_outlet.is_(None), ~article.c.is_little_known)
    confirmed = select(article.c.story).where(
        article.c.story.in_(list(claimed)), is_confirmed
    )
    return claimed - set(connection.scalars(confirmed.distinct()))


_SHOWN = shown_columns(StoryListItem)
_URLS = select(article.c.story, article.c.url)


def list_stories(
    connection: Connection, ids: Sequence[str]
) -> tuple[StoryListItem, ...]:
    """The live ones of these stories, in their order."""
    chosen = select(*_SHOWN).where(story.c.id.in_(ids), story.c.redirect_to.is_(None))
    rows = {row.id: row for row in connection.execute(chosen)}
    first = func.min(article.c.effective_at)
    named = (
        select(
            article.c.story,
            func.max(func.coalesce(article.c.outlet_name, article.c.outlet)),
        )
        .where(article.c.story.in_(list(rows)), article.c.outlet.is_not(None))
        .group_by(article.c.story, article.c.outlet)
        .order_by(first, article.c.outlet)
    )
    outlets: dict[str, list[str]] = {}
    for story_id, outlet in connection.execute(named):
        outlets.setdefault(story_id, []).append(outlet)
    undated = article_views.undated_stories(connection, rows)
    pictures = _pictures(connection, rows)
    titles = _titles_by_outlet(
        connection,
        {id_: row.title for id_, row in rows.items() if row.outlet_count > 1},
    )
    alone = [id_ for id_, row in rows.items() if row.article_count == 1]
    urls = {
        row.story: row.url
        for row in rows_with(connection, _URLS, article.c.story, alone)
    }
    return tuple(
        StoryListItem(
            **rows[one]._mapping,
            url=urls.get(one),
            outlets=tuple(outlets.get(one, ())),
            undated_seen=undated.get(one),
            titles=tuple(titles.get(one, ())),
            picture=pictures.get(one),
        )
        for one in ids
        if one in rows
    )


def _pictures(connection: Connection, ids: Iterable[str]) -> dict[str, Enclosure]:
    """Return the pictures of the reports whose titles these stories have."""
    lead = func.coalesce(story.c.title_article, story.c.founding_article)
    chosen = select(story.c.id, article.c.details).join(
        article, and_(article.c.id == lead, article.c.story == story.c.id)
    )
    pictures: dict[str, Enclosure] = {}
    for row in connection.execute(chosen.where(story.c.id.in_(list(ids)))):
        with suppress(*codecs.UNREADABLE):  # `db check` tells of damaged details
            for reference in codecs.unpack(row.details, ArticleDetails).media:
                if reference.is_image:
                    pictures[row.id] = reference
    return pictures


def _titles_by_outlet(
    connection: Connection, headlines: Mapping[str, str]
) -> dict[str, list[ListedTitle]]:
    """Return the newest report of each of a few outlets, by story; none that repeats the headline.

    The first two steps read an index that covers them, so no text of an article is read.
    """
    newest = (article.c.effective_at.desc(), article.c.id)
    of_outlet = (
        select(
            article.c.story,
            article.c.id,
            article.c.effective_at,
            func.row_number()
            .over(partition_by=(article.c.story, article.c.outlet), order_by=newest)
            .label("n"),
        )
        .where(
            article.c.story.in_(list(headlines)),
            article.c.outlet.is_not(None),
            article.c.role == "report",
        )
        .subquery()
    )
    order = (of_outlet.c.effective_at.desc(), of_outlet.c.id)
    place = (
        func.row_number()
        .over(partition_by=of_outlet.c.story, order_by=order)
        .label("place")
    )
    chosen = (
        select(of_outlet.c.id, of_outlet.c.story, place)
        .where(of_outlet.c.n == 1)
        .subquery()
    )
    shown = (
        select(
            chosen.c.story,
            article.c.title,
            article.c.url,
            article.c.outlet,
            article.c.outlet_name,
        )
        .join(article, article.c.id == chosen.c.id)
        .where(
            chosen.c.place <= TITLES_LISTED + 1,
            article.c.kind.not_in(OPINION_KINDS),
            article.c.title != "",
        )
        .order_by(chosen.c.story, chosen.c.place)
    )
    titles: dict[str, list[ListedTitle]] = {}
    for row in connection.execute(shown) if headlines else ():
        listed = titles.setdefault(row.story, [])
        outlet = row.outlet_name or row.outlet
        # As a headline is made of it
        shown_title = clean_title_text(row.title[:TITLE_CHARS], outlet)
        if (
            headlines[row.story] not in (row.title, shown_title)
            and len(listed) < TITLES_LISTED
        ):
            listed.append(ListedTitle(outlet=outlet, title=row.title, url=row.url))
    return titles


def new_reports(
    connection: Connection, ids: Sequence[str], since: dt.datetime
) -> dict[str, int]:
    """Return the number of outlets whose reports came into these stories after `since`."""
    joined = (
        select(
            story_log.c.story, func.count(article.c.outlet.distinct()).label("outlets")
        )
        .join(article, article.c.id == story_log.c.article)
        .where(
            story_log.c.story.in_(ids),
            story_log.c.at > since,
            story_log.c.kind.in_(("created", "joined")),
            article.c.story == story_log.c.story,
            article.c.role == "report",
        )
        .group_by(story_log.c.story)
    )
    return {row.story: row.outlets for row in connection.execute(joined)}


def folders(connection: Connection) -> tuple[str, ...]:
    """Return the names of all folders of sources, sorted."""
    named = select(source.c.folder).where(
        source.c.folder.is_not(None), source.c.folder != ""
    )
    return tuple(connection.scalars(named.distinct().order_by(source.c.folder)))


_TOPICS_LISTED = 10  # tabs; more would not fit above the stories
_TOPIC_OUTLETS = 3  # that share a topic which is listed
# Newest stories whose topics are counted: the window of the front page
_TOPIC_STORIES = 150


def topics(connection: Connection) -> tuple[str, ...]:
    """Return the topics that stories of several outlets have, of the newest; the most frequent first.

    A topic is a category of a feed: what fewer outlets use is the order of one house.
    """
    live = (
        select(story.c.story_no)
        .where(story.c.redirect_to.is_(None))
        .order_by(story.c.bumped_at.desc())
    )
    newest = connection.scalars(live.limit(_TOPIC_STORIES)).all()
    # Counted here: asked for topics by key, SQLite reads those of all stories.
    columns = (
        story.c.story_no,
        story_subject.c.kind,
        story_subject.c.key,
        story_subject.c.label,
    )
    subjects = select(*columns, article.c.outlet).where(story.c.story_no.in_(newest))
    joined = subjects.join(story_subject, story_subject.c.story_no == story.c.story_no)
    labels: dict[str, set[str]] = {}
    stories: dict[str, set[int]] = {}
    outlets: dict[str, set[str]] = {}
    for row in connection.execute(joined.join(article, article.c.story == story.c.id)):
        if row.kind == "topic" and row.outlet is not None:
            labels.setdefault(row.key, set()).add(row.label)
            stories.setdefault(row.key, set()).add(row.story_no)
            outlets.setdefault(row.key, set()).add(row.outlet)
    shared = [
        key
        for key in labels
        if len(stories[key]) > 1 and len(outlets[key]) >= _TOPIC_OUTLETS
    ]
    frequent = sorted(shared, key=lambda key: (-len(stories[key]), key))
    return tuple(min(labels[key]) for key in frequent[:_TOPICS_LISTED])
