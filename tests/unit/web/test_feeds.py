"""Feeds in three formats: other programs read back what was put in, whatever strangers wrote."""

import functools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import fastfeedparser
import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html
from msgspec.structs import replace

from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.model.entry import Enclosure
from aggregator.model.story import Passage, StoryText, StoryView
from aggregator.publish.excerpts.excerpt_words import count_words, first_words
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.feeds.channel import Format, address, channel
from aggregator.web.feeds.feed_items import best_article, story_guid, story_items
from aggregator.web.feeds.feed_texts import feed_title, feed_url
from aggregator.web.feeds.formats import encode_feed
from aggregator.web.feeds.item_texts import LISTED_REPORTS
from aggregator.web.list_query import ListQuery, Selection, select_stories
from tests.support.feed_rules import ATOM, feed_faults
from tests.support.hostile_titles import ADDRESSES, TEXTS, hostile_stories
from tests.support.tables import numbered
from tests.support.written_stories import (
    MORNING,
    a_story,
    an_article,
    full_reader,
    the_ferry,
)

FORMATS: tuple[Format, ...] = ("rss", "atom", "jsonfeed")
LATER = MORNING + timedelta(hours=1)


def _wanted(*parameters: tuple[str, str], saved: SavedQuery | None = None) -> Selection:
    return select_stories(ListQuery.read(dict(parameters)), saved, MORNING, 100)


def _feed(
    form: Format,
    *stories: StoryView,
    rendered: dict[str, StoryText] | None = None,
    **chosen: object,
) -> bytes:
    settings = PublishSettings(**chosen)
    items = story_items(stories, rendered or {}, settings)
    head = channel(None, _wanted(), items, settings, self_url=_here(form))
    return encode_feed(head, form)


def _here(form: Format) -> str:
    return f"http://127.0.0.1:8080{address(None, form)}"


def _entry(story: StoryView, text: StoryText | None = None, **chosen: object) -> Any:
    feed = _feed("rss", story, rendered={story.id: text} if text else {}, **chosen)
    return feedparser.parse(feed).entries[0]


# --- what is read back -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("form", "version"), [("rss", "rss20"), ("atom", "atom10")])
def test_feedparser_reads_back_every_item(form: Format, version: str) -> None:
    stories = full_reader().stories(StoryFilter()).stories
    feed = feedparser.parse(_feed(form, *stories, title="My morning"))
    assert (feed.bozo, feed.version, feed.feed.title) == (False, version, "My morning")
    assert [entry.id for entry in feed.entries] == [
        story_guid(story.id) for story in stories
    ]
    assert [entry.title for entry in feed.entries] == [story.title for story in stories]
    links = [f"http://127.0.0.1:8080/stories/{story.id}" for story in stories]
    assert [entry.link for entry in feed.entries] == links
    times = [datetime(*entry.updated_parsed[:6], tzinfo=UTC) for entry in feed.entries]
    assert times == [story.updated.replace(microsecond=0) for story in stories]


@functools.cache
def _hostile(form: Format) -> bytes:
    stories = hostile_stories(1000)
    rendered = {story.id: text for story, text in stories if text is not None}
    return _feed(form, *(story for story, _ in stories), rendered=rendered)


@pytest.mark.later
@pytest.mark.parametrize("form", FORMATS)
def test_a_thousand_hostile_stories_are_a_valid_feed(form: Format) -> None:
    assert feed_faults(form, _hostile(form), _here(form), LATER) == []


@pytest.mark.later
@pytest.mark.parametrize("form", FORMATS)
def test_a_thousand_hostile_stories_are_read_back(form: Format) -> None:
    stories = [story for story, _ in hostile_stories(1000)]
    guids = [story_guid(story.id) for story in stories]
    titles = [_shown(story) for story in stories]
    assert [entry.id for entry in fastfeedparser.parse(_hostile(form)).entries] == guids
    if form == "jsonfeed":
        read = json.loads(_hostile(form))["items"]
        assert [(item["id"], item["title"]) for item in read] == list(
            zip(guids, titles, strict=True)
        )
    else:
        root = etree.fromstring(_hostile(form))
        tag = "{*}guid" if form == "rss" else "{*}id"
        items = [*root.iter("item"), *root.iter(f"{ATOM}entry")]
        read_back = [(item.findtext(tag), item.findtext("{*}title")) for item in items]
        assert read_back == list(zip(guids, titles, strict=True))


def _shown(story: StoryView) -> str:
    return (
        feed_title(first_words(story.title, PublishSettings().excerpt_words))
        or "Untitled"
    )


_anything = st.text(
    st.characters(exclude_categories=()), max_size=60
) | st.sampled_from([*TEXTS, *ADDRESSES])


@pytest.mark.later
@given(_anything, _anything, _anything)
def test_every_feed_is_valid_whatever_strangers_write(
    title: str, outlet: str, summary: str
) -> None:
    article = an_article(title=title, outlet=outlet, url=title)
    story = a_story(article, title=title, summary=summary)
    for form in FORMATS:
        assert (
            feed_faults(form, _feed(form, story, title=outlet), _here(form), LATER)
            == []
        )


