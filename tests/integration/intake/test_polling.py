"""One source asked at a time, in this process, on both databases: what a poll leaves in the rows."""

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from msgspec.structs import replace

from aggregator.model.entry import Entry
from aggregator.model.errors import DatabaseBusyError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance, inbox, pending_pages
from aggregator.store.intake.source_rows import Source, all_sources
from aggregator.store.intake.source_sync import sync_config
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import change
from aggregator.store.tables import source as sources
from tests.support.articles import DAY, FLOOD, HOUR, NOON, STRIKE, Rig
from tests.support.loopback import LoopbackServer, Resource, Response
from tests.support.polling import (
    ALL_TUNING,
    Office,
    feed_of,
    feed_source,
    folder_source,
)
from tests.support.rows import executed, read_by, value, written_by
from tests.support.rss import item, rss
from tests.support.tables import numbered
from tests.support.waiting import PATIENCE_SECONDS, wait_until


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client(ClientSettings(allow_private=("127.0.0.0/8",)), ALL_TUNING)
    yield made
    made.close()


@pytest.fixture
def office(sqlite: Database, client: Client, server: LoopbackServer) -> Office:
    """On SQLite: where nothing but the rules is asked."""
    return Office(sqlite, client, feed_of(server.url("/feed")))


class CopyKeys:
    """Somebody who keeps the database from all other writers of this process, until `release`."""

    def __init__(self, database: Database) -> None:
        self._has, self._ends = Event(), Event()
        self._thread = Thread(target=self._hold, args=(database,), daemon=True)
        self._thread.start()
        assert self._has.wait(timeout=PATIENCE_SECONDS)

    def _hold(self, database: Database) -> None:
        with database.write():
            self._has.set()
            self._ends.wait(timeout=PATIENCE_SECONDS)

    def release(self) -> None:
        self._ends.set()
        self._thread.join(timeout=PATIENCE_SECONDS)


