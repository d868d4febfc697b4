"""Polls that leave out known items leave the same rows as polls that read whole feeds."""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from aggregator.config.tuning import Tuning
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.intake import command_handlers
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.poll_result import PollResult
from aggregator.intake.recluster.rebuild import rebuild
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.entry import ParsedFeed
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.identity import tombstones
from aggregator.store.intake.source_rows import Source, add, remove, source_with_id
from aggregator.store.maintenance.integrity_check import faults
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.tables import (
    entry,
    identity_key,
    known_items,
    observation,
)
from tests.support.articles import NOON, Clock, Rig
from tests.support.fresh import sqlite_at
from tests.support.loopback import LoopbackServer, Resource
from tests.support.polling import feed_source, poller_on
from tests.support.rows import column, counted, executed, queried, read_by, written_by
from tests.support.rss import item, rss

NUMBERS = itertools.count()
LONG = (
    "The council decided on Friday that the ferry to the islands runs again from the first of May. "
    * 4
)


class Newspaper:
    """A feed, and a poller of it that reads it whole or leaves known items out."""

    def __init__(
        self, database: Database, client: Client, server: LoopbackServer, path: str
    ) -> None:
        self.database, self.client = database, client
        self.clock = Clock()
        self.poller = poller_on(database, client, Tuning(), self.clock)
        self.url = server.url(path)
        source = feed_source(self.url, name=path)
        self.id = source.id
        written_by(database, add, source)

    @property
    def source(self) -> Source:
        source = read_by(self.database, source_with_id, self.id)
        assert source is not None
        return source

    def poll(self, *, whole: bool = False) -> PollResult:
        if whole:
            executed(self.database, delete(known_items))
        return self.poller.poll(self.source)

    def rows(self) -> list[Any]:
        """What readers could see of the polls; numbers, which known entries take too, aside."""
        names = [
            "article",
            "is_revision",
            "url",
            "payload",
            "state",
            "bump_by_clock",
            "accepted_at",
        ]
        entries = select(*(entry.c[name] for name in names)).where(
            entry.c.source == self.id
        )
        observed = select(observation).where(observation.c.source == self.id)
        articles = select(observation.c.article).where(observation.c.source == self.id)
        keys = select(identity_key.c.key, identity_key.c.article).where(
            identity_key.c.article.in_(articles)
        )
        state = self.source
        return [
            list(queried(self.database, entries.order_by(entry.c.entry_no))),
            sorted(map(repr, queried(self.database, observed))),
            sorted(map(repr, queried(self.database, keys))),
            (
                state.health,
                state.health_cause,
                state.entries_new,
                state.per_day,
                state.last_new_at,
            ),
            (
                state.flood_entries,
                state.adaptive_interval_seconds,
                state.next_due_at,
                state.title,
            ),
        ]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    tuning = Tuning({"net": {"interval_floor_seconds": 0.0}})
    with closing(
        Client(ClientSettings(allow_private=("127.0.0.0/8",)), tuning)
    ) as made:
        yield made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with sqlite_at(tmp_path_factory.mktemp("known") / "whole.db") as made:
        yield made


@dataclass(frozen=True)
class Report:
    """An item of the feed as it is now."""

    number: int
    guid: str
    text: str
    published: datetime | None
    outlet: str = ""

    def item(self) -> str:
        link = f"https://gazette.example{self.outlet}/{self.number}"
        words = f"{self.outlet} {self.text}"
        return item(
            f"Report {self.number}",
            words,
            guid=self.guid or None,
            link=link,
            published=self.published,
        )


def report(number: int, *, has_guid: bool, time: str) -> Report:
    hour = NOON.replace(hour=0) if time == "midnight" else NOON
    published = None if time == "none" else hour - timedelta(days=number % 7)
    return Report(
        number, f"g{number}" if has_guid else "", f"{number}: {LONG}", published
    )


