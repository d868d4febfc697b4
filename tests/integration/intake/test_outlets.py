"""Outlets and counts of polled articles, from a real feed to the output."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select, update

from aggregator.config.loader import load
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.intake.manage.feed_lists import export_opml, import_opml
from aggregator.model.story import StoryView
from aggregator.publish.sanitise import encode_json
from aggregator.publish.story_json import story_in_list
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.parse.feeds.opml import read_opml
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import Source, add, all_sources
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import outlet_line, source_history
from aggregator.store.tables import source as sources
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, Clock, Rig, record
from tests.support.deep_checks import faults
from tests.support.loopback import LoopbackServer, Resource
from tests.support.polling import feed_source, poller_on
from tests.support.rows import executed, queried, read_by, written_by
from tests.support.rss import item, rss

ALL_TUNING = Tuning({"net": {"host_gap_seconds": 0.0}})
LEVEE = ("Levee breaks at Pennmouth, four dead", FLOOD)
AGAIN = ("Pennmouth under water after levee fails", FLOOD_ELSEWHERE)


class Newsroom:
    """The program with feeds that a server on loopback serves under any name."""

    def __init__(self, database: Database, server: LoopbackServer) -> None:
        self.database, self.server, self.clock = database, server, Clock()
        settings = ClientSettings(allow_private=("127.0.0.0/8",))
        self.client = Client(
            settings, ALL_TUNING, resolve=lambda _name, _port, _seconds: ["127.0.0.1"]
        )
        self.rig = Rig(database, self.clock, ALL_TUNING)
        self.poller = poller_on(database, self.client, ALL_TUNING, self.clock)

    def add(self, host: str, path: str = "/feed", name: str | None = None) -> Source:
        added = feed_source(self.server.url(path, host), name=name)
        written_by(self.database, add, added)
        return added

    def poll(
        self,
        source: Source,
        *items: tuple[str, str],
        link: str = "",
        title: str = "Gazette",
    ) -> None:
        """Serve and poll a feed of these titles and texts, and place its articles."""
        moments = (NOON - n * dt.timedelta(minutes=1) for n in range(len(items)))
        made = (
            item(*one, guid=one[0], published=moment, more=link)
            for one, moment in zip(items, moments, strict=True)
        )
        path = "/" + source.address.partition("://")[2].partition("/")[2]
        self.server.routes[path] = Resource(rss(*made, title=title), etag=None)
        (now,) = [
            one for one in read_by(self.database, all_sources) if one.id == source.id
        ]
        assert self.poller.poll(now).problem is None
        self.rig.place()

    def stories(self, **wanted: str) -> list[StoryView]:
        assert list(faults(self.database)) == []
        return list(StoryReader(self.database).stories(StoryFilter(**wanted)).stories)

    def counts(self) -> list[tuple[int, int, int, int]]:
        return [
            (
                one.article_count,
                one.outlet_count,
                one.unknown_outlet_count,
                one.report_count,
            )
            for one in self.stories()
        ]


@pytest.fixture
def newsroom(database: Database, server: LoopbackServer) -> Iterator[Newsroom]:
    made = Newsroom(database, server)
    yield made
    made.client.close()


def test_entries_without_links_are_one_outlet_and_one_report(
    newsroom: Newsroom,
) -> None:
    feed = newsroom.add("gazette.example")
    titles = [(f"{LEVEE[0]}, update {n}", f"{FLOOD} Update {n}.") for n in range(12)]
    newsroom.poll(feed, *titles)
    found = newsroom.stories()
    assert sum(one.article_count for one in found) == 12
    assert {
        (one.outlet_count, one.unknown_outlet_count, one.report_count) for one in found
    } == {(1, 0, 1)}
    assert {one.outlet for story in found for one in story.articles} == {"Gazette"}


def test_an_outlet_has_the_name_in_the_list_that_its_feed_was_imported_from(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    address = newsroom.server.url("/feed", "gazette.example")
    listed = tmp_path / "feeds.opml"
    listed.write_text(
        f"<opml><body><outline text='Our Gazette' xmlUrl='{address}'/></body></opml>"
    )
    import_opml(load(None), newsroom.database, listed, allow_private=True)
    (feed,) = read_by(newsroom.database, all_sources)
    newsroom.poll(feed, LEVEE, title="RSS")
    assert [one.outlet for one in newsroom.stories()[0].articles] == ["Our Gazette"]
    assert read_opml(export_opml(load(None), newsroom.database)).feeds[0].title == (
        "Our Gazette"
    )


def test_two_local_feeds_without_links_are_two_outlets(newsroom: Newsroom) -> None:
    newsroom.poll(newsroom.add("127.0.0.1", "/a", "Herald"), LEVEE)
    newsroom.poll(newsroom.add("127.0.0.1", "/b", "Echo"), AGAIN)
    assert newsroom.counts() == [(2, 2, 0, 2)]
    assert {one.outlet for one in newsroom.stories()[0].articles} == {"Herald", "Echo"}


def test_articles_without_a_source_are_counted_apart(newsroom: Newsroom) -> None:
    newsroom.poll(newsroom.add("gazette.example"), LEVEE)
    pushed = msgspec.structs.replace(
        record("x", "1", *AGAIN, published=NOON), outlet=None
    )
    newsroom.rig.take(pushed)
    assert newsroom.counts() == [(2, 1, 1, 2)]
    (shown,) = newsroom.stories()
    assert b'"outlet_count":1,"unknown_outlet_count":1,"report_count":2' in encode_json(
        story_in_list(shown)
    )
    assert newsroom.stories(min_outlets=2) == []
    with newsroom.database.read() as connection:
        row = connection.exec_driver_sql(
            "SELECT outlet_count, unknown_outlet_count FROM v_stories"
        ).one()
        named = connection.exec_driver_sql(
            "SELECT outlet FROM v_story_articles"
        ).scalars()
        assert (tuple(row), set(named)) == ((1, 1), {"Gazette", None})


@pytest.mark.later
def test_a_renamed_source_changes_no_story_count_or_filter(newsroom: Newsroom) -> None:
    feed = newsroom.add("gazette.example", name="Gazette")
    newsroom.poll(feed, LEVEE)
    before = newsroom.stories()[0]
    executed(
        newsroom.database,
        update(sources)
        .where(sources.c.id == feed.id)
        .values(name="Gazette of Pennmouth"),
    )
    newsroom.poll(feed, LEVEE, AGAIN)
    articles = [one for story in newsroom.stories() for one in story.articles]
    assert {one.outlet for one in articles} == {"Gazette", "Gazette of Pennmouth"}
    assert {one.outlet_key for one in articles} == {"gazette.example"}
    assert all(
        (one.outlet_count, one.report_count) == (1, 1) for one in newsroom.stories()
    )
    for name in ("gazette", "Gazette of Pennmouth", "gazette.example"):
        assert newsroom.stories(outlet=name) == newsroom.stories(), name
    assert newsroom.stories(outlet="Pennmouth") == []
    kept = next(one for one in newsroom.stories() if one.id == before.id)
    assert kept.title == before.title
    assert set(
        queried(newsroom.database, select(source_history.c.source)).scalars()
    ) == {feed.id}
    assert set(queried(newsroom.database, select(outlet_line.c.outlet)).scalars()) == {
        f"gazette.example {feed.id}"
    }
