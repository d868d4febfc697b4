"""A Postgres that goes away under a working daemon and comes back: nothing is lost, doubled or unsaid."""

import time
from collections import Counter
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
from sqlalchemy import select

from aggregator.store.tables import article, entry
from tests.support.daemon_process import DaemonProcess
from tests.support.growing_feeds import Newsroom
from tests.support.loopback import LoopbackServer, Resource
from tests.support.own_postgres import OwnPostgres
from tests.support.rows import counted, queried
from tests.support.rss import rss
from tests.support.seeds import drawn
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.later

ENDS_SECONDS = 10.0  # promised, whatever the database does
PATHS = {"/", "/feeds/stories.rss", "/api/v1/stories", "/healthz"}
# promised: after the server is back, new articles have their place by then
BACK_SECONDS = 10.0


class Pushing(Thread):
    """Pushes one article after the other, each until it is taken; `taken` are the ids of articles."""

    def __init__(self, address: str, secret: str) -> None:
        super().__init__(daemon=True)
        self.taken: list[str] = []
        self.refusals: list[httpx.Response] = []
        self.done = Event()
        self._address = f"{address}/api/v1/articles"
        self._secret = secret
        self._random = drawn("trouble")

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not self.done.wait(0.2):
                self._push(client, len(self.taken))

    def _push(self, client: httpx.Client, number: int) -> None:
        words = [
            f"{self._random.choice('bdfglmnprst')}{self._random.randrange(10**6)}"
            for _ in range(60)
        ]
        record = {
            "id": str(number),
            "outlet": "Wire",
            "title": " ".join(words[:6]),
            "text": " ".join(words),
        }
        headers = {"Authorization": f"Bearer {self._secret}"}
        while True:  # as a sender would who was told to try again
            answer = client.post(self._address, json=record, headers=headers)
            if answer.status_code == 202:
                self.taken.append(answer.json()["items"][0]["article"])
                return
            self.refusals.append(answer)
            time.sleep(0.2)


