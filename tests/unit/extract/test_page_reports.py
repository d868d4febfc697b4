"""Pages as public reports of other readers describe them: what is hidden, readings, cards, declared dates."""
# ruff: noqa: E501 - markup as it is

from datetime import datetime

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import CleanedEntry, clean_entry
from aggregator.extract.html.article_html import article_html
from aggregator.extract.html.dom import html_to_text
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from tests.support.tables import each_row, numbered, rows

SEEN = datetime.fromisoformat("2026-11-28T00:00Z")
TITLE = "Dam repairs begin in Lindmar"
TIME = datetime.fromisoformat("2026-11-25T07:30Z")
DAM = (
    "The council of Lindmar began to repair the old dam on Wednesday, four months after a crack was found in its wall.",
    "Engineers from the regional water board lowered the lake by three metres so that the wall could be reached from boats.",
    "The work will take until April. Fishing is not allowed while the lake is low, and the ferry stops at a temporary pier.",
    "Residents had asked for the repair since July, when a diver photographed the crack, said Marta Oskal, who lives below.",
    "A second inspection is planned for the spring, and a meeting in the town hall a week later, where questions can be asked.",
)
HIDDEN = "A painted horse from Zanzibar stood in the yard of the museum until noon, with nobody near it."


def paragraphs(*texts: str) -> str:
    return "".join(f"<p>{text}</p>" for text in texts)


def cleaned(body: str, head: str = "", language: str = "en") -> CleanedEntry:
    html = f"<!doctype html><html lang='{language}'><head><title>{TITLE} | Kite Daily</title>{head}</head><body>{body}</body></html>"
    return clean_entry(
        Entry(source="test"),
        page=html.encode(),
        page_url=None,
        seen=SEEN,
        tuning=Tuning(),
    )


def read(body: str, head: str = "", language: str = "en") -> CleanArticle:
    return cleaned(body, head, language).article


def lines_of(body: str, language: str = "en") -> list[str]:
    return read(body, language=language).text.split("\n")


def in_article(*parts: str) -> str:
    return f"<main><article><h1>{TITLE}</h1>{''.join(parts)}</article></main>"


# --- what is hidden ----------------------------------------------------------------------------------------

HIDING = rows("page_reports", "hiding")


@pytest.mark.parametrize("hiding", HIDING)
def test_what_readers_do_not_see_is_no_text(hiding: str) -> None:
    block = f"<p {hiding}>{HIDDEN}</p>"
    assert lines_of(
        in_article(paragraphs(DAM[0]), block, paragraphs(*DAM[1:]))
    ) == list(DAM)
    fragment = (
        f"<p><span {hiding}>Zanzibar, </span>{DAM[0]}</p>{block}{paragraphs(*DAM[1:])}"
    )
    assert html_to_text(fragment).split("\n") == list(DAM)
    shown = article_html(f"{fragment}<ul><li>One</li></ul>", None)
    assert shown is not None
    assert "Zanzibar" not in shown.html


def test_a_template_is_no_text_and_a_sentence_goes_on_after_hidden_words() -> None:
    link = "<a href='/plan'>the plan<span class='visually-hidden'>, opens in a new tab</span></a>"
    body = in_article(
        f"<template><p>{HIDDEN}</p></template>",
        paragraphs(DAM[0], f"It is as {link} says."),
        paragraphs(*DAM[1:]),
    )
    assert lines_of(body) == [DAM[0], "It is as the plan says.", *DAM[1:]]


@each_row("page_reports", "what is seen stays", "seen")
def test_what_is_seen_stays(seen: str) -> None:
    body = in_article(
        paragraphs(DAM[0]), f"<div {seen}><p>{DAM[1]}</p></div>", paragraphs(*DAM[2:])
    )
    assert lines_of(body) == list(DAM)


def test_a_closed_part_of_an_article_stays() -> None:
    body = in_article(
        paragraphs(*DAM[:3]),
        f"<details><summary>More</summary>{paragraphs(*DAM[3:])}</details>",
    )
    assert set(DAM) <= set(lines_of(body))


