"""Two daemons on one Postgres: one fetches and writes, both serve, and either may be killed at any moment."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.tables import article, writer_lease
from tests.conftest import Postgres
from tests.support.daemon_process import DaemonProcess
from tests.support.kill_records import records
from tests.support.kills import Settled, assert_same, left_in
from tests.support.loopback import LoopbackServer
from tests.support.rows import counted, unindexed_count
from tests.support.seeds import drawn

pytestmark = pytest.mark.later

ARTICLES = 120
MANY_ARTICLES = int(os.environ.get("AGGREGATOR_TAKEOVER_ARTICLES") or 20_000)
KILLS = int(os.environ.get("AGGREGATOR_TAKEOVERS") or 20)
TAKEOVER_SECONDS = 15.0  # promised, on a machine that is not busy
WRITER_NOW = "became the writer:"


class Pair:
    """Two daemons in folders of their own, on one database."""

    def __init__(self, folder: Path, address: str, settings: dict[str, Any]) -> None:
        self.address = address
        self.folder = folder
        self.settings = settings | {"database": address}
        self.database = Database(address)
        self.daemons = [self._daemon(name) for name in ("first", "second")]
        self.writer, self.standby = self.daemons

    def _daemon(self, name: str) -> DaemonProcess:
        folder = self.folder / name
        folder.mkdir()
        fetch = self.settings.get("fetch", {}) | {"contact": f"{name}@news.example"}
        return DaemonProcess(folder, self.settings | {"fetch": fetch})

    def start(self) -> None:
        self.writer.start()
        self.standby.start()
        assert self.standby.lines("event=standby_started")

    def take_over(self, *, by: signal.Signals) -> float:
        """Kill or suspend the writer; the seconds until the other one writes. They change their roles."""
        os.kill(self.writer.process.pid, by)
        began, before = time.monotonic(), len(self.standby.lines(WRITER_NOW))
        # Its sessions end, as where a server takes a machine for gone
        if by == signal.SIGSTOP:
            with self.database.write() as connection:
                holder = connection.execute(select(writer_lease.c.holder)).scalar_one()
                connection.execute(_END_SESSIONS, {"holder": holder})
        self.standby.wait_for(
            lambda: len(self.standby.lines(WRITER_NOW)) > before,
            "the other to take over",
        )
        seconds = time.monotonic() - began
        self.writer, self.standby = self.standby, self.writer
        return seconds

    def placed(self) -> int:
        return counted(self.database, article)

    def wait_until_all_is_placed(self) -> None:
        """And can be found."""
        while any(left := self._left()):
            self.writer.wait_for(lambda at=left: self._left() != at, "it to get on")  # type: ignore[misc]

    def _left(self) -> tuple[int, int]:
        """To be placed, and to be indexed, which comes after all of that."""
        with self.database.read() as connection:
            return inbox.waiting_count(connection), unindexed_count(connection)

    def undisturbed(self, given: Path) -> Settled:
        """What one command makes of the same articles, alone, on the other kind of database."""
        folder = self.folder / "alone"
        folder.mkdir()
        ended = DaemonProcess(folder, {}).command("ingest", str(given), seconds=1800.0)
        assert ended.returncode in (0, 3), ended.stderr
        return left_in(f"sqlite:///{folder}/stories.db")

    def end(self) -> None:
        for one in self.daemons:
            one.kill()
        self.database.close()


_END_SESSIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :holder"
)


@pytest.fixture
def address(postgres: Postgres) -> Iterator[str]:
    lent = postgres.lend(has_tables=True)
    yield lent
    postgres.take_back(lent)


def given(folder: Path, count: int) -> Path:
    file = folder / "articles.jsonl"
    file.write_text(
        "".join(json.dumps(one) + "\n" for one in records(count)), encoding="utf-8"
    )
    return file


def handed_in(pair: Pair, file: Path) -> None:
    """Accepted, so that only placing is left: the order of the inbox is the file's."""
    ended = pair.writer.command("ingest", "--no-wait", str(file))
    assert ended.returncode in (0, 3), ended.stderr


