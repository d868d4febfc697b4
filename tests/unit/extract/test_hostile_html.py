"""Markup that tries to run or to leave its box, by every way that it comes in: none of it is kept."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from html import escape
from xml.sax.saxutils import escape as escape_xml

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.html.article_html import (
    MAX_CHARS,
    RULES,
    article_html,
    is_shown_picture,
    shown_html,
)
from aggregator.extract.media import media_of
from aggregator.model.entry import Enclosure, Entry
from aggregator.model.prepared import ArticleHtml
from tests.support.hostile_html import (
    ALLOWED,
    HERE,
    PAGE,
    check_harmless,
    html_of,
    tree_of,
    vectors,
)
from tests.support.read_feeds import read
from tests.support.tables import each_row, mapping, numbered, repeated

VECTORS = list(vectors())
SEEN = datetime.fromisoformat("2026-11-20T00:00Z")
WORDS = "<p>The ferry to Lower Brannock was cancelled on Tuesday after its captain refused to sail.</p>"


def check_balanced(html: str) -> None:
    """HTML parsers read it as it is written: no end tag is left that would end the box around it."""
    tags = {element.tag for element in tree_of(html).iter()} | {"section", "tbody"}
    boxed = f"<section>{html}</section>"
    assert (
        nh3.clean(boxed, tags=tags, attributes={"*": ALLOWED}, link_rel=None) == boxed
    )


@pytest.mark.parametrize(
    "frame", ["<h2>T</h2>{}", "<p>{}</p><h2>T</h2>", "<ul><li>{}", "<table><tr><td>{}"]
)
def test_no_vector_is_kept(frame: str) -> None:
    for vector in VECTORS:
        html = html_of(frame.replace("{}", vector))
        check_harmless(html)
        check_balanced(html)


@given(
    st.lists(
        st.sampled_from(
            [*VECTORS, "<p>", "</p>", "<a>", "<table>", "<", '"', "'", "<!--", "]]>"]
        )
    )
)
def test_no_mixture_of_them_is_kept(parts: list[str]) -> None:
    check_harmless(html_of("<h2>T</h2>" + "".join(parts)))


# --- ways in -----------------------------------------------------------------------------------------------


def of_rss(element: str, vector: str) -> str:
    spaces = "xmlns:content='http://purl.org/rss/1.0/modules/content/'"
    body = f"<{element}>{escape(WORDS + vector)}</{element}>"
    title = f"<title>{escape(vector)}</title>"
    return f"<rss version='2.0' {spaces}><channel><item><guid>1</guid>{title}{body}</item></channel></rss>"


def of_description(vector: str) -> str:
    return of_rss("description", vector)


def of_content(vector: str) -> str:
    return of_rss("content:encoded", vector)


def of_atom(kind: str, body: str, vector: str) -> str:
    title = f"<title type='html'>{escape_xml(vector)}</title>"
    content = f"<content type='{kind}'>{body}</content>"
    entry = f"<entry><id>tag:1</id>{title}{content}</entry>"
    return f"<feed xmlns='http://www.w3.org/2005/Atom'>{entry}</feed>"


def of_atom_html(vector: str) -> str:
    return of_atom("html", escape_xml(WORDS + vector), vector)


def of_atom_xhtml(vector: str) -> str:
    body = f"<div xmlns='http://www.w3.org/1999/xhtml'>{WORDS}{vector}</div>"
    return of_atom("xhtml", body, vector)


def of_json(vector: str) -> str:
    item = {
        "id": "1",
        "title": vector,
        "content_html": WORDS + vector,
        "image": f"javascript:{vector}",
    }
    return json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "F", "items": [item]}
    )


@pytest.mark.later
@pytest.mark.parametrize(
    "written", [of_description, of_content, of_atom_html, of_atom_xhtml, of_json]
)
def test_no_feed_brings_it(written: Callable[[str], str]) -> None:
    count = 0
    for vector in VECTORS:
        for entry in read(written(vector).encode("utf-8", "replace"), url=HERE).entries:
            count += 1
            check_cleaned(entry)
    assert count >= 0.9 * len(VECTORS) or written is of_atom_xhtml, count


def test_no_page_brings_it() -> None:
    for vector in VECTORS[::6]:
        page = PAGE.replace("<h2>", f"{vector}<h2>").replace(
            "<title>", f"<title>{escape(vector)}"
        )
        check_cleaned(
            Entry(source="s", url=HERE, title=vector), page.encode("utf-8", "replace")
        )


def check_cleaned(entry: Entry, page: bytes | None = None) -> None:
    cleaned = clean_entry(
        entry, page=page, page_url=entry.url, seen=SEEN, tuning=Tuning()
    )
    for media in cleaned.article.media:
        assert media.url.startswith(("https://", "http://"))
    if cleaned.html is not None:
        check_harmless(cleaned.html.html)
        check_balanced(cleaned.html.html)


# --- addresses ---------------------------------------------------------------------------------------------


@each_row("hostile_html", "no picture has a disguised address", "address")
def test_no_picture_has_a_disguised_address(address: str) -> None:
    assert not is_shown_picture(address)
    assert "<img" not in html_of(f'<h2>T</h2><img src="{address}">')
    assert (
        media_of([Enclosure(url=address, type="image/png")], (), None, no_images=False)
        == ()
    )


@pytest.mark.parametrize(
    "address",
    ["https://xn--bcher-kva.example/x.png", "https://b\u00fccher.example/x.png"],
)
def test_a_picture_of_a_host_in_any_alphabet_is_shown(address: str) -> None:
    assert is_shown_picture(address)


def test_a_link_that_looks_like_another_host_leads_nowhere() -> None:
    (link,) = tree_of(
        html_of("<h2>T</h2><a href='https://bank.example@evil.example/'>bank</a>")
    ).iter("a")
    assert link.get("href") is None
    assert link.text == "bank"


# --- sizes -------------------------------------------------------------------------------------------------

FORMATTING = "b big code em font i nobr s small strike strong tt u"
OPENED = "".join(f"<{tag} lang='{'x' * 500}' {tag}=1>" for tag in FORMATTING.split())
LARGE = {
    **{
        name: repeated(parts)
        for name, parts in mapping("hostile_html", "large").items()
    },
    "pictures": "".join(numbered("<img src='/%n.png'>", 10_000)),
    "hidden pictures": "".join(
        numbered("<noscript><img src=/%n.png></noscript>", 10_000)
    ),
    "bold in bold": "<p>"
    + "".join(numbered("<strong lang=l%n>", 240))
    + "<p>x</p>" * 19_000,
    "fonts": "<p>" + "".join(numbered("<font a=%n>", 240)) + "<p>x</p>" * 19_000,
    "formatting": f"<p>{OPENED}" + "<p>x</p>" * 19_000,
}


@pytest.mark.later
@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_cut_and_says_so(name: str) -> None:
    kept = article_html(f"<h2>Beginning</h2>{LARGE[name]}<h2>End</h2>", HERE)
    assert kept is not None
    assert kept.html.startswith("<h2>Beginning</h2>")
    assert len(kept.html) <= MAX_CHARS
    assert kept.is_cut or ">End<" in kept.html
    check_harmless(kept.html)
    check_balanced(kept.html)


def test_bold_in_bold_does_not_grow() -> None:
    """Without a bound 11 KB of it became 6.6 MB."""
    nested = "".join(numbered("<strong lang=l%n>", 240))
    kept = article_html(f"<h2>T</h2><p>{nested}" + "<p>x</p>" * 1_000, HERE)
    assert kept is not None
    assert len(kept.html) < 50_000
    assert not kept.is_cut


def test_the_time_of_nested_formatting_grows_with_its_size() -> None:
    """Without a bound it grew with the product of elements and depth."""

    def seconds(depth: int) -> float:
        nested = "".join(numbered("<font a=%n>", depth))
        start = time.thread_time()
        article_html(f"<h2>T</h2><p>{nested}" + "<p>x</p>" * 4_000, HERE)
        return time.thread_time() - start

    assert min(seconds(240) for _ in range(3)) < 5 * min(seconds(1) for _ in range(3))


def test_paragraphs_that_are_cut_are_kept_to_say_so() -> None:
    kept = article_html("<p>Words.</p>" + "<div>" * 300 + "<p>deep</p>", HERE)
    assert kept is not None
    assert kept.is_cut
    assert article_html("<p>Words.</p>", HERE) is None
    assert article_html("<p>Words.</p>", HERE, is_cut=True) == ArticleHtml(
        html="<p>Words.</p>", rules=RULES, is_cut=True
    )


def test_html_of_older_rules_is_judged_again_when_it_is_shown() -> None:
    """HTML of today's rules was sanitised when it was stored."""
    html = "<h2 onclick='x()'>T</h2></div><script>x()</script><img src='https://127.0.0.1\\.ok.example/x.png'><img src='https://ok.example/x.png'>"
    shown = shown_html(ArticleHtml(html=html, rules=RULES - 1), with_pictures=True)
    assert [picture.get("src") for picture in tree_of(shown).iter("img")] == [
        "https://ok.example/x.png"
    ]
    check_harmless(shown)
    check_balanced(shown)
    of_today = ArticleHtml(html="<h2>T</h2>", rules=RULES)
    assert shown_html(of_today, with_pictures=True) == of_today.html