STEPS = [
    *(
        "news",
        "news",
        "two",
        "edit",
        "revert",
        "drop",
        "return",
        "order",
        "twice",
        "both words",
        "same guid",
    ),
    *("guids", "same words", "title", "archive"),
]
STREAM = {
    "steps": st.lists(st.sampled_from(STEPS), min_size=2, max_size=8),
    "time": st.sampled_from(["noon", "noon", "midnight", "none"]),
    "has_guids": st.booleans(),
    "seed": st.integers(0, 1000),
}


@pytest.mark.later
@settings(max_examples=10)
@given(**STREAM)
def test_known_items_change_nothing(
    of_module: Database,
    whole: Database,
    client: Client,
    server: LoopbackServer,
    **stream: Any,
) -> None:
    follow(of_module, whole, client, server, **stream)


def follow(
    cut: Database,
    whole: Database,
    client: Client,
    server: LoopbackServer,
    *,
    steps: list[str],
    time: str,
    has_guids: bool,
    seed: int,
) -> None:
    path = f"/{next(NUMBERS)}"
    papers = [Newspaper(database, client, server, path) for database in (cut, whole)]
    draw = Random(seed)
    shown = [report(number, has_guid=has_guids, time=time) for number in range(6)]
    former: list[Report] = []
    title = "Gazette"
    for count, step in enumerate(["begin", *steps]):
        new = report(
            10 + 2 * count,
            has_guid=has_guids,
            time=draw.choice([time, "noon", "midnight"]),
        )
        place = draw.randrange(len(shown))
        old = shown[place]
        edited = replace(old, text=f"{old.text} Later {count}.")
        match step:
            case "news":
                former.append(shown.pop())
                shown.insert(0, new)
            case "two":
                shown = [
                    new,
                    replace(new, number=new.number + 1, guid=f"other{count}"),
                    *shown,
                ]
            case "edit":
                former.append(old)
                shown[place] = edited
            case "revert" if former:
                back = former[-1]
                shown = [back if one.number == back.number else one for one in shown]
            case "drop" if len(shown) > 2:
                former.append(shown.pop(place))
            case "return" if former:
                shown.append(former.pop())
            case "order":
                draw.shuffle(shown)
            case "twice":
                shown.append(old)
            case "both words":
                shown.append(edited)
            case "same guid":
                shown.insert(0, replace(new, guid=old.guid))
            case "guids":
                shown = [
                    replace(one, guid=f"{one.guid}/{count}" if one.guid else "")
                    for one in shown
                ]
            case "same words":
                shown.insert(0, replace(new, text=old.text, published=old.published))
            case "title":
                title = f"Gazette {count}"
            case "archive":
                long_ago = NOON - timedelta(days=400)
                shown += [
                    replace(
                        report(number, has_guid=has_guids, time="noon"),
                        published=long_ago,
                    )
                    for number in range(100 * count + 100, 100 * count + 125)
                ]
        server.routes[path] = Resource(
            rss(*(replace(one, outlet=path).item() for one in shown), title=title)
        )
        for paper, is_whole in zip(papers, (False, True), strict=True):
            paper.clock.time = NOON + timedelta(minutes=30 * count)
            paper.poll(whole=is_whole)
        assert papers[0].rows() == papers[1].rows(), (count, step)


class Watched(InlineExecutor):
    """Counts the entries that are read."""

    entries = 0

    def submit(self, function: Any, job: bytes) -> Any:
        answer = super().submit(function, job)
        self.entries += len(
            msgspec.msgpack.decode(answer.result(), type=ParsedFeed).entries
        )
        return answer


