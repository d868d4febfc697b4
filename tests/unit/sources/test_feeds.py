"""Reading feeds: formats, what an entry keeps, and what strangers put in a feed's place."""

import datetime as dt
import gzip
import json
import os
import re
from html import escape
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.sources.parse.feeds.xml_entries import entry_starts
from aggregator.sources.parse.feeds.xml_repair import decode_markup
from aggregator.sources.source_limits import KEY_CHARS
from tests.support.read_feeds import TUNING, read
from tests.support.tables import mapping, rows

FEEDS = (
    Path(
        os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[4] / "shared" / "data")
    )
    / "feeds"
)


def rss(items: str, head: str = "", version: str = "2.0") -> str:
    return (
        f'<?xml version="1.0"?><rss version="{version}" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>Harbour Post</title><link>https://www.example.org/</link>{head}{items}</channel></rss>"
    )


FULL_ITEM = """<item>
  <guid isPermaLink="false">hp-17</guid><link>/2026/02/ferry?x=1</link>
  <title>Ferry &amp;amp; crew return &lt;i&gt;safely&lt;/i&gt;</title>
  <description>Short.</description>
  <content:encoded><![CDATA[<p>The ferry came back on Friday with all on board.</p>]]></content:encoded>
  <pubDate>Fri, 27 Feb 2026 10:30:00 +0100</pubDate>
  <dc:creator>Ada Quill</dc:creator><category>Harbour</category><category>Harbour</category>
  <source url="https://wire.example.net/rss">Wire Example</source>
  <enclosure url="https://cdn.example.org/a.jpg" type="image/jpeg" length="1200"/>
  <media:content url="https://cdn.example.org/b.mp4" type="video/mp4"/>
</item>"""


def test_an_rss_entry_keeps_all_that_it_declares() -> None:
    feed = read(rss(FULL_ITEM, "<language>en-GB</language>"))
    entry = feed.entries[0]
    assert (feed.format, feed.title, feed.language, feed.problem) == (
        "rss20",
        "Harbour Post",
        "en",
        None,
    )
    assert feed.site_url == "https://www.example.org/"
    assert (entry.source, entry.guid) == ("feed-1", "hp-17")
    assert entry.url == "https://www.example.org/2026/02/ferry?x=1"
    assert entry.title == "Ferry & crew return safely"
    assert entry.html == "<p>The ferry came back on Friday with all on board.</p>"
    assert entry.published.time == dt.datetime(2026, 2, 27, 9, 30, tzinfo=dt.UTC)
    assert (entry.author, entry.outlet, entry.language) == (
        "Ada Quill",
        "Wire Example",
        "en",
    )
    assert entry.categories == ("Harbour",)
    names = [
        one.url.removeprefix("https://cdn.example.org/") for one in entry.enclosures
    ]
    assert names == ["a.jpg", "b.mp4"]
    assert entry.enclosures[0].length_bytes == 1200


def test_the_outlet_of_the_source_goes_before_the_entrys_own() -> None:
    assert (
        read(rss(FULL_ITEM), outlet="Harbour Post").entries[0].outlet == "Harbour Post"
    )


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>Zeitblatt</title>
<link href="https://example.org/"/><entry><id>tag:example.org,2026:1</id>
<title type="html">Zug &amp;amp; Bus</title><link href="https://example.org/a"/>
<updated>2026-02-28T08:00:00Z</updated><summary>kurz</summary>
<content type="html">&lt;p&gt;Der Zug f&amp;auml;hrt wieder.&lt;/p&gt;</content></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://example.org/"><title>R</title>
<link>https://example.org/</link></channel>
<item rdf:about="https://example.org/r1"><title>Bridge opens</title><link>https://example.org/r1</link><dc:date>2026-02-27T10:00:00+01:00</dc:date></item></rdf:RDF>"""
ATOM03 = """<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>Old</title><entry><id>o1</id>
<title>Mill closes</title><link rel="alternate" href="https://example.org/o1"/>
<issued>2026-02-27T10:00:00Z</issued></entry></feed>"""


