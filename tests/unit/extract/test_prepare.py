"""The room's one door: whatever comes in, one clean article or a verdict that says why not."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.entry import Entry, Published
from tests.support.lantern_pages import HEAD, SENTENCES, clean, page
from tests.support.tables import each_row, numbered

BODY = "\n".join(SENTENCES)


def test_a_page() -> None:
    article = clean(Entry(source="s"), page())
    assert (article.verdict, article.title) == (
        "ok",
        "Harbour bridge closed over cracks",
    )
    assert article.text == BODY
    assert (article.outlet, article.author, article.language) == (
        "The Daily Lantern",
        "Ada Lorne",
        "en",
    )
    assert article.published.time == datetime.fromisoformat("2025-03-06T09:15Z")
    assert article.published.origin == "page"
    assert article.modified == datetime.fromisoformat("2025-03-07T08:00Z")
    assert article.canonical_url == "https://lantern.example/bridge"
    assert article.lead.startswith(SENTENCES[0])


def test_what_a_page_forbids() -> None:
    rules = '<meta name="robots" content="noarchive, max-snippet:0"><meta name="tdm-reservation" content="1">'
    article = clean(Entry(source="s"), page(head=HEAD + rules))
    assert (article.noarchive, article.nosnippet, article.tdm_reserved) == (
        True,
        True,
        True,
    )


def test_the_feeds_own_date_goes_before_the_pages() -> None:
    declared = Published(time=datetime.fromisoformat("2025-03-05T00:00Z"))
    absurd = Published(time=datetime.fromisoformat("2031-03-05T00:00Z"))
    assert clean(Entry(source="s", published=declared), page()).published == declared
    assert clean(Entry(source="s", published=absurd), page()).published.origin == "page"


@pytest.mark.slow
def test_fragments_stubs_and_nothing() -> None:
    fragment = (
        f"<p>{SENTENCES[0]}</p><script>alert(1)</script><ul><li>{SENTENCES[1]}</ul>"
    )
    article = clean(Entry(source="s", title="Bridge & ferry", html=fragment))
    assert (article.title, article.text) == (
        "Bridge & ferry",
        f"{SENTENCES[0]}\n{SENTENCES[1]}",
    )
    stub = clean(Entry(source="s", title="Harbour bridge closed"))
    assert (stub.verdict, stub.text) == ("stub", "")
    assert clean(Entry(source="s")).verdict == "empty"
    assert clean(Entry(source="s", text="gone")).verdict in ("too_short", "stub")


def test_records_and_pages_given_as_entries() -> None:
    record = clean(
        Entry(source="s", title="Harbour bridge closed", text=BODY, language="de")
    )
    assert (record.text, record.language) == (BODY, "en")
    assert clean(Entry(source="s", html=page().decode(), is_page=True)).text == BODY
    saved = clean(
        Entry(
            source="s",
            text=f"Harbour bridge closed\n\nAda Lorne\n\n{BODY}",
            is_saved_text=True,
        )
    )
    assert (saved.title, saved.author, saved.text) == (
        "Harbour bridge closed",
        "Ada Lorne",
        BODY,
    )


def test_short_texts_keep_the_declared_language() -> None:
    assert clean(Entry(source="s", title="Gol!", language="pt-BR")).language == "pt"
    assert clean(Entry(source="s", title="!!! 123")).language is None


def test_a_text_beyond_the_limit_is_cut_and_marked() -> None:
    article = clean(
        Entry(source="s", title="Long", text="\n".join([SENTENCES[0]] * 4000))
    )
    assert article.truncated
    assert 100_000 < len(article.text) <= 204_800
    assert article.text.endswith("pillars.")


@pytest.mark.later
@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 50_000 + "x", "<p>a" * 60_000, "<br>" * 200_000,
        "<a " + " ".join(numbered("a%n=1", 100_000)) + ">x</a>",
        "<meta name=author content='" + "&lt; " * 100_000 + "'>", "<!--" * 50_000, "<" * 100_000,
        "&#xD800;&#0;" * 1000, "<script type='application/ld+json'>" + "[" * 20_000 + "</script>",
        "\x00\ud800<p>x",
    ],
)  # fmt: skip
def test_hostile_markup_ends_in_a_verdict(html: str) -> None:
    article = clean(Entry(source="s", html=html, is_page=True))
    assert article.verdict
    assert "\0" not in article.text


def test_teasers_inside_the_text_go_and_linked_sentences_stay() -> None:
    body = "".join(f"<p>{sentence}</p>" for sentence in SENTENCES)
    teaser = "<p><a href='/x'>Ferry runs all night while the bridge is shut</a></p>"
    linked = "<p><a href='/y'>The port published its report on Monday evening.</a></p>"
    text = clean(
        Entry(source="s"), page(body + teaser + linked + body.replace("bridge", "pier"))
    ).text
    assert "Ferry runs all night" not in text
    assert "The port published its report on Monday evening." in text


@each_row("prepare", "the visible headline inside a decorated one", "declared", "title")
def test_the_visible_headline_inside_a_decorated_one(declared: str, title: str) -> None:
    head = f'<meta property="og:title" content="{declared}">'
    assert clean(Entry(source="s"), page(head=head)).title == title


def test_the_language_that_the_user_set_for_a_source_holds() -> None:
    english = Entry(source="s", title="Harbour bridge closed", text=BODY, language="en")
    assert clean(replace(english, source_language="de")).language == "de"


def test_no_space_stands_before_a_comma_where_a_link_ended() -> None:
    text = "Anna Berg , who said so [1] , closed the bridge . It was late."
    entry = Entry(source="s", title="The bridge is closed", text=text)
    read = clean_entry(
        entry, seen=datetime.fromisoformat("2026-01-01T00:00Z"), tuning=Tuning()
    ).article
    assert read.text == "Anna Berg, who said so [1], closed the bridge. It was late."
