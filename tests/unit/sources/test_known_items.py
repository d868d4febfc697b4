"""A feed whose known items are cut out has the same other entries, also if it is damaged."""

import re
from collections import Counter
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry, ParsedFeed
from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.sources.parse.feeds.read_feed import read_feed
from aggregator.sources.source_limits import source_tuning
from tests.support.read_feeds import FEEDS
from tests.support.rss import item, rss
from tests.support.tables import each_row

NOON = datetime.fromisoformat("2026-11-20T12:00Z")
CONTEXT = FeedContext(
    source="feed-1",
    url="https://news.example.org/rss.xml",
    seen=NOON,
    tuning=source_tuning(Tuning()),
)
FEW = [
    item(
        f"Report {n}",
        f"The ferry came back {n} times.",
        guid=f"g{n}",
        published=NOON - timedelta(hours=n),
    )
    for n in range(1, 5)
]


def read_again(data: bytes, before: ParsedFeed, known: frozenset[bytes]) -> ParsedFeed:
    """The feed, where an earlier poll had `before`, and `known` of its items."""
    seen = {
        "known_items": known,
        "frame": before.frame,
        "states_days": before.states_days,
    }
    return read_feed(data, replace(CONTEXT, **seen))


def entries_of(feed: ParsedFeed, before: ParsedFeed) -> Counter[bytes]:
    """The entries, with those that were left out, as often as each is in the feed."""
    known = {
        item: entry
        for item, entry in zip(before.items, before.entries, strict=False)
        if item
    }
    entries: list[Entry] = [*feed.entries, *(known[item] for item in feed.left_out)]
    # Known entries keep their precision, which all entries of a poll decide together.
    return Counter(map(_without_precision, entries))


def _without_precision(entry: Entry) -> bytes:
    published = entry.published and replace(entry.published, precision="minute")
    return msgspec.msgpack.encode(replace(entry, published=published))


def check(data: bytes, before: ParsedFeed, known: frozenset[bytes]) -> ParsedFeed:
    """The feed without what is known, after it was compared with the whole feed."""
    cut, whole = read_again(data, before, known), read_feed(data, CONTEXT)
    assert entries_of(cut, before) == entries_of(whole, before)
    left_out = Counter(cut.left_out)
    kept = [entry for entry in whole.entries if entry in set(cut.entries)]
    assert list(cut.entries) == kept or left_out.total() == 0, (
        "in their order, and with the same precision"
    )
    assert (cut.problem is None) == (whole.problem is None)
    if cut.entries:
        of_feed = [
            (one.format, one.title, one.language, one.site_url, one.ttl_seconds)
            for one in (cut, whole)
        ]
        assert of_feed[0] == of_feed[1]
    return cut


def test_an_item_that_moved_is_known_and_a_changed_one_is_read() -> None:
    before = read_feed(rss(*FEW).encode(), CONTEXT)
    moved = rss(FEW[3], FEW[0], FEW[2].replace("ferry", "boat"), FEW[1]).encode()
    later = read_again(moved, before, frozenset(before.items))
    assert [entry.guid for entry in later.entries] == ["g3"]


@each_row(
    "known_items",
    "all is read again if the feed is another one or damaged",
    "replaced",
    "written",
)
def test_all_is_read_again_if_the_feed_is_another_one_or_damaged(
    replaced: str, written: str
) -> None:
    before = read_feed(rss(*FEW).encode(), CONTEXT)
    data = rss(*FEW).replace(replaced, written, 1).encode()
    assert read_again(data, before, frozenset(before.items)) == read_again(
        data, before, frozenset()
    )


def test_all_is_read_again_if_the_source_is_read_otherwise() -> None:
    data = rss(*FEW).encode()
    before = read_feed(data, CONTEXT)
    elsewhere = replace(
        CONTEXT,
        zone="Asia/Tokyo",
        known_items=frozenset(before.items),
        frame=before.frame,
    )
    assert read_feed(data, elsewhere).left_out == ()


@each_row(
    "known_items",
    "stamps of the feed are no reason to read known items",
    "stamp",
    "next_stamp",
)
def test_stamps_of_the_feed_are_no_reason_to_read_known_items(
    stamp: str, next_stamp: str
) -> None:
    def feed(more: str) -> bytes:
        names = "xmlns:atom='http://www.w3.org/2005/Atom' xmlns:dc='http://purl.org/dc/elements/1.1/'"
        return rss(*FEW, more=more).replace("<rss", f"<rss {names}").encode()

    before = read_feed(feed(stamp), CONTEXT)
    known = frozenset(before.items)
    assert len(known) == len(FEW)
    for more in (next_stamp, f"{next_stamp}{item('A new one', guid='new')}"):
        assert check(feed(more), before, known).left_out == before.items


def test_a_comment_around_the_feed_is_no_reason_to_read_known_items() -> None:
    data = rss(*FEW)
    before = read_feed(f"{data}<!-- cached at 10:00 -->".encode(), CONTEXT)
    later = f"{data}\n<!-- cached at 11:00 - by server 3 -->\n".encode()
    assert check(later, before, frozenset(before.items)).left_out == before.items


