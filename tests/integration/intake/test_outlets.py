"""Outlets and counts of polled articles, from a real feed to the output."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text, update

from aggregator.config.loader import load
from aggregator.config.story_query import StoryFilter
from aggregator.intake.manage.feed_lists import export_opml, import_opml
from aggregator.model.story import StoryView
from aggregator.publish.sanitise import encode_json
from aggregator.publish.story_json import story_in_list
from aggregator.sources.parse.feeds.opml import read_opml
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import outlet_line, source_history
from aggregator.store.tables import source as sources
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, record
from tests.support.deep_checks import faults
from tests.support.polled_world import PolledWorld
from tests.support.rows import column, executed, queried

LEVEE = ("Levee breaks at Pennmouth, four dead", FLOOD)
AGAIN = ("Pennmouth under water after levee fails", FLOOD_ELSEWHERE)


HOST = "gazette.example"


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database) as made:
        yield made


def stories(world: PolledWorld, **wanted: str) -> list[StoryView]:
    assert faults(world.database, now=world.time()) == []
    return list(StoryReader(world.database).stories(StoryFilter(**wanted)).stories)


def test_an_outlet_has_the_name_in_the_list_that_its_feed_was_imported_from(
    world: PolledWorld, tmp_path: Path
) -> None:
    listed = tmp_path / "feeds.opml"
    listed.write_text(
        f"<opml><body><outline text='Our Gazette' xmlUrl='http://{HOST}/feed'/></body></opml>"
    )
    import_opml(load(None), world.database, listed)
    world.report(HOST, *LEVEE)
    assert [one.outlet for one in stories(world)[0].articles] == ["Our Gazette"]
    exported = read_opml(export_opml(load(None), world.database))
    assert exported.feeds[0].title == "Our Gazette"


def test_articles_without_a_source_are_counted_apart(world: PolledWorld) -> None:
    world.add(HOST)
    world.report(HOST, *LEVEE)
    pushed = record("x", "1", *AGAIN)
    world.rig.take(replace(pushed, outlet=None))
    (shown,) = stories(world)
    counts = b'"outlet_count":1,"unknown_outlet_count":1,"report_count":2'
    assert counts in encode_json(story_in_list(shown))
    assert stories(world, min_outlets=2) == []
    counted = text("SELECT outlet_count, unknown_outlet_count FROM v_stories")
    named = text("SELECT outlet FROM v_story_articles")
    assert queried(world.database, counted).one() == (1, 1)
    assert set(queried(world.database, named).scalars()) == {HOST, None}


@pytest.mark.later
def test_a_renamed_source_changes_no_story_count_or_filter(world: PolledWorld) -> None:
    world.add(HOST, name="Gazette")
    world.report(HOST, *LEVEE)
    before = stories(world)[0]
    executed(world.database, update(sources).values(name="Gazette of Pennmouth"))
    world.report(HOST, *AGAIN)
    articles = [one for story in stories(world) for one in story.articles]
    assert {one.outlet for one in articles} == {"Gazette", "Gazette of Pennmouth"}
    assert {one.outlet_key for one in articles} == {HOST}
    assert {(one.outlet_count, one.report_count) for one in stories(world)} == {(1, 1)}
    for name in ("gazette", "Gazette of Pennmouth", HOST):
        assert stories(world, outlet=name) == stories(world), name
    assert stories(world, outlet="Pennmouth") == []
    kept = next(one for one in stories(world) if one.id == before.id)
    assert kept.title == before.title
    ids = column(world.database, sources.c.id)
    histories = column(world.database, source_history.c.source)
    assert {*histories} == {*ids}
    lines = column(world.database, outlet_line.c.outlet)
    assert {*lines} == {f"{HOST} {HOST}"}
