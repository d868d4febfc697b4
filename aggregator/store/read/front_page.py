"""Queries of the web pages: stories for the front page and their order.

The front page is ordered by one number per story:

    weight = last bump (hours) + doubling_hours * (log2(independent reports) + 1/2, if preferred)

The unit is hours: twice as many independent reports are worth `doubling_hours`. The weight does not depend
on the present time, so the order of two stories changes only if one of them changes, and an unchanged page
can be answered with 304. ADR 24 gives the alternatives.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from aggregator.model.read_model import FrontPageStory
from aggregator.model.structs import FrozenStruct
from aggregator.store.read.cursors import cursor_numbers
from aggregator.store.read.story_filter import with_reports
from aggregator.store.stories import article_views
from aggregator.store.tables import article, story

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
    ranks = [_rank(other, tuning) for other in ordered]
    begin = 0
    if after is not None:
        rank, listed = cursor_numbers(after)
        begin = sum(other > rank for other in ranks) + min(listed, ranks.count(rank))
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
    rows: dict[str, Row[Any]] = {}
    for least in CLASSES:
        if least == 1 or least > min_reports:
            chosen = light if least == 1 else light.where(with_reports(least))
            rows |= {row.id: row for row in connection.execute(chosen.limit(window))}
    dated = select(article.c.story).where(article.c.published.is_not(None))
    has_date = set(
        connection.scalars(dated.where(article.c.story.in_(list(rows))).distinct())
    )
    if len(has_date) < len(rows):
        newest = light.where(dated.where(article.c.story == story.c.id).exists()).limit(
            window
        )
        others = {row.id: row for row in connection.execute(newest)}
        rows |= others
        has_date |= others.keys()
    preferred: set[str] = set()
    if prefer and rows:
        named = article_views.is_of_outlets(connection, prefer)
        of_outlet = select(article.c.story).where(
            article.c.story.in_(list(rows)), named
        )
        preferred |= set(connection.scalars(of_outlet.distinct()))
    claimed = _claimed_stories(connection, rows)
    return [
        FrontPageStory(
            **row._mapping,
            preferred=row.id in preferred,
            is_undated=row.id not in has_date,
            is_claimed=row.id in claimed,
        )
        for row in rows.values()
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