def test_a_poll_with_one_new_item_reads_one(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    paper = Newspaper(database, client, server, "/feed")
    executor = Watched()
    paper.poller = Poller(
        paper.poller.services._replace(executor=executor), robots=False, pages="never"
    )
    items = [report(number, has_guid=True, time="noon").item() for number in range(6)]
    for count, entries in ((4, 4), (5, 1), (6, 1)):
        server.routes["/feed"] = Resource(rss(*items[:count]))
        executor.entries = 0
        assert len(paper.poll().accepted) == entries
        assert executor.entries == entries
    assert list(faults(database)) == []


def test_a_source_that_is_removed_leaves_no_items(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    paper = Newspaper(database, client, server, "/feed")
    server.routes["/feed"] = Resource(rss(report(1, has_guid=True, time="noon").item()))
    paper.poll()
    assert counted(database, known_items) == 1
    written_by(database, remove, paper.id)
    assert counted(database, known_items) == 0


def test_items_of_an_article_that_gave_up_its_keys_are_read_again(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    paper = Newspaper(database, client, server, "/feed")
    items = [report(number, has_guid=True, time="noon").item() for number in range(4)]
    server.routes["/feed"] = Resource(rss(*items[:3]))
    paper.poll()
    old, new, _ = queried(
        database, select(observation.c.article).order_by(observation.c.article)
    ).scalars()
    written_by(
        database,
        lambda connection: article_writes.rekey(connection, old, new),
    )
    assert counted(database, known_items) == 0
    executor = Watched()
    paper.poller = Poller(
        paper.poller.services._replace(executor=executor), robots=False, pages="never"
    )
    server.routes["/feed"] = Resource(rss(*items))
    paper.poll()
    assert executor.entries == len(items)
    assert list(faults(database)) == []


def test_only_the_feeds_that_had_a_forgotten_article_are_read_again(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    with_it, without_it = (
        Newspaper(database, client, server, path) for path in ("/with", "/without")
    )
    for paper, numbers in ((with_it, (1, 2)), (without_it, (3, 4))):
        items = [
            report(number, has_guid=True, time="noon").item() for number in numbers
        ]
        server.routes[urlsplit(paper.url).path] = Resource(rss(*items))
        paper.poll()
    rig = Rig(database)
    rig.place()
    payload = msgspec.json.encode(ForgetCommand(name="https://gazette.example/1"))
    command_handlers.enqueue(database, NOON, "forget", payload)
    rig.pipeline.run_commands()
    assert column(database, known_items.c.source) == [without_it.id]
    items = [report(number, has_guid=True, time="noon").item() for number in (1, 5)]
    server.routes["/with"] = Resource(rss(*items))
    with_it.poll()
    assert [
        one.rejected_count for one in read_by(database, tombstones.newest_tombstones, 9)
    ] == [1]


def test_a_feed_brings_articles_that_were_lost(
    database: Database, client: Client, server: LoopbackServer
) -> None:
    paper = Newspaper(database, client, server, "/feed")
    items = [report(number, has_guid=True, time="noon").item() for number in range(3)]
    server.routes["/feed"] = Resource(rss(*items[:2]))
    paper.poll()
    executed(database, delete(entry))  # as a damaged file may have lost them
    rebuild(database, Tuning())
    server.routes["/feed"] = Resource(rss(*items))
    assert len(paper.poll().accepted) == 3


_POLL = """
import sys
from aggregator.config.tuning import Tuning
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import source_with_id
from tests.support.articles import Clock
from tests.support.polling import poller_on

database = Database(sys.argv[1])
with database.read() as connection:
    source = source_with_id(connection, sys.argv[2])
client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), Tuning())
poller = poller_on(database, client, Tuning(), Clock())
print(flush=True)
poller.poll(source)
"""


@pytest.mark.later
def test_after_kills_between_and_in_polls_nothing_is_lost(
    database_url: str,
    each_kind: Database,
    whole: Database,
    client: Client,
    server: LoopbackServer,
) -> None:
    """The items and their entries are stored together, or neither is."""
    path = f"/{next(NUMBERS)}"
    killed, control = (
        Newspaper(one, client, server, path) for one in (each_kind, whole)
    )
    reports = [report(number, has_guid=True, time="noon") for number in range(40)]
    items = [replace(one, outlet=path).item() for one in reports]
    draw = Random(7)
    for count in range(4, 41, 4):
        server.routes[path] = Resource(rss(*items[max(0, count - 12) : count]))
        command = [sys.executable, "-c", _POLL, database_url, killed.id]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()  # it is about to poll
            time.sleep(draw.uniform(0.0, 0.06))
            child.kill()
        killed.poll()
        control.poll(whole=True)
    articles = [
        sorted(column(one.database, entry.c.article, entry.c.source == one.id))
        for one in (killed, control)
    ]
    assert articles[0] == articles[1]
    assert len(articles[0]) == 40