@pytest.mark.parametrize(
    ("data", "version", "title"),
    [
        (ATOM, "atom10", "Zug & Bus"),
        (ATOM03, "atom03", "Mill closes"),
        (RDF, "rss10", "Bridge opens"),
        (rss("<item><title>T</title></item>", version="0.91"), "rss091u", "T"),
        (rss("<item><title>T</title></item>", version="0.92"), "rss092", "T"),
    ],
)
def test_each_format_gives_its_entry(data: str, version: str, title: str) -> None:
    feed = read(data)
    assert (feed.format, feed.entry_count, [entry.title for entry in feed.entries]) == (
        version,
        1,
        [title],
    )


def test_atom_without_published_takes_updated_and_the_fullest_text() -> None:
    entry = read(ATOM).entries[0]
    assert (
        entry.published.time
        == entry.updated
        == dt.datetime(2026, 2, 28, 8, tzinfo=dt.UTC)
    )
    assert "Der Zug" in entry.html
    assert entry.language == "de"


def test_a_date_that_is_none_does_not_hide_another() -> None:
    atom = ATOM.replace(
        "<updated>", "<published>0001-01-01T00:00:00Z</published><updated>"
    )
    of_rss = "<title>a</title><pubDate>Invalid Date</pubDate><dc:date>2026-02-28T08:00:00Z</dc:date>"
    item = JSON_FEED["items"][0] | {
        "date_published": "never",
        "date_modified": "2026-02-28T08:00:00Z",
    }
    for feed in (
        atom,
        rss(f"<item>{of_rss}</item>"),
        json.dumps(JSON_FEED | {"items": [item]}),
    ):
        assert read(feed).entries[0].published.time == dt.datetime(
            2026, 2, 28, 8, tzinfo=dt.UTC
        )


@pytest.mark.parametrize(
    ("guid", "url"),
    [("abc-123", None), ("1", None), ("/2026/a", "https://www.example.org/2026/a")],
)
def test_a_guid_is_an_address_only_if_it_looks_like_one(
    guid: str, url: str | None
) -> None:
    (entry,) = read(rss(f"<item><title>a</title><guid>{guid}</guid></item>")).entries
    assert (entry.guid, entry.url) == (guid, url)


JSON_FEED = mapping("feeds", "json feed")


def test_json_feed() -> None:
    feed = read(json.dumps(JSON_FEED))
    entry = feed.entries[0]
    assert (feed.format, feed.entry_count, len(feed.entries), feed.language) == (
        "jsonfeed",
        2,
        1,
        "fr",
    )
    assert (entry.guid, entry.url, entry.author) == (
        "7",
        "https://example.org/j/7",
        "A. Plume",
    )
    assert entry.html == "<p>Un texte.</p><p>Deux &lt; trois.</p>"
    assert entry.enclosures[0].length_bytes == 5


def test_an_entry_without_a_link_has_the_address_that_it_declares_elsewhere() -> None:
    content = '<content type="text/html" src="https://example.org/1"/><summary>Rain.</summary>'
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>tag:a,1</id>{content}</entry></feed>'
    item = {"id": "https://example.org/1", "content_text": "Rain."}
    for feed in (atom, json.dumps(JSON_FEED | {"items": [item]})):
        assert read(feed).entries[0].url == "https://example.org/1"


def test_markup_that_is_escaped_twice_is_markup() -> None:
    twice = "&amp;lt;p&amp;gt;Rain &amp;amp;amp; fog.&amp;lt;/p&amp;gt;"
    (entry,) = read(
        rss(f"<item><title>a</title><description>{twice}</description></item>")
    ).entries
    assert entry.html == "<p>Rain &amp; fog.</p>"
    # A text about markup
    once = "Write &amp;lt;b&amp;gt; before and &amp;lt;/b&amp;gt; after."
    (entry,) = read(
        rss(f"<item><title>a</title><description>{once}</description></item>")
    ).entries
    assert entry.html == "Write &lt;b&gt; before and &lt;/b&gt; after."


def test_markup_that_a_json_feed_escapes_as_xml_does_is_markup() -> None:
    item = {
        "id": "1",
        "content_html": "&lt;p&gt;Rain &amp;amp; &lt;b&gt;fog&lt;/b&gt;.&lt;/p&gt;",
    }
    (entry,) = read(json.dumps(JSON_FEED | {"items": [item, {"id": "2"}]})).entries[:1]
    assert entry.html == "<p>Rain &amp; <b>fog</b>.</p>"


