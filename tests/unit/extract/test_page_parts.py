"""Parts of pages that extraction took wrongly: the next article, the lead outside the body, page numbers."""

import sys
from collections.abc import Callable

import pytest

from aggregator.extract.html.dom import tree_of
from aggregator.extract.html.metadata import read_facts
from aggregator.extract.html.page import Page, read_page
from aggregator.extract.html.page_parts import further_articles
from tests.support.extracting import TUNING
from tests.support.tables import each_row, mapping, named_parts

TITLE = "Lindmar votes to repair its dam"
BODY = (
    "The council of Lindmar voted on Friday evening to repair the old dam above the town before the spring.",
    "Engineers had found three cracks on its north side in September, one of them as long as a bus.",
    "The work is to cost four million crowns and will lower the level of the lake by four metres.",
    "Fishermen on the western shore fear for their season and have written to the minister about it.",
    "The last repair was in 1987, when a crane fell into the water above the dam and was never found.",
)
OTHER = (
    "A rare owl that had not been seen for thirty years is breeding again in the marshes of the Arrel.",
    "The pair has three young, which can be heard at dusk from the wooden bridge near the village.",
    "Visitors are asked to keep to the path and to leave their dogs at home until the end of March.",
)


def paragraphs(lines: tuple[str, ...]) -> str:
    return "".join(f"<p>{line}</p>" for line in lines)


def page_of(body: str, title: str = TITLE, head: str = "") -> Page:
    page = read_page(
        f'<html lang="en"><head><title>{title} - Kite Daily</title><meta property="og:title" content="{title}">'
        f'{head}</head><body><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>{body}'
        "<footer>Kite Daily, Low Quays 1, Lindmar. All rights reserved.</footer></body></html>",
        tuning=TUNING,
    )
    assert page is not None
    return page


PAGES = mapping("page_parts", "pages")


@pytest.mark.parametrize("name", PAGES)
def test_the_parts_of_a_page(name: str) -> None:
    row = PAGES[name]
    title = row.get("title", TITLE)
    body = row["body"].replace("TITLE", title).replace("BODY", paragraphs(BODY))
    head = row.get("head", "").replace("TITLE", title)
    page = page_of(body.replace("OTHER", paragraphs(OTHER)), title, head)
    if "lines" in row:
        lines = "\n".join(row["lines"]).replace("BODY", "\n".join(BODY))
        lines = lines.replace("OTHER", "\n".join(OTHER))
        assert page.text.removeprefix(f"{title}\n") == lines
    if "truncated" in row:
        assert page.truncated is row["truncated"]
    if "published" in row:
        facts = {"published": {"time": row["published"]}}
        assert named_parts(page.facts, facts) == facts


@pytest.mark.parametrize(
    "body",
    [
        "<article><h1>{title}</h1>{own}<h2>What comes next</h2>{rest}</article>",
        "<article><h1>{title}</h1><section><h2>Dam</h2>{own}</section><section><h2>Owl</h2>{rest}</section></article>",
        "<article><header><h1>{title}</h1></header><div>{own}</div><h1>The owl</h1><div>{rest}</div></article>",
        '<div class="live"><h1>{title}</h1><article><h2>Ten o’clock</h2>{own}</article>'
        "<article><h2>Eleven o’clock</h2>{rest}</article></div>",
    ],
)
def test_sections_of_one_article_stay(body: str) -> None:
    filled = body.format(title=TITLE, own=paragraphs(BODY), rest=paragraphs(OTHER))
    assert set(BODY + OTHER) <= set(page_of(filled).text.split("\n"))


LEAD = (
    "Three cracks, one as long as a bus: the town will lower its lake by four metres."
)


@pytest.mark.parametrize(
    "lead",
    [
        '<p class="lead">{}</p>',
        '<div class="article__standfirst"><p>{}</p></div>',
        '<h2 class="articleSubtitle">{}</h2>',
        '<div itemprop="description">{}</div>',
        '<section data-testid="intro-text"><p>{}</p></section>',
        '<p class="chapo"><strong>{}</strong></p>',
    ],
)
@pytest.mark.parametrize("tag", ["div", "section"])
def test_a_lead_outside_the_body_is_the_first_paragraph(lead: str, tag: str) -> None:
    whole = (
        f"<h1>{TITLE}</h1>{lead.format(LEAD)}<figure><img src='d.jpg'>"
        f"<figcaption>The dam in spring. Photo: A. Quill</figcaption></figure>"
        f'<{tag} class="article-body">{paragraphs(BODY)}</{tag}>'
    )
    assert page_of(whole).text.split("\n") == [LEAD, *BODY]


@pytest.mark.parametrize(
    "boxes",
    [
        '<div class="body">{0}</div><div class="ad">Advertisement</div><div class="body">{1}</div>',
        '<div class="body part-1">{0}</div><figure><img src="d.jpg"></figure><div class="body part-2">{1}</div>',
        "<section>{0}</section><blockquote>Sad.</blockquote><section>{1}</section>",
        '<div class="text"><div>{0}</div></div><div class="text"><div>{1}</div></div>',
    ],
)
@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_body_in_sibling_boxes_keeps_its_order(boxes: str, cut: int) -> None:
    whole = boxes.format(paragraphs(BODY[:cut]), paragraphs(BODY[cut:]))
    lines = page_of(f"<main><h1>{TITLE}</h1>{whole}</main>").text.split("\n")
    assert [line for line in lines if line in BODY] == list(BODY)


