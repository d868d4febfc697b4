"""Reading live stories into the window: their compared reports, and the dates of all their articles."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from aggregator.cluster.events.window import HELD_REPORTS, LiveStory, decides_before
from aggregator.store.stories import articles
from aggregator.store.tables import article, in_parts, story

_STORIES = select(story.c.story_no, story.c.id, story.c.last_inbox_no, story.c.article_count).where(
    story.c.redirect_to.is_(None)
)
_COMPARED = (
    select(*articles.COLUMNS)
    .join(story, story.c.id == article.c.story)
    .where(article.c.is_compared, story.c.redirect_to.is_(None))
)
_DATES_OF_OTHERS = (
    select(article.c.story, article.c.published)
    .join(story, story.c.id == article.c.story)
    .where(~article.c.is_compared, article.c.published.is_not(None), story.c.redirect_to.is_(None))
)
_GROWN_SINCE = story.c.last_inbox_no >= bindparam("since")
_NAMED = story.c.id.in_(bindparam("ids", expanding=True))
_ROWS_AT_ONCE = 1_000


def newest_inbox_no(connection: Connection) -> int:
    """Return the inbox number of the newest article of any story; 0 in an empty database."""
    return connection.execute(select(func.max(story.c.last_inbox_no))).scalar_one() or 0


def grown_since(connection: Connection, since: int) -> list[LiveStory]:
    """Return the live stories that grew at inbox number `since` or later, in the order of their numbers."""
    return _read(connection, _GROWN_SINCE, {"since": since})


def named(connection: Connection, ids: Iterable[str]) -> list[LiveStory]:
    """Return those of these stories that are live, in the order of their numbers."""
    found: list[LiveStory] = []
    for part in in_parts(sorted(ids)):
        found += _read(connection, _NAMED, {"ids": part})
    return sorted(found, key=lambda live: live.number)


def _read(
    connection: Connection, which: ColumnElement[bool], bounds: dict[str, int | Sequence[str]]
) -> list[LiveStory]:
    by_id: dict[str, LiveStory] = {}
    for row in connection.execute(_STORIES.where(which).order_by(story.c.story_no), bounds):
        by_id[row.id] = LiveStory(row.story_no, row.id, row.last_inbox_no)
        by_id[row.id].article_count = row.article_count
    rows = connection.execute(_COMPARED.where(which), bounds)
    for part in rows.yield_per(_ROWS_AT_ONCE).partitions():
        for report in map(articles.of_row, part):
            by_id[report.story].reports.append(report)
    for id_, published in connection.execute(_DATES_OF_OTHERS.where(which), bounds):
        by_id[id_].dates.append(int(published.timestamp() // 60))
    for live in by_id.values():
        _complete(live)
    return list(by_id.values())


def _complete(live: LiveStory) -> None:
    """Set what follows from the compared reports of a story, and keep the newest of them."""
    declared = [report.minutes for report in live.reports if report.minutes is not None]
    live.began = min(declared, default=None)
    live.compared_count = len(live.reports)
    stated = [report.stated_minutes for report in live.reports]
    live.dates.extend(minutes for minutes in stated if minutes is not None)
    live.dates = type(live.dates)("i", sorted(live.dates))
    live.reports.sort(key=decides_before)
    del live.reports[HELD_REPORTS:]
