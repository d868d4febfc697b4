"""The samples that `make run` shows: one story an event, nothing joined that does not belong together."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from aggregator.admin.bcubed import measure
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.model.entry import Entry
from aggregator.model.story import StoryView
from aggregator.sources.parse.files.input_items import InputEntry, ReadOptions
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.source_limits import source_tuning
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake.folder_names import name_folder
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, entry
from tests.conftest import REPOSITORY
from tests.support.articles import STRIKE, Clock, Rig, record
from tests.support.rows import queried, written_by
from tests.support.story_checks import what_is_wrong

SAMPLES = REPOSITORY / "examples" / "articles"


@pytest.fixture
def rig(database: Database) -> Rig:
    """All samples, placed; read five weeks after the last of them was published."""
    made = Rig(database, Clock(datetime.fromisoformat("2026-12-20T00:00Z")))
    made.take(*samples(made))
    return made


def samples(rig: Rig) -> list[Entry]:
    found = open_source(
        SAMPLES, ReadOptions(tuning=source_tuning(Tuning()), seen=rig.clock())
    )
    return [item.entry for item in found if isinstance(item, InputEntry)]


def labels() -> dict[str, dict[str, str]]:
    """The true grouping, by file below the folder."""
    lines = (
        (REPOSITORY / "examples" / "labels.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    return {line["file"]: line for line in map(json.loads, lines)}


def assigned(rig: Rig) -> dict[str, str]:
    """The story of each file."""
    statement = select(entry.c.payload, article.c.story).join(
        article, article.c.id == entry.c.article
    )
    rows = queried(rig.database, statement).all()
    return {
        str(codecs.decompress_struct(row.payload, Entry).guid): row.story
        for row in rows
    }


@pytest.mark.later
def test_every_event_is_one_story_and_no_story_holds_two(rig: Rig) -> None:
    expected = {file: line["event"] for file, line in labels().items()}
    report = measure(assigned(rig), expected)
    assert report.articles == len(expected)
    assert report.over_merge == 0, "a false merge hurts more than a miss"
    assert report.bcubed.recall >= 0.95
    assert report.stories <= report.clusters + 1
    reprints_of_one_agency_text_are_one_report(rig)


def reprints_of_one_agency_text_are_one_report(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    home = assigned(rig)
    (story,) = {
        home[file]
        for file, line in labels().items()
        if line["event"] == "chemical-fire"
    }
    fire = reading.story(story)
    assert isinstance(fire, StoryView)
    assert (fire.article_count, fire.outlet_count, fire.report_count) == (6, 6, 3)
    assert Counter(one.role for one in fire.articles) == {"report": 3, "copy": 3}
    assert {one.wire for one in fire.articles if one.role == "copy"} <= {"MNA", None}


def test_samples_are_named_and_go_at_once(database: Database) -> None:
    rig = Rig(database, Clock(datetime.fromisoformat("2026-12-20T00:00Z")))
    written_by(rig.database, name_folder, SAMPLES, Path.is_dir)
    given = samples(rig)[:12]
    reading = StoryReader(rig.database)
    rig.take(*given)
    assert reading.samples() == "articles"
    news = record(
        "Courier", "new", "Dock workers strike", STRIKE, published=rig.clock()
    )
    rig.take(news)
    real, *_ = [one.id for one in reading.stories(StoryFilter()).stories]
    assert reading.rank_front_page(StoryFilter())[0].id == real, "samples are older"
    assert what_is_wrong(rig.database) == []
    rig.accept(*samples(rig)[12:14])
    forgotten = rig.pipeline.placer.erase(
        ForgetCommand(name="articles", is_source=True)
    )
    assert (forgotten.named, reading.samples()) == (14, None)
    assert [one.id for one in reading.stories(StoryFilter()).stories] == [real]
    assert {one.outcome for one in rig.take(*given)} <= {"refused"}
    assert what_is_wrong(rig.database) == []
