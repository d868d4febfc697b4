"""OPML in and out, and finding the feed of a site."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.errors import ReadError
from aggregator.rules import rule_book
from aggregator.sources.discovery import feed_links, usual_places
from aggregator.sources.limits import source_rules
from aggregator.sources.opml import OpmlFeed, read_opml, write_opml

RULES = source_rules(rule_book())


def test_folders_are_read_as_they_nest() -> None:
    data = b"""<?xml version="1.0"?><opml version="1.0"><head><title>Mine</title></head><body>
    <outline text="News"><outline text="World">
      <outline type="rss" text="Harbour &amp; Post" xmlUrl="https://a.example/rss" htmlUrl="https://a.example/"/>
    </outline></outline>
    <outline title="Bare" xmlurl="https://b.example/rss"/>
    <outline TEXT="Filed" XMLURL="https://c.example/rss" category="/Daily/Press,/Other"/>
    <outline text="Again" xmlUrl="https://a.example/rss"/>
    <outline text="No feed" url="https://d.example/"/><outline text="Bad" xmlUrl="file:///etc/passwd"/>
    </body></opml>"""
    assert read_opml(data, rules=RULES) == (
        OpmlFeed(
            url="https://a.example/rss",
            title="Harbour & Post",
            home="https://a.example/",
            folder=("News", "World"),
        ),
        OpmlFeed(url="https://b.example/rss", title="Bare"),
        OpmlFeed(url="https://c.example/rss", title="Filed", folder=("Daily", "Press")),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"<opml><body><outline text='x' xmlUrl='https://a.example/rss'>",
        b"<opml><body><outline text='M & N' xmlUrl='https://a.example/rss'/></body></opml>",
        '<opml><body><outline text="é" xmlUrl="https://a.example/rss"/></body></opml>'.encode("utf-16"),
        b"<!DOCTYPE opml [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><opml><body>"
        b"<outline text='&x;' xmlUrl='https://a.example/rss'/></body></opml>",
    ],
)
def test_broken_lists_are_read_as_far_as_they_go(data: bytes) -> None:
    feeds = read_opml(data, rules=RULES)
    assert [feed.url for feed in feeds] == ["https://a.example/rss"]
    assert "root:" not in feeds[0].title


@pytest.mark.parametrize("data", [b"", b"hello", b"<html><body>x</body></html>", b"\x89PNG\0\0", b"<opml/>"])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(ReadError, match="OPML"):
        read_opml(data, rules=RULES)


NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="<>&"),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=2)), max_size=5))
def test_what_is_written_is_read_back(named: list[tuple[str, list[str]]]) -> None:
    feeds = [
        OpmlFeed(url=f"https://{number}.example/rss", title=name, folder=tuple(folder))
        for number, (name, folder) in enumerate(named)
    ]
    written = write_opml([OpmlFeed(url="https://first.example/rss"), *feeds], title="All")
    read = {feed.url: feed.folder for feed in read_opml(written, rules=RULES)}
    assert len(read) == len(feeds) + 1
    assert {len(feed.folder) for feed in feeds} <= {len(folder) for folder in read.values()}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    try:
        feeds = read_opml(data + b"<outline xmlUrl='https://a.example/'/>", rules=RULES)
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
    assert [(link.url, link.kind, link.origin) for link in links] == [
        ("https://cdn.example.org/site/atom.xml", "atom", "declared"),
        ("https://cdn.example.org/rss.xml", "rss", "declared"),
        ("https://cdn.example.org/feeds/world.rss", "", "linked"),
        ("https://example.org/comments.xml", "rss", "declared"),
    ]
    assert links[0].title == "News & more"


def test_usual_places() -> None:
    places = [link.url for link in usual_places("https://example.org/blog/?page=2#top")]
    assert places[:2] == ["https://example.org/blog/feed", "https://example.org/blog/rss"]
    assert "https://example.org/feed" in places
    assert len(set(places)) == len(places)
    assert usual_places("ftp://example.org/") == []
    assert usual_places("https://[broken/") == []


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=100), st.text(max_size=30))
def test_any_page_gives_addresses_of_pages(text: str, href: str) -> None:
    page = f"{text}<link rel=alternate type=application/rss+xml href='{href}'>"
    assert all(link.url.startswith("http") for link in feed_links(page, "https://example.org/"))
