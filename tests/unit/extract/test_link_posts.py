"""Feeds of lists of links: the words of the form are no text, and an own text stays."""

from datetime import datetime
from pathlib import Path

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.link_posts import own_text
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.sources.parse.feeds.read_feed import read_feed
from aggregator.sources.source_limits import SourceTuning
from tests.support.tables import each_row, numbered

LISTS = Path(__file__).parents[2] / "data" / "link_lists"
SEEN = datetime.fromisoformat("2026-11-26T00:00Z")
PAGE = "https://list.example/t/7"
USER = '<a href="https://list.example/u/u0">/u/u0</a>'


def entries(name: str) -> tuple[Entry, ...]:
    tuning = Tuning().section("sources", SourceTuning)
    context = FeedContext(
        source="s", url="https://list.example/feed", seen=SEEN, tuning=tuning
    )
    return read_feed((LISTS / name).read_bytes(), context).entries


def clean(entry: Entry) -> CleanArticle:
    return clean_entry(entry, seen=SEEN, tuning=Tuning()).article


@pytest.mark.parametrize(
    "path", sorted(LISTS.glob("*.xml")), ids=lambda path: path.stem
)
def test_a_form_is_no_text(path: Path) -> None:
    cleaned = [
        clean_entry(entry, seen=SEEN, tuning=Tuning()) for entry in entries(path.name)
    ]
    articles = [one.article for one in cleaned]
    assert len(articles) == 8
    assert {(one.verdict, one.text, one.lead) for one in articles} == {("stub", "", "")}
    assert {one.html for one in cleaned} == {None}


def test_the_address_of_an_entry_is_the_outside_link_of_its_form() -> None:
    assert [entry.url for entry in entries("reddit.xml")] == numbered(
        "https://site%n.example/a%n", 8
    )
    assert [entry.url for entry in entries("slashdot.xml")] == numbered(
        "https://slash.example/story/%n", 8
    )


def test_a_page_that_cannot_be_read_brings_no_form_back() -> None:
    entry = entries("hnrss.xml")[0]
    page = b"<html><title>Access denied</title><body><p>Access denied</p></body></html>"
    cleaned = clean_entry(
        entry, page=page, page_url=entry.url, seen=SEEN, tuning=Tuning()
    )
    assert (cleaned.article.verdict, cleaned.article.text) == ("stub", "")


@each_row("link_posts", "forms of other lists", "form")
def test_forms_of_other_lists(form: str) -> None:
    assert own_text(form, "Loomkit 3 is out", PAGE).text == ""
    assert (
        clean(Entry(source="s", title="Loomkit 3 is out", url=PAGE, html=form)).text
        == ""
    )


@pytest.mark.parametrize("link", ["[link]", "[lien]", "ссылка", "元記事"])
def test_where_a_form_says_that_the_article_is(link: str) -> None:
    form = f'<a href="https://site.example/a">{link}</a> <a href="{PAGE}">[42]</a>'
    assert (
        own_text(form, "Loomkit 3 is out", PAGE).article_url == "https://site.example/a"
    )
    # A post without a link to another host, and buttons that share an entry, change nothing.
    assert (
        own_text(
            form.replace("site.example", "list.example"), "Loomkit", PAGE
        ).article_url
        is None
    )
    assert (
        own_text(form.replace(link, "Share on Chirp"), "Loomkit", PAGE).article_url
        is None
    )


FORM = f'submitted by {USER}<br/><a href="https://site.example/a">[link]</a> <a href="{PAGE}">[comments]</a>'


def test_a_text_above_a_form_stays_and_keeps_its_address() -> None:
    own = own_text(
        f"<p>I built this loom kit for my school.</p>{FORM}", "Loomkit 3 is out", PAGE
    )
    assert (own.text, own.article_url) == ("I built this loom kit for my school.", None)
    own = own_text(
        "<p>The bridge is closed.</p><p>Points: 104</p><p># Comments: 30</p>",
        "Bridge",
        PAGE,
    )
    assert own.text == "The bridge is closed."


@each_row("link_posts", "a short text is no form", "text")
def test_a_short_text_is_no_form(text: str) -> None:
    plain = own_text(text, "", PAGE).text  # without a title everything is text
    assert plain
    assert own_text(text, "Loomkit 3 is out", PAGE).text == plain
