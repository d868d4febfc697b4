"""The timeline of a story as readers get it, through the whole pipeline, on both databases."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from aggregator.model.core import Entry, MergedStory, Published, StoryView
from aggregator.model.read_model import StoryFilter, StoryRedirect
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.stories.merged_texts import render_next
from aggregator.stories.tuning import shipped_tuning
from aggregator.web.story_json import whole_story_json
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, Clock, Rig, record

CLOCKS = ["19:50", "21:14", "21:43", "21:44", "21:55", "23:10", "23:30"]


def only_story(database: Database) -> tuple[StoryView, MergedStory]:
    render_next(database, 10, shipped_tuning())
    story_reader = DatabaseStoryReader(database)
    (listed,) = story_reader.stories(StoryFilter()).stories
    found, merged = story_reader.story(listed.id), story_reader.merged(listed.id)
    assert found is not None
    assert merged is not None
    assert not isinstance(found, StoryRedirect)
    return found, merged


@pytest.fixture
def seeds(data: Path, database: Database) -> dict[str, Any]:
    """The JSON of the story of the four articles that the project began with."""
    texts = sorted((data / "seeds").glob("*.txt"))
    if len(texts) != 4:
        pytest.skip(f"the four seed articles are not in {data}/seeds")
    Rig(database, Clock()).take(
        *(
            Entry(source="seeds", guid=path.name, text=path.read_text(encoding="utf-8"), is_saved_text=True)
            for path in texts
        )
    )
    decoded: dict[str, Any] = json.loads(whole_story_json(*only_story(database)))
    return decoded


def test_the_seeds_stand_in_true_clock_order(seeds: dict[str, Any]) -> None:
    moments = seeds["timeline"]
    (dated,) = [one for one in moments if one["kind"] == "published" and one["time"]]
    assert (dated["time"], dated["day"], dated["clock"]) == ("2024-12-06T16:30:00Z", "2024-12-06", "16:30")
    assert dated["text"].startswith("Rebels advance on Homs")

    live = [one for one in moments if one["kind"] == "live"]
    assert [one["clock"] for one in live] == CLOCKS
    # The live blog names no day, and none is made up for it: neither ours nor that of another report.
    assert all(one["day"] is None and one["time"] is None for one in live)

    reported = [one for one in moments if one["kind"] == "told"]
    assert {one["day"] for one in reported} == {"2024-11-27", "2024-12-07"}
    assert all(one["day_inferred"] and one["time"] is None for one in reported)
    assert reported[0]["text"].startswith("On November 27,")
    assert any("on Saturday" in one["text"] for one in reported)

    days = [one["day"] for one in moments]
    assert days == sorted([day for day in days if day], key=str) + [None] * days.count(None)
    assert [one["precision"] for one in moments if one["day"] is None and one["kind"] == "published"] == [
        "day"
    ] * 3


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
