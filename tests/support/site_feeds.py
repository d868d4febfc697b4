"""Sites of a web of their own, whose feeds are polled over time."""

from datetime import datetime
from typing import Any

from aggregator.config.tuning import Tuning
from aggregator.intake.polling.poll_result import PollResult
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import add, source_at
from tests.support.articles import NOON, Rig
from tests.support.loopback import Closing, Response
from tests.support.polling import feed_source, poller_on
from tests.support.rows import read_by, written_by
from tests.support.world import Time, World

ALL_TUNING = Tuning({"net": {"host_gap_seconds": 0.0}})


class SiteFeeds(Closing):
    """Feeds at `http://HOST/feed`; `pages`: as in `fetch.pages`."""

    rig_kind = Rig

    def __init__(
        self, database: Database, *, pages: str = "never", start: datetime = NOON
    ) -> None:
        self.database = database
        self.time = Time(start)
        self.world = World(self.time)
        self.rig = self.rig_kind(database, self.time, ALL_TUNING)
        self._client = self.world.client(ALL_TUNING)
        self._poller = poller_on(
            database, self._client, ALL_TUNING, self.time, pages=pages
        )

    def close(self) -> None:
        self._client.close()
        self.world.close()

    def add(self, *hosts: str, **more: Any) -> None:
        """Subscribe to feeds; `more` as in `feed_source`."""
        for host in hosts:
            written_by(self.database, add, feed_source(address_of(host), **more))

    def serve_page(self, host: str, path: str, page: bytes | str | Response) -> None:
        """Let a site have a page, or a redirect."""
        self.world.sites[host] = {**self.world.sites.get(host, {}), path: page}

    def poll_feed(self, host: str, feed: Any) -> PollResult:
        """Serve this feed of a site and poll it; its entries wait."""
        self.serve_page(host, "/feed", feed)
        polled = self._poller.poll(read_by(self.database, source_at, address_of(host)))
        assert polled.problem is None
        return polled

    def fail(self, *hosts: str, days: float = 0) -> None:
        """Let feeds answer 404 for so many days, every twelve hours; once for no days."""
        for host in hosts:
            self.serve_page(host, "/feed", Response(status=404))
        for poll in range(int(2 * days) + 1):
            if poll:
                self.time.run(12 * 3600)
            for host in hosts:
                address = address_of(host)
                polled = self._poller.poll(read_by(self.database, source_at, address))
                assert polled.problem is not None

    def fetch_pages(self) -> bool:
        """Fetch the pages that are due; return whether there were any."""
        due = read_by(self.database, pending_pages.load_due_pages, self.time.now, 50)
        for page in due:
            self._poller.fetch_page(page)
        return bool(due)


def address_of(host: str) -> str:
    """Return the address of the feed of a host."""
    return f"http://{host}/feed"
