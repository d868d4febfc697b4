"""Days in the life of one source or a few: moved, gone, asked to wait. Time is injected."""

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from aggregator.config.tuning import Tuning
from aggregator.intake.polling.poll_result import PollResult
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import (
    Source,
    add,
    all_sources,
    remove,
    schedule,
    source_at,
    source_id,
)
from aggregator.store.intake.source_sync import sync_config
from aggregator.store.read.health.source_health import health_of
from aggregator.store.tables import entry
from tests.support.articles import DAY, FLOOD, NOON, STRIKE, Rig, record
from tests.support.loopback import Request, Resource, Response, redirect
from tests.support.polling import feed_source, poller_on
from tests.support.rows import counted, read_by, written_by
from tests.support.rss import item, rss
from tests.support.tables import each_row, numbered
from tests.support.world import World

ALL_TUNING = Tuning({"net": {"fetch_deadline_seconds": 2.0}})
HOUR = 3600.0
OLD, NEW = "http://old.example/feed", "http://new.example/feed"


class Week:
    """A database whose sources are polled whenever they are due, one at a time, while time runs."""

    def __init__(self, database: Database, world: World) -> None:
        self.database = database
        self.world = world
        self.client = world.client(ALL_TUNING)
        self.polling = poller_on(database, self.client, ALL_TUNING, world.time)
        self.polls: list[tuple[datetime, str, PollResult]] = []

    def add(self, address: str, **more: Any) -> str:
        item = feed_of(address, **more)
        written_by(self.database, add, item)
        return item.id

    def begun(self, *addresses: str) -> list[str]:
        """Two sites serve the same; after two hours with these sources, their ids."""
        self.world.sites = {
            "old.example": {"/feed": Resource(TWO)},
            "new.example": {"/feed": Resource(TWO)},
        }
        ids = [self.add(one) for one in addresses]
        self.live(2)
        return ids

    def source(self, id_: str) -> Source:
        return next(one for one in read_by(self.database, all_sources) if one.id == id_)

    def live(self, hours: float) -> None:
        """Let so much time pass and poll what becomes due meanwhile."""
        end = self.world.time() + timedelta(hours=hours)
        while True:
            waiting = read_by(self.database, schedule)
            if not waiting or waiting[0].next_due_at > end:
                break
            wait = (waiting[0].next_due_at - self.world.time()).total_seconds()
            self.world.time.run(max(0.0, wait))
            self.poll(self.source(waiting[0].id))
        self.world.time.run((end - self.world.time()).total_seconds())

    def poll(self, source: Source) -> PollResult:
        polled = self.polling.poll(source)
        self.polls.append((self.world.time(), source.id, polled))
        return polled

    def entries(self) -> int:
        return counted(self.database, entry)


@pytest.fixture
def week(sqlite: Database, world: World) -> Iterator[Week]:
    made = Week(sqlite, world)
    yield made
    made.client.close()


@pytest.fixture
def either(database: Database, world: World) -> Iterator[Week]:
    """The same on both kinds of database."""
    made = Week(database, world)
    yield made
    made.client.close()


def feed_of(address: str, **more: Any) -> Source:
    return feed_source(address, **({"interval_seconds": 3600, "pages": "never"} | more))


TWO = rss(item("Strike", STRIKE, guid=2), item("Flood", FLOOD, guid=1))
OTHER = rss(item("Casino", "Win big today. " * 30, guid="x"))


# --- moved for ever ----------------------------------------------------------------------------------------


def test_a_move_is_believed_after_days_and_the_articles_stay_known(
    either: Week, world: World
) -> None:
    week = either
    (id_,) = week.begun(OLD)
    world.sites["old.example"] = {"/feed": redirect(NEW, 301)}
    moved_at = world.time()
    week.live(47)
    assert (week.source(id_).polled_url, week.source(id_).moved_to) == (OLD, NEW)
    week.live(10)
    moved = week.source(id_)
    assert (moved.id, moved.address, moved.polled_url, moved.host) == (
        id_,
        OLD,
        NEW,
        "new.example",
    )
    assert world.time() - moved_at < timedelta(days=5)
    before = len(world.paths("old.example"))
    week.live(24)
    assert len(world.paths("old.example")) == before, "the old address is asked no more"
    assert week.entries() == 2, "nothing came in twice"
    assert read_by(week.database, source_at, NEW).id == id_


