"""What the list of sources says of each, after real polls on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from aggregator.config.tuning import Tuning
from aggregator.model.read_model import SourceView
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.rejected import note as note_refusal
from aggregator.store.intake.source_rows import (
    add,
    all_sources,
    pause,
    revive,
    source_id,
)
from aggregator.store.read.health.problem_texts import problem_texts
from aggregator.store.read.source_list import view_sources
from aggregator.store.tables import entry
from tests.support.articles import DAY, HOUR, NOON, Clock, Rig
from tests.support.loopback import LoopbackServer, Resource, Response
from tests.support.polling import feed_source, poller_on
from tests.support.rows import read_by, written_by
from tests.support.rss import item, rss

ALL_TUNING = Tuning({"net": {"fetch_deadline_seconds": 2.0, "host_gap_seconds": 0.0}})
LONG = (
    "The ferry came back into the harbour on Friday morning with all of its passengers on board. "
    * 3
)
FERRY = item("Ferry back in harbour", LONG, guid=1)
FEED = rss(
    FERRY, item("Only a headline about the lock gate", guid=2), title="Harbour Post"
)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(
        {
            "/ok": Resource(FEED),
            "/gone": Response(410),
            "/page": "<html><body>x</body></html>",
        }
    ) as made:
        yield made


class Newsroom:
    """Sources on loopback, and who asks them."""

    def __init__(self, database: Database, server: LoopbackServer) -> None:
        self.database, self.server, self.clock = database, server, Clock()
        self.client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), ALL_TUNING)
        self.rig = Rig(database, self.clock, ALL_TUNING)
        self.polling = poller_on(database, self.client, ALL_TUNING, self.clock)

    def has(self, *paths: str) -> None:
        with self.database.write() as connection:
            for path in paths:
                add(connection, feed_source(self.server.url(f"/{path}"), name=path))

    def ask_all(self) -> None:
        for one in read_by(self.database, all_sources):
            self.polling.poll(one)
        self.rig.place()

    def list(self) -> dict[str, SourceView]:
        return {
            one.name: one for one in read_by(self.database, view_sources, self.clock())
        }


@pytest.fixture
def room(database: Database, server: LoopbackServer) -> Iterator[Newsroom]:
    made = Newsroom(database, server)
    yield made
    made.client.close()


@pytest.fixture
def quick_room(sqlite: Database, server: LoopbackServer) -> Iterator[Newsroom]:
    """On SQLite alone: nothing here depends on the kind of database."""
    made = Newsroom(sqlite, server)
    yield made
    made.client.close()


def test_the_list_says_how_each_does(room: Newsroom) -> None:
    room.has("ok", "missing", "page", "resting")
    written_by(room.database, pause, source_id("feed", "resting", ""))
    assert {one.state for one in room.list().values()} == {"new", "paused"}
    room.ask_all()
    shown = room.list()
    assert {name: one.state for name, one in shown.items()} == {
        "ok": "ok", "missing": "failing", "page": "failing", "resting": "paused",
    }  # fmt: skip
    well = shown["ok"]
    assert (well.problem, well.article_count) == (None, 2)
    assert NOON < well.last_success < room.clock.time
    assert well.next_due > room.clock.time
    assert (shown["missing"].cause, shown["page"].cause) == ("http 404", "no feed")
    assert "a web page, not a feed" in (shown["page"].problem or "")
    assert (shown["resting"].next_due, shown["missing"].last_success) == (None, None)
    assert [name for name, one in sorted(shown.items()) if one.is_in_trouble] == [
        "missing",
        "page",
    ]


def test_a_source_that_is_gone_is_not_due_until_it_is_resumed(
    quick_room: Newsroom,
) -> None:
    quick_room.has("gone")
    for _ in range(4):
        quick_room.ask_all()
        quick_room.clock.time += DAY
    gone = quick_room.list()["gone"]
    assert (gone.state, gone.next_due) == ("gone", None)
    assert "410" in (gone.problem or "")
    written_by(quick_room.database, revive, gone.id, NOON)
    assert quick_room.list()["gone"].next_due == NOON


def test_a_text_that_was_not_simply_taken_is_shown_with_its_reason(
    room: Newsroom,
) -> None:
    room.has("ok")
    room.ask_all()
    room.server.routes["/ok"] = Resource(
        FEED.replace("all of its passengers", "every passenger")
    )
    room.clock.time += HOUR
    room.ask_all()
    written_by(
        room.database,
        note_refusal,
        source="a folder",
        item="x.txt",
        verdict="empty",
        reason="no bytes",
        at=room.clock(),
    )
    ok = source_id("feed", "ok", "")
    with room.database.read() as connection:
        (stub,) = problem_texts(connection, ok, 10)
        (refused,) = problem_texts(connection, "a folder", 10)
    assert (stub.title, stub.verdict) == ("Only a headline about the lock gate", "stub")
    assert "headline" in (stub.reason or "")
    assert (refused.title, refused.verdict, refused.reason) == (
        "x.txt",
        "empty",
        "no bytes",
    )
    with room.database.write() as connection:
        # As retention leaves those of deleted articles
        connection.execute(update(entry).values(payload=b""))
        assert [one.title for one in problem_texts(connection, ok, 10)] == [""]
