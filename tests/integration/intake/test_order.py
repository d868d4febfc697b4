"""What waits is placed in the order of its time, which is stored: a kill or a replay changes none of it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.tables import article, entry
from tests.support.articles import FLOOD, NOON, Clock, Rig, record
from tests.support.rows import queried, written_by
from tests.support.story_checks import (
    what_is_wrong,
)


def news(
    feed: str, number: int, hours: float | None, text: str = "Two boats sail."
) -> Entry:
    published = None if hours is None else NOON + timedelta(hours=hours)
    title = f"{feed} reports {number} of the harbour"
    return record(
        feed, str(number), title, f"{text} {feed} {number}.", published=published
    )


FEEDS = (
    [news("Herald", 1, -9), news("Herald", 2, -3), news("Herald", 3, 5)],
    [news("Post", 1, -12), news("Post", 2, None), news("Post", 3, -4)],
)
IN_ORDER = ["Post 1", "Herald 1", "Post 3", "Herald 2", "Herald 3", "Post 2"]


def gather(rig: Rig, *feeds: list[Entry]) -> None:
    for entries in feeds:
        rig.accept(*entries, gathers=True)


def placing_order(database: Database) -> list[str]:
    rows = queried(
        database, select(article.c.source, article.c.title).order_by(article.c.inbox_no)
    )
    return [f"{row.source} {row.title.split()[2]}" for row in rows]


def test_feeds_that_wait_together_are_placed_in_order_of_time(
    database: Database,
) -> None:
    """An undated entry and one of the future are of the time at which they were accepted."""
    rig = Rig(database)
    gather(rig, *FEEDS)
    rig.place()
    assert placing_order(database) == IN_ORDER
    assert what_is_wrong(database, rig.pipeline.placer) == []


def test_the_order_is_kept_where_more_comes_between_a_stop_and_the_next_start(
    sqlite: Database,
) -> None:
    rig = Rig(sqlite)
    gather(rig, FEEDS[0])
    written_by(sqlite, inbox.put_in_order)
    gather(rig, FEEDS[1])
    rig.restart()  # killed after the order was stored, before anything was placed
    rig.place()
    assert placing_order(sqlite) == [
        "Herald 1",
        "Herald 2",
        "Herald 3",
        "Post 1",
        "Post 3",
        "Post 2",
    ]


def test_a_revision_that_names_an_earlier_time_is_placed_after_its_first_version(
    sqlite: Database,
) -> None:
    rig = Rig(sqlite)
    first = news("Herald", 1, -2, FLOOD)
    earlier = news("Herald", 1, -8, FLOOD.replace("Four people", "Five people"))
    gather(rig, [first], [news("Post", 1, -5)], [earlier])
    outcomes = {result.entry_no: result.outcome for result in rig.place()}
    assert outcomes[1] in ("founded", "joined")
    assert outcomes[3] == "revised"
    numbers = (
        queried(sqlite, select(entry.c.entry_no).order_by(entry.c.inbox_no))
        .scalars()
        .all()
    )
    assert numbers == [2, 1, 3]


def test_what_is_handed_in_is_placed_at_once_after_all_that_waits(
    sqlite: Database,
) -> None:
    rig = Rig(sqlite)
    gather(rig, FEEDS[0])
    rig.accept(news("Post", 1, -12))
    assert [len(batch) for batch in rig.pipeline.place_waiting(gathers=True)] == [4]
    assert placing_order(sqlite) == ["Herald 1", "Herald 2", "Herald 3", "Post 1"]


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_daemon_lets_what_polls_bring_gather_for_some_seconds(
    sqlite: Database, seconds: float
) -> None:
    tuning = Tuning({"placing": {"gathering_seconds": seconds}})
    rig = Rig(sqlite, Clock(NOON), tuning)
    gather(rig, FEEDS[0])
    placed = [
        result for batch in rig.pipeline.place_waiting(gathers=True) for result in batch
    ]
    assert len(placed) == (0 if seconds else 3)
