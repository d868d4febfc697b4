"""Feeds in three formats that list exactly what a test says, and what readers see of them.

Every poll is a real one, of a server on loopback. Nothing here looks into tables: the stories are asked.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from html import escape
from typing import NamedTuple

import msgspec

from aggregator.config.settings import Config
from aggregator.config.story_query import StoryFilter
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.intake import command_handlers
from aggregator.intake.configured import story_options
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.poll_result import PollResult
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.article import ArticleView
from aggregator.model.story import StoryText, StoryView
from aggregator.store.intake.source_rows import remove
from aggregator.store.read.reader import StoryReader
from tests.support import rss
from tests.support.articles import NOON, Rig
from tests.support.loopback import Resource
from tests.support.polling import feed_source
from tests.support.rows import written_by
from tests.support.site_feeds import ALL_TUNING, SiteFeeds, address_of


class Item(NamedTuple):
    """What a feed says of an article; `hours`: how long before noon it appeared."""

    title: str
    text: str
    guid: str | None = None
    link: str | None = None
    hours: float | None = 2

    @property
    def published(self) -> datetime | None:
        return None if self.hours is None else NOON - timedelta(hours=self.hours)


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


class ListedFeeds(SiteFeeds):
    """Feeds that list exactly what a test says."""

    rig_kind = Installation

    def remove(self, host: str) -> None:
        """Unsubscribe from a feed."""
        written_by(self.database, remove, feed_source(address_of(host)).id)

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
        polled = self.poll_feed(host, Resource(feed, content_type, etag=None))
        self.fetch_pages()
        return polled

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

    def bumps(self) -> dict[str, tuple[int, datetime]]:
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
