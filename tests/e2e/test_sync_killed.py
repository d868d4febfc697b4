"""Clients that keep a copy while the daemon is killed: nothing is missing in the copy, nothing comes twice.

One follows `/api/v1/changes` as docs/api.md says, one reads and stars by the Google Reader API. Both keep
what a complete answer told them, and ask again after a broken one.
"""

import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from aggregator.store.tables import article, story, story_log
from tests.support.killed_daemon import KilledDaemon, mixed, wait_a_while
from tests.support.loopback import free_port, http_client
from tests.support.reader_client import READ, STARRED, ReaderClient
from tests.support.receiver import Receiver
from tests.support.rows import queried
from tests.support.seeds import drawn


class Copy:
    """What a client knows of the stories by their changes."""

    def __init__(self, address: str) -> None:
        self._http = http_client(base_url=address)
        self._next = 0
        self.updated: dict[str, str] = {}
        self.numbers: list[int] = []
        self.created: Counter[str] = Counter()

    def follow(self) -> bool:
        """Ask once; whether something was new."""
        query = {"since": self._next, "limit": 7}
        answer = self._http.get("/api/v1/changes", params=query).raise_for_status().json()
        for one in answer["changes"]:
            self.numbers.append(one["n"])
            self.created[one["story"]] += one["kind"] == "created"
            self.updated.pop(one["story"], None)
            if one["updated"] is not None:
                self.updated[one["story"]] = one["updated"]
        self._next = answer["next"]
        return bool(answer["changes"])


class Phone:
    """A reader who reads everything and stars each third item, each once."""

    def __init__(self, address: str) -> None:
        self._client = ReaderClient(httpx.URL(address), "anna", "anything")
        self.items: set[str] = set()  # taken with their texts
        self.marked: dict[str, int] = {}  # the time of the bump when its mark was answered
        self.starred: set[str] = set()
        self.again: list[tuple[str, int, int]] = []

    def follow(self) -> bool:
        """Read what is unread; whether there was any."""
        page = self._client.get("stream/items/ids", s="user/-/state/com.google/reading-list", xt=READ, n=5)
        times = {one["id"]: int(one["timestampUsec"]) for one in page["itemRefs"]}
        self.again += [
            (id_, self.marked[id_], at) for id_, at in times.items() if at <= self.marked.get(id_, 0)
        ]
        if new := times.keys() - self.items:
            self.items |= self._client.contents(*new).keys()
        for id_ in sorted(times):
            if int(id_) % 3 == 0:
                self._client.mark(id_, add=STARRED)
                self.starred.add(id_)
        if times:
            self._client.mark(*times, add=READ)
            self.marked |= times
        return bool(times)

    def states(self) -> tuple[set[str], set[str], set[str]]:
        """All items, the read ones, and the starred ones."""
        client = self._client
        return set(client.ids(n=50)), set(client.ids(READ, n=50)), set(client.ids(STARRED, n=50))


def follow(client: Copy | Phone, until: threading.Event) -> None:
    while not until.is_set():
        try:
            if not client.follow():
                until.wait(0.05)
        except (httpx.HTTPError, AssertionError, ValueError):
            until.wait(0.05)  # the daemon is away, or was killed within the answer


def sync_through(daemon: KilledDaemon, address: str, articles: int, kills: int) -> None:
    rng = drawn("sync", articles)
    records = mixed(rng, articles)
    daemon.start()
    copy, phone, is_over = Copy(address), Phone(address), threading.Event()
    threads = [threading.Thread(target=follow, args=(one, is_over)) for one in (copy, phone)]
    for thread in threads:
        thread.start()
    heard = lambda: len(copy.numbers) + len(phone.marked)  # noqa: E731
    try:
        for _ in daemon.killed_while_it_reads(records, kills):
            before = heard()
            wait_a_while(lambda: heard() != before, seconds=10.0)  # noqa: B023 - called at once
            time.sleep(rng.uniform(0.0, 0.3))
        titles = {one["title"] for one in records if one["id"].startswith("own ")}
        has_all = lambda: titles <= {*queried(daemon.database, select(article.c.title)).scalars()}  # noqa: E731
        daemon.wait_for(lambda: has_all() and not daemon.waiting(), "all to be placed")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    while copy.follow() or phone.follow():
        pass
    live = {
        row.id: row for row in queried(daemon.database, select(story).where(story.c.redirect_to.is_(None)))
    }
    listed = {one["id"]: one["updated"] for one in daemon.stories()}
    assert copy.updated == listed, "the copy has every story, as it is"
    assert copy.numbers == sorted(set(copy.numbers)), "no change twice"
    last = queried(daemon.database, select(func.max(story_log.c.log_no))).scalar_one()
    assert copy.numbers[-1] == last
    assert max(copy.created.values()) == 1
    everything, read, starred = phone.states()
    assert everything == read == {str(row.story_no) for row in live.values()}
    assert everything <= phone.items, "no item is read that the client has not seen"
    ids = {row.id: str(row.story_no) for row in queried(daemon.database, select(story))}
    into = {
        ids[row.id]: ids[row.redirect_to]
        for row in queried(daemon.database, select(story))
        if row.redirect_to
    }
    assert starred == {into.get(one, one) for one in phone.starred}, "each star is kept"
    again = [one for one in phone.again if one[0] not in into.values()]  # merged with an unread one
    assert again == [], "what was read comes again only with a bump"
    print(f"{kills} kills, {len(copy.numbers)} changes, {len(phone.items)} items")
    assert daemon.stop() == 0


@pytest.mark.later
@pytest.mark.parametrize(
    ("database_url", "articles", "kills"),
    [
        ("sqlite", 24, 2),
        *(pytest.param(one, 168, 20, marks=pytest.mark.torture) for one in ("sqlite", "postgres")),
    ],
    indirect=["database_url"],
)
def test_a_client_that_follows_misses_nothing_and_gets_nothing_twice(
    database_url: str, articles: int, kills: int, tmp_path: Path
) -> None:
    port = free_port()
    with (
        Receiver(signed=False) as receiver,
        KilledDaemon(tmp_path, receiver, database_url, server={"port": port}) as daemon,
    ):
        sync_through(daemon, f"http://127.0.0.1:{port}", articles, kills)