@pytest.mark.parametrize("written", ["<![CDATA[{}]]>", " <[CDATA[{}]]>\n"])
def test_a_section_that_is_escaped_itself_is_no_text(written: str) -> None:
    def escaped(value: str) -> str:
        return escape(written.format(value))

    link, text = "https://www.example.org/1", "<p>Rain.</p>"
    item = f"<title>{escaped('Lock gate')}</title><link>{escaped(link)}</link>"
    item += f"<guid>{escaped('g')}</guid><description>{escaped(text)}</description>"
    atom = f'<title type="html">{escaped("Lock gate")}</title><link href="{link}"/><id>g</id>'
    atom += f'<content type="html">{escaped(text)}</content>'
    json_item = {
        "id": "g",
        "url": link,
        "title": written.format("Lock gate"),
        "content_html": written.format(text),
    }
    for feed in (
        rss(f"<item>{item}</item>"),
        f'<feed xmlns="http://www.w3.org/2005/Atom"><entry>{atom}</entry></feed>',
        json.dumps(JSON_FEED | {"items": [json_item]}),
    ):
        (entry,) = read(feed).entries
        assert (entry.guid, entry.url) == ("g", link)
        assert (entry.title, entry.html) == ("Lock gate", text)


def test_a_title_about_sections_is_kept() -> None:
    title = "Why <![CDATA[a]]> ends there"
    feed = rss(f"<item><title>{escape(title)}</title></item>")
    assert read(feed).entries[0].title == title


@pytest.mark.parametrize(
    ("markup", "title", "url"),
    [
        ("<title>Q&A: AT&T wins</title>", "Q&A: AT&T wins", None),
        (
            "<title>a</title><link>https://a.org/?a=1&b=2</link>",
            "a",
            "https://a.org/?a=1&b=2",
        ),
        ("<title>R & D &amp; &#38; more</title>", "R & D & & more", None),
        ("<title><![CDATA[Q&A]]> & <!-- & -->more</title>", "Q&A & more", None),
    ],
)
def test_an_ampersand_that_is_not_escaped_is_one(
    markup: str, title: str, url: str | None
) -> None:
    (entry,) = read(rss(f"<item>{markup}</item>")).entries
    assert (entry.title, entry.url) == (title, url)


@pytest.mark.parametrize(
    "empty",
    ["<link/>", "<link></link>", "<link>\n </link >", "<link><![CDATA[]]></link>"],
)
def test_an_empty_link_does_not_hide_the_guid(empty: str) -> None:
    address = "https://www.example.org/1"
    guid = f"<guid isPermaLink='true'>{address}</guid>"
    for markup in (empty + guid, guid + empty):
        (entry,) = read(rss(f"<item><title>a</title>{markup}</item>")).entries
        assert entry.url == address


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("www.example.org/blog/1", "https://www.example.org/blog/1"),
        ("WWW.harbour.example/1?a=2", "https://WWW.harbour.example/1?a=2"),
        ("www.html", "https://www.example.org/www.html"),
        ("blog/1", "https://www.example.org/blog/1"),
    ],
)
def test_a_link_that_begins_with_its_host_has_no_other(link: str, url: str) -> None:
    (entry,) = read(rss(f"<item><title>a</title><link>{link}</link></item>")).entries
    assert entry.url == url


@pytest.mark.parametrize(
    ("link", "authority"),
    [
        ("https://www.example.org/a", "own"),
        ("https://elsewhere.example.com/a", "foreign"),
        ("", "own"),
    ],
)
def test_a_feed_speaks_only_for_its_own_site(link: str, authority: str) -> None:
    item = f"<item><title>T</title><link>{link}</link></item>"
    assert read(rss(item)).entries[0].authority == authority
    assert read(rss(item), url=None).entries[0].authority == "handed"


@pytest.mark.parametrize(
    ("times", "precision"),
    rows("feeds", "midnight of all entries is a day"),
)
def test_midnight_of_all_entries_is_a_day(
    times: list[str], precision: list[str]
) -> None:
    items = [
        f"<item><title>T{n}</title><pubDate>Wed, 1{n} Feb 2026 {time} +0000</pubDate></item>"
        for n, time in enumerate(times)
    ]
    about = "<item><title>About</title></item>"
    entries = read(rss("".join([*items, about]))).entries
    assert [one.published.precision for one in entries if one.published] == precision


