"""The parts of `python -m benchmarks day`: feeds poll by poll, and scores by labels."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.day.feeds import (
    EDIT,
    FETCHED,
    HELD_SHARE,
    ITEMS_A_POLL,
    MOST_HELD,
    NEWS_AGE,
    Feed,
    FeedServer,
    moved_date,
    plan_of,
)
from benchmarks.day.peer import Peer
from benchmarks.day.processes import (
    memory_of,
    tree_of,
    usage_of,
    wake_ups_between,
    wake_ups_of,
)
from benchmarks.day.scores import Labels, events_twice, scores_of
from tests.support.tables import each_row
from tests.support.waiting import wait_until

ROUNDS = 4


def feed_of(count: int, hours_between: float = 1.0) -> Feed:
    """A feed with the newest item first."""
    items = "".join(
        f"<item><title>Report {number}</title><link>https://gazette.example/{number}</link>"
        f"<pubDate>{(FETCHED - timedelta(hours=number * hours_between)).isoformat()}</pubDate></item>\n"
        for number in range(count)
    )
    body = f"<rss><channel><title>Gazette</title>{items}</channel></rss>".encode()
    return Feed("gazette", "https://gazette.example/feed", "Gazette", body)


@given(count=st.integers(0, 60), rounds=st.integers(1, 6), seed=st.integers(0, 99))
def test_a_feed_shows_its_newest_items_last_and_all_in_the_end(
    count: int, rounds: int, seed: int
) -> None:
    plan = plan_of(feed_of(count), rounds, Random(seed))
    held = [place for place, number in plan.appears.items() if number > 0]
    assert sorted(plan.appears) == list(range(count))
    assert len(held) == min(MOST_HELD, int(count * HELD_SHARE), rounds * ITEMS_A_POLL)
    assert held == list(range(len(held)))
    assert [plan.appears[place] for place in held] == sorted(
        plan.appears.values(), reverse=True
    )[: len(held)]
    for number in range(1, rounds + 1):
        assert len(plan.new_in(number)) <= ITEMS_A_POLL
    assert all(
        plan.appears[place] == 0 and 1 <= number <= rounds
        for place, number in plan.edited.items()
    )


def test_a_feed_without_news_of_late_stays_as_it_is() -> None:
    shifted = feed_of(20, hours_between=24.0).moved(-NEWS_AGE - timedelta(days=1))
    assert set(plan_of(shifted, ROUNDS, Random(1)).appears.values()) == {0}


def test_items_are_left_out_and_edited_and_the_rest_stays_byte_by_byte() -> None:
    feed = feed_of(3)
    assert feed.shown(dict(enumerate(feed.items))) == feed.body
    shown = feed.shown({0: feed.items[0], 2: feed.edited(feed.items[2])})
    assert shown.count(b"<item>") == 2
    assert f"<title>Report 2{EDIT}</title>".encode() in shown
    assert b"Report 1" not in shown
    assert shown.startswith(b"<rss><channel><title>Gazette</title>")


def test_a_json_feed_is_cut_likewise() -> None:
    body = (
        b'{"title": "Gazette", "items": ['
        b'{"id": "1", "title": "A", "date_published": "2026-02-18T01:00:00Z"}, {"id": "2", "title": "B"}]}'
    )
    feed = Feed("gazette", "https://gazette.example/feed", "Gazette", body)
    assert feed.date_of(0) == datetime.fromisoformat("2026-02-18T01:00Z")
    assert feed.date_of(1) is None
    shown = feed.shown({1: feed.edited(feed.items[1])})
    assert (
        shown
        == b'{"title": "Gazette", "items": [{"id": "2", "title": "B'
        + EDIT.encode()
        + b'"}]}'
    )
    assert b"2026-02-19T02:00:00" in feed.moved(timedelta(days=1, hours=1)).body


@each_row("day", "dates move in their format and days by days", "before", "after")
def test_dates_move_in_their_format_and_days_by_days(before: str, after: str) -> None:
    assert moved_date(before, timedelta(hours=29)) == after


def test_a_feed_that_did_not_change_is_answered_with_304() -> None:
    feed = feed_of(4)
    plan = plan_of(feed, 2, Random(1))
    (appears,) = {number for number in plan.appears.values() if number > 0}
    server = FeedServer([feed], {feed.file: plan})
    with httpx.Client(proxy=server.server.url("/"), trust_env=False) as client:
        first = client.get(feed.address)
        again = client.get(
            feed.address, headers={"If-None-Match": first.headers["etag"]}
        )
        server.number = appears
        changed = client.get(
            feed.address, headers={"If-None-Match": first.headers["etag"]}
        )
        elsewhere = client.get("http://gazette.example/news/1")
    server.close()
    assert [answer.status_code for answer in (first, again, changed, elsewhere)] == [
        200,
        304,
        200,
        404,
    ]
    assert first.content.count(b"<item>") == 3
    assert changed.content.count(b"<item>") == 4
    assert server.asked_in(0) == server.asked_in(appears) == 1


def labels(*, loose: frozenset[frozenset[str]] = frozenset()) -> Labels:
    """Three events: a flood by three outlets, a strike by two, a match by one."""
    events = {
        "a1": "flood",
        "b1": "flood",
        "c1": "flood",
        "a2": "strike",
        "b2": "strike",
        "c3": "match",
    }
    outlets = {entry: entry[0] for entry in events}
    return Labels(
        events,
        outlets,
        {entry: f"{entry}: {event}" for entry, event in events.items()},
        loose,
        {},
        {},
    )


def test_an_event_is_whole_in_one_story_and_a_story_is_pure_of_one_event() -> None:
    scores = scores_of(
        labels(), {"a1": "S", "b1": "S", "c1": "T", "a2": "U", "b2": "U", "c3": "T"}
    )
    assert (scores.events, scores.whole, scores.not_whole) == (2, 1, ["a1: flood"])
    assert (scores.stories, scores.pure) == (2, 2), "the third one is of one outlet"
    assert (scores.pairs, scores.pairs_found, scores.pairs_wrong) == (4, 2, 1)
    assert (scores.precision, scores.recall) == (2 / 3, 0.5)


def test_arguable_pairs_count_neither_way() -> None:
    loose = frozenset({frozenset({"a1", "c1"}), frozenset({"a1", "a2"})})
    scores = scores_of(
        labels(loose=loose), {"a1": "S", "b1": "S", "c1": "T", "a2": "S", "b2": "U"}
    )
    assert scores.impure == ["a1: flood"], (
        "the second report and the strike are not arguable"
    )
    assert (scores.pairs, scores.pairs_found, scores.pairs_wrong) == (3, 1, 1)
    assert (scores.arguable, scores.arguable_found) == (1, 0)


def test_an_event_is_twice_on_a_page_that_has_two_places_with_its_stories() -> None:
    stories = {"a1": "S", "b1": "S", "c1": "T", "a2": "U", "b2": "V"}
    apart = [{"S"}, {"T"}, {"U"}]
    assert events_twice(labels(), stories, apart) == ["a1: flood"]
    assert events_twice(labels(), stories, [{"S", "T"}, {"U"}]) == []
    loose = frozenset({frozenset({"a1", "c1"}), frozenset({"b1", "c1"})})
    assert events_twice(labels(loose=loose), stories, apart) == []


def test_wake_ups_are_those_of_threads_that_lived_all_the_time() -> None:
    assert wake_ups_between({"a": 10, "ended": 500}, {"a": 14, "began": 90}) == 4


@pytest.mark.later
def test_a_tree_has_the_use_of_its_children_that_run_and_that_ended() -> None:
    burning = "for n in range(3 * 10 ** 7): pass"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', '''{burning}'''])\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE
    ) as parent:
        wait_until(
            lambda: (
                usage_of(parent.pid).cpu_seconds >= 0.3
                and len(tree_of(parent.pid)) == 1
            ),
            "the end of its child",
        )
        assert memory_of(parent.pid) > 1
        assert wake_ups_of(parent.pid)
        parent.communicate(b"\n")


def test_a_peer_reads_the_feeds_of_each_round_with_its_own_server(
    tmp_path: Path,
) -> None:
    feed = feed_of(8)
    peer = Peer([feed], {feed.file: plan_of(feed, 1, Random(1))}, tmp_path)
    try:
        for number in range(2):
            used = peer.update(number, "<!-- made in 0.2 s -->" * number)
            assert used.cpu_seconds > 0
            assert used.most_mb > 0
            assert peer.server.asked_in(number) == 1
        with closing(sqlite3.connect(tmp_path / "reader.db")) as database:
            assert database.execute("SELECT count(*) FROM entries").fetchone() == (8,)
    finally:
        peer.close()
