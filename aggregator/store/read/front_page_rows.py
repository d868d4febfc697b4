"""Reads the stories of the front page, and orders them by weight.

The weight is one number per story:

    weight = last bump (hours) + doubling_hours * (log2(outlets) + 1/2, if preferred)

Twice as many outlets with words of their own are worth `doubling_hours`. A story of one outlet counts almost as if
it had come at the beginning of its day (UTC), so that it stands below stories of several outlets from that day. The
weight does not depend on the present time, so the order of two stories changes only if one of them changes, and a
request for an unchanged page can be answered with 304. ADR 24 describes the alternatives.
"""

import math
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from aggregator.model.prepared import UNCOUNTED_KINDS
from aggregator.model.read_model import FrontPageStory
from aggregator.model.structs import FrozenStruct
from aggregator.store.read.cursors import cursor_numbers
from aggregator.store.read.story_list import NEWEST_FIRST
from aggregator.store.stories import article_views
from aggregator.store.tables import (
    OWN_REPORT,
    Row,
    Where,
    read_lists,
    read_set,
    read_values,
)

# The least numbers of independent reports of three classes. Only the newest stories of each class are ranked, so that
# newer small stories do not hide a story with many reports, and the cost does not depend on the number of stories.
# Each class has a partial index on `bumped_at`.
CLASSES = (1, 2, 5)

# More outlets than this do not raise the weight, so that the biggest story leads for three days (chosen).
REPORTS_CAP = 64
# Added to the ranks of all stories except those that come last (undated or claimed). It is more than the weight, in
# microseconds, of any story before the year 2286.
_FIRST_PART = 10**16

_MEMBERS = "FROM article WHERE story IN :ids AND"
_IS_COUNTED = "kind NOT IN ('" + "', '".join(sorted(UNCOUNTED_KINDS)) + "')"


class FrontPageTuning(FrozenStruct):
    """Section `front_page` of config/tuning.yaml, which gives units and origins."""

    doubling_hours: float
    window: int


def weight(story: FrontPageStory, tuning: FrontPageTuning) -> float:
    """Return the weight in hours: the last bump since 1970, plus the value of outlets and of `prefer`."""
    hours = story.updated.timestamp() / 3600
    if story.outlets == 1:
        # The time of day counts little, but the later of two such stories of one day still ranks above the earlier one.
        since_midnight = hours % 24
        hours += since_midnight / 24 - since_midnight
    doublings = math.log2(min(story.outlets, REPORTS_CAP))
    if story.preferred:
        doublings += 0.5
    return hours + tuning.doubling_hours * doublings


def order_by_weight(
    stories: Iterable[FrontPageStory], tuning: FrontPageTuning
) -> Sequence[FrontPageStory]:
    """Return the stories by descending weight, with equal weights by id. Undated and claimed stories come last."""
    return sorted(
        stories,
        key=lambda story: (
            story.is_undated or story.is_claimed,
            -weight(story, tuning),
            story.id,
        ),
    )


def part_after(
    ordered: Sequence[FrontPageStory],
    tuning: FrontPageTuning,
    limit: int,
    after: str | None,
) -> tuple[Sequence[FrontPageStory], str | None]:
    """Return at most `limit` of the ranked stories after a cursor, and the next cursor; None at the end.

    A cursor has the rank of the last story, and the number of stories with this rank that were listed. So a story
    that is bumped meanwhile moves no other story. Raises UsageError for an invalid cursor.
    """
    # Ranks descend in this order, and have at most 17 digits.
    ranks = []
    for story in ordered:
        rank = max(0, round(weight(story, tuning) * 3_600_000_000))
        is_last = story.is_undated or story.is_claimed
        ranks.append(rank if is_last else _FIRST_PART + rank)
    begin = 0
    if after is not None:
        rank, listed = cursor_numbers(after)
        begin = sum(other > rank for other in ranks) + min(listed, ranks.count(rank))
    end = min(begin + limit, len(ranks))
    if end == len(ranks):
        return ordered[begin:], None
    last = ranks[end - 1]
    return ordered[begin:end], f"{last}-{ranks[:end].count(last)}"


def front_page_stories(
    connection: Connection,
    conditions: Where,
    window: int,
    prefer: Sequence[str],
    min_reports: int,
) -> list[FrontPageStory]:
    """Return the newest `window` stories of each class among those that meet `conditions`, each once.

    If some of them are undated, the newest dated stories are added, so that files without dates do not fill the page.
    """

    def newest(condition: str) -> dict[str, Row]:
        statement = f"""
            SELECT id, bumped_at AS updated, report_count, language FROM story WHERE {conditions} AND {condition}
            {NEWEST_FIRST} LIMIT {window}
            """  # noqa: S608
        return {row.id: row for row in conditions.read_rows(connection, statement)}

    rows = newest("true")
    for least in CLASSES:
        if least >= max(2, min_reports):
            rows |= newest(f"report_count >= {least}")
    dated = read_set(
        connection, f"SELECT DISTINCT story {_MEMBERS} published IS NOT NULL", ids=rows
    )
    if len(dated) < len(rows):
        newest_dated = newest(
            "EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND published IS NOT NULL)"
        )
        rows |= newest_dated
        dated |= newest_dated.keys()
    preferred: set[str] = set()
    if prefer:
        of_outlets = article_views.of_outlets(connection, prefer)
        statement = f"SELECT story {_MEMBERS} {of_outlets}"
        preferred.update(of_outlets.read_values(connection, statement, ids=rows))
    # Stories that only little-known feeds report, in the name of several outlets. Stories with a confirmed article are
    # left out, because an item of a planet (a feed of feeds) or of a link list must not lower them.
    claimed = read_set(
        connection,
        f"""
        SELECT story {_MEMBERS} claimed_outlet <> outlet
        GROUP BY story HAVING count(DISTINCT claimed_outlet) > 1
        """,
        ids=rows,
    )
    confirmed = (
        f"SELECT story {_MEMBERS} (claimed_outlet IS NULL OR NOT is_little_known)"
    )
    claimed.difference_update(read_values(connection, confirmed, ids=claimed))
    own_outlets = read_lists(
        connection,
        f"SELECT DISTINCT story, outlet {_MEMBERS} outlet IS NOT NULL AND {OWN_REPORT} AND {_IS_COUNTED}",
        ids=rows,
    )
    return [
        FrontPageStory(
            **row._mapping,
            own_outlets=frozenset(own_outlets[row.id]),
            preferred=row.id in preferred,
            is_undated=row.id not in dated,
            is_claimed=row.id in claimed,
        )
        for row in rows.values()
    ]