def test_a_time_without_a_zone_is_in_the_zone_of_the_source() -> None:
    item = "<item><title>T</title><pubDate>2026-02-27T10:00:00</pubDate></item>"
    zoned = read(rss(item), zone="Europe/Berlin").entries[0].published
    bare = read(rss(item)).entries[0].published
    assert (zoned.time.hour, bare.time.hour, bare.timezone_assumed) == (9, 10, True)


ITEM = '<item xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><title>T</title>{}</item>'


@pytest.mark.parametrize(
    ("markup", "author"),
    rows("feeds", "an author is a name"),
)
def test_an_author_is_a_name(markup: str, author: str | None) -> None:
    assert read(rss(ITEM.format(markup))).entries[0].author == author


@pytest.mark.parametrize(
    ("markup", "kinds"),
    rows("feeds", "pictures and films are kept with their kind"),
)
def test_pictures_and_films_are_kept_with_their_kind(
    markup: str, kinds: list[str]
) -> None:
    entry = read(rss(ITEM.format(markup))).entries[0]
    assert [one.type for one in entry.enclosures] == kinds
    assert entry.title == "T"


def test_the_caption_of_a_picture_is_the_text_only_where_there_is_no_other() -> None:
    caption = '<media:description type="plain">A caption that is longer than the text.</media:description>'
    long = f'<media:content url="https://a.example/c.jpg">{caption}</media:content>'
    short = "<description>Short.</description>"
    for markup in (long + short, short + long, "<media:description />" + long + short):
        html = read(rss(ITEM.format(markup))).entries[0].html
        assert html in ("Short.", "<p>Short.</p>")
    alone = read(rss(ITEM.format(long))).entries[0].html
    assert alone == "<p>A caption that is longer than the text.</p>"


def test_the_text_of_a_link_is_its_address_whatever_its_attributes_say() -> None:
    item = ITEM.format(
        '<link uri="at://did:plc:x/app.post/1">https://www.example.org/1</link>'
    )
    assert read(rss(item)).entries[0].url == "https://www.example.org/1"


def test_a_feed_says_how_seldom_it_wants_to_be_asked() -> None:
    every = '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily</sy:updatePeriod>'
    assert (
        read(rss("<item><title>T</title></item>", "<ttl>90</ttl>")).ttl_seconds == 5400
    )
    assert read(rss("<item><title>T</title></item>", every)).ttl_seconds == 86400
    assert read(rss("<item><title>T</title></item>")).ttl_seconds is None


@pytest.mark.parametrize("version", ["1.1", "https://jsonfeed.org/version/1"])
def test_a_json_feed_with_a_line_break_in_a_string_or_a_wrong_version(
    version: str,
) -> None:
    feed = read(
        f'{{"version": "{version}", "items": [{{"id": "1", "content_text": "One\nTwo"}}]}}'
    )
    assert (feed.format, feed.entry_count) == ("jsonfeed", 1)
    assert (
        read('{"version": "1.1", "items": [{"id": 1, "price": 3}]}').problem is not None
    )


def test_in_a_sitemap_the_news_goes_before_films_and_the_newest_page_first() -> None:
    feed = read(
        """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
        <url><loc>https://news.example.org/old</loc><lastmod>2026-01-02</lastmod></url>
        <url><loc>https://news.example.org/s1</loc><lastmod>2026-02-28</lastmod>
        <video:video xmlns:video="http://www.google.com/schemas/sitemap-video/1.1"><video:title>Film</video:title>
        <video:publication_date>2020-01-01</video:publication_date></video:video>
        <image:image><image:loc>https://news.example.org/s1.jpg</image:loc><image:title>Pic</image:title></image:image>
        <news:news><news:publication><news:name>Harbour Post</news:name><news:language>en</news:language>
        </news:publication><news:publication_date>2026-02-27T09:00:00+01:00</news:publication_date>
        <news:title>Lock gate mended</news:title><news:keywords>locks, ports</news:keywords></news:news></url>
        </urlset>"""
    )
    entry = feed.entries[0]
    assert (feed.format, feed.title, entry.authority) == (
        "sitemap",
        "Harbour Post",
        "own",
    )
    assert (entry.title, entry.outlet, entry.language) == (
        "Lock gate mended",
        "Harbour Post",
        "en",
    )
    assert entry.categories == ("locks", "ports")
    assert [one.url for one in entry.enclosures] == ["https://news.example.org/s1.jpg"]
    assert entry.published.time == dt.datetime(2026, 2, 27, 8, tzinfo=dt.UTC)
    assert [one.url[25:] for one in feed.entries] == ["s1", "old"]


