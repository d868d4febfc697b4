"""Sites whose feeds are polled over days, each at its own host, and what readers get of their stories."""

from collections import defaultdict
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, text

from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from tests.support.articles import Rig, trust
from tests.support.polling import feed_source
from tests.support.rows import queried
from tests.support.rss import item, rss
from tests.support.site_feeds import SiteFeeds, address_of


class Shown(NamedTuple):
    """What readers get of a story."""

    title: str
    summary: str
    text: str
    articles: int
    outlets: int
    reports: int


def shown_of(rig: Rig, story: str) -> Shown:
    """What readers get of a story now."""
    rig.render()
    columns = "title, summary, text, article_count, outlet_count, report_count"
    view = text(f"SELECT {columns} FROM v_stories WHERE id = :id")
    return Shown(*queried(rig.database, view.bindparams(id=story)).one())


class PolledWorld(SiteFeeds):
    """Feeds that list what their sites have published."""

    def __init__(self, database: Database, **more: Any) -> None:
        super().__init__(database, **more)
        self._items: dict[str, list[str]] = defaultdict(list)
        self._declared: dict[str, str] = {}

    def trust(self, *hosts: str) -> None:
        """Let feeds have agreed with others on three days."""
        trust(self.database, [feed_source(address_of(host)).id for host in hosts])

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
        published = self.time.now - timedelta(hours=hours)
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

    def poll(self, *hosts: str) -> None:
        """Poll feeds, fetch the pages that are due, and place everything."""
        for host in hosts:
            declared = self._declared.get(host, "")
            self.poll_feed(host, rss(*self._items[host], title=host, more=declared))
        while self.fetch_pages():
            pass
        self.rig.place()

    def report(self, host: str, title: str, said: str, **more: Any) -> None:
        """Let a feed list an article, and poll it."""
        self.publish(host, title, said, **more)
        self.poll(host)

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
        return shown_of(self.rig, story)

    def originals(self) -> dict[str, str | None]:
        """Of what the newest article of each host is a copy, both by the host of their address."""
        self.rig.render()
        columns = select(article.c.id, article.c.url, article.c.original)
        rows = queried(self.database, columns.order_by(article.c.inbox_no)).all()
        host = {row.id: row.url.split("/")[2] for row in rows}
        return {host[row.id]: host.get(row.original) for row in rows}
