"""The four articles of one event that the project began with: what is paired, what differs."""

import datetime as dt
import itertools
import os
from pathlib import Path

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.article import clean_entry
from aggregator.model.core import ArticleView, Entry, MergedStory
from aggregator.stories.headline import headline
from aggregator.stories.text.merged_text import merge
from tests.support.stories_examples import view

DATA = Path(os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[4] / "shared" / "data"))
SEEDS = sorted((DATA / "seeds").glob("*.txt"))
SEEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

pytestmark = pytest.mark.skipif(len(SEEDS) != 4, reason=f"the four seed articles are not in {DATA}/seeds")

# The sixteen facts that two or more of the four share, as listed before the project began, by a word or two
# of either side. `PAIRED` are one counted fact; `MISSED` are not.
PAIRED = {
    "withdrawal": ("withdrawn", "withdrawn"),
    "third-largest city": ("third largest", "third largest"),
    "Aleppo and Hama": ("Aleppo", "Aleppo"),
    "lightning advance": ("lightning", "rapidly"),
}
MISSED = {
    "20 km": ("20 km", "twenty kilometers"),
    "link to the coast": ("connection", "hub"),
    "prisoners": ("hundreds", "3,500"),
    "breach of the defences": ("breached", "breaking"),
    "Homs taken": ("fallen", "taken"),
    "Trump on intervention": ("not intervene", "not to get involved"),
    "Assad's flight denied": ("has not fled", "Rumors of a flight"),
    "strongholds on the coast": ("coastal strongholds", "numerous strongholds"),
    "security cordon": ("military cordon", "security cordon"),
    "Homs entered": ("entered the country’s largest province", "fighters had entered Homs"),
    "approach to Damascus": ("advancing towards Damascus", "approaching the capital"),
    "army denies in other words": ("repositioning themselves", "rejected reports"),
}


def read(path: Path) -> ArticleView:
    entry = Entry(
        source="seeds", guid=path.name, text=path.read_text("utf-8"), is_saved_text=True, outlet=path.stem
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
def merged(articles: list[ArticleView]) -> MergedStory:
    return merge(articles)


def is_paired(merged: MergedStory, first: str, second: str) -> bool:
    """Whether sentences of two outlets with these words stand together."""
    pairs = [pair for fact in merged.facts for pair in itertools.permutations(fact.said, 2)]
    return any(first in a.text and second in b.text and a.outlet != b.outlet for a, b in pairs)


def test_four_of_the_sixteen_shared_facts_are_counted(merged: MergedStory) -> None:
    facts = {**PAIRED, **MISSED}
    assert len(facts) == 16
    assert [name for name, words in facts.items() if not is_paired(merged, *words)] == list(MISSED)


def test_the_fall_of_homs_is_named(merged: MergedStory) -> None:
    assert "capture of Homs" in merged.title


def test_the_most_widely_reported_comes_first(merged: MergedStory) -> None:
    assert len(merged.facts) >= 3
    support = [fact.outlets for fact in merged.facts]
    assert support == sorted(support, reverse=True)
    assert all(fact.of == 4 and fact.outlets >= 2 for fact in merged.facts)


def test_nothing_is_said_that_no_report_says(merged: MergedStory, articles: list[ArticleView]) -> None:
    paragraphs = {a.id: [" ".join(line.split()) for line in a.text.split("\n")] for a in articles}
    outlets = {article.id: article.outlet for article in articles}
    said = [s for fact in (*merged.facts, *merged.quotations) for s in fact.said]
    said += [*merged.summary, *merged.only]
    said += [s for same in merged.agreed for s in same.said] + ([merged.lead] if merged.lead else [])
    assert len(said) >= 15
    for each in said:
        assert any(" ".join(each.text.split()) in line for line in paragraphs[each.article])
        assert each.outlet == outlets[each.article]
    for item in merged.timeline:
        titled = item.kind == "published" and item.text in {article.title for article in articles}
        assert titled or any(item.text in line for line in paragraphs[item.article])


def test_days_come_only_from_the_dated_report(merged: MergedStory) -> None:
    dated = [item for item in merged.timeline if item.day is not None]
    assert [item.kind for item in dated].count("published") == 1
    assert all(item.day_inferred for item in dated if item.kind == "told")
    assert {item.day for item in dated} == {dt.date(2024, 11, 27), dt.date(2024, 12, 6), dt.date(2024, 12, 7)}


def test_the_headline_is_a_statement(articles: list[ArticleView]) -> None:
    assert headline(articles, None).title in {article.title for article in articles}
    assert "?" not in headline(articles, None).title


def test_what_only_one_report_says_is_told_by_worth(merged: MergedStory, articles: list[ArticleView]) -> None:
    alone = " ".join([one.text for one in merged.only] + [f.said[0].text for f in merged.quotations])
    assert "280,000 people" in alone
    assert "very strong security and military cordon" in alone
    assert "General Command of the Army" in alone
