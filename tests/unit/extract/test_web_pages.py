"""From page to article: pages in the manners of the web, headlines, authors, and what a page says of itself."""
# ruff: noqa: E501 - markup as it is

import json
from datetime import datetime
from typing import Any

import lxml.html
import pytest
from justext.core import define_stoplist
from trafilatura import external

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.html.boxes import find_boxes, take_out
from aggregator.extract.html.page import Page, read_page
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from tests.conftest import REPOSITORY
from tests.support.extracting import TUNING
from tests.support.tables import each_row, numbered

SEEN = datetime.fromisoformat("2025-01-01T00:00Z")

# Pages as the web builds them, of invented outlets, each with the paragraphs that are its article: menus, cards
# of other articles, sign-ups, captions, advertisements, boxes about the author, scripts, text in ways of its own.
WEB_PAGES = [
    json.loads(line)
    for line in (REPOSITORY / "tests/data/web_pages.jsonl")
    .read_text("utf-8")
    .splitlines()
]
FERRY = (
    "The ferry between Port Selwyn and Lower Brannock stayed in harbour on Tuesday after its captain refused to "
    "sail with a cracked mooring winch.",
    "About three hundred passengers had to spend the night on the mainland, most of them in the sports hall of "
    "the secondary school.",
    "“I will not take people across with a winch that may let go in the middle of the sound,” said the captain, "
    "Orla Tennant, who has sailed the route for nineteen years.",
    "The company that runs the ferry, Selwyn Lines, said that a new winch was on its way from the yard at "
    "Carrick Head and would be fitted on Thursday.",
    "Islanders have complained for years about the age of the boat, which was built in 1981 and was to be "
    "replaced four years ago.",
    "The island council meets on Friday to ask the ministry for a second boat until the spring.",
)
FERRY_TITLE = "Ferry stays in harbour after captain refuses to sail"


def read(html: str) -> CleanArticle:
    address = "https://courier.example/islands/ferry"
    return clean_entry(
        Entry(source="test"),
        page=html.encode(),
        page_url=address,
        seen=SEEN,
        tuning=Tuning(),
    ).article


def page(html: str) -> Page:
    found = read_page(html, tuning=TUNING)
    assert found is not None
    return found


@pytest.mark.parametrize("web_page", WEB_PAGES, ids=lambda web_page: web_page["name"])
def test_the_paragraphs_of_the_article_and_nothing_else(
    web_page: dict[str, Any],
) -> None:
    article = read(web_page["html"])
    assert article.verdict == "ok"
    assert article.text.split("\n") == web_page["paragraphs"]
    assert (article.title, article.language) == (
        web_page["title"],
        web_page["language"],
    )


def paragraphs(*texts: str) -> str:
    return "".join(f"<p>{text}</p>" for text in texts)


# --- boxes -------------------------------------------------------------------------------------------------


def test_a_box_with_the_pages_own_headline_is_the_article() -> None:
    """The article's own box may be called a promotion, and its heading may be a link, as on many blogs."""
    body = f"<div class='promo'><h2><a href='/1'>{FERRY_TITLE}</a></h2>{paragraphs(*FERRY)}</div>"
    html = f"<html><head><title>{FERRY_TITLE}</title></head><body><main>{body}</main></body></html>"
    assert read(html).text.split("\n") == list(FERRY)


def test_a_large_box_is_the_article_whatever_its_name() -> None:
    html = f"<title>x</title><div class='infobox related'>{paragraphs(*FERRY)}<a href='/1'>more</a></div>"
    assert page(html).text.split("\n")[: len(FERRY)] == list(FERRY)


@pytest.mark.parametrize(
    "box",
    [
        "<article id='post-2'><p>Words of another page that are none of this one's.</p></article>",
        "<ul><li><a href='/2'>Words of another page and more</a></li><li>News: <a href='/3'>Words of another page again</a></li></ul>",
        "<a href='/2'><div><h3>Words of another page</h3></div></a>",
        "<article><h3><a href='/2'>Words of another page</a></h3></article>",
        "<div class='articleNewsletter'>Words of another page</div>",
    ],
)
def test_a_box_is_taken_out_and_what_follows_it_stays(box: str) -> None:
    root = lxml.html.document_fromstring(
        f"<article id='post-1'>{paragraphs(*FERRY)}{box}A tail.</article>"
    )
    take_out(root, find_boxes(root, TUNING))
    text = root.text_content()
    assert "another page" not in text
    assert text.endswith(f"{FERRY[-1]}A tail.")


def test_a_large_first_letter_is_read_with_its_word() -> None:
    first, *others = FERRY
    html = f"<h1>{FERRY_TITLE}</h1><p><span class='x'>{first[0]}</span>{first[1:]}</p>{paragraphs(*others)}"
    assert page(html).text.startswith(first)


