"""The HTML of an article: what people read of it stays. test_hostile_html.py has what goes."""

from datetime import datetime

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.html.article_html import (
    RULES,
    article_html,
    is_shown_picture,
    shown_html,
)
from aggregator.model.entry import Entry
from aggregator.model.prepared import ArticleHtml
from tests.support.hostile_html import HERE, PAGE, html_of, tree_of
from tests.support.tables import each_row

# --- what stays --------------------------------------------------------------------------------------------


@each_row("article_html", "structure stays as it was written", "markup")
def test_structure_stays_as_it_was_written(markup: str) -> None:
    assert html_of(markup) == markup


def test_links_lead_where_they_led_and_send_nothing_of_the_reader() -> None:
    html = html_of(
        '<p><a href="../10/before?x=1#note" title="Before">so</a> <a href="mailto:a@b.example">m</a></p>'
    )
    first, second = tree_of(html).iter("a")
    assert first.get("href") == "https://blog.example/2026/10/before?x=1#note"
    assert (first.get("title"), first.get("rel")) == (
        "Before",
        "noopener noreferrer nofollow",
    )
    assert second.get("href") == "mailto:a@b.example"


@each_row(
    "article_html",
    "a picture is shown once and tells its site nothing of the page",
    "markup",
    "address",
)
def test_a_picture_is_shown_once_and_tells_its_site_nothing_of_the_page(
    markup: str, address: str
) -> None:
    (picture,) = tree_of(html_of(f"<p>Words</p>{markup}")).iter("img")
    assert picture.get("src") == address
    assert (picture.get("loading"), picture.get("referrerpolicy")) == (
        "lazy",
        "no-referrer",
    )
    assert picture.get("srcset") is None


@pytest.mark.parametrize(
    "player",
    [
        '<iframe src="https://tube.example/embed/1" title="A film" onload="x()"></iframe>',
        '<video controls><source src="https://tube.example/embed/1">no video</video>',
        '<object data="https://tube.example/embed/1"></object>',
        '<iframe data-src="//tube.example/embed/1"></iframe>',
    ],
)
def test_a_player_becomes_a_link(player: str) -> None:
    html = html_of(f"<p>Before</p>{player}<p>After</p>")
    (link,) = tree_of(html).iter("a")
    assert link.get("href") == "https://tube.example/embed/1"
    assert link.text == ("A film" if "title" in player else "tube.example")
    assert tree_of(html).text_content() == f"Before{link.text}After"


def test_paragraphs_alone_are_not_stored_twice() -> None:
    assert (
        article_html("<div><p>One.</p>\n<p dir='ltr'>Two.<br>Three.</p></div>", HERE)
        is None
    )
    assert article_html("plain &amp; simple", HERE) is None
    assert article_html("", None) is None


# --- what goes ---------------------------------------------------------------------------------------------


@each_row("article_html", "no picture asks the readers own network", "address")
def test_no_picture_asks_the_readers_own_network(address: str) -> None:
    assert not is_shown_picture(address)
    assert not list(tree_of(html_of(f'<h2>T</h2><img src="{address}">')).iter("img"))


def test_a_picture_that_counts_readers_is_left_out() -> None:
    html = html_of(
        '<p>Words</p><img src="/seen" width="1" height="1"><img src="/a.png" width="640">'
    )
    (picture,) = tree_of(html).iter("img")
    assert picture.get("width") == "640"


# --- limits ------------------------------------------------------------------------------------------------


def test_a_large_picture_in_the_markup_costs_no_words() -> None:
    inline = "data:image/png;base64," + "A" * 3_000_000
    kept = article_html(f'<p>Before</p><img src="{inline}"><h2>After</h2>', HERE)
    assert kept == ArticleHtml(html="<p>Before</p><h2>After</h2>", rules=RULES)


# --- reading it again --------------------------------------------------------------------------------------


def test_pictures_are_left_out_where_they_are_not_wanted() -> None:
    kept = article_html('<p>Words <img src="/a.png" alt="A"> and words</p>', HERE)
    assert kept is not None
    assert "<img" in shown_html(kept, with_pictures=True)
    assert shown_html(kept, with_pictures=False) == "<p>Words  and words</p>"


# --- of an article -----------------------------------------------------------------------------------------


def cleaned(entry: Entry, page: bytes | None = None) -> ArticleHtml | None:
    seen = datetime.fromisoformat("2026-11-20T00:00Z")
    return clean_entry(
        entry, page=page, page_url=entry.url, seen=seen, tuning=Tuning()
    ).html


def test_the_html_is_of_the_page_where_the_text_is() -> None:
    entry = Entry(
        source="s",
        url=HERE,
        title="How to lay a floor",
        html="<p>A <b>teaser</b> of it.</p>",
    )
    kept = cleaned(entry, PAGE.encode())
    assert kept is not None
    page = tree_of(kept.html)
    assert [link.get("href") for link in page.iter("a")] == [
        "https://blog.example/before"
    ]
    assert [picture.get("src") for picture in page.iter("img")] == [
        "https://blog.example/floor.jpg"
    ]
    assert [item.text_content() for item in page.iter("li")] == [
        "a saw and a level",
        "twenty boards of larch",
    ]
    assert "boards = width / 0.14\nprint(boards)" in page.text_content()
    assert not {"Home", "All rights reserved", "teaser"} & set(
        page.text_content().split()
    )


def test_the_html_is_of_the_feed_where_the_text_is() -> None:
    entry = Entry(
        source="s",
        url=HERE,
        title="A floor",
        html="<p>A <b>teaser</b> of the floor in our kitchen.</p>",
    )
    kept = cleaned(entry)
    assert kept is not None
    assert kept.html == "<p>A <b>teaser</b> of the floor in our kitchen.</p>"
    blocked = cleaned(entry, b"<html><body><h1>Are you a robot?</h1></body></html>")
    assert blocked == kept


def test_a_publisher_who_wants_no_pictures_shown_has_none_stored() -> None:
    entry = Entry(
        source="s",
        url=HERE,
        title="A floor",
        robots="noimageindex",
        html="<h2>A</h2><img src='/a.png'>",
    )
    kept = cleaned(entry)
    assert kept is not None
    assert kept.html == "<h2>A</h2>"


def test_plain_text_has_no_html() -> None:
    assert (
        cleaned(
            Entry(
                source="s",
                title="A floor",
                text="The floor <b>of</b> our kitchen is new.",
            )
        )
        is None
    )