@each_row("page_parts", "a page number is no text and says that there is more", "line")
@pytest.mark.parametrize(
    "markup",
    [
        '<div class="pagination"><span>{}</span></div>',
        "<p>{}</p>",
        '<div><b>{}</b> <a rel="next" href="?page=2">2</a></div>',
    ],
)
def test_a_page_number_is_no_text_and_says_that_there_is_more(
    line: str, markup: str
) -> None:
    page = page_of(
        f"<article><h1>{TITLE}</h1>{paragraphs(BODY)}{markup.format(line)}</article>"
    )
    assert page.text.split("\n")[-1] == BODY[-1]
    assert page.truncated


@each_row("page_parts", "the link to the next page is no text", "word")
def test_the_link_to_the_next_page_is_no_text(word: str) -> None:
    link = f'<p><a href="?page=2">{word} »</a></p>'
    page = page_of(f"<article><h1>{TITLE}</h1>{paragraphs(BODY)}{link}</article>")
    assert page.text.split("\n")[-1] == BODY[-1]
    assert page.truncated


@each_row(
    "page_parts",
    "the day of another article or of a draft is not that of publication",
    "own",
)
@each_row(
    "page_parts",
    "the day of another article or of a draft is not that of publication: other",
    "other",
)
def test_the_day_of_another_article_or_of_a_draft_is_not_that_of_publication(
    own: str, other: str
) -> None:
    is_meta = own.startswith("<meta")
    page = page_of(
        f"{other}<article><h1>{TITLE}</h1>{'' if is_meta else own}{paragraphs(BODY)}</article>",
        head=own if is_meta else "",
    )
    assert page.facts.published is not None
    assert page.facts.published.time.date().isoformat() == "2026-11-25"


_ELSEWHERE = "https://kite.example/2019/old-ferry"


@pytest.mark.parametrize(
    "place",
    [
        f'"url": "{_ELSEWHERE}"',
        f'"mainEntityOfPage": "{_ELSEWHERE}"',
        f'"mainEntityOfPage": {{"@type": "WebPage", "@id": "{_ELSEWHERE}"}}',
        f'"mainEntityOfPage": [{{"url": "{_ELSEWHERE}"}}]',
    ],
)
@pytest.mark.parametrize(
    "address",
    [
        '<link rel="canonical" href="https://kite.example/2026/lighthouse">',
        '<meta property="og:url" content="https://www.kite.example/2026/lighthouse">',
    ],
)
def test_structured_data_with_the_address_and_headline_of_another_article_are_not_read(
    place: str, address: str
) -> None:
    data = (
        '{"@type": "NewsArticle", "headline": "Old ferry sold", "datePublished": "2019-03-03", '
        f'"author": {{"name": "Bo Ferryman"}}, {place}}}'
    )
    script = f'<script type="application/ld+json">{data}</script>'
    body = f"<article><h1>{TITLE}</h1>{paragraphs(BODY)}</article>"
    page = page_of(body, head=address + script)
    assert page.facts.published is None
    assert page.facts.author is None
    own = data.replace(
        _ELSEWHERE, "https://m.kite.example/2026/lighthouse?utm_source=x"
    )
    for named in (own, data.replace("Old ferry sold", TITLE)):
        same = page_of(body, head=address + script.replace(data, named))
        assert same.facts.published is not None
    assert page_of(body, head=script).facts.published is not None
    for any_page in ("https://kite.example/", "https://kite.example/?p=7"):
        shown = script.replace(_ELSEWHERE, any_page)
        assert page_of(body, head=address + shown).facts.published is not None


def calls_of(do: Callable[[], object]) -> int:
    """How many functions a call takes: its work, whatever else the machine does."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        do()
    finally:
        sys.setprofile(None)
    return calls


HEADLINE = "<h2>Lindmar votes again about number %d</h2>"
GROWING = {
    "headlines without text": HEADLINE + "<p>Short.</p>",
    "headlines with one paragraph": f"<div>{HEADLINE}<p>{BODY[0]}</p></div>",
    "headlines with articles": f"<div>{HEADLINE}{paragraphs(BODY[:2])}</div>",
    "articles within each other": f"<div>{HEADLINE}<div>{paragraphs(BODY[:2])}",
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_as_many_headlines_are_at_most_twice_the_work(name: str) -> None:
    def work(number: int) -> int:
        parts = (GROWING[name] % place for place in range(number))
        root = tree_of(
            f"<html><head><title>{TITLE}</title></head><body><div><h1>{TITLE}</h1>"
            f"{paragraphs(BODY)}</div>{''.join(parts)}</body></html>"
        )
        assert root is not None
        facts = read_facts(root, zone=None, seen=None)
        return calls_of(lambda: further_articles(root, facts))

    # Parsers nest at most 256 elements, so that growing depth ends before.
    assert work(600) <= 2.5 * work(300)
