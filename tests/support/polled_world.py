"""Sites whose feeds are polled over days, each at its own host, and what readers get of their stories."""

import datetime as dt
from collections import defaultdict
from typing import Any, NamedTuple

from sqlalchemy import select, text

from aggregator.config.tuning import Tuning
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import add, all_sources
from aggregator.store.tables import article
from tests.support.articles import NOON, Rig, trust
from tests.support.loopback import Closing, Response
from tests.support.polling import feed_source, poller_on
from tests.support.rows import queried, read_by, written_by
from tests.support.rss import item, rss
from tests.support.world import Time, World

ALL_TUNING = Tuning({"net": {"host_gap_seconds": 0.0}})


class Shown(NamedTuple):
    """What readers get of a story."""

    title: str
    summary: str
    text: str
    articles: int
    outlets: int
    reports: int


class PolledWorld(Closing):
    """Feeds at `http://HOST/feed`; `pages`: as in `fetch.pages`."""

    def __init__(
        self, database: Database, *, pages: str = "never", start: dt.datetime = NOON
    ) -> None:
        self.database = database
        self.time = Time(start)
        self.world = World(self.time)
        self.rig = Rig(database, self.time, ALL_TUNING)
        client = self.world.client(ALL_TUNING)
        self.poller = poller_on(database, client, ALL_TUNING, self.time, pages=pages)
        self._items: dict[str, list[str]] = defaultdict(list)
        self._declared: dict[str, str] = {}
        self._sites: dict[str, dict[str, Any]] = defaultdict(dict)

    def close(self) -> None:
        self.world.close()

    def add(self, *hosts: str, **more: Any) -> None:
        """Add the feeds of hosts; `more` as in `feed_source`."""
        for host in hosts:
            written_by(self.database, add, feed_source(f"http://{host}/feed", **more))

    def trust(self, *hosts: str) -> None:
        """Let feeds have agreed with others on three days."""
        trust(self.database, [feed_source(f"http://{host}/feed").id for host in hosts])

    def publish(
        self,
        host: str,
        title: str,
        said: str,
        *,
        link: str = "",
        hours: float = 0,
        **more: Any,
    ) -> None:
        """Let a feed list an article; `hours`: how much earlier than now its date is."""
        number = len(self._items[host])
        published = self.time.now - dt.timedelta(hours=hours)
        address = link or f"http://{host}/{number}"
        self._items[host].insert(
            0, item(title, said, link=address, published=published, **more)
        )

    def withdraw(self, host: str) -> None:
        """Let a feed list its newest article no more."""
        del self._items[host][0]

    def declare(self, host: str, site: str) -> None:
        """Let a feed declare the address of its site."""
        self._declared[host] = f"<link>{site}</link>"

    def serve_page(self, host: str, path: str, page: bytes | Response) -> None:
        """Let a site have a page, or a redirect."""
        self._sites[host][path] = page

    def poll(self, *hosts: str) -> None:
        """Poll feeds, fetch the pages that are due, and place everything."""
        for host in hosts:
            self._sites[host]["/feed"] = rss(
                *self._items[host], title=host, more=self._declared.get(host, "")
            )
        self.world.sites.update(self._sites)
        rows = {row.address: row for row in read_by(self.database, all_sources)}
        for host in hosts:
            assert self.poller.poll(rows[f"http://{host}/feed"]).problem is None
        while wanted := read_by(
            self.database, pending_pages.due_pages, self.time.now, 50
        ):
            for page in wanted:
                self.poller.fetch_page(page)
        self.rig.place()

    def run(self, hours: float) -> None:
        self.time.run(3600 * hours)

    def story_of(self, title: str) -> str:
        """The story of the article with this title that came first."""
        named = (
            select(article.c.story)
            .where(article.c.title == title)
            .order_by(article.c.inbox_no)
        )
        return str(queried(self.database, named).scalars().first())

    def shown(self, story: str) -> Shown:
        """What readers get of a story now."""
        self.rig.render()
        columns = "title, summary, text, article_count, outlet_count, report_count"
        view = text(f"SELECT {columns} FROM v_stories WHERE id = :id").bindparams(
            id=story
        )
        return Shown(*queried(self.database, view).one())

    def originals(self) -> dict[str, str | None]:
        """Of what the newest article of each host is a copy, both by the host of their address."""
        self.rig.render()
        columns = select(article.c.id, article.c.url, article.c.original)
        rows = queried(self.database, columns.order_by(article.c.inbox_no)).all()
        host = {row.id: row.url.split("/")[2] for row in rows}
        return {host[row.id]: host.get(row.original) for row in rows}
