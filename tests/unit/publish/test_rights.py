"""Promise 9: no reader but the owner gets more words or characters of an article than allowed.

However a story is made up, in an item of a feed, and over every route of the server.
"""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import Webhook
from aggregator.deliver.delivery_bodies import delivery_body
from aggregator.deliver.transmit import WebhookTuning
from aggregator.model.article import ArticleView
from aggregator.model.read_model import ArticleDetail, Change
from aggregator.model.story import Passage, Quotation, StoryText, StoryView
from aggregator.publish.excerpts.excerpt_words import (
    CHARS_A_WORD,
    count_words,
    first_words,
)
from aggregator.publish.excerpts.single_articles import limit_article
from aggregator.publish.excerpts.story_excerpts import for_item, for_reader
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.feeds.feed_items import story_items
from aggregator.web.web_app import create_app
from tests.support.services import all_services
from tests.support.tables import numbered, rows
from tests.support.written_stories import (
    MORNING,
    WrittenStories,
    a_story,
    an_article,
)


def _of(article: ArticleView, text: str) -> Passage:
    return Passage(text=text, article_id=article.id)


def test_a_shown_sentence_may_be_shown_again_without_counting_twice() -> None:
    lead = "Seven words stand in this very sentence."
    article = an_article(title="Two words", lead=lead, text=lead)
    text = StoryText(title="Two words", lead=(_of(article, lead),))
    story, shown = for_reader(a_story(article, summary=lead), text, "excerpt", 9)
    assert story.summary == story.articles[0].lead == lead
    assert shown
    assert shown.lead == text.lead


def test_nosnippet_leaves_title_and_link_alone() -> None:
    article = an_article(nosnippet=True, lead="A lead.", text="A lead. And more.")
    story, _ = for_reader(a_story(article, summary="A lead."), None, "all", 60)
    assert (story.summary, story.articles[0].lead, story.articles[0].text) == (
        "",
        "",
        "",
    )
    assert (story.articles[0].title, story.articles[0].url) == (
        article.title,
        article.url,
    )


def test_a_summary_of_unknown_origin_is_left_out_when_one_article_forbids_snippets() -> (
    None
):
    story = a_story(
        an_article(), an_article(nosnippet=True), summary="Whose sentence is this?"
    )
    assert for_reader(story, None, "excerpt", 60)[0].summary == ""


def test_noarchive_keeps_the_full_text_in_even_where_all_may_read() -> None:
    kept = an_article(
        noarchive=True, lead="Short lead.", text="Short lead.\n" + "word " * 90
    )
    free = an_article(lead="Other lead.", text="Other lead.\n" + "word " * 90)
    story, _ = for_reader(a_story(kept, free), None, "all", 60)
    assert (story.articles[0].text, story.articles[0].lead) == ("", "Short lead.")
    assert story.articles[1].text == free.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *rows("rights", "words are counted in every script"),
        ('"' * 90_000, 7_500),
    ],
)
def test_words_are_counted_in_every_script(text: str, words: int) -> None:
    assert count_words(text) == words


@given(st.text(alphabet="ab’'-–“.,(é 5\n", max_size=60))
def test_whoever_counts_by_spaces_or_by_letters_counts_no_more(text: str) -> None:
    assert count_words(text) >= max(len(text.split()), len(re.findall(r"\w+", text)))


def test_a_cut_is_marked_and_an_uncut_text_is_not() -> None:
    assert first_words("one two, three", 2) == "one two …"
    assert first_words("one two three", 3) == "one two three"
    assert first_words("one", 0) == ""


@pytest.mark.parametrize("title", ["former " * 12, "Ferry in fog"])
def test_a_headline_that_no_article_carries_any_more_counts_for_all_of_them(
    title: str,
) -> None:
    long = " ".join(numbered("word%n", 100))
    articles = [
        an_article(title=f"Ferry in fog {n}", lead=long, text=long + str(n))
        for n in range(2)
    ]
    story = a_story(*articles, title=title.strip(), summary="")
    lines = tuple(
        _of(articles[0], f"s{n} is said by the harbour master.") for n in range(20)
    )
    text = StoryText(title=title.strip(), lead=lines[:4], openings=lines[4:])
    former = count_words(title) if "former" in title else 0
    for bounded, reported in (
        for_reader(story, text, "excerpt", 30),
        for_item(story, text, 30),
    ):
        assert bounded.title == title.strip()
        assert reported is not None
        for article in bounded.articles:
            said = (*reported.lead, *reported.openings)
            of_it = sum(
                count_words(one.text) for one in said if one.article_id == article.id
            )
            shown = (
                former
                + count_words(article.title)
                + count_words(article.lead.removesuffix(" …"))
                + of_it
            )
            assert shown <= 30
            assert shown >= 10 or article is not bounded.articles[0], (
                "the rest may be shown"
            )


