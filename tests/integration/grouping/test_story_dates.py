"""Dates bound a story: no article is further than the window from every other date in it, also a read one."""

from typing import Any

import pytest
from sqlalchemy import select

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from tests.support.articles import DAY, FLOOD, FLOOD_ELSEWHERE, NOON, Clock, Rig, record
from tests.support.rows import queried
from tests.support.story_checks import correct, what_is_wrong

LATER = FLOOD.replace("Four people", "Five people")


def told(
    outlet: str,
    text: str,
    days: float | None = None,
    read: float | None = None,
    **more: Any,
) -> Entry:
    """A report of the flood, declared so many days after noon, or with such a date above its text."""
    text = text if read is None else f"{NOON + read * DAY:%d %B %Y}\n\n{text}"
    published = None if days is None else NOON + days * DAY
    return record(
        outlet,
        "1",
        "Levee at Pennmouth breaks, four dead",
        text,
        published=published,
        **more,
    )


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, Clock(days=60))


def homes(rig: Rig) -> list[str]:
    """The stories of all articles, in the order of their arrival; everything about them is right."""
    assert what_is_wrong(rig.database, rig.pipeline.placer) == []
    rows = queried(rig.database, select(article.c.story).order_by(article.c.inbox_no))
    return [row.story for row in rows]


@pytest.mark.parametrize(("days", "stories"), [(1, 1), (3_650, 2)])
@pytest.mark.parametrize("is_read_first", [True, False])
def test_a_date_read_in_a_text_bounds_its_story(
    rig: Rig, days: int, stories: int, *, is_read_first: bool
) -> None:
    both = [told("Gazette", FLOOD, read=0), told("Herald", FLOOD_ELSEWHERE, days=-days)]
    for one in both if is_read_first else reversed(both):
        rig.take(one)
    assert len(set(homes(rig))) == stories


def test_what_a_person_puts_together_stays_together(rig: Rig) -> None:
    rig.take(
        told("Gazette", FLOOD, days=0), told("Herald", FLOOD_ELSEWHERE, read=-3_650)
    )
    correct(rig.database, "merge", *homes(rig))
    rig.restart()
    rig.take(told("Courier", LATER, days=1))
    assert len(set(homes(rig))) == 1
