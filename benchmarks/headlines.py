"""Are the title and the lead of a story right? The articles of labelled stories arrive one by one.

    .venv/bin/python -m benchmarks.headlines ../shared/data/story-titles.jsonl [--folds 5]

A record names its articles and the files that contain them (`id`, `data`), and says whether the title of each is right
for the story (`label`: "right", "acceptable" or "wrong") and whether its opening is right (`lead_right`). The articles
are cleaned as the daemon cleans them, and arrive in the order of publication. None counts as a copy.

`--folds` chooses the constants of TITLE_GRID and LEAD_GRID again: the titles and leads of each part of the stories are
chosen with the constants that are best on the other parts (the first, if several are equally good). The numbers of
right titles and leads are printed for the shipped constants and for these.
"""

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from aggregator.model.article import ArticleView
from aggregator.stories.lead import lead_of, summary
from aggregator.stories.story_tuning import StoryTuning, shipped_tuning
from aggregator.stories.titles.title import Headline, headline
from benchmarks.briefs import cleaned

UNDATED = "2020-01-01"
TITLE_GRID = {  # the shipped values first
    "headline_newer_margin": (0.25, 0.0, 0.1, 0.15, 0.2, 0.3),
    "headline_newer_hours": (8.0, 6.0, 24.0),
    "headline_keep_margin": (0.4, 0.3, 0.5),
}
LEAD_GRID = {
    "summary_likeness_weight": (2.8, 2.0, 4.0),
    "summary_old_cost": (0.2, 0.0, 0.1, 0.3, 0.4),
    "summary_old_hours": (24.0, 6.0),
}


class Story(NamedTuple):
    """The articles in the order of arrival, and the ids of the articles with a right title and a right opening."""

    articles: list[ArticleView]
    right: set[str]
    leads: set[str]


def stories(path: Path) -> Iterator[Story]:
    """Yield the labelled stories of a file."""
    records = [
        json.loads(line)["articles"] for line in path.read_text("utf-8").splitlines()
    ]
    named: set[str] = {each["data"] for record in records for each in record}
    stored: dict[str, dict[str, Any]] = {}
    for name in named:
        with gzip.open(path.with_name(name), "rt", encoding="utf-8") as file:
            stored[name] = {row["id"]: row for row in map(json.loads, file)}
    for record in records:
        rows = [stored[each["data"]][each["id"]] for each in record]
        articles = [cleaned(row["id"], row, _published(row)) for row in rows]
        right = {each["id"] for each in record if each["label"] != "wrong"}
        leads = {each["id"] for each in record if each["lead_right"]}
        yield Story(
            sorted(articles, key=lambda a: (a.effective_at, a.id)), right, leads
        )


def _published(row: dict[str, Any]) -> datetime:
    """Return the time of publication, in UTC if it has no zone."""
    published = datetime.fromisoformat(
        (row.get("published") or UNDATED).replace("Z", "+00:00")
    )
    return published if published.tzinfo else published.replace(tzinfo=UTC)


def titles(articles: list[ArticleView], tuning: StoryTuning) -> Iterator[Headline]:
    """Yield the title after each arrival."""
    shown = None
    for count in range(1, len(articles) + 1):
        chosen = headline(
            articles[:count], shown, tuning, afresh=count.bit_count() == 1
        )
        shown = chosen.title
        yield chosen


def has_right_title(story: Story, tuning: StoryTuning) -> bool:
    """Return whether the title is right when all articles have arrived."""
    return list(titles(story.articles, tuning))[-1].article in story.right


def has_right_lead(story: Story, tuning: StoryTuning) -> bool:
    """Return whether the lead under this title is right. Print a line if the summary does not begin with it."""
    title = list(titles(story.articles, tuning))[-1].title
    lead = lead_of(story.articles, tuning, title)
    if lead is None:
        return False
    article, (sentence,) = lead
    listed = summary(story.articles, tuning.summary_words, tuning, title).removesuffix(
        "…"
    )
    if not listed.startswith(" ".join(sentence.split())[: len(listed)]):
        print(f"{title}: the summary does not begin with the lead")
    return article.id in story.leads


def cross_fitted(
    given: list[Story],
    is_right: Callable[[Story, StoryTuning], bool],
    grid: dict[str, tuple[float, ...]],
    folds: int,
) -> int:
    """Return how many stories are right with constants that were chosen on the other folds."""
    settings = [
        dict(zip(grid, values, strict=True)) for values in product(*grid.values())
    ]
    right = []
    for setting in settings:
        tuning = msgspec.structs.replace(shipped_tuning(), **setting)
        right.append([is_right(story, tuning) for story in given])
    total = 0
    for fold in range(folds):
        others = [sum(row) - sum(row[fold::folds]) for row in right]
        best = others.index(max(others))
        print(f"  without part {fold + 1}: {settings[best]}")
        total += sum(right[best][fold::folds])
    return total


def main() -> None:
    """Print how many stories have a right title and lead, how often titles change, and the time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--folds", type=int)
    options = parser.parse_args()
    given, tuning = list(stories(options.file)), shipped_tuning()
    shown = [list(titles(story.articles, tuning)) for story in given]
    right = [
        row[-1].article in story.right for row, story in zip(shown, given, strict=True)
    ]
    changes = sum(
        one.title != other.title for row in shown for one, other in pairwise(row)
    )
    returns = 0
    for row in shown:
        for number, (one, other) in enumerate(pairwise(row)):
            returns += other.title != one.title and other.title in {
                each.title for each in row[:number]
            }
    print(
        f"{sum(right)} of {len(given)} titles are right; {changes} changes, {returns} to an earlier title"
    )
    print(
        f"{sum(bool(story.right) for story in given)} stories have a right title among their articles"
    )
    labelled = [story for story in given if story.leads]
    leads = [has_right_lead(story, tuning) for story in labelled]
    print(f"{sum(leads)} of {len(labelled)} leads are right")
    begin = time.process_time()
    for row, story in zip(shown, given, strict=True):
        headline(story.articles, None, tuning)
        summary(story.articles, tuning.summary_words, tuning, row[-1].title)
    milliseconds = 1000 * (time.process_time() - begin) / len(given)
    print(
        f"{milliseconds:.2f} ms a story for title and summary, its articles read before"
    )
    if options.folds:
        count = cross_fitted(given, has_right_title, TITLE_GRID, options.folds)
        print(
            f"{count} of {len(given)} titles are right with constants of the other parts"
        )
        count = cross_fitted(labelled, has_right_lead, LEAD_GRID, options.folds)
        print(
            f"{count} of {len(labelled)} leads are right with constants of the other parts"
        )


if __name__ == "__main__":
    main()
