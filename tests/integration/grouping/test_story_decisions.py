"""Decisions about stories, by what becomes of articles: windows, related stories, bumps."""

from collections import defaultdict
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.intake.configured import story_options
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, story, story_log
from tests.support.articles import (
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    HOUR,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.events import GRAIN
from tests.support.rows import column, queried, value
from tests.support.story_checks import correct, members, mistake, what_is_wrong
from tests.support.tables import each_row

NOW = NOON + 40 * DAY
TEXTS = dict(zip(("g0", "g1", "g2"), GRAIN, strict=True))
APART = Tuning({"events": {"threshold": 1000.0}})  # each article is a story
# For reports that share words
WINDOW_DECIDES = {"threshold": -3.0, "reassess_gain": 0.0}


@pytest.fixture
def database(sqlite: Database) -> Database:
    """Only what is decided is asked."""
    return sqlite


def report(key: str) -> Entry:
    """A report by its text and day: "g0@14". "g0@-" has no date. Each is of an outlet of its own."""
    name, day = key.split("@")
    published = None if day == "-" else NOON + int(day) * DAY
    return record(key, key, *TEXTS[name], published=published)


def placed(database: Database, *keys: str, **events: Any) -> set[str]:
    """The stories after these reports came, each with its reports."""
    Rig(database, Clock(NOW), Tuning({"events": events})).take(*map(report, keys))
    return told(database)


def told(database: Database) -> set[str]:
    """The stories, each with its reports, of which none was out of reach for a moment."""
    assert what_is_wrong(database) == []
    parted = select(story_log.c.story).where(
        story_log.c.detail.contains('"reason": "dates"')
    )
    assert queried(database, parted).all() == []
    groups = defaultdict(list)
    for row in queried(
        database, select(article.c.story, article.c.outlet).order_by(article.c.outlet)
    ):
        groups[row.story].append(row.outlet)
    return {" ".join(one) for one in groups.values()}


def story_of(database: Database, key: str) -> str:
    found: str = value(database, article.c.story, article.c.outlet == key)
    return found


def looked(database: Database, groups: str, **events: Any) -> str:
    """The stories after a second look at "a b, c": a correction holds a and b in one story, c is another."""
    stories = [one.split() for one in groups.split(", ")]
    keys = [key for one in stories for key in one]
    Rig(database, Clock(NOW), APART).take(*map(report, keys))
    for first, *others in stories:
        for other in others:
            correct(
                database, "merge", story_of(database, other), story_of(database, first)
            )
    tuning = Tuning({"events": {"reassess_every": len(keys) + 1, **events}})
    Rig(database, Clock(NOW), tuning).take(
        record("later", "later", "Quilts", "Walrus sonnets.", published=None)
    )
    return ", ".join(sorted(told(database) - {"later"}))


# --- windows -----------------------------------------------------------------------------------------------


@each_row(
    "story_decisions",
    "a story is open for two weeks around its dates",
    "reports",
    "stories",
)
def test_a_story_is_open_for_two_weeks_around_its_dates(
    database: Database, reports: list[str], stories: list[str]
) -> None:
    assert placed(database, *reports, **WINDOW_DECIDES) == set(stories)


def test_the_middle_of_a_story_may_be_far_from_its_dates(database: Database) -> None:
    Rig(database, Clock(NOW), APART).take(report("g0@0"), report("g1@30"))
    correct(database, "merge", story_of(database, "g1@30"), story_of(database, "g0@0"))
    assert placed(database, "g2@15", **WINDOW_DECIDES) == {"g0@0 g1@30", "g2@15"}


def test_a_second_look_does_not_ask_whether_the_dates_of_one_are_around_those_of_another(
    database: Database,
) -> None:
    found = looked(database, "g0@0 g1@30, g2@15", **WINDOW_DECIDES)
    assert found == "g0@0 g1@30, g2@15"


@pytest.mark.parametrize("later", ["g1@-", "g1@0", "g1@9"])
@pytest.mark.parametrize(("days", "is_open"), [(13, True), (16, False)])
def test_without_a_date_a_story_is_as_old_as_its_arrival(
    database: Database, later: str, days: int, is_open: bool
) -> None:
    """For an article that arrives, and for a second look."""
    clock = Clock(NOON)
    Rig(database, clock, APART).take(report("g0@-"), report("g2@-"))
    mistake(database, "merge", story_of(database, "g2@-"), story_of(database, "g0@-"))
    both = story_of(database, "g0@-")
    clock.time += days * DAY
    rig = Rig(database, clock, Tuning({"events": {"reassess_every": 4}}))
    rig.take(report(later))
    assert (story_of(database, later) == both) is is_open
    mistake(database, "split", both, articles=(members(database, both)[0],))
    rig.restart()
    rig.take(
        *(
            record("later", str(n), "Dock strike in Sennick", STRIKE, published=None)
            for n in range(2)
        )
    )
    assert (story_of(database, "g0@-") == story_of(database, later)) is is_open


# --- bumps -------------------------------------------------------------------------------------------------

LEVEE = record("Herald", "1", "Levee breaks at Pennmouth, four dead", FLOOD)
LATER = record(
    "Post",
    "2",
    "Pennmouth under water",
    FLOOD_ELSEWHERE,
    published=NOON + HOUR,
)


@each_row(
    "story_decisions",
    "a headline bumps a story of one report until bump age",
    "hours",
    "reports",
    "is_bumped",
)
def test_a_headline_bumps_a_story_of_one_report_until_bump_age(
    database: Database, hours: int, reports: int, is_bumped: bool
) -> None:
    options = story_options(
        Config.model_validate({"feeds": {"bump": ("headline",), "bump_age": "2d"}})
    )
    rig = Rig(database, options=options)
    rig.accept(LEVEE, bump_by_clock=True)
    if reports > 1:
        rig.accept(LATER, bump_by_clock=True)
    rig.place()

    def bumped_at() -> datetime:
        (found,) = column(database, story.c.bumped_at)
        return found

    before = bumped_at()
    rig.clock.time = NOON + hours * HOUR
    changed = f"{FLOOD} A fifth body was found."
    rig.accept(
        record("Herald", "1", "Levee breaks, five dead!", changed),
        bump_by_clock=True,
    )
    rig.place()
    assert (bumped_at() > before) is is_bumped
