"""The four articles of one event that the project began with: what is shown of them."""

import os
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.article import ArticleView
from aggregator.model.entry import Entry
from aggregator.model.story import StoryText
from aggregator.stories.openings import is_repeated
from aggregator.stories.plain_text import as_text
from aggregator.text.sentences import split_sentences
from tests.support.stories_examples import story_text, view

DATA = Path(
    os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[4] / "shared" / "data")
)
SEEDS = sorted((DATA / "seeds").glob("*.txt"))
SEEN = datetime.fromisoformat("2026-01-01T00:00Z")

pytestmark = pytest.mark.skipif(
    len(SEEDS) != 4, reason=f"the four seed articles are not in {DATA}/seeds"
)


def read(path: Path) -> ArticleView:
    entry = Entry(
        source="seeds",
        guid=path.name,
        text=path.read_text("utf-8"),
        is_saved_text=True,
        outlet=path.stem,
    )
    article = clean_entry(entry, seen=SEEN, tuning=Tuning()).article
    published = article.published
    return view(
        path.stem,
        path.stem,
        title=article.title,
        published=published.time if published else None,
        seen=SEEN,
        effective_at=published.time if published else SEEN,
        language=article.language,
        wire=article.wire.agency if article.wire else None,
        role="container" if article.is_container else "report",
        lead=article.lead,
        text=article.text,
        published_precision=published.precision if published else None,
    )


@pytest.fixture(scope="module")
def articles() -> list[ArticleView]:
    return [read(path) for path in SEEDS]


@pytest.fixture(scope="module")
def shown(articles: list[ArticleView]) -> StoryText:
    return story_text(articles)


def test_the_fall_of_homs_is_named_in_a_statement(
    shown: StoryText, articles: list[ArticleView]
) -> None:
    assert "Homs" in shown.title
    assert "?" not in shown.title
    assert shown.title in {article.title for article in articles}


def test_every_report_is_shown_and_the_live_blog_is_apart(
    shown: StoryText, articles: list[ArticleView]
) -> None:
    (blog,) = [article for article in articles if article.role == "container"]
    reports = {article.id for article in articles} - {blog.id}
    assert {p.article_id for p in (*shown.lead, *shown.openings)} == reports
    paragraphs = as_text(shown, articles).split("\n\n")
    assert [text for text in paragraphs if text.endswith("[live]")] == paragraphs[-1:]


def test_the_minister_is_quoted_by_name(shown: StoryText) -> None:
    assert "Mohammed al-Rahmoun" in {
        quotation.speaker for quotation in shown.quotations
    }


def test_the_story_opens_with_its_first_sentence_once(shown: StoryText) -> None:
    first, second, *_ = [
        sentence
        for passage in shown.lead
        for sentence in split_sentences(passage.text, 1)
    ]
    assert first.startswith("Syrian Islamist rebels, led by the jihadist Hayat Tahrir")
    assert not is_repeated(first, second), "the standfirst is told twice"


def test_each_seed_alone_opens_once(articles: list[ArticleView]) -> None:
    for article in articles:
        sentences = [
            sentence
            for passage in story_text([article]).lead
            for sentence in split_sentences(passage.text, 1)
        ]
        for first, second in pairwise(sentences[:3]):
            assert not is_repeated(first, second), f"{article.outlet} begins twice"
