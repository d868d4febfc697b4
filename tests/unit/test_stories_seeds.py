"""The four articles of one event that the project began with: what is paired, what differs."""

import datetime as dt
import os
from pathlib import Path

import pytest

from aggregator.model import ArticleView, Entry, MergedStory
from aggregator.rules import rule_book
from aggregator.stories.headline import headline
from aggregator.stories.merge import merge
from aggregator.text.prepare import clean_article

DATA = Path(os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[3] / "shared" / "data"))
SEEDS = sorted((DATA / "seeds").glob("*.txt"))
SEEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

pytestmark = pytest.mark.skipif(len(SEEDS) != 4, reason=f"the four seed articles are not in {DATA}/seeds")

# A word or two of each side of facts that two of the articles share.
PAIRED = [
    ("third largest", "third largest"),
    ("20 km", "twenty kilometers"),
    ("withdrawn", "withdrawn"),
    ("Aleppo", "Aleppo"),
    ("connection", "hub"),
    ("hundreds", "3,500"),
    ("breached", "breaking"),
    ("fallen", "taken"),
    ("lightning", "rapidly"),
]


def read(path: Path) -> ArticleView:
    entry = Entry(
        source="seeds",
        guid=path.name,
        text=path.read_text(encoding="utf-8"),
        is_saved_text=True,
        outlet=path.stem,
    )
    article = clean_article(entry, None, None, None, SEEN, rule_book())
    published = article.published
    return ArticleView(
        id=path.stem,
        outlet=path.stem,
        url=None,
        title=article.title,
        published=published.time if published else None,
        seen=SEEN,
        effective=published.time if published else SEEN,
        language=article.language,
        copy_of=None,
        wire=article.wire.agency if article.wire else None,
        role="container" if article.is_container else "report",
        lead=article.lead,
        text=article.text,
        timed=article.timed,
        published_precision=published.precision if published else None,
    )


@pytest.fixture(scope="module")
def articles() -> list[ArticleView]:
    return [read(path) for path in SEEDS]


@pytest.fixture(scope="module")
def merged(articles: list[ArticleView]) -> MergedStory:
    return merge(articles)


@pytest.mark.parametrize("words", PAIRED, ids=" / ".join)
def test_shared_facts_are_brought_together(merged: MergedStory, words: tuple[str, str]) -> None:
    groups = [
        *([said.text for said in fact.said] for fact in merged.facts),
        *([said.text for said in block] for block in merged.beside),
        *([side.text for side in each.sides] for each in merged.disagreements),
    ]
    first, second = words
    assert any(
        first in one and second in other
        for group in groups
        for place, one in enumerate(group)
        for other in group[:place] + group[place + 1 :]
    )


def test_everything_shown_is_verbatim(merged: MergedStory, articles: list[ArticleView]) -> None:
    text_of = {article.id: article.text for article in articles}
    said = [s for fact in merged.facts for s in fact.said] + [s for block in merged.beside for s in block]
    said += [side for each in merged.disagreements for side in each.sides] + list(merged.only)
    assert len(said) > 20
    assert all(each.text in text_of[each.article] for each in said)
    live = [item for item in merged.timeline if item.kind == "live"]
    assert all(item.text in text_of[item.article] for item in live)


def test_what_differs_is_found(merged: MergedStory) -> None:
    assert [each.values for each in merged.disagreements if each.kind == "figures"] == [("hundreds", "3,500")]
    denials = [each.values for each in merged.disagreements if each.kind == "denial"]
    assert denials == [("claimed", "denied"), ("denied",)]


def test_the_live_blog_runs_forward_without_a_day(merged: MergedStory) -> None:
    live = [item for item in merged.timeline if item.kind == "live"]
    clocks = [item.clock_minutes or 0 for item in live]
    assert len(live) == 7
    assert clocks == sorted(clocks)
    assert all(item.time is None and item.day is None for item in live)


def test_days_come_only_from_the_dated_report(merged: MergedStory) -> None:
    dated = [item for item in merged.timeline if item.day is not None]
    assert [item.kind for item in dated].count("published") == 1
    assert all(item.day_inferred for item in dated if item.kind == "told")
    assert {item.day for item in dated} == {dt.date(2024, 11, 27), dt.date(2024, 12, 6), dt.date(2024, 12, 7)}


def test_the_headline_is_a_statement(articles: list[ArticleView]) -> None:
    assert headline(articles, None) in {article.title for article in articles}
    assert "?" not in headline(articles, None)