# --- strangers' bytes --------------------------------------------------------------------------------------


def test_a_feed_without_news_today_is_no_problem() -> None:
    assert read(rss("")).problem is None


def test_a_doctype_that_says_html_does_not_hide_a_feed() -> None:
    assert (
        len(
            read(
                "<!DOCTYPE html>" + rss("<item><title>T</title></item>").split("?>")[1]
            ).entries
        )
        == 1
    )


@pytest.mark.parametrize(
    "hurt", ["&#xD800;", "&#0;", "\x00", "\x1b", "&#x1F;", "&#99999999999;", "\ufffe"]
)
def test_characters_that_no_store_can_hold_cost_nothing_but_themselves(
    hurt: str,
) -> None:
    feed = read(rss(f"<item><title>Tide{hurt} turns</title><guid>g</guid></item>"))
    assert [entry.title for entry in feed.entries] == ["Tide turns"]


def test_a_pair_of_surrogate_references_is_one_character() -> None:
    assert (
        read(rss("<item><title>&#xD83D;&#xDEA2; in</title></item>")).entries[0].title
        == "🚢 in"
    )


def test_html_entities_without_a_dtd() -> None:
    entry = read(
        rss("<item><title>Caf&eacute;&nbsp;&ndash; open</title></item>")
    ).entries[0]
    assert entry.title == "Café – open"


def test_gzip_bytes_are_opened() -> None:
    assert (
        len(read(gzip.compress(rss("<item><title>T</title></item>").encode())).entries)
        == 1
    )


# --- limits ------------------------------------------------------------------------------------------------


def dated(days: range) -> str:
    return "".join(
        f"<item><guid>{day}</guid><title>D {day}</title><pubDate>2026-01-{day:02} 08:00:00Z</pubDate></item>"
        for day in days
    )


@pytest.mark.parametrize("days", [range(20, 0, -1), range(1, 21)])
def test_of_too_many_entries_the_newest_are_taken_and_all_counted(days: range) -> None:
    small = msgspec.structs.replace(TUNING, max_entries=5)
    feed = read(rss(dated(days)), tuning=small)
    assert [entry.guid for entry in feed.entries] == ["20", "19", "18", "17", "16"]
    assert feed.entry_count == 20


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


def test_an_entry_that_says_nothing_is_counted_but_dropped() -> None:
    feed = read(rss("<item/><item><title>T</title></item>"))
    assert (feed.entry_count, len(feed.entries)) == (2, 1)


def test_a_giant_guid_stays_a_key() -> None:
    keys = {
        read(rss(f"<item><guid>{'g' * 5000}{end}</guid></item>")).entries[0].guid
        for end in "ab"
    }
    assert len(keys) == 2
    assert all(key and len(key) <= KEY_CHARS for key in keys)


@pytest.mark.later
@pytest.mark.parametrize(
    "token",
    ["<!--", "<![CDATA[", "<item", "&#", "<!DOCTYPE", "<a ", "&amp;", "]]>", "<?xml"],
)
def test_floods_of_one_token_end_well(token: str) -> None:
    feed = read(
        rss(f"<item><title>T</title><description>{token * 20_000}</description></item>")
    )
    assert feed.problem is None or feed.problem.startswith("this")


def test_a_flood_of_attributes_is_dropped_with_its_tag_kept() -> None:
    flood = " ".join(f'a{number}="x"' for number in range(50_000))
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
@settings(max_examples=150, deadline=None)
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
    files = [path for path in sorted(FEEDS.rglob("*")) if path.is_file()]
    for path in files[::step]:
        if path.suffix == ".json" and path.with_suffix(".xml").exists():
            continue
        data = path.read_bytes()
        expected = expected_entries(path, data)
        held += expected > 0
        if expected and read(data, url=None).entry_count != expected:
            missed.append(str(path.relative_to(FEEDS)))
    assert held > 1000 / step
    assert missed == []
