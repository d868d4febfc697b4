"""OPML in and out, and finding the feed of a site."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model.errors import ReadError
from aggregator.sources.parse.feeds.feed_discovery import (
    FeedCandidate,
    PageJob,
    discover,
    feed_links,
    usual_places,
)
from aggregator.sources.parse.feeds.opml import OpmlFeed, read_opml, write_opml
from tests.support.tables import each_row, mapping, named_parts, numbered, rows

LISTS = mapping("lists", "lists")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_gives_its_feeds(name: str) -> None:
    row = LISTS[name]
    found = read_opml(row["text"].encode(row.get("encoding", "utf-8")))
    assert named_parts(found, row["gives"]) == row["gives"]


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<html><body>x</body></html>", b"\x89PNG\0\0", b"<opml/>"]
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ReadError, match="OPML"):
        read_opml(data)


NAMES = st.text(
    st.characters(
        codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="<>&"
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=2)), max_size=5))
def test_what_is_written_is_read_back(named: list[tuple[str, list[str]]]) -> None:
    feeds = [
        OpmlFeed(url=f"https://{number}.example/rss", title=name, folder=tuple(folder))
        for number, (name, folder) in enumerate(named)
    ]
    written = write_opml(
        [OpmlFeed(url="https://first.example/rss"), *feeds], title="All"
    )
    read = {feed.url: feed.folder for feed in read_opml(written).feeds}
    assert len(read) == len(feeds) + 1
    assert {len(feed.folder) for feed in feeds} <= {
        len(folder) for folder in read.values()
    }


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    try:
        feeds = read_opml(data + b"<outline xmlUrl='https://a.example/'/>").feeds
    except ReadError:
        feeds = ()
    assert {feed.url for feed in feeds} <= {"https://a.example/"}


PAGE = """<html><head><base href="https://cdn.example.org/site/">
<!-- <link rel="alternate" type="application/rss+xml" href="/old.xml"> -->
<link rel="alternate" type="application/rss+xml" title="Comments" href="https://example.org/comments.xml">
<LINK REL='Alternate' TYPE='application/atom+xml' TITLE='News &amp; more' HREF='atom.xml'>
<link rel=alternate type=application/rss+xml href=/rss.xml>
<link rel="alternate" hreflang="de" href="https://example.org/de/">
<link rel="alternate" type="application/json" href="https://example.org/wp-json/wp/v2/posts/1">
<link rel="alternate" type="application/feed+json" href="javascript:alert(1)">
<link rel="stylesheet" href="/style.css"></head>
<body><a href="/feeds/world.rss">World</a>
<a href="/about">About</a><a href="/rss.xml">RSS</a></body></html>"""


def test_declared_feeds_come_first_and_comments_last() -> None:
    links = feed_links(PAGE, "https://example.org/start")
    assert [(link.url, link.origin) for link in links] == [
        ("https://cdn.example.org/site/atom.xml", "declared"),
        ("https://cdn.example.org/rss.xml", "declared"),
        ("https://cdn.example.org/feeds/world.rss", "linked"),
        ("https://example.org/comments.xml", "declared"),
    ]
    assert links[0].title == "News & more"


def test_usual_places() -> None:
    places = [link.url for link in usual_places("https://example.org/blog/?page=2#top")]
    assert places[:2] == [
        "https://example.org/blog/feed",
        "https://example.org/blog/rss",
    ]
    assert "https://example.org/feed" in places
    assert len(set(places)) == len(places)
    assert usual_places("ftp://example.org/") == []
    assert usual_places("https://[broken/") == []


@pytest.mark.later
@settings(max_examples=100)
@given(st.text(max_size=100), st.text(max_size=30))
def test_any_page_gives_addresses_of_pages(text: str, href: str) -> None:
    page = f"{text}<link rel=alternate type=application/rss+xml href='{href}'>"
    assert all(
        link.url.startswith("http") for link in feed_links(page, "https://example.org/")
    )


# --- lists as other programs write them --------------------------------------------------------------------

ODD_LISTS = mapping("lists", "odd lists")


@pytest.mark.parametrize("name", ODD_LISTS)
def test_lists_of_other_programs(name: str) -> None:
    body, urls = ODD_LISTS[name]
    for codec in ("utf-8", "utf-16", "windows-1252"):
        text = f"<?xml version='1.0' encoding='{codec}'?><opml version='1.0'><body>{body}</body></opml>"
        assert [feed.url for feed in read_opml(text.encode(codec)).feeds] == urls


ODD_ADDRESSES = mapping("lists", "odd addresses")


@pytest.mark.parametrize("written", ODD_ADDRESSES)
def test_addresses_as_other_programs_write_them(written: str) -> None:
    data = f"<opml><outline text='F' xmlUrl='{written}'/></opml>"
    assert [feed.url for feed in read_opml(data.encode()).feeds] == [
        ODD_ADDRESSES[written]
    ]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        *rows("lists", "what is not taken of a list is named with the reason"),
        (f"text='K' xmlUrl='https://a.example/{'a' * 5_000}'", "no web address"),
    ],
)
def test_what_is_not_taken_of_a_list_is_named_with_the_reason(
    attributes: str, reason: str
) -> None:
    data = f"<opml><outline text='Folder'><outline {attributes}/></outline></opml>"
    (entry,) = read_opml(data.encode()).skipped
    assert entry.name == "K"
    assert reason in entry.reason
    assert len(entry.reason) < 200
    assert "5ecret" not in entry.reason


def test_an_entry_with_an_endless_address_is_not_lost_in_silence() -> None:
    data = f"<opml><outline text='K' xmlUrl='https://a.example/{'a' * 10_000}'/></opml>"
    (entry,) = read_opml(data.encode()).skipped
    assert "far too long" in entry.reason


@pytest.mark.later
@pytest.mark.parametrize(
    ("feeds", "folders"),
    [
        (5_000, 0),
        pytest.param(50_000, 0, marks=pytest.mark.torture),
        (1_000, 200),
        (10, 100_000),
    ],
)
def test_a_long_or_deep_list_is_read(feeds: int, folders: int) -> None:
    body = "".join(
        numbered('<outline text="F%n" xmlUrl="https://f%n.example/rss"/>', feeds)
    )
    data = (
        "<opml><body>"
        + '<outline text="a">' * folders
        + body
        + "</outline>" * folders
        + "</body></opml>"
    )
    found = read_opml(data.encode()).feeds
    assert len(found) == (feeds if folders < 100_000 else 0)
    assert all(len(feed.folder) <= 20 for feed in found)


# --- which of several feeds --------------------------------------------------------------------------------


def links_of(page_url: str, *hrefs: str) -> list[str]:
    page = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="{href}">'
        for href in hrefs
    )
    return [
        link.url.removeprefix("https://example.org")
        for link in feed_links(page, page_url)
    ]


@each_row("lists", "the likeliest feed comes first", "page", "hrefs", "first")
def test_the_likeliest_feed_comes_first(
    page: str, hrefs: list[str], first: str
) -> None:
    assert links_of(page, *hrefs)[0] == first


def discovered(page: str, url: str = "https://example.org/") -> list[FeedCandidate]:
    job = msgspec.msgpack.encode(PageJob(page=page.encode(), url=url))
    return msgspec.msgpack.decode(discover(job), type=list[FeedCandidate])


def test_a_page_in_a_folder_of_feeds_lends_its_links_no_likeness() -> None:
    links = "".join(
        f'<a href="{one}">x</a>'
        for one in ("#top", "?page=2", "a.html", "http://[/rss", "all.rss")
    )
    assert [one.url for one in discovered(links, "https://example.org/rss/")] == [
        "https://example.org/rss/all.rss"
    ]


@pytest.mark.parametrize(
    "token",
    ["<link ", "<a href='", "<!--", "<meta content='0;url=", "<base ", "href=", "<"],
)
def test_floods_in_a_page_end_well(token: str) -> None:
    assert discovered(token * 200_000) == []
