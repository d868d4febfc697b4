"""Feeds in three formats that list exactly what a test says, and what readers see of them.

Every poll is a real one, of a server on loopback. Nothing here looks into tables: the stories are asked.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable
from html import escape
from typing import Any, NamedTuple

import msgspec

from aggregator.config.settings import Config
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.intake import command_handlers
from aggregator.intake.configured import story_options
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.poll_result import PollResult
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.article import ArticleView
from aggregator.model.story import StoryText, StoryView
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import add, all_sources, remove
from aggregator.store.read.reader import StoryReader
from tests.support import rss
from tests.support.articles import NOON, Rig
from tests.support.loopback import Closing, Resource, Response
from tests.support.polling import feed_source, poller_on
from tests.support.rows import read_by, written_by
from tests.support.world import Time, World

ALL_TUNING = Tuning({"net": {"host_gap_seconds": 0.0}})


class Item(NamedTuple):
    """What a feed says of an article; `hours`: how long before noon it appeared."""

    title: str
    text: str
    guid: str | None = None
    link: str | None = None
    hours: float | None = 2

    @property
    def published(self) -> dt.datetime | None:
        return None if self.hours is None else NOON - dt.timedelta(hours=self.hours)


class Installation(Rig):
    """A pipeline with the options of a new installation: another headline bumps no story."""

    def restart(self) -> None:
        """Forget all that is kept in memory."""
        self.pipeline = Pipeline(
            self.database,
            InlineExecutor(),
            self.all_tuning,
            self.clock,
            story_options(Config()),
        )


class ListedFeeds(Closing):
    """Feeds at `http://HOST/feed`; `pages`: as in `fetch.pages`."""

    def __init__(self, database: Database, *, pages: str = "never") -> None:
        self.database = database
        self.time = Time(NOON)
        self.world = World(self.time)
        self.rig = Installation(database, self.time, ALL_TUNING)
        self._client = self.world.client(ALL_TUNING)
        self._poller = poller_on(
            database, self._client, ALL_TUNING, self.time, pages=pages
        )
        self._sites: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        self._client.close()
        self.world.close()

    def add(self, *hosts: str, **more: Any) -> None:
        """Subscribe to feeds; `more` as in `feed_source`."""
        for host in hosts:
            written_by(self.database, add, feed_source(address_of(host), **more))

    def remove(self, host: str) -> None:
        """Unsubscribe from a feed."""
        with self.database.write() as connection:
            remove(connection, feed_source(address_of(host)).id)

    def serve_page(self, host: str, path: str, page: Response | str) -> None:
        """Let a site have a page."""
        self._sites.setdefault(host, {})[path] = page

    def poll(self, host: str, *items: Item, form: str = "rss") -> PollResult:
        """List these items, poll the feed ten minutes later, and place what came."""
        polled = self.read(host, *items, form=form)
        self.rig.place()
        return polled

    def read(self, host: str, *items: Item, form: str = "rss") -> PollResult:
        """List these items and poll the feed ten minutes later; its entries wait."""
        return self.read_feed(host, *FORMS[form](items, host))

    def read_feed(self, host: str, feed: str | bytes, content_type: str) -> PollResult:
        """Serve this feed and poll it ten minutes later; its entries wait."""
        self.time.run(600)
        site = self._sites.setdefault(host, {})
        site["/feed"] = Resource(feed, content_type, etag=None)
        self.world.sites.update(self._sites)
        (source,) = (
            source
            for source in read_by(self.database, all_sources)
            if source.address == address_of(host)
        )
        polled = self._poller.poll(source)
        assert polled.problem is None
        self.fetch_pages()
        return polled

    def fetch_pages(self) -> None:
        """Fetch the pages that are due."""
        self.world.sites.update(self._sites)
        for page in read_by(self.database, pending_pages.due_pages, self.time.now, 50):
            self._poller.fetch_page(page)

    def forget(self, name: str) -> None:
        """Forget an article, as a running daemon is asked by the command."""
        asked = msgspec.json.encode(ForgetCommand(name=name))
        command_handlers.enqueue(self.database, self.time(), "forget", asked)
        before = len(self.articles())
        self.rig.pipeline.run_commands()
        assert len(self.articles()) == before - 1

    def stories(self) -> list[StoryView]:
        """All stories with their articles, the last bumped first."""
        self.rig.render()
        reader = self._reader()
        listed = reader.stories(StoryFilter(limit=200)).stories
        stories = [reader.story(story.id) for story in listed]
        assert all(isinstance(story, StoryView) for story in stories)
        return [story for story in stories if isinstance(story, StoryView)]

    def articles(self) -> list[ArticleView]:
        """The articles of all stories, in the order in which they were seen."""
        articles = [article for story in self.stories() for article in story.articles]
        return sorted(articles, key=lambda article: article.seen)

    def texts(self) -> list[str]:
        """The texts of all articles, each on one line."""
        return [" ".join(article.text.split()) for article in self.articles()]

    def bumps(self) -> dict[str, tuple[int, dt.datetime]]:
        """How many articles each story has, and when it was last brought up."""
        return {
            story.id: (story.article_count, story.updated) for story in self.stories()
        }

    def told(self, story: StoryView) -> StoryText:
        """What a story tells."""
        self.rig.render()
        text = self._reader().text(story.id)
        assert text is not None
        return text

    def _reader(self) -> StoryReader:
        return StoryReader(self.database, ALL_TUNING)


def address_of(host: str) -> str:
    """Return the address of the feed of a host."""
    return f"http://{host}/feed"


def _as_rss(items: Iterable[Item], host: str) -> tuple[str, str]:
    entries = (
        rss.item(
            item.title,
            item.text,
            guid=item.guid,
            link=item.link or "",
            published=item.published,
        )
        for item in items
    )
    return rss.rss(*entries, title=host), "application/rss+xml"


def _as_atom(items: Iterable[Item], host: str) -> tuple[str, str]:
    entries = []
    for item in items:
        parts = [f"<title>{escape(item.title)}</title>"]
        if item.guid is not None:
            parts.append(f"<id>{escape(item.guid)}</id>")
        if item.link is not None:
            parts.append(f'<link href="{escape(item.link)}"/>')
        if item.published is not None:
            parts.append(f"<published>{item.published.isoformat()}</published>")
        parts.append(f"<content type='text'>{escape(item.text)}</content>")
        entries.append(f"<entry>{''.join(parts)}</entry>")
    head = f"<title>{host}</title><id>http://{host}/</id>"
    feed = f"<feed xmlns='http://www.w3.org/2005/Atom'>{head}{''.join(entries)}</feed>"
    return feed, "application/atom+xml"


def _as_json(items: Iterable[Item], host: str) -> tuple[str, str]:
    entries = []
    for item in items:
        entry = {
            "id": item.guid,
            "url": item.link,
            "title": item.title,
            "content_text": item.text,
            "date_published": item.published and item.published.isoformat(),
        }
        entries.append({name: value for name, value in entry.items() if value})
    version = "https://jsonfeed.org/version/1.1"
    feed = {"version": version, "title": host, "items": entries}
    return json.dumps(feed), "application/feed+json"


FORMS: dict[str, Callable[[Iterable[Item], str], tuple[str, str]]] = {
    "rss": _as_rss,
    "atom": _as_atom,
    "json": _as_json,
}
