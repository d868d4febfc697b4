"""Do outlets agree on the days that their sentences tell? Labelled articles, one line of figures.

    .venv/bin/python -m benchmarks.stated_days ../shared/data/events-fulltext.jsonl.gz

Two sentences of two outlets in one event that are as alike as `LIKENESS` tell the same; where each names
exactly one day, the two days should be one. Pairs that differ are printed with both sentences, because some
speak of two moments and are no mistake.
"""

import datetime as dt
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from aggregator.model.core import ArticleView
from aggregator.stories.facts.facts import compare_all
from aggregator.stories.facts.sentence_similarity import read_features
from aggregator.stories.facts.source_sentences import SourceReport, read_reports
from aggregator.stories.facts.stated_days import days_stated
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from benchmarks.labelled import report, rows, stated_time

LIKENESS = 0.55
MOST_REPORTS = 12  # of one event


class Pair(NamedTuple):
    """Two sentences that tell the same, each with its one day and the day it was published."""

    days: tuple[dt.date, dt.date]
    published: tuple[dt.date, dt.date]
    sentences: tuple[str, str]


def events(path: Path) -> list[list[ArticleView]]:
    """The dated articles with a text of each event that has two or more."""
    found: dict[str, list[ArticleView]] = defaultdict(list)
    for number, row in rows(path):
        time = stated_time(row)
        if time is not None and row.get("text"):
            found[str(row["cluster"])].append(report(number, row, time, text=row["text"]))
    return [one[:MOST_REPORTS] for one in found.values() if len(one) > 1]


def pairs(articles: list[ArticleView], tuning: StoryTuning) -> list[Pair]:
    """The pairs of one event."""
    reports = read_reports(articles, tuning)
    features = read_features(reports)
    reported = [_written(reports[each.sentence.report], each.sentence.text, tuning) for each in features]
    found = []
    for (a, b), s in sorted(compare_all(features, tuning).pairs.items()):
        one, other = (reports[features[index].sentence.report] for index in (a, b))
        days = reported[a], reported[b]
        if s < LIKENESS or one.origin == other.origin or days[0] is None or days[1] is None:
            continue
        texts = (features[a].sentence.text, features[b].sentence.text)
        found.append(Pair((days[0], days[1]), (_published(one), _published(other)), texts))
    return found


def _published(report: SourceReport) -> dt.date:
    assert report.article.published is not None
    return report.article.published.date()


def _written(report: SourceReport, sentence: str, tuning: StoryTuning) -> dt.date | None:
    days = days_stated(sentence, _published(report), tuning)
    return days[0] if len(days) == 1 else None


def main(paths: list[str]) -> None:
    """Print how many agree, and those that do not."""
    tuning = shipped_tuning()
    for path in map(Path, paths):
        found = [pair for articles in events(path) for pair in pairs(articles, tuning)]
        same = Counter(pair.sentences[0] == pair.sentences[1] for pair in found)
        agree = sum(pair.days[0] == pair.days[1] for pair in found)
        share = agree / max(1, len(found))
        print(f"{path.name}: {agree} of {len(found)} pairs agree ({share:.3f}); {same[True]} word for word")
        for pair in found:
            if pair.days[0] != pair.days[1]:
                for sentence, day, published in zip(pair.sentences, pair.days, pair.published, strict=True):
                    print(f"    {day} (published {published}): {sentence}")
                print()


if __name__ == "__main__":
    main(sys.argv[1:])