@given(_anything)
def test_a_title_says_the_same_as_text_and_as_html(title: str) -> None:
    shown = feed_title(title)
    assert html.fromstring(f"<p>{shown}</p>").text_content() == shown if shown else True


@pytest.mark.later
@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_addresses_are_uris_or_none(rest: str) -> None:
    url = feed_url(f"https://a.example/{rest}")
    assert url is None or (
        url.isascii() and url.startswith("https://a.example/") and feed_url(url) == url
    )


def test_an_address_of_another_alphabet_is_written_in_ascii() -> None:
    written_in_ascii = "https://xn--mnchen-3ya.example/stra%C3%9Fe?q=%C3%BC"
    assert feed_url("https://münchen.example/straße?q=ü") == written_in_ascii
    assert feed_url("https://a.example/100%zz%41") == "https://a.example/100%25zz%41"


# --- what an item says -------------------------------------------------------------------------------------


def _body(entry: Any) -> html.HtmlElement:
    return html.fromstring(f"<div>{entry.description}</div>")


def test_an_item_tells_the_lead_of_one_report_and_what_each_other_says_first() -> None:
    story, text = the_ferry()
    body = _body(_entry(story, text))
    first, second, counts = [paragraph.text_content() for paragraph in body.iter("p")][
        :3
    ]
    assert (first, second) == (
        text.lead[0].text,
        f"{text.lead[1].text} — The Harbour Post",
    )
    assert counts == "5 articles · 5 outlets · 3 independent reports"
    live, island, wire, post = (line.text_content() for line in body.iter("li"))
    assert island.endswith(f"ferry passengers{text.opening_of('ferryisle')}")
    assert f"the same text: Eastgate Gazette{text.opening_of('ferrywire')}" in wire
    assert live == "Radio Meridian: Live: the Aurelia rescue, minute by minute"
    assert (
        post
        == "The Harbour Post: Ferry with 212 on board runs aground off Lind island in fog"
    )
    links = [a.get("href") for a in body.iter("a")]
    assert f"http://127.0.0.1:8080/stories/{story.id}" in links
    assert {article.url for article in story.articles if article.url} <= set(links)


def test_the_lead_of_an_item_ends_with_a_sentence_within_the_words_of_an_excerpt() -> (
    None
):
    sentences = numbered("Part %n of the quay in Lind was closed on Friday.", 9)
    article = an_article(title="Quay closed", text="\n".join(sentences))
    lead = tuple(
        Passage(text=" ".join(sentences[n : n + 3]), article_id=article.id)
        for n in (0, 3, 6)
    )
    body = _body(_entry(a_story(article), StoryText(title=article.title, lead=lead)))
    shown = [paragraph.text_content() for paragraph in body.iter("p")]
    told = [
        *(
            text.removesuffix(" — The Harbour Post")
            for text in shown
            if text.startswith("Part")
        )
    ]
    assert told == [" ".join(sentences[:3]), " ".join(sentences[3:5])]
    assert sum(map(count_words, told)) <= PublishSettings().excerpt_words - count_words(
        article.title
    )


def test_copies_are_named_under_their_original() -> None:
    original = an_article(id="one", outlet="Gazette", title="Dam siren")
    copies = (
        an_article(id=f"c{n}", outlet=f"Paper {n}", copy_of="one", role="copy")
        for n in range(10, 21)
    )
    text = _body(_entry(a_story(original, *copies)))
    listed = [line.text_content() for line in text.iter("li")]
    assert len(listed) == 1
    assert (
        listed[0]
        == "Gazette: Dam siren — the same text: Paper 10, Paper 11, Paper 12, 8 more"
    )


def test_an_item_of_one_article_counts_nothing() -> None:
    single = a_story(an_article(outlet="Gazette"), summary="")
    several = a_story(an_article(), an_article(), summary="")
    items = json.loads(_feed("jsonfeed", single, several))["items"]
    assert items[0]["summary"] == "Gazette"
    assert "1 article" not in items[0]["content_html"]
    assert "2 articles" in items[1]["summary"]
    assert "2 articles" in items[1]["content_html"]


def test_an_item_shows_no_time_of_a_poll_as_a_date() -> None:
    polled = an_article(
        outlet="Gazette", title="Dam siren", published=MORNING, published_origin="poll"
    )
    unknown = an_article(outlet="Herald", title="Siren of the dam", published=None)
    text = _body(_entry(a_story(polled, unknown)))
    listed = sorted(line.text_content() for line in text.iter("li"))
    assert listed == ["Gazette: Dam siren", "Herald: Siren of the dam"]


def test_items_can_open_the_best_article_instead() -> None:
    story = the_ferry()[0]
    assert _entry(story, link="article").link == "https://island-weekly.example/aurelia"
    item = json.loads(_feed("jsonfeed", story))["items"][0]
    assert item["url"] == "http://127.0.0.1:8080/stories/lindferry"
    assert item["external_url"] == "https://island-weekly.example/aurelia"


