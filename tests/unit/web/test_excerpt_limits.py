"""Promise 9 over every route: no text, however it is written, gives more words or characters than allowed."""

import datetime as dt
import json
import re
from html import unescape
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from aggregator.config.tuning import Tuning
from aggregator.config.webhooks import Webhook
from aggregator.model.core import ArticleView, AttributedSentence, Fact, MergedStory, StoryView, TimelineItem
from aggregator.model.read_model import Change
from aggregator.web.excerpts import CHARS_A_WORD
from aggregator.web.server import create_app
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.sender import WebhookTuning, delivery_body
from tests.support.written_stories import MORNING, WrittenStories, a_story, an_article

PATHS = (
    "/", "/?view=newest", "/search?q={q}", "/stories/hostile", "/quality", "/api/v1/stories",
    "/api/v1/stories/hostile", "/api/v1/articles/r0", "/api/v1/articles/r1", "/api/v1/search?query={q}",
    *(f"/feeds/{name}.{ending}" for name in ("stories", "updates") for ending in ("rss", "atom", "json")),
)  # fmt: skip
# What stands between the words: what is no word, is not seen, or is one word however long.
FILLINGS = ('"', "—", "…", "!", "’", "|", "\u0301", "\u200b", " ", "😀", "漢", "x", "<", "&", "*", "·")
_UNIT = re.compile(r"a(\d)u(\d+)z")


@st.composite
def _texts(draw: st.DrawFn, article: int, first: int) -> list[str]:
    """Sentences of words that tell where they are from, with long fillings behind them."""
    filling, length = draw(st.sampled_from(FILLINGS)), draw(st.sampled_from((0, 1, 5, 11, 39, 41, 300, 5000)))
    lengths = draw(st.lists(st.sampled_from((1, 3, 20)), min_size=1, max_size=4))
    numbers = iter(range(first, first + sum(lengths)))
    return ["".join(f"a{article}u{next(numbers)}z{filling * length} " for _ in range(n)) for n in lengths]


@st.composite
def _stories(draw: st.DrawFn) -> tuple[StoryView, MergedStory]:
    articles: list[ArticleView] = []
    said: list[AttributedSentence] = []
    for number in range(draw(st.integers(1, 3))):
        title = draw(_texts(number, 0))[0]
        text = draw(_texts(number, 100))
        one = an_article(
            id=f"r{number}", outlet=f"Outlet {number}", title=title, lead=text[0], text="\n".join(text),
            nosnippet=draw(st.booleans()) and number > 0,
        )  # fmt: skip
        articles.append(one)
        said += [AttributedSentence(text=each, article=one.id, outlet=one.outlet) for each in text]
    some = st.lists(st.sampled_from(said), min_size=1, max_size=3).map(tuple)
    reported = MergedStory(
        title=articles[0].title,
        lead=draw(st.none() | st.sampled_from(said)),
        facts=tuple(Fact(said=one, outlets=len(one), of=3) for one in draw(st.lists(some, max_size=3))),
        only=tuple(said),
        timeline=tuple(
            TimelineItem(
                time=MORNING, precision="minute", kind="said", text=one.text, article=one.article, outlet=None
            )
            for one in said
        ),
    )
    return a_story(*articles, id="hostile", summary=articles[0].lead, updated=MORNING), reported


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    return [value] if isinstance(value, str) else []


def _given(answer: str, *, is_json: bool) -> dict[str, tuple[int, int]]:
    """Of each article how many different words, and how many characters with what follows them."""
    shown = "\0".join(_strings(json.loads(answer))) if is_json else answer
    shown = unescape(unescape(unescape(shown)))
    longest: dict[tuple[str, str], int] = {}
    found = [*_UNIT.finditer(shown)]
    for here, after in zip(found, [*found[1:], None], strict=False):
        stretch = shown[here.start() : after.start() if after else here.start() + 20_000]
        # Up to a tag of ours, the end of a value, or our ellipsis and what follows.
        stretch = re.split(r"</?[a-z]|\0| …", stretch, maxsplit=1)[0]
        filling = re.match(r"(.)\1*", stretch[len(here[0]) :], re.DOTALL)
        length = len(here[0]) + (len(filling[0]) if filling else 0)
        longest[here[1], here[2]] = max(longest.get((here[1], here[2]), 0), length)
    reported: dict[str, tuple[int, int]] = {}
    for (article, _), length in longest.items():
        words, characters = reported.get(article, (0, 0))
        reported[article] = (words + 1, characters + length)
    return reported


def _within(answer: str, allowed: int, *, is_json: bool, where: str) -> None:
    for article, (words, characters) in _given(answer, is_json=is_json).items():
        assert words <= allowed, (where, article, words)
        assert characters <= CHARS_A_WORD * allowed, (where, article, characters)


def _quotation_marks() -> tuple[StoryView, MergedStory]:
    text = "a0u100z" + '"' * 90_000
    one = an_article(id="r0", title="a0u1z Marks", lead=text, text=text)
    said = AttributedSentence(text=text, article="r0", outlet=one.outlet)
    reported = MergedStory(
        title=one.title, lead=said, facts=(), only=(said,), timeline=()
    )  # fmt: skip
    return a_story(one, id="hostile", summary=text, updated=MORNING), reported


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(_stories(), st.integers(1, 60))
@example(_quotation_marks(), 60)
def test_no_route_gives_more_than_the_words_and_characters_that_are_allowed(
    made: tuple[StoryView, MergedStory], allowed: int
) -> None:
    story, reported = made
    chosen = PublishSettings(excerpt_words=allowed)
    reader = WrittenStories()
    reader.put(story, reported)
    article = story.articles[0]
    change = Change(
        n=1, story=story.id, was=story.id, kind="report", at=MORNING, updated=MORNING, title=story.title,
        title_before=story.articles[-1].title, report_count=1, article=article,
    )  # fmt: skip
    reader.put_change(change)
    with TestClient(
        create_app(reader, chosen, lambda: MORNING + dt.timedelta(hours=1)),
        base_url="http://127.0.0.1:8080",
        client=("203.0.113.9", 40_000),
    ) as client:
        for path in PATHS:
            answer = client.get(path.format(q="a0u100z"))
            assert answer.status_code in {200, 404}, path
            is_json = "json" in answer.headers["content-type"]
            _within(answer.text, allowed, is_json=is_json, where=path)
            assert len(answer.content) < 100_000, path
    body = delivery_body(
        Webhook(name="desk", url="https://desk.example/", key=b"k"),
        change,
        story,
        chosen,
        Tuning().section("webhooks", WebhookTuning),
    )
    _within(body.decode(), allowed, is_json=True, where="webhook")


def test_what_is_counted_is_there_to_be_counted() -> None:
    """The owner gets all of it, so the test above can fail."""
    story, reported = _quotation_marks()
    reader = WrittenStories()
    reader.put(story, reported)
    with TestClient(
        create_app(reader, PublishSettings()), base_url="http://127.0.0.1:8080", client=("127.0.0.1", 40_000)
    ) as client:
        answer = client.get("/api/v1/articles/r0")
    assert _given(answer.text, is_json=True)["0"][1] > 90_000
    assert msgspec.json.decode(answer.content)["text"]