def test_a_lead_and_the_title_of_any_copy_that_prints_it_stay_within_the_words_together() -> (
    None
):
    lead = " ".join(numbered("lead%n", 100))
    article = an_article(title="Ferry in fog", lead=lead)
    copies = tuple(
        an_article(
            title=" ".join(numbered("t%n", long)),
            nosnippet=quiet,
            copy_of=article.id,
        )
        for long, quiet in ((12, False), (20, True), (50, True))
    )
    one = ArticleDetail(
        article=article,
        story="s",
        story_title=article.title,
        revisions=0,
        copies=copies,
    )
    bounded = limit_article(one, "excerpt", 30)
    assert count_words(bounded.article.lead.removesuffix(" …")) == 18
    assert [count_words(copy.title.removesuffix(" …")) for copy in bounded.copies] == [
        12,
        20,
        30,
    ]
    assert limit_article(one, "owner", 30) == one


def test_an_opening_and_a_quotation_are_shown_whole_or_not_at_all() -> None:
    first, second = an_article(title="Ferry"), an_article(title="Fog")
    opening = _of(second, " ".join(numbered("o%n", 30)))
    quotation = Quotation(
        speaker="Ada Brenn",
        text=" ".join(numbered("q%n", 25)),
        article_ids=(first.id, second.id),
    )
    text = StoryText(title=first.title, openings=(opening,), quotations=(quotation,))
    story = a_story(first, second, summary="")
    for words, shown in ((80, (1, 1)), (40, (1, 0)), (27, (0, 1)), (20, (0, 0))):
        bounded = for_reader(story, text, "excerpt", words)[1]
        assert (len(bounded.openings), len(bounded.quotations)) == shown, words


def test_a_lead_is_cut_between_its_sentences_and_within_one_only_where_none_fits() -> (
    None
):
    sentences = numbered("Sentence %n says where the ferry is.", 4)
    article = an_article(title="Ferry")
    lead = tuple(_of(article, " ".join(sentences[n : n + 2])) for n in (0, 2))
    text = StoryText(title="Ferry", lead=lead)
    for words, shown in (
        (60, [one.text for one in lead]),
        (23, [lead[0].text, sentences[2]]),
        (20, [lead[0].text]),
        (10, [sentences[0]]),
        (4, ["Sentence 0 says …"]),
    ):
        bounded = for_reader(a_story(article, summary=""), text, "excerpt", words)[1]
        assert [one.text for one in bounded.lead] == shown, words


# --- every route -------------------------------------------------------------------------------------------

PATHS = (
    "/", "/?view=newest", "/search?q={q}", "/stories/hostile", "/api/v1/stories",
    "/api/v1/stories/hostile", "/api/v1/articles/r0", "/api/v1/articles/r1", "/api/v1/search?query={q}",
    *(f"/feeds/stories.{ending}" for ending in ("rss", "atom", "json")),
)  # fmt: skip
# What stands between the words: what is no word, is not seen, or is one word however long.
FILLINGS = rows("rights", "fillings")
_UNIT = re.compile(r"a(\d)u(\d+)z")
FORMER = "900"  # the word of an article in a headline that nobody carries any more


@st.composite
def _texts(draw: st.DrawFn, article: int, first: int) -> list[str]:
    """Sentences of words that tell where they are from, with long fillings behind them."""
    filling, length = (
        draw(st.sampled_from(FILLINGS)),
        draw(st.sampled_from((0, 1, 5, 11, 39, 41, 300, 5000))),
    )
    lengths = draw(st.lists(st.sampled_from((1, 3, 20)), min_size=1, max_size=4))
    numbers = iter(range(first, first + sum(lengths)))
    return [
        "".join(f"a{article}u{next(numbers)}z{filling * length} " for _ in range(n))
        for n in lengths
    ]


@st.composite
def _stories(
    draw: st.DrawFn, *, with_copies: bool = False
) -> tuple[StoryView, StoryText]:
    articles: list[ArticleView] = []
    said: list[Passage] = []
    for number in range(draw(st.integers(1, 3))):
        title = draw(_texts(number, 0))[0]
        is_copy = with_copies and number > 0 and draw(st.booleans())
        text = articles[0].text.split("\n") if is_copy else draw(_texts(number, 100))
        one = an_article(
            id=f"r{number}", outlet=f"Outlet {number}", title=title, lead=text[0], text="\n".join(text),
            nosnippet=draw(st.booleans()) and number > 1, role="copy" if is_copy else "report",
            copy_of="r0" if is_copy else None,
        )  # fmt: skip
        articles.append(one)
        said += [_of(one, each) for each in text]
    reported = StoryText(
        title=articles[0].title,
        lead=draw(st.lists(st.sampled_from(said), max_size=3).map(tuple)),
        openings=tuple(said),
        quotations=tuple(
            Quotation(speaker="Q", text=one.text, article_ids=(one.article_id,))
            for one in said
        ),
    )
    return a_story(
        *articles, id="hostile", summary=articles[0].lead, updated=MORNING
    ), reported


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    return [value] if isinstance(value, str) else []


