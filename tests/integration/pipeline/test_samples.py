"""The samples that `make run` shows: one story an event, nothing joined that does not belong together."""

import datetime as dt
import json
from collections import Counter

import pytest
from sqlalchemy import select

from aggregator.cluster.bcubed import measure
from aggregator.config.tuning import effective_tuning
from aggregator.model.core import Entry, StoryView
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.files import InputEntry, open_source
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.tables import article, entry
from tests.conftest import REPOSITORY
from tests.support.articles import Clock, Rig

SAMPLES = REPOSITORY / "examples" / "articles"


@pytest.fixture
def rig(database: Database) -> Rig:
    """All samples, placed; read five weeks after the last of them was published."""
    made = Rig(database, Clock(dt.datetime(2026, 12, 20, tzinfo=dt.UTC)))
    found = open_source(SAMPLES, tuning=source_tuning(effective_tuning()), seen=made.clock())
    made.take(*(item.entry for item in found if isinstance(item, InputEntry)))
    return made


def labels() -> dict[str, dict[str, str]]:
    """The true grouping, by file below the folder."""
    lines = (REPOSITORY / "examples" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["file"]: line for line in map(json.loads, lines)}


def assigned(rig: Rig) -> dict[str, str]:
    """The story of each file."""
    statement = select(entry.c.payload, article.c.story).join(article, article.c.id == entry.c.article)
    with rig.database.read() as connection:
        rows = connection.execute(statement).all()
    return {str(codecs.decompress_struct(row.payload, Entry).guid): row.story for row in rows}


def test_every_event_is_one_story_and_no_story_holds_two(rig: Rig) -> None:
    expected = {file: line["event"] for file, line in labels().items()}
    report = measure(assigned(rig), expected)
    assert report.articles == len(expected)
    assert report.over_merge == 0, "a false merge hurts more than a miss"
    assert report.bcubed.recall >= 0.95
    assert report.stories <= report.clusters + 1
    reprints_of_one_agency_text_are_one_report(rig)


def reprints_of_one_agency_text_are_one_report(rig: Rig) -> None:
    reading = DatabaseStoryReader(rig.database)
    home = assigned(rig)
    (story,) = {home[file] for file, line in labels().items() if line["event"] == "chemical-fire"}
    fire = reading.story(story)
    assert isinstance(fire, StoryView)
    assert (fire.article_count, fire.outlet_count, fire.report_count) == (6, 6, 3)
    assert Counter(one.role for one in fire.articles) == {"report": 3, "copy": 3}
    assert {one.wire for one in fire.articles if one.role == "copy"} <= {"MNA", None}
