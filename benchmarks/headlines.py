"""How steady are headlines? Labelled articles arrive one by one in the order of their times.

    .venv/bin/python -m benchmarks.headlines ../shared/data/events-*.jsonl.gz

Stories are the labelled events, so that grouping has no part in it. A change is a title other than the one
shown before; a return is one that was shown before that. The last line of each data set is about the first
`FIRST` arrivals of events that have as many.
"""

import datetime as dt
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import msgspec

from aggregator.model.core import ArticleView
from aggregator.stories.headline import headline
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from benchmarks.labelled import report, rows, stated_time

LEAD_WORDS = 80  # as text.lead_words
FIRST = 20
MARGINS = (0.0, 0.05, 0.1, 0.15)
UNDATED = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Steadiness(NamedTuple):
    """What became of the titles of some stories."""

    stories: int
    arrivals: int
    changes: int
    returns: int
    reasons: Counter[str]


def events(path: Path) -> list[list[ArticleView]]:
    """The articles of each event that has two or more, in the order of their times."""
    found: dict[str, list[ArticleView]] = defaultdict(list)
    for number, row in rows(path):
        time = (stated_time(row) or UNDATED) + dt.timedelta(seconds=number)
        lead = " ".join((row.get("text") or "").split()[:LEAD_WORDS])
        found[str(row["cluster"])].append(report(number, row, time, lead=lead))
    return [sorted(one, key=lambda a: (a.effective_at, a.id)) for one in found.values() if len(one) > 1]


def steadiness(stories: list[list[ArticleView]], tuning: StoryTuning) -> Steadiness:
    """Each story told anew at every arrival."""
    changes, returns, reasons = 0, 0, Counter[str]()
    for articles in stories:
        titles: list[str] = []
        for end in range(1, len(articles) + 1):
            chosen = headline(articles[:end], titles[-1] if titles else None, tuning)
            if titles and chosen.title != titles[-1]:
                changes += 1
                returns += chosen.title in titles
                reasons[(chosen.reason or "none").split(":")[0]] += 1
            titles.append(chosen.title)
    arrivals = sum(len(articles) - 1 for articles in stories)
    return Steadiness(len(stories), arrivals, changes, returns, reasons)


def reported(name: str, found: Steadiness) -> str:
    """A line of the report."""
    per_story = found.changes / max(1, found.stories)
    per_arrival = found.changes / max(1, found.arrivals)
    return (
        f"  {name:22} {found.stories:5} stories {found.arrivals:6} arrivals  "
        f"{per_story:6.2f} changes a story  {per_arrival:.3f} an arrival  {found.returns} returns"
    )


def main(paths: list[str]) -> None:
    """Print changes of each data set: for some margins, and the reasons under the shipped rules."""
    shipped = shipped_tuning()
    for path in map(Path, paths):
        stories = events(path)
        print(path.name)
        for margin in MARGINS:
            tuning = msgspec.structs.replace(shipped, headline_keep_margin=margin)
            print(reported(f"margin {margin}", steadiness(stories, tuning)))
        first = [articles[: FIRST + 1] for articles in stories if len(articles) > FIRST]
        if first:
            print(reported(f"first {FIRST}, shipped", steadiness(first, shipped)))
        for reason, count in steadiness(stories, shipped).reasons.most_common():
            print(f"    {count:5} {reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
