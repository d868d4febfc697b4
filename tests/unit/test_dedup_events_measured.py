"""The figures that the event level was accepted with, on the labelled files (quality.md)."""

import datetime as dt
import functools
import gzip
import json
import os
import random
from pathlib import Path

import pytest

from aggregator.dedup import sums
from aggregator.dedup.events import Article, Scorer, decide
from aggregator.dedup.index import StoryIndex, StoryRow
from aggregator.dedup.measures import measure
from aggregator.dedup.terms import TermPacker
from aggregator.dedup.weights import shipped_model
from aggregator.rules import rule_book

DATA = Path(os.environ.get("AGGREGATOR_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no labelled data in {DATA} (set AGGREGATOR_DATA)")

MODEL = shipped_model(rule_book())
PACKER = TermPacker(MODEL)


def records(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def minutes(record: dict[str, str]) -> int | None:
    published = record.get("published")
    return int(dt.datetime.fromisoformat(published).timestamp()) // 60 if published else None


@functools.cache
def packed(title: str, text: str) -> tuple[bytes, int]:
    return PACKER.pack_counted(title, text, "en")


def grouped(some: list[dict[str, str]]) -> dict[str, str]:
    index, scorer = StoryIndex(MODEL), Scorer(MODEL)
    blobs: dict[int, bytes] = {}
    stories: dict[str, str] = {}
    for inbox, record in enumerate(some, start=1):
        terms, words = packed(record["title"], record["text"])
        one = Article(terms, minutes(record), words, inbox=inbox)
        decision = decide(one, index.candidates(one), scorer)
        number = int(decision.story) if decision.story else inbox
        before = sums.from_bytes(blobs[number]) if number in blobs else sums.Sums()
        change = index.replace_story if number in blobs else index.add_story
        blobs[number] = sums.to_bytes(sums.add(before, one.member(MODEL), MODEL), MODEL)
        change(StoryRow(number, str(number), blobs[number], inbox))
        stories[record["id"]] = str(number)
    return stories


@pytest.mark.parametrize(
    ("name", "least_f1", "most_over_merge"),
    [("events-fulltext.jsonl.gz", 0.93, 0.12), ("events-lookalikes.jsonl.gz", 0.80, 0.25)],
)
def test_labelled_events(name, least_f1, most_over_merge):
    some = sorted(records(name), key=lambda record: record["published"] or "")
    report = measure(grouped(some), {record["id"]: record["cluster"] for record in some})
    assert report.bcubed.f1 >= least_f1, report
    assert report.over_merge <= most_over_merge, report


def test_the_four_seeds_are_one_story_among_others():
    seeds = []
    for path in sorted((DATA / "seeds").glob("*.txt")):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        title = next(line for line in lines if len(line.split()) > 3)
        seeds.append({"id": path.stem, "title": title, "text": "\n".join(lines), "published": None})
    assert len(seeds) == 4
    some = [*seeds, *records("events-fulltext.jsonl.gz")]
    random.Random(1).shuffle(some)
    stories = grouped(some)
    homes = {stories[seed_["id"]] for seed_ in seeds}
    assert len(homes) == 1
    assert sum(story in homes for story in stories.values()) == 4