def test_both_serve_and_when_the_writer_is_killed_the_other_goes_on(
    tmp_path: Path, address: str
) -> None:
    file = given(tmp_path, ARTICLES)
    with ExitStack() as open_servers:
        servers = [
            open_servers.enter_context(LoopbackServer({"*": _EMPTY})) for _ in range(3)
        ]
        sources = [
            {"feed": one.url("/feed"), "name": f"feed {n}"}
            for n, one in enumerate(servers)
        ]
        pair = Pair(
            tmp_path, address, {"sources": sources, "fetch": {"interval": "2s"}}
        )
        try:
            pair.start()
            pair.writer.wait_for(
                lambda: all(len(one.requests) > 1 for one in servers), "the polls"
            )
            assert len(askers(servers)) == 1, "a standby asks no feed"
            handed_in(pair, file)
            pair.writer.wait_for(
                lambda: pair.placed() >= ARTICLES // 8, "some articles"
            )
            pair.take_over(by=signal.SIGKILL)
            pair.wait_until_all_is_placed()
            pair.writer.wait_for(
                lambda: len(askers(servers)) == 2, "the new writer to ask feeds"
            )
            assert pair.writer.stories()
            left = left_in(address)
            asks_a_standby(pair)
            assert pair.writer.stop() == 0
            pair.standby.wait_for_line(WRITER_NOW)
        finally:
            pair.end()
    assert_same(left, pair.undisturbed(file))


_EMPTY = "<rss version='2.0'><channel><title>Nothing new</title></channel></rss>"


def askers(servers: list[LoopbackServer]) -> set[str]:
    return {
        request.headers["user-agent"]
        for one in servers
        for request in list(one.requests)
    }


def asks_a_standby(pair: Pair) -> None:
    """What is pushed to it and asked of it is done, by the writer, and it shows that."""
    pair.standby.start()
    assert pair.standby.lines("event=standby_started")
    # The writer still renders stories, which adds names and topics.
    same = "the same stories on both"
    pair.standby.wait_for(lambda: pair.standby.stories() == pair.writer.stories(), same)
    before = pair.standby.stories()
    made = pair.standby.command(
        "token", "create", "mine", "--scope", "push", "--scope", "admin"
    )
    secret = next(word for word in made.stdout.split() if word.startswith("agg_"))
    bearer, api = (
        {"authorization": f"Bearer {secret}"},
        f"{pair.standby.address}/api/v1",
    )
    pushed = {
        "title": "A bridge opens at Hollin",
        "text": "It may be crossed from today. " * 30,
    }
    answer = httpx.post(
        f"{api}/articles", json=pushed, headers=bearer, trust_env=False, timeout=60
    )
    assert answer.status_code == 202, answer.text
    found = pair.standby.wait_for(
        lambda: [
            one["id"]
            for one in pair.standby.stories()
            if one["title"] == pushed["title"]
        ],
        "its story",
    )
    other = next(one["id"] for one in before if one["id"] not in found)
    asked = {"kind": "merge", "stories": [*found, other]}
    answer = httpx.post(
        f"{api}/corrections", json=asked, headers=bearer, trust_env=False, timeout=60
    )
    assert answer.status_code in (200, 202), answer.text
    pair.standby.wait_for(
        lambda: pair.writer.lines("executed 1 command"), "the writer to do it"
    )
    assert any(
        {pushed["title"]} < {article["title"] for article in one["articles"]}
        for one in pair.standby.stories()
    )


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_the_writer_is_killed_or_suspended_many_times(
    tmp_path: Path, address: str
) -> None:
    rng = drawn("takeovers")
    file = given(tmp_path, MANY_ARTICLES)
    pair = Pair(tmp_path, address, {})
    took: dict[signal.Signals, list[float]] = {signal.SIGKILL: [], signal.SIGSTOP: []}
    try:
        pair.start()
        handed_in(pair, file)
        for number in range(KILLS):
            time.sleep(rng.uniform(0.2, 4.0))
            by = signal.SIGSTOP if number % 4 == 3 else signal.SIGKILL
            took[by].append(pair.take_over(by=by))
            begin_again(pair.standby, by, rng)
        print(
            f"takeovers in seconds: {took}; {pair.placed()} articles placed at the last of them"
        )
        pair.wait_until_all_is_placed()
        left = left_in(address)
    finally:
        pair.end()
    assert max(took[signal.SIGKILL] + took[signal.SIGSTOP]) <= TAKEOVER_SECONDS
    assert_same(left, pair.undisturbed(file))


def begin_again(daemon: DaemonProcess, by: signal.Signals, rng: Random) -> None:
    """Start what was killed, let what was suspended go on: both stand by from then on."""
    if by == signal.SIGKILL:
        daemon.process.wait()
        daemon.start()
    else:
        time.sleep(rng.uniform(0.0, 2.0))
        before = len(daemon.lines("now a standby event=writer_lease_lost"))
        os.kill(daemon.process.pid, signal.SIGCONT)
        daemon.wait_for(
            lambda: len(daemon.lines("now a standby event=writer_lease_lost")) > before,
            "it to see that it lost the lock",
        )
