"""A first reading that is killed at any moment: begun again, it ends with the stories of one that was not."""

import threading
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from aggregator.store.engine.database import Database
from aggregator.store.intake import first_reading, inbox
from aggregator.store.tables import article, entry, source
from tests.support.daemon_process import DaemonProcess
from tests.support.deep_checks import faults
from tests.support.kill_records import invented
from tests.support.kills import Settled, assert_same, left_in
from tests.support.loopback import LoopbackServer, Request, Resource, Response
from tests.support.rows import counted, read_by
from tests.support.rss import item, rss
from tests.support.seeds import drawn
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.later

PARTS = 3  # feeds of each outlet, with other articles


class HeldFeeds:
    """Feeds on loopback, which answer the first `released` requests for new ones, and hold the others."""

    def __init__(self, server: LoopbackServer, articles: int) -> None:
        self._released = 0
        self._answered: set[str] = set()
        self._is_released = threading.Condition()
        entries: dict[str, list[str]] = {}
        for number, record in enumerate(invented(articles)):
            path = f"/{record['source'].lower()}/{number % PARTS}"
            entries.setdefault(path, []).append(
                item(
                    record["title"],
                    record["text"],
                    guid=number,
                    link=f"http://{record['source'].lower()}.example/{number}",
                    published=datetime.fromisoformat(f"{record['published']}T00:00Z")
                    + timedelta(minutes=number),
                )
            )
        self._feeds = {path: Resource(rss(*items)) for path, items in entries.items()}
        server.routes["*"] = self._answer
        self.sources = [
            {"feed": server.url(path), "outlet": path.split("/")[1].title()}
            for path in self._feeds
        ]

    def release(self, count: int) -> None:
        """Let so many feeds be read."""
        with self._is_released:
            self._released = count
            self._is_released.notify_all()

    def _answer(self, request: Request) -> Response:
        def may_answer() -> bool:
            return (
                request.path in self._answered or len(self._answered) < self._released
            )

        with self._is_released:
            self._is_released.wait_for(may_answer, PATIENCE_SECONDS)
            self._answered.add(request.path)
        return self._feeds[request.path](request)


def read(
    feeds: HeldFeeds,
    folder: Path,
    url: str,
    articles: int,
    rng: Random | None = None,
) -> Settled:
    """Return what a first reading leaves. With `rng` it is killed while it reads, and while it places."""
    settings = {
        "database": url,
        "sources": feeds.sources,
        "fetch": {"interval": "1h", "pages": "never"},
    }
    asked = source.c.last_polled_at.is_not(None)
    count = len(feeds.sources)
    kills = 0
    # So that it places for as long as a busy machine may take to kill it.
    few_at_once = {"placing": {"batch_articles": 1, "gathering_seconds": 0.0}}
    with DaemonProcess(folder, settings, tuning=few_at_once) as daemon:
        if rng is not None:
            for released in sorted(rng.sample(range(1, count), 2)):
                feeds.release(released)
                daemon.wait_for(
                    lambda at_least=released: counted(url, source, asked) >= at_least,
                    "feeds to be read",
                )
                daemon.kill()
                kills += 1
                assert counted(url, article) == 0, "not every source was asked yet"
                assert counted(url, entry) > 0, "what was read stays"
                daemon.start()
            feeds.release(count)
            daemon.wait_for(lambda: counted(url, source, asked) == count, "all feeds")
            for _ in range(2):
                placed = counted(url, article)
                daemon.wait_for(
                    lambda before=placed: counted(url, article) > before, "a batch"
                )
                time.sleep(rng.uniform(0.0, 0.1))
                daemon.kill()
                kills += 1
                placed = counted(url, article)
                assert 0 < placed < articles, "it is killed while it places"
                daemon.start()
        feeds.release(count)
        daemon.wait_for(lambda: counted(url, source, asked) == count, "all feeds")
        daemon.wait_for(lambda: not read_by(url, first_reading.lasts), "its end")
        daemon.wait_for(lambda: not read_by(url, inbox.waiting_count), "all articles")
        assert daemon.stop() == 0
    print(f"{kills} kills, {counted(url, article)} articles")
    return left_in(url)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "articles", [120, pytest.param(2000, marks=pytest.mark.torture)]
)
def test_a_first_reading_that_is_killed_ends_with_the_same_stories(
    tmp_path: Path, database_url: str, articles: int
) -> None:
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    quiet.mkdir()
    killed.mkdir()
    with LoopbackServer() as server:
        feeds = HeldFeeds(server, articles)
        expected = read(feeds, quiet, f"sqlite:///{quiet / 'stories.db'}", articles)
        assert len(expected["articles"]) == articles
        assert 1 < len(expected["stories"]) < articles
        feeds = HeldFeeds(server, articles)
        left = read(feeds, killed, database_url, articles, drawn("first", articles))
        assert_same(left, expected)
    with closing(Database(database_url)) as database:
        assert [fault.what for fault in faults(database)] == []
