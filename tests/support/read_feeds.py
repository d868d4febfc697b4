"""Reads a feed as one source's answer, at one time."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from aggregator.config.tuning import Tuning
from aggregator.model.entry import ParsedFeed
from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.sources.parse.feeds.read_feed import read_feed
from aggregator.sources.source_limits import source_tuning

SEEN = datetime.fromisoformat("2026-03-01T12:00Z")


# What others publish
FEEDS = (
    Path(
        os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[3] / "shared" / "data")
    )
    / "feeds"
)
TUNING = source_tuning(Tuning())


def read(data: bytes | str, **changes: Any) -> ParsedFeed:
    given = {
        "source": "feed-1",
        "url": "https://news.example.org/rss.xml",
        "seen": SEEN,
        "tuning": TUNING,
    }
    return read_feed(
        data.encode() if isinstance(data, str) else data,
        FeedContext(**{**given, **changes}),
    )
