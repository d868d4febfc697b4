"""Real feeds a day after they were read first: all is served again, changed in one way, and nothing is news.

The feeds are some of `benchmarks.day`, under their own hosts, at the hour at which they were fetched.
"""

import datetime as dt
import re
import shutil
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import add, all_sources
from aggregator.store.migrate import upgrade
from aggregator.store.tables import article, story
from benchmarks.day.feeds import FETCHED, Feed, real_feeds
from tests.support.loopback import Resource
from tests.support.polling import feed_source
from tests.support.rows import queried, read_by, written_by
from tests.support.site_feeds import SiteFeeds

FEEDS = 14  # of those with few items, every few of which one is read
MOST_ITEMS = 25
Change = Callable[[str], str]

_GUID = re.compile(
    r"(<(guid|id)(?:\s[^>]*)?>(?:<!\[CDATA\[)?\s*)(.*?)(\s*(?:\]\]>)?</\2>)", re.DOTALL
)
_LINK = re.compile(
    r"(<link>(?:<!\[CDATA\[)?\s*|<link\s[^>]*?href=[\"'])(https?://[^<\"'\]\s]+)"
)
_TITLE = re.compile(
    r"(<title(?:\s[^>]*)?>(?:<!\[CDATA\[)?)(.*?)((?:\]\]>)?</title>)", re.DOTALL
)
_DATE = re.compile(
    r"(<(pubDate|published|updated|dc:date)>\s*)(.*?)(\s*</\2>)", re.DOTALL
)
_BODY_END = re.compile(r"(\]\]>)?(</(?:description|content|summary|content:encoded)>)")


def with_other_keys(item: str) -> str:
    """The item under another GUID and below another path, as after a move to another system."""

    def moved(match: re.Match[str]) -> str:
        parts = urlsplit(match[2])
        return f"{match[1]}{parts.scheme}://{parts.netloc}/archive{parts.path or '/'}"

    return _GUID.sub(r"\1urn:moved:\3\4", _LINK.sub(moved, item), count=1)


def with_longer_title(item: str) -> str:
    return _TITLE.sub(r"\1Updated: \2\3", item, count=1)


def dated_now(item: str) -> str:
    moment = FETCHED + dt.timedelta(days=1)

    def now(match: re.Match[str]) -> str:
        is_iso = match[3][:4].isdigit()
        return (
            match[1]
            + (moment.isoformat() if is_iso else format_datetime(moment))
            + match[4]
        )

    return _DATE.sub(now, item)


def with_footer(item: str) -> str:
    footer = "Read our newsletter and follow us for more stories like this one."

    def ended(match: re.Match[str]) -> str:
        return f" {footer}{match[1] or ''}{match[2]}"

    return _BODY_END.sub(ended, item)


# test_which_article.py has changed addresses and GUIDs.
CHANGES: dict[str, Change] = {
    "titles": with_longer_title,
    "dates": dated_now,
    "footers": with_footer,
}


def small_feeds(data: Path) -> list[Feed]:
    """XML feeds with dated items, the most different ones first."""
    feeds = [
        feed
        for feed in real_feeds(data)
        if not feed.is_json and 5 <= len(feed.items) <= MOST_ITEMS
    ]
    return feeds[:: max(1, len(feeds) // FEEDS)][:FEEDS]


def changed(feed: Feed, change: Change) -> bytes:
    """The feed with each item changed; in the order of the items."""
    items = [change(item.decode("utf-8", "surrogateescape")) for item in feed.items]
    return feed.shown(
        {
            place: item.encode("utf-8", "surrogateescape")
            for place, item in enumerate(items)
        }
    )


class Reading(SiteFeeds):
    """The program with the feeds, on one database; the second day is a day later."""

    def __init__(self, database: Database, feeds: list[Feed]) -> None:
        super().__init__(database, start=FETCHED)
        self.feeds = feeds

    def subscribe(self) -> None:
        for feed in self.feeds:
            written_by(
                self.database,
                add,
                feed_source(feed.address, name=feed.name, pages="never"),
            )

    def poll(self, body_of: Callable[[Feed], bytes]) -> int:
        """Serve the feeds, poll all of them, and place what came: how many entries were accepted."""
        for feed in self.feeds:
            parts = urlsplit(feed.address)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            self.serve_page(parts.netloc, path, Resource(body_of(feed), etag=None))
        accepted = 0
        for source in read_by(self.database, all_sources):
            polled = self._poller.poll(source)
            assert polled.problem is None, (source.address, polled.problem)
            accepted += len(polled.accepted)
        self.rig.place()
        return accepted

    def articles(self) -> set[str]:
        return set(queried(self.database, select(article.c.id)).scalars())

    def bumps(self) -> dict[str, dt.datetime]:
        rows = queried(self.database, select(story.c.id, story.c.bumped_at))
        return {row.id: row.bumped_at for row in rows}


@pytest.fixture(scope="module")
def first_day(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database after the first reading."""
    file = tmp_path_factory.mktemp("first_day") / "stories.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    reading = Reading(database, small_feeds(data))
    reading.subscribe()
    assert reading.poll(lambda feed: feed.body) > 100
    reading.close()
    database.close()
    return file


@pytest.fixture
def second_day(first_day: Path, data: Path, tmp_path: Path) -> Iterator[Reading]:
    file = tmp_path / "stories.db"
    shutil.copy(first_day, file)
    database = Database(f"sqlite:///{file}")
    reading = Reading(database, small_feeds(data))
    reading.time.run(24 * 3600)
    yield reading
    reading.close()
    database.close()


@pytest.mark.parametrize("kind", CHANGES)
def test_what_is_served_again_with_other_words_around_it_is_no_news(
    second_day: Reading, kind: str
) -> None:
    articles, bumps = second_day.articles(), second_day.bumps()
    second_day.poll(lambda feed: changed(feed, CHANGES[kind]))
    assert second_day.articles() == articles
    assert second_day.bumps() == bumps


@pytest.mark.later
def test_where_all_keys_change_only_an_undated_headline_without_text_counts_twice(
    second_day: Reading,
) -> None:
    articles, bumps = second_day.articles(), second_day.bumps()
    second_day.poll(lambda feed: changed(feed, with_other_keys))
    added = second_day.articles() - articles
    bare = select(article.c.id).where(
        article.c.text == "", article.c.published_origin == "poll"
    )
    assert added <= set(queried(second_day.database, bare).scalars())
    after = second_day.bumps()
    assert {id_: after[id_] for id_ in bumps} == bumps
    assert len(after) - len(bumps) == len(added)


@pytest.mark.later
def test_the_same_entries_in_another_order_are_no_news(second_day: Reading) -> None:
    articles, bumps = second_day.articles(), second_day.bumps()

    def turned(feed: Feed) -> bytes:
        return feed.shown(dict(enumerate(reversed(feed.items))))

    assert second_day.poll(turned) == 0
    assert second_day.articles() == articles
    assert second_day.bumps() == bumps
