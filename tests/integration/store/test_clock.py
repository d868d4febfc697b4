"""A clock that was wrong: what it put before all others comes down again, and nothing loses its order."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.store.engine.database import Database
from aggregator.store.stories.future_bumps import pull_back
from aggregator.store.tables import story
from tests.support.articles import HOUR, NOON, Clock, Rig, record
from tests.support.rows import column, queried
from tests.support.tables import numbered

FEW = Tuning().values("placing")["batch_articles"]
YEAR = timedelta(days=365)


def take(rig: Rig, number: int) -> None:
    words = " ".join(numbered(f"w{number}x%n", 60))
    rig.accept(
        record("wire", str(number), f"Headline number {number}", words, published=None),
        bump_by_clock=True,
    )
    rig.place()


def newest_first(database: Database) -> list[str]:
    found = queried(
        database,
        select(story.c.title).order_by(
            story.c.bumped_at.desc(), story.c.story_no.desc()
        ),
    )
    return [title.rsplit(" ", 1)[1] for title in found.scalars()]


def pulled_back(database: Database, now: datetime) -> int:
    return database.transact(lambda connection: pull_back(connection, now, FEW))


def test_what_a_clock_put_into_the_future_comes_back_in_its_order(
    database: Database,
) -> None:
    clock = Clock(NOON)
    rig = Rig(database, clock)
    take(rig, 1)
    clock.time = NOON + YEAR  # for a while, a year ahead
    take(rig, 2)
    take(rig, 3)
    clock.time = NOON + HOUR
    take(rig, 4)
    assert newest_first(database) == ["3", "2", "4", "1"]
    assert pulled_back(database, clock.time) == 2
    assert newest_first(database) == ["3", "2", "4", "1"]
    clock.time += timedelta(seconds=1)
    take(rig, 5)
    assert newest_first(database) == ["5", "3", "2", "4", "1"]
    moments = column(database, story.c.bumped_at)
    assert len(set(moments)) == 5, "feeds tell items apart by it"
    assert max(moments) <= clock.time + timedelta(seconds=1)
    assert pulled_back(database, clock.time) == 0


@pytest.mark.later
def test_a_clock_that_went_back_wrongly_takes_nothing_with_it(
    database: Database,
) -> None:
    clock = Clock(NOON)
    rig = Rig(database, clock)
    for number in range(4):
        take(rig, number)
    wrong = NOON - YEAR
    assert database.transact(lambda connection: pull_back(connection, wrong, 3)) == 0
    assert newest_first(database) == ["3", "2", "1", "0"]
    clock.time = wrong
    take(rig, 5)
    assert newest_first(database) == ["3", "2", "1", "0", "5"], (
        "until the clock is right again"
    )
    clock.time = NOON + HOUR
    take(rig, 6)
    assert newest_first(database)[0] == "6"