@pytest.mark.parametrize(
    "hiding",
    ["hidden", "style='opacity:0'", "style='display:none'", "class='invisible'"],
)
def test_an_article_that_waits_for_its_script_is_read(hiding: str) -> None:
    inner = in_article(
        paragraphs(DAM[0]), f"<p class='sr-only'>{HIDDEN}</p>", paragraphs(*DAM[1:])
    )
    assert lines_of(
        f"<div {hiding}>{inner}</div><footer><p>All rights reserved.</p></footer>"
    ) == list(DAM)
    fading = "".join(f"<p {hiding}>{text}</p>" for text in DAM)
    assert lines_of(in_article(fading)) == list(DAM)


@pytest.mark.parametrize(
    "hiding", ["hidden", "class='print-only'", "class='d-none d-print-block'"]
)
def test_a_hidden_copy_of_the_article_is_not_its_text_again(hiding: str) -> None:
    assert lines_of(
        in_article(paragraphs(*DAM), f"<div {hiding}>{paragraphs(*DAM)}</div>")
    ) == list(DAM)


def test_the_preview_line_of_a_letter_is_no_text() -> None:
    letter = f"<div class='preheader' style='max-height:0;overflow:hidden;mso-hide:all'>{HIDDEN}</div>{paragraphs(*DAM)}"
    assert html_to_text(letter).split("\n") == list(DAM)


# --- readings over characters ------------------------------------------------------------------------------

PLAIN = "日本の東北地方で25日、古いダムの工事が始まりました。県によると、北側の壁に大きなひびが見つかったため、湖の水を下げて直します。"
REST = "工事は来年4月まで続き、費用は4億2000万円です。湖では魚を釣ることができません。島へ行く船は、製材所の近くの桟橋に着きます。"


@each_row(
    "page_reports", "readings are no text and characters stay joined", "written", "base"
)
def test_readings_are_no_text_and_characters_stay_joined(
    written: str, base: str
) -> None:
    text = PLAIN.replace(base, written).replace(
        "東北", "<ruby>東北<rt>とうほく</rt></ruby>"
    )
    heading = f"<h1>{written}のダム</h1>"
    body = f"<main><article>{heading}{paragraphs(text, REST)}<ul><li>{written}の湖で釣りはできません。</li></ul></article></main>"
    assert lines_of(body, "ja")[:2] == [PLAIN, REST]
    assert html_to_text(f"<p>{text}</p><p>{REST}</p>") == f"{PLAIN}\n{REST}"
    assert (
        html_to_text(f"<h2>{written}のダム</h2><ul><li>{written}の湖</li></ul>")
        == f"{base}のダム\n{base}の湖"
    )


def test_readings_of_another_language() -> None:
    text = "<p><ruby>北<rp>(</rp><rt>Běi</rt><rp>)</rp>京<rp>(</rp><rt>jīng</rt><rp>)</rp></ruby>的水坝</p>"
    assert html_to_text(text) == "北京的水坝"


# --- cards -------------------------------------------------------------------------------------------------

COMMENTS = "".join(
    numbered(
        "<div class='post-comment'><p>Reader %n says that the dam of Lindmar should have been mended long ago and that nobody answers.</p></div>",
        30,
    )
)
BODY = DAM * 2


@pytest.mark.parametrize(
    "body",
    [
        [*BODY, "<h3><a href='/other'>Read next: Tram depot to be rebuilt</a></h3>"],
        [*BODY[:4], "<h2><a href='https://board.example/plan'>What the plan says of the lake</a></h2>", *BODY[4:]],
        ["<h2><a href='/lindmar/dam'>Dam repairs begin</a></h2>", *BODY],
        [*BODY, "<div class='video'><h4><a href='/video/1'>Battle of the pumps</a></h4></div>"],
        ["<div class='promo'><h3><a href='/live'>Follow the works live</a></h3></div>", *BODY],
        [*BODY[:2], "<h3><a href='/pump/1'>Pump number one</a></h3>", *BODY[2:6], "<h3><a href='/pump/2'>Pump number two</a></h3>", *BODY[6:]],
    ],
    ids=["read next", "subheading", "own link", "player", "first", "roundup"],
)  # fmt: skip
@pytest.mark.parametrize(
    "article",
    [
        "<article id='article-body'>",
        "<div class='teaser' itemprop='articleBody'>",
        "<article class='related'>",
    ],
)
def test_an_article_with_a_linked_heading_is_no_card(
    body: list[str], article: str
) -> None:
    inside = "".join(
        part if part.startswith("<") else f"<p>{part}</p>" for part in body
    )
    end = "</article>" if article.startswith("<article") else "</div>"
    text = read(
        f"<header><h1>{TITLE}</h1></header>{article}{inside}{end}<section>{COMMENTS}</section>"
    ).text
    assert all(line in text for line in DAM)
    assert "Reader 3" not in text


