"""Are the title and the lead of a story right? The articles of labelled stories arrive one by one.

    .venv/bin/python -m benchmarks.headlines ../shared/data/story-titles.jsonl

A record names its articles and the files beside it where they stand (`id`, `data`), whether the title of each
is right for the story (`label`: "right", "acceptable" or "wrong") and whether its opening is (`lead_right`).
The articles are cleaned as the daemon cleans them and arrive by publication; each counts as a report.
"""

import datetime as dt
import gzip
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from aggregator.model.core import ArticleView, AttributedSentence
from aggregator.stories.headline import Headline, headline
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.summary import summary_sentences
from aggregator.stories.tuning import shipped_tuning
from benchmarks.briefs import cleaned

UNDATED = "2020-01-01"


class Story(NamedTuple):
    """The articles in the order of arrival, and the ids of those whose titles and openings are right."""

    articles: list[ArticleView]
    right: set[str]
    leads: set[str]


def stories(path: Path) -> Iterator[Story]:
    """The labelled stories of a file."""
    records = [json.loads(line)["articles"] for line in path.read_text("utf-8").splitlines()]
    named: set[str] = {each["data"] for record in records for each in record}
    stored: dict[str, dict[str, Any]] = {}
    for name in named:
        with gzip.open(path.with_name(name), "rt", encoding="utf-8") as file:
            stored[name] = {row["id"]: row for row in map(json.loads, file)}
    for record in records:
        found = [stored[each["data"]][each["id"]] for each in record]
        articles = [cleaned(row["id"], row, _published(row)) for row in found]
        right = {each["id"] for each in record if each["label"] != "wrong"}
        leads = {each["id"] for each in record if each["lead_right"]}
        yield Story(sorted(articles, key=lambda a: (a.effective_at, a.id)), right, leads)


def _published(row: dict[str, Any]) -> dt.datetime:
    """When it was published, in UTC where no zone is named."""
    time = dt.datetime.fromisoformat((row.get("published") or UNDATED).replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def titles(articles: list[ArticleView]) -> Iterator[Headline]:
    """The title after each arrival."""
    shown = None
    for count in range(1, len(articles) + 1):
        chosen = headline(articles[:count], shown, afresh=count.bit_count() == 1)
        shown = chosen.title
        yield chosen


def shown_title(story: Story) -> str:
    """The title when all articles have arrived."""
    return list(titles(story.articles))[-1].title


def lead(story: Story) -> AttributedSentence | None:
    """The lead of the page, which must be the one of lists."""
    title, tuning = shown_title(story), shipped_tuning()
    found = merge(story.articles, title).lead
    in_list = summary_sentences(story.articles, tuning.summary_words, tuning, title)
    if found is None or found.text != in_list[0].text:
        print(f"{title}: the lead of the page is not the one of lists")
    return found


def main(path: Path) -> None:
    """Print how many stories have a right title and lead, and how often titles change."""
    given = list(stories(path))
    shown = [[one.article for one in titles(story.articles)] for story in given]
    right = [ids[-1] in story.right for ids, story in zip(shown, given, strict=True)]
    changes = sum(one != other for ids in shown for one, other in pairwise(ids))
    print(f"{sum(right)} of {len(given)} titles are right; {changes} changes")
    print(f"{sum(bool(story.right) for story in given)} stories have a right title among their articles")
    labelled = [story for story in given if story.leads]
    leads = [(found := lead(story)) is not None and found.article in story.leads for story in labelled]
    print(f"{sum(leads)} of {len(labelled)} leads are right")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
