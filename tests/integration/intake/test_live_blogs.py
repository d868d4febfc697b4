"""Live blogs on their way through the program: one home, pages read again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, entry
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, Rig, record
from tests.support.loopback import Resource, Response
from tests.support.rows import column, queried
from tests.support.rss import item, rss
from tests.support.site_feeds import SiteFeeds
from tests.support.story_checks import what_is_wrong

SITE = "kitedaily.example"
PAGE = f"http://{SITE}/live"

FLOOD_LIVE = """The Arrel has broken through the levee at Pennmouth, and the lower town is flooded.
23:40 - Firefighters have taken more than three hundred residents off roofs with boats, the district says.
22:10 - The levee on the Arrel has given way at Pennmouth, and water runs into the lower town.
21:55 - Mayor Ilse Brandt asks everybody below the market square to leave their homes."""


def flood_live(text: str = FLOOD_LIVE, **more: object) -> Entry:
    return record(
        "Vessaly Now",
        "live",
        "Flood in Pennmouth: live blog",
        text,
        **{"language": "en", "published": None} | more,
    )


def flood_report() -> Entry:
    return record("Gazette", "a", "Levee on the Arrel breaks at Pennmouth", FLOOD)


@pytest.fixture
def database(sqlite: Database) -> Database:
    """Where nothing but the rules is asked; `each_kind` is of both kinds."""
    return sqlite


# --- one home ----------------------------------------------------------------------------------------------


def test_a_live_blog_founds_a_home_and_gives_way_to_a_report(
    each_kind: Database,
) -> None:
    """It is counted where there is nothing else, and counts nothing beside a report, which brings it up."""
    database = each_kind
    rig = Rig(database)
    (live,) = rig.take(flood_live(published=NOON))
    reading = StoryReader(database)
    alone = reading.story(live.story or "")
    assert (alone.report_count, alone.articles[0].role) == (1, "container")
    (first,) = rig.take(flood_report())
    assert first.story == live.story
    reported = reading.story(first.story or "")
    assert reported.updated > alone.updated
    assert (reported.title, reported.report_count) == (reported.articles[1].title, 1)
    (second,) = rig.take(
        record(
            "Observer",
            "b",
            "Pennmouth under water after levee break",
            FLOOD_ELSEWHERE,
        )
    )
    assert second.story == first.story
    together = reading.story(first.story or "")
    assert (together.article_count, together.report_count) == (3, 2)
    is_compared = {
        row.role: row.is_compared
        for row in queried(database, select(article.c.role, article.c.is_compared))
    }
    assert is_compared == {"container": False, "report": True}
    assert what_is_wrong(database) == []


def test_the_order_of_arrival_makes_no_difference_to_the_sums(sqlite: Database) -> None:
    rig = Rig(sqlite)
    rig.take(flood_report())
    (live,) = rig.take(flood_live(published=NOON))
    assert live.outcome == "joined"
    assert what_is_wrong(sqlite) == []


# --- its page is read again --------------------------------------------------------------------------------


class Office(SiteFeeds):
    """A feed with one live blog, polled."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, pages="auto")
        self.add(SITE, pages="auto")
        self.feed = ""

    def serve(
        self, *entries: str, summary: str = "All news of the flood.", updated: str = ""
    ) -> None:
        """The page has these entries now, newest first."""
        blocks = "".join(
            f"<section><time datetime='2026-10-12T{clock}:00Z'>{clock}</time><p>{text}</p></section>"
            for clock, text in (one.split(" ", 1) for one in entries)
        )
        intro = "The Arrel has broken through the levee at Pennmouth, and the lower town stands under water."
        self.serve_page(
            SITE,
            "/live",
            f"<html><head><title>Flood in Pennmouth: live blog</title></head><body><article>"
            f"<h1>Flood in Pennmouth: live blog</h1><p>{intro}</p>{blocks}</article></body></html>",
        )
        changed = (
            f"<modified xmlns='http://purl.org/dc/terms/'>{updated}</modified>"
            if updated
            else ""
        )
        blog = item(
            "Flood in Pennmouth: live blog",
            summary,
            guid="live",
            link=PAGE,
            more=changed,
        )
        self.feed = rss(blog)

    def poll(self) -> int:
        """Poll, fetch pages, place; returns how often the page was asked for."""
        before = self.world.paths(SITE).count("/live")
        self.poll_feed(SITE, Resource(self.feed))
        self.fetch_pages()
        self.rig.place()
        return self.world.paths(SITE).count("/live") - before

    def reported(self) -> list[str]:
        """The stored text of the live blog below its introduction, by paragraphs."""
        reading = StoryReader(self.database)
        (home,) = column(self.database, article.c.story)
        story = reading.story(home)
        return [
            line
            for line in story.articles[0].text.split("\n")
            if not line.startswith("The Arrel")
        ]


