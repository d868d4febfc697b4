"""The timeline of a story as readers get it, through the whole pipeline, on both databases."""

import datetime as dt
from typing import Any

from aggregator.model.core import Entry, MergedStory, Published, StoryView
from aggregator.model.read_model import StoryFilter, StoryRedirect
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.stories.merged_texts import render_next
from aggregator.stories.tuning import shipped_tuning
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, Clock, Rig, record


def only_story(database: Database) -> tuple[StoryView, MergedStory]:
    render_next(database, 10, shipped_tuning())
    story_reader = DatabaseStoryReader(database)
    (listed,) = story_reader.stories(StoryFilter()).stories
    found, merged = story_reader.story(listed.id), story_reader.merged(listed.id)
    assert found is not None
    assert merged is not None
    assert not isinstance(found, StoryRedirect)
    return found, merged


def report_at(minutes: int, outlet: str, text: str, **more: Any) -> Entry:
    time = NOON + dt.timedelta(minutes=minutes)
    published = more.pop("published", Published(time=time))
    title = more.pop("title", f"Levee breaks at Pennmouth, says {outlet}")
    return record(outlet, f"{outlet} {minutes}", title, text, published=published)


def test_copies_are_folded_under_their_original_with_how_long_after(database: Database) -> None:
    a_day = Published(time=NOON.replace(hour=0), precision="day")
    Rig(database, Clock(NOON + dt.timedelta(days=1))).take(
        report_at(0, "Gazette", FLOOD),
        report_at(25, "Echo", FLOOD),
        report_at(90, "Herald", FLOOD),
        report_at(200, "Weekly", FLOOD, published=a_day),
        report_at(40, "Courier", FLOOD_ELSEWHERE, title="Pennmouth under water after levee fails"),
    )
    story, merged = only_story(database)
    name = {article.id: article.outlet for article in story.articles}
    (trail,) = story.trails
    first = "Weekly"  # dated to the day: its effective time is the beginning of that day
    assert name[trail.article] == first
    assert [(name[one.article], one.minutes_later, one.is_whole) for one in trail.reprints] == [
        ("Gazette", None, True),
        ("Echo", None, True),
        ("Herald", None, True),
    ]
    published = [item for item in merged.timeline if item.kind == "published"]
    assert [(item.outlet, item.copy_count) for item in published] == [(first, 3), ("Courier", 0)]
    assert published[0].copies == trail.reprints


def test_an_agencys_text_comes_first_whenever_it_was_read(database: Database) -> None:
    Rig(database, Clock(NOON + dt.timedelta(days=1))).take(
        report_at(10, "Echo", FLOOD), report_at(0, "Reuters", FLOOD), report_at(31, "Herald", FLOOD)
    )
    story, merged = only_story(database)
    (trail,) = story.trails
    assert (trail.outlet, trail.time) == ("Reuters", NOON)
    assert [(one.outlet, one.minutes_later) for one in trail.reprints] == [("Echo", 10), ("Herald", 31)]
    assert [(item.outlet, item.copy_count) for item in merged.timeline if item.kind == "published"] == [
        ("Reuters", 2)
    ]