@pytest.mark.parametrize(
    "begins", ["<!DOCTYPE html>", "<?xml version='1.0'?>\n<!DOCTYPE rss>\n"]
)
@pytest.mark.parametrize(
    "within", ["", "<![CDATA[<!DOCTYPE html><p>How a page begins</p>]]>"]
)
def test_a_feed_that_begins_like_a_page_is_cut(begins: str, within: str) -> None:
    few = [
        one.replace("</item>", f"<description>{within}</description></item>")
        for one in FEW
    ]
    before = read_feed(f"{begins}{rss(*few[1:])}".encode(), CONTEXT)
    later = check(f"{begins}{rss(*few)}".encode(), before, frozenset(before.items))
    assert later.left_out == before.items
    assert [entry.guid for entry in later.entries] == ["g1"]


def test_a_feed_that_defines_entities_is_not_cut() -> None:
    begins = """<!DOCTYPE rss SYSTEM "a>b" [<!ENTITY word 'boo'>]>"""
    feed = read_feed(f"{begins}{rss(*FEW)}".encode(), CONTEXT)
    assert len(feed.entries) == len(FEW)
    assert feed.items == ()


def test_an_item_of_a_later_day_is_read_until_its_date_counts() -> None:
    later = item("Later", guid="later", published=NOON + timedelta(days=3))
    before = read_feed(rss(later, *FEW).encode(), CONTEXT)
    assert before.items[0] == b""
    assert all(before.items[1:])


def test_a_new_entry_at_midnight_has_the_precision_that_the_whole_feed_gives_it() -> (
    None
):
    midnight = item("Night", guid="night", published=NOON.replace(hour=0))
    before = read_feed(rss(*FEW).encode(), CONTEXT)
    new = read_again(
        rss(midnight, *FEW).encode(), before, frozenset(before.items)
    ).entries[0]
    assert new.published is not None
    assert new.published.precision == "minute"


DAMAGES = st.sampled_from(
    ["none", "cut off", "a byte", "CDATA", "comment", "an end", "nested"]
)


def damaged(data: bytes, damage: str, place: int) -> bytes:
    place %= len(data)
    tags = [
        match.start() for match in re.finditer(rb"</?(?:\w+:)?(?:item|entry)\b", data)
    ] or [place]
    tag = tags[place % len(tags)]
    match damage:
        case "cut off":
            return data[:place]
        case "a byte":
            return (
                data[:place]
                + bytes([data[place] ^ (1 + place % 255)])
                + data[place + 1 :]
            )
        case "CDATA":
            return (
                data[:tag]
                + b"<![CDATA["
                + data[tag : tag + 300]
                + b"]]>"
                + data[tag + 300 :]
            )
        case "comment":
            return data[:tag] + b"<!--" + data[tag:]
        case "an end":
            return data[:tag] + b"</item></entry>" + data[tag:]
        case "nested":
            return data[:tag] + b"<item><title>Inside</title></item>" + data[tag:]
    return data


@pytest.mark.later
@pytest.mark.skipif(
    not FEEDS.is_dir(), reason="the sample feeds are not here (AGGREGATOR_DATA)"
)
@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_real_feeds_have_the_same_new_entries_cut_or_whole(data: st.DataObject) -> None:
    follow(data)


SAMPLES = sorted(
    path
    for path in FEEDS.rglob("*")
    if path.is_file() and path.stat().st_size < 150_000
)


def follow(data: st.DataObject) -> None:
    """A feed in several polls, each with some of its items, or damaged."""
    kind = data.draw(st.sampled_from(["real", "feedparser", "gofeed"]))
    path = data.draw(st.sampled_from([path for path in SAMPLES if kind in path.parts]))
    whole = path.read_bytes()
    before = read_feed(whole, CONTEXT)
    known = frozenset(
        item for item in before.items if item and data.draw(st.booleans())
    )
    for _ in range(2):
        shown = damaged(whole, data.draw(DAMAGES), data.draw(st.integers(0, 10**6)))
        check(shown, before, known)


@pytest.mark.later
def test_every_real_feed_is_cut_or_read_as_a_whole() -> None:
    """And most are cut: what the poll of a feed with one new item costs depends on it."""
    if not FEEDS.is_dir():
        pytest.skip("the sample feeds are not here (AGGREGATOR_DATA)")
    cut = 0
    real = [path for path in SAMPLES if "real" in path.parts]
    for path in real:
        data = path.read_bytes()
        before = read_feed(data, CONTEXT)
        feed = check(data, before, frozenset(before.items[1:]) - {b""})
        cut += bool(feed.left_out)
    assert cut > 0.8 * len(real)


def test_a_feed_that_has_an_item_more_is_cut() -> None:
    """Items stand on lines of their own: the white space between them grows with their number."""
    lines = [f"\n    {one}" for one in FEW]
    before = read_feed(rss(*lines[1:]).encode(), CONTEXT)
    cut = check(rss(*lines).encode(), before, frozenset(before.items))
    assert len(cut.left_out) == len(FEW) - 1
    assert [entry.title for entry in cut.entries] == ["Report 1"]
