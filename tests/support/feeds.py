"""A feed of what is in a database, as `aggregator feed` and the server write it."""

from datetime import datetime
from typing import Any

from aggregator.publish.output_settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.web.feeds.channel import Channel, Format, address, channel
from aggregator.web.feeds.feed_items import gather
from aggregator.web.feeds.formats import encode_feed
from aggregator.web.list_query import ListQuery, select_stories

NOW = datetime.fromisoformat("2026-11-20T12:00Z")


def channel_of(
    database: Database, *, limit: int = 500, form: Format = "rss", **chosen: Any
) -> Channel:
    """The feed of all stories."""
    settings = PublishSettings(**chosen)
    wanted = select_stories(ListQuery(), None, NOW, limit)
    items = gather(StoryReader(database), wanted, settings, patient=True).items
    here = settings.base_url + address(None, form)
    return channel(None, wanted, items, settings, self_url=here)


def feed_of(database: Database, form: Format = "rss", **chosen: Any) -> bytes:
    """The same, as bytes."""
    return encode_feed(channel_of(database, form=form, **chosen), form)