def hijacked(status: int) -> dict[str, Any]:
    return {"/feed": redirect(NEW, status)}


@pytest.mark.later
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (hijacked(302), {"/feed": Resource(TWO)}),  # for now
        # A parked domain with a feed of its own
        (hijacked(301), {"/feed": Resource(OTHER)}),
        (
            hijacked(301),
            {"/feed": Response(body="<html><p>This domain is for sale.</p></html>")},
        ),
        (hijacked(301), {"/feed": Response(404)}),
        ({"/feed": redirect("http://mid.example/", 302)}, {"/feed": Resource(TWO)}),
    ],
)
def test_what_is_no_move_is_never_believed(
    week: Week, world: World, old: Any, new: Any
) -> None:
    world.sites = {"old.example": {"/feed": Resource(TWO)}, "new.example": new}
    world.sites["mid.example"] = {"/": redirect(NEW, 301)}
    id_ = week.add(OLD)
    week.live(2)
    world.sites["old.example"] = old
    week.live(24 * 4)
    assert week.source(id_).polled_url == OLD
    assert {"/feed"} == set(world.paths("old.example"))


def test_a_new_address_that_is_a_source_already_takes_over(
    either: Week, world: World
) -> None:
    week = either
    first, second = week.begun(OLD, NEW)
    before = week.entries()
    world.sites["old.example"] = hijacked(301)
    week.live(72)
    gave_way = week.source(first)
    assert (gave_way.health, gave_way.merged_into, gave_way.entries_new) == (
        "merged",
        second,
        2,
    )
    health = health_of(gave_way, world.time())
    assert (health.state, health.cause) == ("merged", "moved")
    asked = len(world.paths("old.example"))
    week.live(24)
    assert len(world.paths("old.example")) == asked
    assert week.entries() == before
    written_by(week.database, remove, second)
    week.live(24)
    assert week.source(first).health == "ok", (
        "with the other one gone it is asked again"
    )


def test_a_source_that_gave_way_is_asked_again_when_the_other_one_is_gone(
    week: Week, world: World
) -> None:
    first, second = week.begun(OLD, NEW)
    world.sites["old.example"] = hijacked(301)
    week.live(72)
    assert week.source(first).health == "merged"
    world.sites = {
        "old.example": {"/feed": Resource(TWO)},
        "new.example": {"/feed": Response(410)},
    }
    week.live(24 * 4)
    assert (week.source(first).health, week.source(second).health) == ("ok", "gone")


def test_two_sources_that_move_to_one_another_do_not_both_give_way(
    week: Week, world: World
) -> None:
    first, second = week.begun(OLD, NEW)
    pages = dict(world.sites)
    for host, target in (("old.example", NEW), ("new.example", OLD)):
        world.sites = dict(pages)
        world.sites[host] = {"/feed": redirect(target, 301)}
        week.live(24 * 4)
    states = [week.source(one).health for one in (first, second)]
    assert sorted(states) == ["merged", "ok"]


def test_who_types_the_new_address_himself_keeps_the_source(
    week: Week, world: World
) -> None:
    """Its id is made of the old address; articles would be new under another id."""
    world.sites = {
        "old.example": {"/feed": Resource(TWO)},
        "new.example": {"/feed": Resource(TWO)},
    }
    written_by(week.database, sync_config, [feed_of(OLD, origin="config")])
    id_ = source_id("feed", None, OLD)
    week.live(2)
    world.sites["old.example"] = hijacked(301)
    week.live(72)
    for _ in range(2):
        written_by(week.database, sync_config, [feed_of(OLD, origin="config")])
        assert week.source(id_).polled_url == NEW, (
            "a restart does not forget where it moved"
        )
    for _ in range(2):
        written_by(week.database, sync_config, [feed_of(NEW, origin="config")])
        (only,) = read_by(week.database, all_sources)
        assert (only.id, only.address, only.redirected_url, only.paused) == (
            id_,
            NEW,
            None,
            False,
        )
        assert only.health == "ok"
    week.live(24)
    assert week.entries() == 2


