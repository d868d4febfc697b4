"""What strangers put into feeds goes into both databases and comes out as well-formed as anything else."""

from random import Random

import msgspec
import pytest
from lxml import etree
from sqlalchemy import func, select

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.entry import Enclosure, Entry
from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.sources.parse.feeds.read_feed import read_feed
from aggregator.sources.source_limits import source_tuning
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, entry
from tests.support.articles import DAY, NOON, Rig
from tests.support.feeds import feed_of
from tests.support.hostile_feeds import rss
from tests.support.rows import queried, value
from tests.support.seeds import drawn

TUNING = source_tuning(Tuning())
# Where the trouble is: controls, surrogates, markup's own signs, beyond the basic plane, combining, bidi.
_RANGES = (
    (0x00, 0x20), (0x20, 0x7F), (0x7F, 0xA0), (0xA0, 0x250), (0x300, 0x370), (0x590, 0x700), (0x2000, 0x2070),
    (0x4E00, 0x4E80), (0xD7F0, 0xE010), (0xFDD0, 0xFE10), (0xFFF0, 0x10000), (0x1F600, 0x1F640),
    (0x1FFF0, 0x20000), (0x10FFF0, 0x110000),
)  # fmt: skip
_ESCAPES = ("&#0;", "&#xD800;", "&amp;#xDFFF;", "&nosuch;", "%00", "\\u0000")
_PIECES = (*_ESCAPES, "]]>", "<![CDATA[", "<!--", "<b>", "\r\n")


def read(data: bytes, source: str = "feed-1") -> tuple[Entry, ...]:
    url = "https://news.example.org/rss.xml"
    feed = read_feed(
        data, FeedContext(source=source, url=url, seen=NOON, tuning=TUNING)
    )
    assert feed.problem is None
    return feed.entries


def chance_text(rng: Random, length: int) -> str:
    parts = []
    for _ in range(length):
        low, high = rng.choice(_RANGES)
        parts.append(
            rng.choice(_PIECES)
            if rng.random() < 0.05
            else chr(rng.randrange(low, high))
        )
    return "".join(parts)


def chance_feed(rng: Random, count: int) -> bytes:
    """`count` entries whose every field is chance, between a guid and a closing tag that are ours."""
    items = (
        f"<item><guid>{number}-{chance_text(rng, 4)}</guid><title>Word {chance_text(rng, 12)}</title>"
        f"<link>https://news.example.org/{number}/{chance_text(rng, 6)}</link>"
        f"<author>{chance_text(rng, 6)}</author><category>{chance_text(rng, 6)}</category>"
        f"<source>{chance_text(rng, 4)}</source><description>{chance_text(rng, 60)}</description></item>"
        for number in range(count)
    )
    return rss("".join(items)).encode("utf-8", "surrogatepass")


@pytest.mark.later
@pytest.mark.parametrize(
    "strings", [200, pytest.param(20_000, marks=pytest.mark.torture)]
)
def test_chance_strings_go_through_feed_database_and_output(
    strings: int, database: Database
) -> None:
    rng = drawn("hostile entries")
    rig, placed, fields = Rig(database), 0, 6
    while placed * fields < strings:
        entries = read(chance_feed(rng, 40), source=f"feed-{placed}")
        assert entries
        rig.take(*entries)
        placed += len(entries)
    kept = [
        codecs.decompress_struct(one, Entry)
        for (one,) in queried(database, select(entry.c.payload))
    ]
    lengths = queried(
        database,
        select(
            article.c.title,
            func.length(article.c.title),
            article.c.text,
            func.length(article.c.text),
        ),
    ).all()
    for one in kept:
        msgspec.json.encode(one).decode()
    # No NUL ends a string
    assert all(len(title) == n and len(text) == m for title, n, text, m in lengths)
    stories = StoryReader(database).stories(StoryFilter(limit=strings)).stories
    assert stories
    written = feed_of(database, limit=strings)
    assert len(etree.fromstring(written).findall(".//item")) == len(stories)


def test_the_same_three_times_is_no_news_whatever_an_entry_lacks(
    database: Database,
) -> None:
    """Entries without guid, link, title or date are known by what they have; empty ones are dropped."""
    body = "The ferry came back into the harbour on Friday morning with all of its passengers on board."
    feed = rss(
        "<item><title>Only a title here</title></item>"
        f"<item><description>{body}</description></item>"
        "<item><link>https://news.example.org/only-a-link</link></item>"
        "<item><guid isPermaLink='false'>only-a-guid</guid></item>"
        "<item><pubDate>Sat, 28 Feb 2026 09:30:00 GMT</pubDate></item><item/>"
    ).encode()
    rig = Rig(database)
    outcomes = [[one.outcome for one in rig.accept(*read(feed))] for _ in range(3)]
    assert outcomes == [["new"] * 4, ["known"] * 4, ["known"] * 4]


def test_all_that_an_entry_declares_is_kept_in_the_database(database: Database) -> None:
    item = """<item xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/">
      <guid>1</guid><title>Ferry back</title><link>https://news.example.org/1</link>
      <dc:creator>Ada Quill</dc:creator>
      <category>Harbour</category><dc:subject>Ships</dc:subject><source url="https://w.example/rss">Wire</source>
      <enclosure url="https://news.example.org/1.mp3" type="audio/mpeg" length="77"/>
      <media:content url="https://news.example.org/1.mp4" type="video/mp4" fileSize="99">
        <media:description>A caption far longer than the text that the entry itself has.</media:description>
      </media:content>
      <media:thumbnail url="https://news.example.org/1.jpg"/>
      <description>All are on board.</description></item>"""
    Rig(database).take(*read(rss(item).encode()))
    kept = codecs.decompress_struct(value(database, entry.c.payload), Entry)
    assert kept.enclosures == (
        Enclosure(
            url="https://news.example.org/1.mp3", type="audio/mpeg", length_bytes=77
        ),
        Enclosure(
            url="https://news.example.org/1.mp4", type="video/mp4", length_bytes=99
        ),
        Enclosure(url="https://news.example.org/1.jpg", type="image"),
    )
    assert (kept.author, kept.categories, kept.outlet) == (
        "Ada Quill",
        ("Harbour", "Ships"),
        "Wire",
    )
    assert kept.html is None  # its words are in the article by then


def test_a_date_in_the_future_orders_nothing(database: Database) -> None:
    """An entry dated in the year 9999 is as old as its arrival, not the first for ever."""
    rig = Rig(database)
    future, today = "Fri, 31 Dec 9999 23:59:59 GMT", "Sun, 08 Dec 2024 11:00:00 GMT"
    items = "".join(
        f"<item><guid>{title}</guid><title>{title}</title><pubDate>{raw}</pubDate></item>"
        for title, raw in (
            ("Ferry returns to harbour", future),
            ("Parliament passes budget law", today),
        )
    )
    rig.take(*read(rss(items).encode()))
    rows = queried(
        database, select(article.c.title, article.c.published, article.c.effective_at)
    ).all()
    assert {row.title: row.published is None for row in rows} == {
        "Ferry returns to harbour": True,
        "Parliament passes budget law": False,
    }
    assert max(row.effective_at for row in rows) <= NOON + DAY
