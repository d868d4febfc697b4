"""Reading feeds: formats, what an entry keeps, and what strangers put in a feed's place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.sources.parse.feeds.feedparser_feed import for_feedparser
from aggregator.sources.parse.feeds.xml_entries import entry_starts
from aggregator.sources.parse.feeds.xml_repair import decode_markup
from aggregator.sources.source_limits import KEY_CHARS
from tests.support.read_feeds import FEEDS, TUNING, read
from tests.support.tables import each_row, named_parts, named_rows, numbered


def rss(items: str, head: str = "") -> str:
    return (
        '<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>Harbour Post</title><link>https://www.example.org/</link>{head}{items}</channel></rss>"
    )


ROWS = named_rows("read_feeds")


@pytest.mark.parametrize("name", ROWS)
def test_a_feed_gives_what_stands_in_it(name: str) -> None:
    row: dict[str, Any] = ROWS[name]
    data = row.get("feed") or rss(row["items"], row.get("in channel", ""))
    tuning = replace(TUNING, **row.get("limits", {}))
    feed = read(data, tuning=tuning, **row.get("as", {}))
    assert named_parts(feed, row["gives"]) == row["gives"]


# --- strangers' bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hurt", ["&#xD800;", "&#0;", "\x00", "\x1b", "&#x1F;", "&#99999999999;", "\ufffe"]
)
def test_characters_that_no_store_can_hold_cost_nothing_but_themselves(
    hurt: str,
) -> None:
    feed = read(rss(f"<item><title>Tide{hurt} turns</title><guid>g</guid></item>"))
    assert [entry.title for entry in feed.entries] == ["Tide turns"]


# --- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "category",
    [
        "<category>c%d</category>",
        "<dc:subject>c%d</dc:subject>",
        '<category term="c%d"/>',
        "<category><![CDATA[c%d]]></category>",
    ],
)
def test_feedparser_gets_only_the_first_categories_of_each_entry(
    category: str,
) -> None:
    """It compares each with all others: 100,000 took ten seconds."""
    categories = "".join(category % place for place in range(2_000))
    item = f"<item><title>Tide turns</title>{categories}</item>"
    markup = rss(item + item)
    name = category.partition(">")[0].partition(" ")[0]
    assert for_feedparser(markup).count(name) <= 2 * 200
    for entry in read(markup).entries:
        assert entry.categories == tuple(numbered("c%n", 50))


def test_inlined_images_do_not_eat_the_text() -> None:
    picture = (
        '<img src="data:image/png;base64,' + "A" * 300_000 + '"><p>The end is here.</p>'
    )
    html = (
        read(rss(f"<item><description><![CDATA[{picture}]]></description></item>"))
        .entries[0]
        .html
    )
    assert "The end is here." in html


def test_a_giant_guid_stays_a_key() -> None:
    keys = {
        read(rss(f"<item><guid>{'g' * 5000}{end}</guid></item>")).entries[0].guid
        for end in "ab"
    }
    assert len(keys) == 2
    assert all(key and len(key) <= KEY_CHARS for key in keys)


@pytest.mark.later
@each_row("feeds", "floods of one token end well", "token")
def test_floods_of_one_token_end_well(token: str) -> None:
    feed = read(
        rss(f"<item><title>T</title><description>{token * 20_000}</description></item>")
    )
    assert feed.problem is None or feed.problem.startswith("this")


def test_a_flood_of_attributes_is_dropped_with_its_tag_kept() -> None:
    flood = " ".join(numbered('a%n="x"', 50_000))
    feed = read(
        rss(f"<item {flood}><title>T</title><category {flood}/><guid>g</guid></item>")
    )
    assert [(entry.title, entry.guid) for entry in feed.entries] == [("T", "g")]


# --- never an exception ------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    b"<rss>|<channel>|<item>|</item>|<title>|&#xD800;|<![CDATA[|<!DOCTYPE x [|]>|<entry>|<urlset><url><loc>|"
    b"<feed xmlns='http://www.w3.org/2005/Atom'>|\xff\xfe|\0|<link href='//['/>|<?xml encoding='hex'?>|&x;|{|"
    b'{"version":"jsonfeed.org"|<pubDate>99999-99-99</pubDate>'.split(b"|")
)


@pytest.mark.later
@settings(max_examples=150)
@given(st.lists(PIECES | st.binary(max_size=20), max_size=25).map(b"".join))
def test_any_bytes_give_a_feed_or_a_problem(data: bytes) -> None:
    feed = read(data)
    assert feed.problem or feed.format
    for entry in feed.entries:
        text = entry.title + (entry.html or "") + (entry.guid or "")
        assert not re.search("[\x00-\x08\ud800-\udfff]", text)


# --- feeds of the field's own test suites ------------------------------------------------------------------


def expected_entries(path: Path, data: bytes) -> int:
    if path.suffix != ".json":
        return len(list(entry_starts(decode_markup(data))))
    try:
        feed = json.loads(data.decode("utf-8-sig"))
    except ValueError:
        return 0
    is_feed = isinstance(feed, dict) and "jsonfeed.org" in str(feed.get("version"))
    return len(feed.get("items") or []) if is_feed else 0


@pytest.mark.later
@pytest.mark.skipif(
    not FEEDS.is_dir(), reason="AGGREGATOR_DATA names no folder with feeds"
)
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.torture)])
def test_every_feed_with_entries_yields_all_of_them(step: int) -> None:
    """Every fifth file; all of them in `make test-all`. NAME.json beside NAME.xml is an expected result."""
    missed, held = [], 0
    for path in [path for path in sorted(FEEDS.rglob("*")) if path.is_file()][::step]:
        if path.suffix == ".json" and path.with_suffix(".xml").exists():
            continue
        data = path.read_bytes()
        expected = expected_entries(path, data)
        held += expected > 0
        if expected and read(data, url=None).entry_count != expected:
            missed.append(str(path.relative_to(FEEDS)))
    assert held > 1000 / step
    assert missed == []
