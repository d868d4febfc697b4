"""The RSS feed: other programs read back what was put in, whatever strangers wrote."""

import datetime as dt

import feedparser
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from aggregator.model import StoryView
from aggregator.publish.rendering import environment
from aggregator.publish.rss import best_article, rss, story_guid
from aggregator.publish.settings import PublishSettings
from aggregator.shelf import StoryFilter
from tests.memory_shelf import a_full_shelf, a_story, an_article, the_ferry

HERE = "http://127.0.0.1:8080/feeds/stories.rss"
JINJA = environment()
HOSTILE = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><a href="javascript:alert(1)">x</a>',
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<!--><script>alert(1)</script>-->",
    "<style>@import 'https://evil.example/x.css'</style>",
    "<math><mtext></mtext><mglyph><svg><mtext><style><img onerror=alert(1) src=x>",
    "NUL\x00 VT\x0b ESC\x1b \ufffe \ud800 \u202eend",
]


def _feed(*stories: StoryView, **chosen: object) -> bytes:
    return rss(stories, msgspec.convert(chosen, PublishSettings), JINJA, HERE)


def test_feedparser_reads_back_every_item() -> None:
    stories = a_full_shelf().stories(StoryFilter()).stories
    feed = feedparser.parse(_feed(*stories, title="My morning"))
    assert (feed.bozo, feed.version, feed.feed.title) == (False, "rss20", "My morning")
    assert [entry.id for entry in feed.entries] == [story_guid(story.id) for story in stories]
    assert [entry.title for entry in feed.entries] == [story.title for story in stories]
    assert [entry.link for entry in feed.entries] == [
        f"http://127.0.0.1:8080/stories/{s.id}" for s in stories
    ]
    times = [dt.datetime(*entry.published_parsed[:6], tzinfo=dt.UTC) for entry in feed.entries]
    assert times == [story.updated.replace(microsecond=0) for story in stories]
    assert not any(entry.guidislink for entry in feed.entries)


def test_the_feed_says_where_it_is() -> None:
    channel = etree.fromstring(_feed()).find("channel")
    assert channel is not None
    link = channel.find("{http://www.w3.org/2005/Atom}link")
    assert link is not None
    assert (link.get("rel"), link.get("href")) == ("self", HERE)


def test_an_item_tells_what_is_reported_by_whom() -> None:
    text = feedparser.parse(_feed(the_ferry()[0])).entries[0].description
    assert "A ferry carrying 212 passengers" in text
    assert "5 articles · 5 outlets · 3 independent reports" in text
    tree = html.fromstring(f"<div>{text}</div>")
    assert len(tree.findall(".//a")) == 5
    assert all({"nofollow", "noopener"} <= set((a.get("rel") or "").split()) for a in tree.findall(".//a"))


def test_guids_hold_no_address() -> None:
    story, _ = the_ferry()
    here = feedparser.parse(_feed(story)).entries[0]
    moved = feedparser.parse(_feed(story, public_url="https://news.example/", port=9000)).entries[0]
    assert here.id == moved.id == "tag:aggregator,2026:story/lindferry"
    assert moved.link == "https://news.example/stories/lindferry"


def test_the_bytes_change_only_with_the_stories() -> None:
    story, _ = the_ferry()
    later = msgspec.structs.replace(story, updated=story.updated + dt.timedelta(minutes=1))
    assert _feed(story) == _feed(story)
    assert _feed(story) != _feed(later)
    assert b"<lastBuildDate>Fri, 20 Nov 2026 00:04:11 GMT</lastBuildDate>" in _feed(story)
    assert b"lastBuildDate" not in _feed()


def test_items_can_open_the_best_article_instead() -> None:
    entry = feedparser.parse(_feed(the_ferry()[0], link="article")).entries[0]
    assert entry.link == "https://island-weekly.example/aurelia"


def test_the_best_article_is_an_own_report_with_a_safe_address() -> None:
    unsafe = an_article(url="javascript:alert(1)")
    copy = an_article(role="copy", copy_of="x")
    assert best_article((unsafe,)) is None
    assert best_article((unsafe, copy)) == copy
    report = an_article(effective=copy.effective - dt.timedelta(days=1))
    assert best_article((unsafe, copy, report)) == report


def test_a_story_of_a_thousand_articles_stays_a_readable_item() -> None:
    story = a_story(*(an_article(outlet=f"Outlet {n}") for n in range(1000)))
    entry = feedparser.parse(_feed(story)).entries[0]
    assert entry.description.count("<li>") == 20
    assert "and 980 earlier articles" in entry.description


def test_summaries_stay_within_the_excerpt() -> None:
    long = " ".join(f"word{n}" for n in range(400))
    article = an_article(title="Three short words", lead=long, text=long)
    text = feedparser.parse(_feed(a_story(article, summary=long), excerpt_words=20, full_text="all"))
    shown = text.entries[0].description
    assert "word16 …" in shown
    assert "word17" not in shown


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_dangerous_comes_out(hostile: str) -> None:
    article = an_article(title=hostile, outlet=hostile, url=f"javascript:alert({hostile!r})", wire=hostile)
    feed = _feed(a_story(article, title=hostile, summary=hostile), title=hostile)
    root = etree.fromstring(feed)
    for item in root.iter("title", "description"):
        tree = html.fromstring(f"<div>{item.text}</div>")
        assert {e.tag for e in tree.iter()} <= {"div", "p", "ul", "li", "a"}
        assert not [a for e in tree.iter() for a in e.attrib if a not in ("href", "rel")]
    assert "javascript:" not in [link.text for link in root.iter("link")]


_anything = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(HOSTILE)


@settings(deadline=None)
@given(_anything, _anything, _anything)
def test_every_feed_can_be_read_whatever_the_titles(title: str, outlet: str, summary: str) -> None:
    story = a_story(an_article(title=title, outlet=outlet, url=title), title=title, summary=summary)
    feed = _feed(story, title=outlet)
    assert etree.fromstring(feed).findtext("channel/item/guid") == story_guid(story.id)
    parsed = feedparser.parse(feed)
    assert not parsed.bozo
    assert [entry.id for entry in parsed.entries] == [story_guid(story.id)]