class Reading(Thread):
    """Reads pages and API all the while."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.answers: list[httpx.Response] = []
        self.done = Event()
        self._address = address

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not self.done.wait(0.1):
                for path in PATHS:
                    self.answers.append(client.get(self._address + path))


def counts(url: str) -> tuple[list[str], int, int]:
    """Ids of all articles, entries, entries without a place."""
    ids = list(queried(url, select(article.c.id)).scalars())
    return ids, counted(url, entry), counted(url, entry, entry.c.state != "done")


def seconds_until_placed(daemon: DaemonProcess, pushing: Pushing, url: str) -> float:
    """How long until pushes are taken and articles get their places again."""
    began, taken, placed = time.monotonic(), len(pushing.taken), len(counts(url)[0])
    daemon.wait_for(lambda: len(pushing.taken) > taken + 1, "pushes to be taken again")
    daemon.wait_for(lambda: len(counts(url)[0]) > placed, "articles to be placed again")
    return time.monotonic() - began


def wait_for_more_than(placed: int, daemon: DaemonProcess, url: str) -> None:
    daemon.wait_for(
        lambda: len(counts(url)[0]) > placed, "all articles to have a place"
    )


def go_through(
    folder: Path,
    own_postgres: OwnPostgres,
    *,
    times: int,
    seconds: float,
    within: float,
    hangs: bool = False,
) -> None:
    """`hangs`: the server is suspended; else it stops as by a crash."""
    url = own_postgres.make()
    feeds = [Resource(rss()) for _ in range(3)]
    routes = {f"/feed{number}": feed for number, feed in enumerate(feeds)}
    with LoopbackServer(routes) as server:
        newsroom = Newsroom(feeds, seconds=0.5, kept=1000)
        settings = {
            "database": url,
            "sources": [{"feed": server.url(path)} for path in routes],
            "fetch": {"pages": "never"},
        }
        with DaemonProcess(folder, settings) as daemon:
            secret = daemon.token("wire", "push")
            pushing, reading = Pushing(daemon.address, secret), Reading(daemon.address)
            workers = (newsroom, pushing, reading)
            for worker in workers:
                worker.start()
            daemon.wait_for(
                lambda: len(pushing.taken) > 3 and daemon.stories(),
                "articles to come in",
            )
            for _ in range(times):
                if hangs:
                    own_postgres.suspend()
                else:
                    own_postgres.stop("immediate")
                time.sleep(seconds)
                daemon.wait_for(
                    lambda: who_was_warned(reading) == PATHS and pushing.refusals,
                    "all to hear",
                )
                if hangs:
                    own_postgres.resume()
                else:
                    own_postgres.start()
                passed = seconds_until_placed(daemon, pushing, url)
                print(f"work went on {passed:.1f} s after the server was back")
                assert passed < within
                time.sleep(drawn("trouble").uniform(0.5, 2.0))
            for worker in workers:
                worker.done.set()
                worker.join()
            last = newsroom.written
            while (placed := len(counts(url)[0])) < last + len(pushing.taken):
                wait_for_more_than(placed, daemon, url)
            assert daemon.get("/healthz").status_code == 200
            assert daemon.stop() == 0
            log = daemon.log()
    ids, entries, waiting = counts(url)
    assert len(ids) == len(set(ids)) == entries == newsroom.written + len(pushing.taken)
    assert set(pushing.taken) <= set(ids)
    assert waiting == 0
    assert daemon.faults() == []
    assert "Traceback" not in log
    assert "no progress" not in log
    assert_said_in_words(reading, pushing)


def who_was_warned(reading: Reading) -> set[str]:
    return {
        answer.request.url.path
        for answer in list(reading.answers)
        if answer.status_code == 503
    }


def assert_said_in_words(reading: Reading, pushing: Pushing) -> None:
    reported: Counter[str] = Counter()
    for answer in reading.answers:
        path = answer.request.url.path
        assert answer.status_code in (200, 503), (
            f"{path}: {answer.status_code} {answer.text[:300]}"
        )
        if answer.status_code == 503:
            reported[path] += 1
            if path != "/healthz":
                assert answer.headers["Retry-After"] == "5"
                assert "does not answer" in answer.text, answer.text
            if path.startswith("/api"):
                assert answer.headers["Content-Type"] == "application/problem+json"
    assert reported.keys() == PATHS, "each was asked meanwhile"
    assert pushing.refusals
    assert {answer.status_code for answer in pushing.refusals} == {503}


def test_a_server_that_stops_for_a_moment_stops_nothing(
    tmp_path: Path, own_postgres: OwnPostgres
) -> None:
    go_through(tmp_path, own_postgres, times=1, seconds=2, within=PATIENCE_SECONDS)


@pytest.mark.torture
def test_a_server_that_stops_for_half_a_minute_three_times(
    tmp_path: Path, own_postgres: OwnPostgres
) -> None:
    go_through(tmp_path, own_postgres, times=3, seconds=30, within=BACK_SECONDS)


@pytest.mark.torture
def test_a_server_that_hangs_for_a_minute(
    tmp_path: Path, own_postgres: OwnPostgres
) -> None:
    """Longer than the watchdog waits: it takes what is sent, and nobody answers."""
    go_through(
        tmp_path, own_postgres, times=1, seconds=60, within=2 * BACK_SECONDS, hangs=True
    )


@pytest.mark.torture
@pytest.mark.parametrize("seconds", [1.0, 20.0], ids=["nobody knows it", "it is known"])
def test_a_daemon_ends_if_its_server_hangs(
    tmp_path: Path, own_postgres: OwnPostgres, seconds: float
) -> None:
    with DaemonProcess(
        tmp_path, {"database": own_postgres.make(), "sources": []}
    ) as daemon:
        own_postgres.suspend()
        try:
            time.sleep(seconds)
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < ENDS_SECONDS
        finally:
            own_postgres.resume()


def test_a_daemon_waits_for_a_server_that_comes_after_it(
    tmp_path: Path, own_postgres: OwnPostgres
) -> None:
    own_postgres.stop()
    daemon = DaemonProcess(
        tmp_path, {"database": f"{own_postgres.server}/nowhere", "sources": []}
    )
    try:
        daemon.launch()
        daemon.wait_for_line("waiting for the database")
        own_postgres.start()
        assert daemon.wait_for_end() == 1, (
            "this database does not exist, and waiting makes none"
        )
        assert daemon.lines("refuses the connection")
        daemon.configure({"database": own_postgres.make(), "sources": []})
        daemon.start()
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def test_a_reload_while_the_server_is_away_is_done_and_tells_how_it_does(
    tmp_path: Path, own_postgres: OwnPostgres
) -> None:
    with DaemonProcess(
        tmp_path, {"database": own_postgres.make(), "sources": []}
    ) as daemon:

        def rests() -> bool:
            problems = daemon.read_json("/status")["process_findings"]
            return any(one["what"].startswith("placing is paused") for one in problems)

        own_postgres.stop("immediate")
        assert "config reloaded" in daemon.reload()
        daemon.wait_for(rests, "the parts that run now to say that they rest")
        own_postgres.start()
        daemon.wait_for(lambda: not rests(), "them to go on")
        assert daemon.stop() == 0