_Given = dict[tuple[str, str], int]


def _given(answer: str, *, is_json: bool) -> _Given:
    """Of each word of an article, by article and number, the most characters with what follows it."""
    shown = "\0".join(_strings(json.loads(answer))) if is_json else answer
    shown = unescape(unescape(unescape(shown)))
    longest: _Given = {}
    found = [*_UNIT.finditer(shown)]
    for here, after in zip(found, [*found[1:], None], strict=False):
        stretch = shown[
            here.start() : after.start() if after else here.start() + 20_000
        ]
        # Up to a tag of ours, the end of a value, or our ellipsis and what follows.
        stretch = re.split(r"</?[a-z]|\0| …", stretch, maxsplit=1)[0]
        filling = re.match(r"(.)\1*", stretch[len(here[0]) :], re.DOTALL)
        length = len(here[0]) + (len(filling[0]) if filling else 0)
        longest[here[1], here[2]] = max(longest.get((here[1], here[2]), 0), length)
    return longest


def _within(
    answer: str, story: StoryView, allowed: int, *, is_json: bool, where: str
) -> None:
    """A copy gives what its original gives: their words count for both."""
    given = _given(answer, is_json=is_json)
    originals = {one.copy_of for one in story.articles}
    for article in story.articles:
        of_it = {
            *_UNIT.findall(f"{article.title} {article.text}"),
            (article.id[1:], FORMER),
        }
        lengths = [length for unit, length in given.items() if unit in of_it]
        assert len(lengths) <= allowed, (where, article.id)
        assert sum(lengths) <= CHARS_A_WORD * allowed, (where, article.id)
        if article.nosnippet and not article.copy_of and article.id not in originals:
            assert len(lengths) <= len(_UNIT.findall(article.title)) + 1


def _quotation_marks() -> tuple[StoryView, StoryText]:
    text = "a0u100z" + '"' * 90_000
    one = an_article(id="r0", title="a0u1z Marks", lead=text, text=text)
    said = _of(one, text)
    reported = StoryText(title=one.title, lead=(said,), openings=(said,))
    return a_story(one, id="hostile", summary=text, updated=MORNING), reported


@pytest.mark.later
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(_stories(), st.integers(1, 60))
@example(_quotation_marks(), 60)
def test_no_route_gives_more_than_the_words_and_characters_that_are_allowed(
    made: tuple[StoryView, StoryText], allowed: int
) -> None:
    story, reported = made
    chosen = PublishSettings(excerpt_words=allowed)
    reader = WrittenStories()
    reader.put(story, reported)
    app = create_app(
        reader,
        chosen,
        all_services(reader.database),
        lambda: MORNING + timedelta(hours=1),
    )
    with TestClient(
        app, "http://127.0.0.1:8080", client=("203.0.113.9", 40_000)
    ) as client:
        for path in PATHS:
            answer = client.get(path.format(q="a0u100z"))
            assert answer.status_code in {200, 404}, path
            is_json = "json" in answer.headers["content-type"]
            _within(answer.text, story, allowed, is_json=is_json, where=path)
            assert len(answer.content) < 100_000, path
    change = Change(
        n=1, story=story.id, was=story.id, kind="report", at=MORNING, updated=MORNING, title=story.title,
        title_before=" ".join(f"a{one.id[1:]}u{FORMER}z" for one in story.articles),
        report_count=1, article=story.articles[0],
    )  # fmt: skip
    desk = Webhook(name="desk", url="https://desk.example/", key=b"k")
    body = delivery_body(
        desk, change, story, chosen, Tuning().section("webhooks", WebhookTuning)
    )
    _within(body.decode(), story, allowed, is_json=True, where="webhook")


@pytest.mark.later
@settings(max_examples=60)
@given(_stories(with_copies=True), st.integers(1, 60))
def test_no_item_of_a_feed_gives_more_whoever_copies_whom(
    made: tuple[StoryView, StoryText], allowed: int
) -> None:
    """Where all may read whole articles on pages, too."""
    story, reported = made
    chosen = PublishSettings(excerpt_words=allowed, full_text="all")
    (item,) = story_items([story], {story.id: reported}, chosen)
    _within(item.html, story, allowed, is_json=False, where="item")


def test_what_is_counted_is_there_to_be_counted() -> None:
    """The owner gets all of it, so the test above can fail."""
    story, reported = _quotation_marks()
    reader = WrittenStories()
    reader.put(story, reported)
    app = create_app(reader, PublishSettings(), all_services(reader.database))
    with TestClient(
        app, "http://127.0.0.1:8080", client=("127.0.0.1", 40_000)
    ) as client:
        answer = client.get("/api/v1/articles/r0")
    assert _given(answer.text, is_json=True)["0", "100"] > 90_000
    assert msgspec.json.decode(answer.content)["text"]