@pytest.fixture
def office(database: Database) -> Iterator[Office]:
    with Office(database) as opened:
        yield opened


FIRST = "09:10 The levee at Pennmouth has given way in the night, says the district."
SECOND = (
    "10:25 Three hundred people were taken off their roofs by boat in the lower town."
)
THIRD = "11:40 The railway to Calmouth is cut, and buses do not run either today."


def test_its_page_is_read_again_when_its_feed_entry_changes(office: Office) -> None:
    """Entries grow as a revision of one article; a page that changes alone is not read again."""
    office.serve(SECOND, FIRST)
    assert office.poll() == 1
    assert len(office.reported()) == 2
    office.serve(THIRD, SECOND, FIRST)
    assert office.poll() == 0, "nothing in the feed says that it has changed"
    office.serve(THIRD, SECOND, FIRST, summary="Now three hundred rescued.")
    assert office.poll() == 1
    assert len(office.reported()) == 3
    assert len(queried(office.database, select(article.c.id)).all()) == 1


def test_a_later_updated_in_the_feed_is_a_change(office: Office) -> None:
    office.serve(FIRST, updated="2026-10-12T10:00:00Z")
    office.poll()
    office.time.run(2 * 3600)
    office.serve(SECOND, FIRST, updated="2026-10-12T13:30:00Z")
    assert office.poll() == 1
    assert len(office.reported()) == 2


def test_less_often_the_more_it_changed_and_again_later(office: Office) -> None:
    office.serve(FIRST)
    assert office.poll() == 1
    reads = []
    for number in range(12):
        office.time.run(3600)
        office.serve(SECOND, FIRST, summary=f"Summary number {number}.")
        reads.append(office.poll())
    assert reads == [1] * 8 + [0, 1, 0, 1]
    office.serve(SECOND, FIRST, summary="Summary number 8.")
    assert office.poll() == 0
    office.time.run(48 * 3600)
    office.serve(
        THIRD,
        SECOND,
        FIRST,
        summary="Summary number 8.",
        updated="2026-10-15T13:30:00Z",
    )
    assert office.poll() == 1, "the change that was not taken is one still"
    assert len(office.reported()) == 3


def test_a_page_that_cannot_be_read_takes_nothing_away(office: Office) -> None:
    entries = f"{FIRST} {FLOOD}", f"{SECOND} {FLOOD_ELSEWHERE}"
    office.serve(*entries)
    office.poll()
    before = office.reported()
    office.serve(*entries, summary="The page is gone for now.")
    office.serve_page(SITE, "/live", Response(404))
    assert office.poll() == 1
    assert office.reported() == before
    assert len(before) > 1


def test_the_page_says_last_what_its_entries_are(office: Office) -> None:
    office.serve(SECOND, FIRST)
    office.poll()
    office.serve(THIRD, FIRST, summary="One entry was taken back.")
    office.poll()
    assert [text.split()[1] for text in office.reported()] == ["railway", "levee"]


def test_nothing_waits_in_the_inbox(office: Office) -> None:
    office.serve(FIRST)
    office.poll()
    assert column(office.database, entry.c.state) == ["done"]
