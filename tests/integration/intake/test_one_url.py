"""One URL is one article, whichever feed delivers it: feeds on loopback, and entries that are handed in."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry, Published
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from tests.support.articles import DAY, FLOOD, NOON, Rig, page_of, record
from tests.support.listed_feeds import Item, ListedFeeds
from tests.support.rows import queried

URL = "http://gazette.example/news/{n}"
TRACKED = "http://www.gazette.example/news/{n}?utm_source=rss&at_medium=feed"


@pytest.fixture
def rig(sqlite: Database) -> Rig:
    """On SQLite, where nothing but the rules is asked."""
    return Rig(sqlite)


def own(text: str = FLOOD, **more: object) -> Entry:
    given = record(
        "own",
        "1",
        "Levee breaks",
        text,
        url=URL.format(n=1),
        authority="own",
        outlet=None,
    )
    return replace(given, **more)


def linked(text: str = FLOOD, source: str = "bridge", **more: object) -> Entry:
    given = record(
        source, f"{source}/1", "Levee breaks", text, url=TRACKED.format(n=1), authority="foreign",
        outlet=None, )  # fmt: skip
    return replace(given, **more)


ENDING = " The post Levee breaks appeared first on Gazette."


def test_the_page_that_only_the_site_gets_is_a_revision(rig: Rig) -> None:
    """The page does not contain the summary that both feeds have; nothing else says that it is the same."""
    summary = "What a broken levee means for the lower town, and which roads are closed from tonight on."
    rig.take(linked(summary, published=None))
    (accepted,) = rig.accept(own(summary), wants_page=[True])
    assert accepted.outcome == "revision"
    assert accepted.entry_no is not None
    placed = rig.comes(
        accepted.entry_no, page_of(FLOOD, "Levee breaks"), URL.format(n=1)
    )
    assert [one.outcome for one in placed] == ["revised"]
    (row,) = queried(rig.database, select(article)).all()
    assert "three hundred residents" in " ".join(row.text.split())


def test_within_one_source_and_url_nothing_is_a_copy(rig: Rig) -> None:
    """A feed lists a link again a day later: an article of its own, as its GUID says, but no reprint."""
    again = NOON + DAY
    # In one story
    rig = Rig(rig.database, rig.clock, Tuning({"events": {"threshold": -4.0}}))
    rig.take(linked())
    rig.take(
        linked(
            FLOOD + ENDING, guid="again", title="Levee", published=Published(time=again)
        )
    )
    assert (
        queried(rig.database, select(article.c.copy_of, article.c.role)).all()
        == [(None, "report")] * 2
    )
    (story,) = StoryReader(rig.database).stories(StoryFilter()).stories
    assert story.report_count == 1


# --- parts of a page ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["gazette.example", "bridge.test"])
def test_items_that_differ_in_the_fragment_have_no_page_of_their_own(
    sqlite: Database, host: str
) -> None:
    with ListedFeeds(sqlite, pages="always") as feeds:
        feeds.add(host, pages="always")
        page = f"<html><body><article><p>{FLOOD}</p></article></body></html>"
        feeds.serve_page("gazette.example", "/changes", page)
        notes = [
            Item(
                f"Note {number}",
                f"Short note {number}.",
                f"note-{number}",
                f"http://gazette.example/changes#note-{number}",
                number,
            )
            for number in range(4)
        ]
        feeds.poll(host, *notes[1:])
        feeds.poll(host, *notes)
        assert sorted(feeds.texts()) == [note.text for note in notes]


def test_a_fragment_that_only_tracks_leaves_an_item_its_page(sqlite: Database) -> None:
    with ListedFeeds(sqlite, pages="always") as feeds:
        feeds.add("gazette.example", pages="always")
        feeds.serve_page("gazette.example", "/news/1", page_of(FLOOD).decode())
        link = "http://gazette.example/news/1#xtor=RSS-1"
        feeds.poll("gazette.example", Item("Levee breaks", "Short.", "1", link))
        assert feeds.texts() == [" ".join(FLOOD.split())]