@pytest.mark.later
@pytest.mark.parametrize("what", ["its entries", "nothing new", "a failure", "a page"])
def test_an_answer_waits_for_a_database_that_is_busy(
    database: Database,
    client: Client,
    server: LoopbackServer,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    """Longer than a transaction waits: it is stored then, and neither lost nor asked for again."""
    caplog.set_level("INFO", "aggregator.intake")
    rules = replace(database.tuning, lock_seconds=0.2)
    impatient = Database(database.url, rules)
    wants = "always" if what == "a page" else "never"
    feed = feed_of(server.url("/feed"), pages=wants)
    office = Office(impatient, client, feed, pause=lambda _seconds: held.release())
    link = server.url("/page")
    server.routes["/feed"] = Resource(rss(item("Strike", STRIKE, guid="g1", link=link)))
    server.routes["/page"] = f"<p>{STRIKE}</p>"
    if what in ("nothing new", "a page"):
        office.poll()
    if what == "a failure":
        server.routes["/feed"] = Response(500)
    source, asked = office.source, len(server.requests)
    pages = read_by(database, pending_pages.load_due_pages, NOON + HOUR, 10)
    held = CopyKeys(impatient)
    _ = office.polling.fetch_page(pages[0]) if pages else office.polling.poll(source)
    assert "is postponed" in caplog.text
    assert len(server.requests) == asked + 1
    after = office.source
    assert (after.health, after.failures) == (
        ("failing", 1) if what == "a failure" else ("ok", 0)
    )
    assert len(office.entries()) == (0 if what == "a failure" else 1)
    if what == "a page":
        assert not read_by(database, pending_pages.load_due_pages, NOON + HOUR, 10)
    impatient.close()


def test_an_answer_that_waits_does_not_hold_up_a_stop(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    impatient = Database(database.url, replace(database.tuning, lock_seconds=0.2))
    feed = feed_of(server.url("/feed"))
    office = Office(
        impatient, client, feed, pause=lambda _seconds: office.stopped.set()
    )
    server.routes["/feed"] = Resource(rss(item("Strike", STRIKE, guid="g1")))
    held = CopyKeys(impatient)
    with pytest.raises(DatabaseBusyError):
        office.poll()
    assert office.stopped.is_set()
    held.release()
    impatient.close()


# --- feeds -------------------------------------------------------------------------------------------------


def test_the_oldest_entry_of_a_feed_comes_in_first(
    office: Office, server: LoopbackServer
) -> None:
    server.routes["/feed"] = Resource(
        rss(item("Strike", STRIKE, guid="2"), item("Flood", FLOOD, guid="1"))
    )
    polled = office.poll()
    assert (len(polled.accepted), polled.known, polled.revised) == (2, 0, 0)
    office.rig.place()
    assert [row.title for row in office.stories()] == ["Flood", "Strike"]
    assert (office.source.title, office.source.health, office.source.entries_new) == (
        "Gazette",
        "ok",
        2,
    )


def test_a_network_that_comes_a_minute_late_costs_minutes(
    database: Database, client: Client
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        feed = feed_of(
            f"http://127.0.0.1:{unused.getsockname()[1]}/feed", interval_seconds=3600
        )
        office = Office(database, client, feed)
        waits = []
        for _ in range(9):
            office.poll()
            waits.append(
                (office.source.next_due_at - office.clock.time).total_seconds() / 60
            )
            office.clock.time = office.source.next_due_at
    assert [wait < 3 for wait in waits[:2]] == [True, True]
    assert all(60 <= wait <= 66 for wait in waits[-2:]), "no longer than the interval"


def test_a_stop_is_nobodys_failure(
    office: Office, server: LoopbackServer, client: Client
) -> None:
    server.routes["/feed"] = Response(200, delay_seconds=10 * PATIENCE_SECONDS)
    before = office.source
    thread = Thread(target=office.polling.poll, args=(before,))
    thread.start()
    wait_until(lambda: server.requests, "the feed to be asked")
    office.stopped.set()
    client.close()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert office.source == before


# --- pages -------------------------------------------------------------------------------------------------


def test_an_entry_gets_its_number_with_its_page(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    office = Office(database, client, feed_of(server.url("/feed"), pages="auto"))
    links = [server.url(path) for path in ("/slow", "/quick")]
    items = [
        item(f"Teaser {n}", "A few words only.", guid=n, link=link)
        for n, link in enumerate(links)
    ]
    page = f"<html><body><article><h1>Flood</h1><p>{FLOOD}</p></article></body></html>"
    server.routes |= {
        "/feed": Resource(rss(*reversed(items))),
        "/quick": Response(body=page),
    }
    office.poll()
    assert [row.inbox_no for row in office.entries()] == [None, None]
    slow, quick = read_by(database, pending_pages.load_due_pages, office.clock(), 10)
    assert slow.feed == server.url("/feed")
    assert office.polling.fetch_page(quick)
    written_by(database, inbox.put_in_order)
    assert [row.inbox_no for row in office.entries()] == [None, 1]
    server.routes["/slow"] = Response(500)
    assert office.polling.fetch_page(slow), "its words are placed"
    written_by(database, inbox.put_in_order)
    rows = [
        (row.inbox_no, row.page is None, row.page_attempts) for row in office.entries()
    ]
    assert rows == [(None, True, 1), (1, False, 0), (2, True, 0)], (
        "and its page is asked for later again"
    )
    assert not office.polling.fetch_page(replace(slow, attempts=1))
    assert office.polling.fetch_page(replace(slow, attempts=2)), "now without"
    written_by(database, inbox.put_in_order)
    assert [row.inbox_no for row in office.entries()] == [3, 1, 2]


@pytest.mark.parametrize(("status", "verdict"), [(403, "block"), (503, "not_article")])
def test_a_page_that_cannot_be_had_has_a_verdict_too(
    status: int,
    verdict: str,
    database: Database,
    client: Client,
    server: LoopbackServer,
) -> None:
    office = Office(database, client, feed_of(server.url("/feed"), pages="auto"))
    entry = item("Teaser", "A few words only.", guid="1", link=server.url("/away"))
    server.routes |= {"/feed": Resource(rss(entry)), "/away": Response(status)}
    office.poll()
    (due_pages,) = read_by(database, pending_pages.load_due_pages, office.clock(), 10)
    office.polling.fetch_page(replace(due_pages, attempts=2))
    Rig(database, office.clock).place()
    (row,) = office.entries()
    assert (row.verdict, row.page_verdict) == ("stub", verdict)
    assert str(status) in row.reason


@pytest.mark.parametrize(
    "by", ["a push", "a feed that was removed", "a feed that moved to the internet"]
)
def test_only_a_source_of_the_operators_own_leads_to_pages_in_his_network(
    by: str, database: Database, client: Client, server: LoopbackServer
) -> None:
    """`allow_private` is for what he typed: who pushes, or writes a feed, must not press buttons at home."""
    office = Office(database, client, feed_of(server.url("/feed"), pages="auto"))
    page = f"<html><body><article><h1>Flood</h1><p>{FLOOD}</p></article></body></html>"
    feed = rss(item("Teaser", "A few words.", guid="1", link=server.url("/off")))
    server.routes |= {"/feed": Resource(feed), "/off": Response(body=page)}
    if by == "a push":
        pushed = Entry(source="127.0.0.1", url=server.url("/off"), authority="page")
        written_by(
            database,
            acceptance.accept,
            [pushed],
            seen=[office.clock()],
            wants_page=[True],
        )
    else:
        office.poll()
        moved = sources.update().values(redirected_url="http://192.0.2.1/feed")
        executed(
            database, sources.delete() if by == "a feed that was removed" else moved
        )
    (due_pages,) = read_by(database, pending_pages.load_due_pages, office.clock(), 10)
    assert office.polling.fetch_page(due_pages), "it is done without"
    assert "/off" not in server.paths()
    assert [(row.state, row.page) for row in office.entries()] == [("ready", None)]


def test_an_address_that_a_source_on_the_internet_moved_to_is_not_asked_in_the_operators_network(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    office = Office(database, client, feed_of("http://192.0.2.1/feed"))
    executed(database, sources.update().values(redirected_url=server.url("/feed")))
    assert "refused" in str(office.poll().problem)
    assert server.paths() == []


# --- folders -----------------------------------------------------------------------------------------------


def test_a_bad_file_stays_the_cause_until_it_is_another_one(
    database: Database, client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "desk"
    office = Office(database, client, folder_source(folder))
    assert "no such folder" in str(office.watching.poll(office.source).problem)
    assert office.source.health == "failing"
    folder.mkdir()
    write(folder / "a.txt", "Flood\n\n" + FLOOD)
    write(folder / "b.txt", "")
    polled = office.watching.poll(office.source)
    assert len(polled.accepted) == 1
    assert "b.txt: there is nothing in it" in str(polled.problem)
    assert (office.source.health, office.source.health_cause) == ("ok", polled.problem)
    write(folder / "c.txt", "Strike\n\n" + STRIKE)
    assert office.watching.poll(office.source).problem is None, "it is told once"
    assert office.source.health_cause == polled.problem, "and remembered"
    (folder / "b.txt").unlink()
    office.watching.poll(office.source)
    assert office.source.health_cause is None


def write(path: Path, text: str) -> None:
    """A file that nobody is still writing to."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))


# --- source rows -------------------------------------------------------------------------------------------


def test_a_new_address_forgets_what_the_old_one_said(database: Database) -> None:
    def named(address: str) -> Source:
        return feed_source(address, name="gazette", origin="config")

    later = NOON + DAY
    with database.write() as connection:
        sync_config(connection, [named("https://a.example/feed")])
        connection.execute(
            sources.update().values(
                etag='"1"', body_hash=b"x", next_due_at=later, health="failing"
            )
        )
        sync_config(connection, [named("https://a.example/feed")])
        assert all_sources(connection)[0].next_due_at == later, (
            "a restart alone changes nothing"
        )
        sync_config(connection, [named("https://b.example/feed")])
        moved = all_sources(connection)[0]
        assert (moved.etag, moved.body_hash, moved.health, moved.next_due_at) == (
            None,
            None,
            "new",
            NOON,
        )


def dated(guid: str, days_ago: float) -> str:
    text = " ".join(numbered(f"word{guid}x%n", 40))
    when = NOON - timedelta(days=days_ago)
    return item(f"Title{guid} of{guid}", text, guid=guid, published=when)


def test_a_few_late_entries_are_news(office: Office, server: LoopbackServer) -> None:
    feed = Resource(rss(dated("first", 0.1)))
    server.routes["/feed"] = feed
    office.poll()
    feed.body = rss(*(dated(f"late{n}", 5 + n) for n in range(5)))
    office.poll_and_place()
    assert sum(row.bumped_at >= NOON for row in office.stories()) == 5


def test_undated_entries_of_a_first_poll_are_as_old_as_the_oldest_dated_one(
    office: Office, server: LoopbackServer
) -> None:
    new, old = dated("new", 1), dated("old", 90)
    feed = Resource(rss(new, item("About", FLOOD, guid="about"), old))
    server.routes["/feed"] = feed
    office.poll_and_place()
    bumps = {
        row.title: row.bumped_at.replace(microsecond=0) for row in office.stories()
    }
    day = DAY
    assert bumps == {
        "Titlenew ofnew": NOON - day,
        "About": NOON - 90 * day,
        "Titleold ofold": NOON - 90 * day,
    }
    reader = StoryReader(office.database)
    listed = reader.list_stories(tuple(row.id for row in office.stories()))
    assert [one.title for one in listed if one.undated_seen] == ["About"]
    before = office.stories()
    feed.body = rss(new, item("About", FLOOD + " Rain is expected.", guid="about"), old)
    assert office.poll().revised == 1
    office.rig.place()
    after = office.stories()
    assert [row.bumped_at for row in after] == [row.bumped_at for row in before]
    assert [row.last_published for row in after] == [
        row.last_published for row in before
    ]


def test_a_first_poll_without_any_date_is_a_month_old_and_later_entries_are_news(
    office: Office, server: LoopbackServer
) -> None:
    feed = Resource(rss(item("About", FLOOD, guid="about")))
    server.routes["/feed"] = feed
    office.poll()
    feed.body = rss(
        item("Strike", STRIKE, guid="strike"), item("About", FLOOD, guid="about")
    )
    office.poll_and_place()
    about, strike = office.stories()
    month = timedelta(days=30)
    assert NOON - month <= about.bumped_at < NOON - month + timedelta(minutes=1)
    assert strike.bumped_at >= NOON


@pytest.mark.parametrize(("days", "bumps"), [(2, True), (4, False)])
def test_a_changed_title_of_an_old_post_bumps_nothing(
    office: Office, server: LoopbackServer, days: int, bumps: bool
) -> None:
    feed = Resource(rss(dated("post", days)))
    server.routes["/feed"] = feed
    office.poll_and_place()
    (before,) = office.stories()
    feed.body = feed.body.replace("Titlepost ofpost", "Another title of the post")
    assert office.poll().revised == 1
    office.rig.place()
    (after,) = office.stories()
    assert after.title == "Another title of the post"
    assert (after.bumped_at != before.bumped_at) == bumps
    moved_at = value(office.database, change.c.bumped_at, change.c.kind == "headline")
    assert (moved_at >= NOON) == bumps


def test_a_short_title_is_in_the_language_of_its_feed(
    office: Office, server: LoopbackServer
) -> None:
    server.routes["/feed"] = Resource(
        rss(item("Flood", FLOOD), item("Strike", STRIKE), item("The AI Paradox"))
    )
    office.poll_and_place()
    assert {row.title: row.language for row in office.stories()}[
        "The AI Paradox"
    ] == "en"
