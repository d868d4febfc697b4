"""While feeds are read for the first time, the front page lists what came, and a search says why it finds none."""

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from tests.support.articles import NOON, flood, record, strike
from tests.support.first_polls import Reading
from tests.support.newsroom import Newsroom


def test_the_front_page_lists_what_was_read_and_then_stories(
    database: Database,
) -> None:
    with Newsroom(database) as room:
        linked = Entry(
            source="Herald",
            guid="1",
            url="https://herald.example/flood",
            title="<b>Pennmouth</b> under water",
            outlet="Herald",
        )
        reading = Reading(room.writer, [[linked], [flood()], [strike()]])
        reading.poll(2)
        assert room.writer.place() == []
        page = room.get("/").text
        assert "Reading 2 of 3 feeds" in page
        assert 'href="https://herald.example/flood"' in page
        assert "&lt;b&gt;Pennmouth&lt;/b&gt; under water" in page
        assert flood().title in page
        assert strike().title not in page
        for feed in ("/feeds/stories.json", "/api/v1/stories"):
            assert flood().title not in room.get(feed).text, "it is no story yet"
        reading.poll()
        room.writer.place()
        assert room.writer.pipeline.end_first_reading()
        room.writer.render()
        page = room.get("/").text
        assert "Reading" not in page
        assert strike().title in page


def test_what_has_no_date_is_listed_last(database: Database) -> None:
    """The list of a site may have its "About" and "Privacy Policy", which are no news."""
    with Newsroom(database) as room:
        about = record(
            "Herald", "2", "About the Herald", "We are the Herald.", published=None
        )
        dated = flood(published=NOON)
        Reading(room.writer, [[dated, about], [strike()]]).poll()
        page = room.get("/").text
        assert page.index(dated.title) < page.index("About the Herald")
        assert "undated, seen" in page[page.index("About the Herald") :]


def test_who_reads_excerpts_sees_as_many_words_of_a_title(
    sqlite: Database,
) -> None:
    with Newsroom(sqlite, excerpt_words=3, full_text="never") as room:
        Reading(room.writer, [[flood()], [strike()]]).poll()
        page = room.get("/").text
        assert "Levee breaks at" in page
        assert flood().title not in page


def test_a_search_meanwhile_says_so_and_does_not_propose_what_was_typed(
    database: Database,
) -> None:
    with Newsroom(database) as room:
        room.writer.take(
            record("Post", "1", "Talks with Iran", "They talked.", published=None)
        )
        room.writer.render()
        Reading(room.writer, [[flood(published=NOON)], *[[]] * 20]).poll()
        page = room.get("/search?q=iran").text
        assert "Reading 1 of 21 feeds" in page
        assert "Search for" not in page, "it is placed, and not in the index yet"
        assert room.read_json("/api/v1/search?query=iran")["nearest"] is None
        room.writer.pipeline.index_text()
        assert "1 story for" in room.get("/search?q=iran").text