def test_https_is_never_left_for_http(week: Week, world: World) -> None:
    """By the client's own rule; here that no observation begins."""
    (id_,) = week.begun(OLD)
    world.sites["old.example"] = {"/feed": redirect("https://new.example/feed", 301)}
    week.live(24)  # nobody speaks TLS there: it fails, and nothing is believed
    assert (week.source(id_).moved_to, week.source(id_).health) == (None, "failing")


# --- asked to wait -----------------------------------------------------------------------------------------


def test_redirects_take_their_turn_at_the_host_they_lead_to(
    week: Week, world: World
) -> None:
    world.sites["big.example"] = {"*": Resource(TWO)}
    for number in range(6):
        world.sites[f"h{number}.example"] = {
            "/feed": redirect(f"http://big.example/{number}")
        }
        week.add(f"http://h{number}.example/feed")
    week.live(0.5)
    moments = [moment for moment, host, _ in world.asked if host == "big.example"]
    assert len(moments) == 6
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(moments))


def test_a_redirect_to_a_held_host_is_no_failure_of_the_source(
    week: Week, world: World
) -> None:
    world.sites["big.example"] = {
        "/": Response(429, {"Retry-After": "1800"}),
        "/1": Resource(TWO),
    }
    world.sites["old.example"] = {"/feed": redirect("http://big.example/1")}
    week.add("http://big.example/")
    id_ = week.add(OLD, next_due_at=NOON + timedelta(seconds=60))
    week.live(0.2)
    assert world.paths("big.example") == ["/"]
    held = week.source(id_)
    assert (held.health, held.failures, held.health_cause) == ("new", 0, None)
    week.live(1)
    assert week.source(id_).health == "ok"


def test_a_page_waits_until_its_robots_txt_can_be_read(
    week: Week, world: World
) -> None:
    world.sites["old.example"] = {"/robots.txt": Response(503), "/1": "a page"}
    rig = Rig(week.database, world.time, ALL_TUNING)
    rig.accept(
        record("g", "1", "Flood", "", url="http://old.example/1", published=None),
        wants_page=[True],
    )
    polling = poller_on(
        week.database, week.client, ALL_TUNING, world.time, robots=True, pages="always"
    )

    def due_pages() -> list[pending_pages.PendingPage]:
        return read_by(week.database, pending_pages.load_due_pages, world.time(), 10)

    assert polling.fetch_page(due_pages()[0]), "the entry is placed"
    assert due_pages() == [], "later again"
    assert world.paths("old.example") == ["/robots.txt"]
    world.sites["old.example"] = {"/robots.txt": Response(404), "/1": "a page"}
    world.time.run(700)
    polling = poller_on(
        week.database, week.client, ALL_TUNING, world.time, robots=True, pages="always"
    )
    assert polling.fetch_page(due_pages()[0])
    assert world.paths("old.example") == ["/robots.txt", "/robots.txt", "/1"]


def test_a_page_whose_host_holds_us_uses_up_no_try(week: Week, world: World) -> None:
    world.sites["big.example"] = {
        "/feed": Response(429, {"Retry-After": "3600"}),
        "/1": "a page",
    }
    week.add("http://big.example/feed")
    week.live(0.01)
    rig = Rig(week.database, world.time, ALL_TUNING)
    rig.accept(
        record("g", "1", "Flood", "", url="http://big.example/1", published=None),
        wants_page=[True],
    )
    polling = poller_on(
        week.database, week.client, ALL_TUNING, world.time, pages="always"
    )
    for _ in range(4):
        due_pages = read_by(
            week.database,
            pending_pages.load_due_pages,
            world.time() + DAY,
            10,
        )
        assert [one.attempts for one in due_pages] == [0]
        assert not polling.fetch_page(due_pages[0])
    assert world.paths("big.example") == ["/feed"], "nothing was sent"


# --- what is remembered of a poll --------------------------------------------------------------------------


