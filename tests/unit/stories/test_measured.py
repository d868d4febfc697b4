"""The merged text over many stories of others: faithful, attributed, facts right, the same every time."""

import os
from pathlib import Path

import pytest

from aggregator.stories.tuning import shipped_tuning
from benchmarks.merged import (
    Judged,
    is_attributed,
    is_faithful,
    judged,
    milliseconds,
    precision,
    read,
    saga,
    shown,
    stories,
    tell,
)

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("AGGREGATOR_DATA", ROOT.parent / "shared" / "data"))
EVENTS = DATA / "events-fulltext.jsonl.gz"

pytestmark = pytest.mark.skipif(not EVENTS.exists(), reason=f"{EVENTS} is not there")


@pytest.mark.later
@pytest.mark.slow
def test_every_sentence_stands_in_the_article_it_is_attributed_to() -> None:
    reported = [tell(articles) for articles in list(stories(EVENTS, least=3))[::4]]
    assert len(reported) == 33
    for each in reported:
        articles = {article.id: article for article in each.articles}
        for said in shown(each.merged):
            assert is_faithful(said, articles)
            assert is_attributed(said, articles)
            assert articles[said.article].url


@pytest.mark.later
@pytest.mark.slow
def test_counted_facts_are_right_on_the_judged_pairs() -> None:
    pairs = judged("counted-facts.tsv")
    ids = {article for pair in pairs for article, _ in pair.ends}
    read_again = [read(event) for event in stories(EVENTS) if any(a.id in ids for a in event)]
    lists: dict[str, list[Judged]] = {}
    for pair in pairs:
        lists.setdefault(pair.list, []).append(pair)
    counted, same, lost = precision(read_again, lists["fresh"], "counted")
    assert lost == 0
    assert counted >= 100
    assert same / counted >= 0.95
    counted, same, lost = precision(read_again, pairs, "counted")
    assert lost <= 2
    assert counted >= 270  # only facts with a sentence that can be shown alone
    assert (
        same / counted >= 0.975
    )  # .92 of these pairs are right when all are counted that are as like as .50


@pytest.mark.slow
def test_a_long_story_is_read_in_part() -> None:
    articles = saga(EVENTS, "impeach", 30)
    assert len(articles) == 30
    tuning = shipped_tuning()
    reported = read(articles)
    assert len(reported.reports) == tuning.reports_cap
    assert max(len(report.sentences) for report in reported.reports) <= tuning.sentences_cap
    # Of all pairs of its sentences a small part is compared: the work grows with what they share.
    sentences = len(reported.similarities.features)
    assert len(reported.similarities.pairs) < 0.1 * sentences * (sentences - 1) / 2
    assert len(milliseconds([articles[:4]])) == 1