def test_entries_of_a_live_blog_with_links_to_themselves_stay() -> None:
    entries = "".join(
        f"<article id='e{n}'><h3><a href='/live/ferry?entry={n}'>Entry number {n}</a></h3><p>{text}</p></article>"
        for n, text in enumerate(FERRY)
    )
    text = page(
        f"<title>{FERRY_TITLE}</title><h1>{FERRY_TITLE}</h1><main>{entries}</main>"
    ).text
    assert all(sentence in text for sentence in FERRY)


def test_a_short_report_beside_many_cards_is_an_article() -> None:
    cards = "".join(
        numbered(
            "<div><a href='/%n'><h3>A headline about matter number %n</h3></a></div>",
            40,
        )
    )
    html = f"<title>{FERRY_TITLE}</title><article><h1>{FERRY_TITLE}</h1>{paragraphs(*FERRY[:3])}</article>{cards}"
    article = read(html)
    assert article.verdict == "ok"
    assert article.text.split("\n") == list(FERRY[:3])


def in_text(*texts: str) -> str:
    return f"<div class='text'>{paragraphs(*texts)}</div>"


ABOUT = "The Selwyn Courier has been printed in Port Selwyn since 1887 and belongs to those who write it."
LINKED = f"<a href='/1'>{FERRY[2][:60]}</a><a href='/2'>{FERRY[2][60:100]}</a>{FERRY[2][100:]}"


@pytest.mark.parametrize(
    "body",
    [
        in_text(*FERRY) + f"<div class='b7'><div class='b8'><p>{ABOUT}</p></div></div>",
        in_text(*FERRY[:5]) + in_text(*FERRY[5:]),
        # What is mostly links is left out by a reader; between two paragraphs of the article it is one of them.
        f"<div class='text'>{paragraphs(*FERRY[:2])}<p class='meta'>{LINKED}</p>{paragraphs(*FERRY[3:])}</div>",
        # No body is opened; then the parser leaves <article> in the head.
        paragraphs(*FERRY),
    ],
    ids=[
        "behind the box",
        "a second box of the same build",
        "a paragraph passed over",
        "no body",
    ],
)
def test_all_paragraphs_stay_in_their_places_and_nothing_else(body: str) -> None:
    html = (
        f"<title>{FERRY_TITLE}</title><article><h1>{FERRY_TITLE}</h1>{body}</article>"
    )
    assert read(html).text.split("\n") == list(FERRY)


def test_the_thorough_reader_has_the_stop_words_of_all_languages_and_no_second_copy() -> (
    None
):
    assert page("<title>Ferry</title><p>The ferry stayed.</p>").text
    words = define_stoplist(external.JT_STOPLIST)
    assert not isinstance(external.JT_STOPLIST, tuple)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(external, "JT_STOPLIST", None)
        assert words == define_stoplist(external.jt_stoplist_init()), (
            "those that the library would take"
        )


# --- headlines ---------------------------------------------------------------------------------------------


@each_row("web_pages", "the headline", "head", "body", "title")
def test_the_headline(head: str, body: str, title: str) -> None:
    html = f"<html><head>{head}</head><body><article>{body}{paragraphs(*FERRY)}</article></body></html>"
    assert page(html).facts.title == title


def with_data(*nodes: object, head: str = "", body: str = "") -> Page:
    data = "".join(
        f"<script type='application/ld+json'>{json.dumps(node)}</script>"
        for node in nodes
    )
    article = f"<article><h1>{FERRY_TITLE}</h1>{body}{paragraphs(*FERRY)}</article>"
    return page(f"<html><head>{head}{data}</head><body>{article}</body></html>")


@each_row(
    "web_pages",
    "the author is a person before the outlet",
    "data",
    "head",
    "body",
    "author",
)
def test_the_author_is_a_person_before_the_outlet(
    data: dict[str, object], head: str, body: str, author: str
) -> None:
    assert (
        with_data({"@type": "NewsArticle", **data}, head=head, body=body).facts.author
        == author
    )


def test_what_kind_of_page_it_says_it_is_and_whether_it_is_free() -> None:
    graph = [
        {"@type": ["WebPage"]},
        {"@type": "NewsArticle", "isAccessibleForFree": "False"},
    ]
    facts = with_data(
        {"@graph": graph}, head="<meta property='og:type' content='Article'>"
    ).facts
    assert (facts.kinds, facts.is_free) == (
        ("article", "webpage", "newsarticle"),
        False,
    )
    assert with_data({"@type": "NewsArticle"}).facts.is_free is None


def test_data_with_another_long_text_does_not_replace_an_article() -> None:
    stuffed = {"@type": "NewsArticle", "articleBody": "pills " * 5_000}
    body = paragraphs(*(f"On day {n}: {text}" for n in range(3) for text in FERRY))
    assert "pills" not in with_data(stuffed, body=body).text