@each_row(
    "manners",
    "a server that says 304 for ever is found out after two usual gaps",
    "validator",
)
def test_a_server_that_says_304_for_ever_is_found_out_after_two_usual_gaps(
    week: Week, world: World, validator: dict[str, str]
) -> None:
    whole = 0

    def stuck(request: Request) -> Response:
        nonlocal whole
        if request.headers.keys() & {"if-none-match", "if-modified-since"}:
            return Response(304)
        whole += 1
        return Response(body=feed, headers=validator)

    feed = daily(5)
    world.sites = {"old.example": {"/feed": stuck}}
    id_ = week.add(OLD)
    week.live(2)
    feed = daily(6)
    week.live(24)
    assert (week.source(id_).entries_new, whole) == (5, 1)
    week.live(24 * 2)
    assert week.source(id_).entries_new == 6
    feed = daily(7)
    week.live(24)
    assert week.source(id_).entries_new == 7, "it is believed no more"
    said = health_of(week.source(id_), world.time())
    assert said.state == "ok"
    assert "although the feed has grown" in said.words


def test_an_honest_server_is_asked_with_conditions(week: Week, world: World) -> None:
    sent = []

    def honest(request: Request) -> Response:
        sent.append("if-none-match" in request.headers)
        if request.headers.get("if-none-match") == '"1"':
            return Response(304)
        return Response(body=daily(5), headers={"ETag": '"1"'})

    world.sites = {"old.example": {"/feed": honest}}
    id_ = week.add(OLD)
    week.live(24 * 7)
    assert sent.count(False) <= 5, "the first time, and once in two of its days"
    assert not week.source(id_).health_cause


def daily(count: int) -> str:
    """A feed whose first five entries are of the last five days."""
    return rss(
        *(
            item(
                f"Report {n}",
                f"Words of {n}.",
                guid=n,
                published=NOON - timedelta(days=n % 5),
            )
            for n in range(count)
        )
    )


@pytest.mark.parametrize("damage", ["", "</b> & the end of another feed"])
@each_row("manners", "a new stamp around the items is no change", "before", "after")
def test_a_new_stamp_around_the_items_is_no_change(
    week: Week, world: World, before: str, after: str, damage: str
) -> None:
    def built(_request: Request) -> Response:
        stamp = f"{world.time():%a, %d %b %Y %H:%M:%S GMT}"
        feed = rss(item("Flood", FLOOD, guid=1), more=before.format(stamp))
        return Response(body=f"{feed}{damage}{after.format(stamp)}")

    world.sites = {"old.example": {"/feed": built}}
    week.add(OLD)
    week.live(2.5)
    assert len(week.polls) >= 2
    assert all(polled.unchanged for _, _, polled in week.polls[1:])


@each_row(
    "manners",
    "a feed that asks for more time gets it within bounds",
    "headers",
    "hours",
)
def test_a_feed_that_asks_for_more_time_gets_it_within_bounds(
    week: Week, world: World, headers: dict[str, str], hours: float
) -> None:
    world.sites = {"old.example": {"/feed": Response(body=TWO, headers=headers)}}
    id_ = week.add(OLD)
    week.live(0.01)
    wait = (week.source(id_).next_due_at - NOON).total_seconds() / HOUR
    assert hours <= wait <= hours * 1.1 + 0.01


def test_an_archive_in_a_feed_is_logged_and_does_not_count_as_a_busy_day(
    week: Week, world: World
) -> None:
    def dated(number: int, days: float) -> str:
        when = NOON - timedelta(days=days)
        words = " ".join(numbered(f"word{number}x%n", 40))
        return item(f"Title{number} of {number}", words, guid=number, published=when)

    daily = [dated(n, n) for n in range(5)]
    feed = Resource(rss(*daily))
    world.sites = {"old.example": {"/feed": feed}}
    id_ = week.add(OLD)
    week.live(0.1)
    rate = health_of(week.source(id_), world.time()).per_day
    assert rate == pytest.approx(5 / 4, abs=0.1)
    old = [dated(100 + n, 100 + n) for n in range(40)]
    feed.body = rss(*old, *daily)
    week.live(6)
    health = health_of(week.source(id_), world.time())
    assert (health.state, health.words[:30]) == (
        "flood",
        "40 old entries came at once on",
    )
    assert health.per_day < 2