def test_entries_of_a_live_blog_above_comments_are_the_article() -> None:
    entries = "".join(
        f"<article id='e{n}'><h3><a href='/live/dam/entry-{n}'>At {n} o'clock the lake is lower</a></h3><p>{text}</p></article>"
        for n, text in enumerate(DAM, 7)
    )
    text = read(
        f"<h1>{TITLE}</h1><main>{entries}</main><section>{COMMENTS}</section>"
    ).text
    assert all(line in text for line in DAM)


@pytest.mark.parametrize("form", ["{}", "<strong>{}</strong>", "<em><b>{}</b></em>"])
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("wrapper", ["{}", "<div class='text'>{}</div>"])
def test_a_sentence_that_is_a_link_is_text(form: str, place: int, wrapper: str) -> None:
    texts = list(DAM)
    texts[place] = form.format(f"<a href='/july/crack'>{DAM[place]}</a>")
    body = in_article(*(wrapper.format(paragraphs(text)) for text in texts))
    assert lines_of(body) == list(DAM)


def test_linked_sentences_beside_each_other_are_a_list() -> None:
    sentences = (
        "The mill of Lindmar was sold to a family from the coast on Monday.",
        "A choir from Tarsk sang in the market hall before the elections.",
        "The bakery in Quay Street closed after ninety years on Sunday.",
    )
    links = paragraphs(*(f"<a href='/{len(one)}'>{one}</a>" for one in sentences))
    body = in_article(paragraphs(*DAM), f"<div class='more'>{links}</div>")
    assert lines_of(body) == list(DAM)


def test_teasers_of_other_stories_go() -> None:
    teasers = "".join(
        numbered(
            "<article><h3><a href='/%n'>Tram depot number %n to be rebuilt</a></h3><p>The depot is old, a Zanzibar of rust.</p></article>",
            4,
        )
    )
    assert lines_of(in_article(paragraphs(*DAM), teasers)) == list(DAM)


# --- declared dates ----------------------------------------------------------------------------------------

LD = (
    '{"@context":"https://schema.org","@type":"NewsArticle","headline":"Dam repairs begin in Lindmar",'
    '"datePublished":"2026-11-25T08:30:00+01:00","dateModified":"2026-11-26T10:00:00+01:00",'
    '"author":{"@type":"Person","name":"Ada Quill"},"description":"The works begin."}'
)


@each_row("page_reports", "json ld that is wrapped or broken", "script")
def test_json_ld_that_is_wrapped_or_broken(script: str) -> None:
    article = read(
        in_article(paragraphs(*DAM)),
        f'<script type="application/ld+json">{script.replace("LD", LD)}</script>',
    )
    assert article.published is not None
    assert (article.published.time, article.author) == (TIME, "Ada Quill")


@each_row(
    "page_reports",
    "dates under the names of content systems",
    "name",
    "value",
    "minute",
)
def test_dates_under_the_names_of_content_systems(
    name: str, value: str, minute: bool
) -> None:
    for place in (name, name.replace("property=", "name=").replace(" name='x'", "")):
        article = read(
            in_article(paragraphs(*DAM)), f"<meta {place} content='{value}'>"
        )
        assert article.published is not None, place
        assert article.published.time == (
            TIME if minute else TIME.replace(hour=0, minute=0)
        )


@pytest.mark.parametrize(
    "element",
    [
        "<abbr class='published' title='2026-11-25T07:30:00Z'>on Wednesday</abbr>",
        "<span class='entry-published' title='2026-11-25T07:30:00Z'>today</span>",
        "<span itemprop='datePublished' content='2026-11-25T07:30:00Z'>today</span>",
        "<time class='when' datetime='2026-11-25T07:30:00Z'>today</time>",
    ],
)
def test_dates_in_attributes_of_what_is_visible(element: str) -> None:
    published = read(in_article(element, paragraphs(*DAM))).published
    assert published is not None
    assert published.time == TIME


@each_row("page_reports", "other dates are no dates of publication", "head")
def test_other_dates_are_no_dates_of_publication(head: str) -> None:
    talk = "The dams of the region are the subject of a conference on 12 December 2026 in Orm."
    assert read(in_article(paragraphs(*DAM, talk)), head).published is None