def test_the_best_article_is_an_own_report_with_a_safe_address() -> None:
    unsafe = an_article(url="javascript:alert(1)")
    copy = an_article(role="copy", copy_of="x")
    assert best_article((unsafe,)) is None
    assert best_article((unsafe, copy)) == copy
    report = an_article(effective_at=copy.effective_at - timedelta(days=1))
    assert best_article((unsafe, copy, report)) == report


def test_a_story_of_a_thousand_articles_stays_a_readable_item() -> None:
    entry = _entry(a_story(*(an_article(outlet=f"Outlet {n}") for n in range(1000))))
    assert entry.description.count("<li") == LISTED_REPORTS + 1
    assert f"and {1000 - LISTED_REPORTS} earlier articles" in entry.description


def test_pictures_sound_and_film_come_by_reference() -> None:
    picture = Enclosure(
        url="https://a.example/a.jpg", type="image/jpeg", length_bytes=900
    )
    sound = Enclosure(url="https://a.example/a.mp3", type="audio/mpeg")
    more = Enclosure(
        url="https://a.example/b.mp3",
        type="audio/mpeg",
        length_bytes=7,
        title="Interview",
    )
    story = a_story(
        an_article(media=(picture, sound)), an_article(media=(more, picture))
    )
    entry = _entry(story)
    assert [(one.href, one.type, one.length) for one in entry.enclosures] == [
        ("https://a.example/a.mp3", "audio/mpeg", "0")
    ]
    assert [(one["url"], one.get("medium")) for one in entry.media_content] == [
        ("https://a.example/a.jpg", "image"),
        ("https://a.example/b.mp3", "audio"),
    ]
    item = json.loads(_feed("jsonfeed", story))["items"][0]
    assert item["image"] == "https://a.example/a.jpg"
    assert [one["mime_type"] for one in item["attachments"]] == [
        "image/jpeg",
        "audio/mpeg",
        "audio/mpeg",
    ]
    assert (item["attachments"][2]["url"], len(item["attachments"][2])) == (
        "https://a.example/b.mp3",
        4,
    )
    assert (
        item["attachments"][2]["title"],
        item["attachments"][2]["size_in_bytes"],
    ) == ("Interview", 7)


def test_the_language_is_that_of_most_stories() -> None:
    german = [
        a_story(language="de", updated=MORNING - timedelta(minutes=n)) for n in range(2)
    ]
    feed = json.loads(_feed("jsonfeed", a_story(language="en"), *german))
    assert feed["language"] == "de"
    assert json.loads(_feed("jsonfeed", a_story(language="tlh")))["language"] == "en"


# --- identity and order ------------------------------------------------------------------------------------


def test_guids_hold_no_address() -> None:
    story, _ = the_ferry()
    here, moved = (
        _entry(story),
        _entry(story, public_url="https://news.example/", port=9000),
    )
    assert here.id == moved.id == "tag:aggregator,2026:story/lindferry"
    assert not here.guidislink
    assert moved.link == "https://news.example/stories/lindferry"


@pytest.mark.parametrize("form", FORMATS)
def test_the_bytes_change_only_with_the_stories(form: Format) -> None:
    story, _ = the_ferry()
    later = replace(story, updated=story.updated + timedelta(minutes=1))
    assert _feed(form, story) == _feed(form, story)
    assert _feed(form, story) != _feed(form, later)


def test_the_channel_says_when_it_changed_last() -> None:
    assert b"<lastBuildDate>Fri, 20 Nov 2026 00:04:11 GMT</lastBuildDate>" in _feed(
        "rss", the_ferry()[0]
    )
    assert b"lastBuildDate" not in _feed("rss")


def test_the_fraction_of_a_second_tells_items_apart_and_orders_them() -> None:
    times = [MORNING.replace(microsecond=micro) for micro in (7, 9, 8)]
    second = [a_story(id=f"s{n}", updated=time) for n, time in enumerate(times)]
    for form in FORMATS:
        entries = fastfeedparser.parse(_feed(form, *second)).entries
        assert [entry.id[-2:] for entry in entries] == ["s1", "s2", "s0"]
    root = etree.fromstring(_feed("rss", *second))
    times = [item.findtext(f"{ATOM}updated") for item in root.iter("item")]
    assert times == [f"2026-11-20T06:30:00.00000{n}Z" for n in (9, 8, 7)]


# --- whose feed it is --------------------------------------------------------------------------------------


def test_a_saved_query_has_a_title_and_an_id_of_its_own() -> None:
    query = SavedQuery(title="Homs", query="homs", min_reports=3).named("homs")
    assert address(query, "atom") == "/feeds/homs.atom"
    wanted = _wanted(("language", "en"), saved=query)
    head = channel(query, wanted, (), PublishSettings(), self_url="https://x.example/")
    assert (head.title, head.id) == (
        "Homs: English",
        "tag:aggregator,2026:feeds/homs?language=en",
    )
    assert head.home_url == "http://127.0.0.1:8080/?saved=homs&language=en"
    assert (wanted.filter.min_reports, wanted.filter.language) == (3, "en")
