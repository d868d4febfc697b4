"""How sure are links from entries of live blogs to stories? On labelled articles, a margin a row.

    .venv/bin/python benchmarks/entry_links.py ../shared/data/events-fulltext.jsonl.gz

Of every event with several articles one is held back and the others are its story; of events with one article
three in five have no story. The first sentences of what was held back, 35 words, are the entry. Right: linked
to the story of its own event.
"""

import datetime as dt
import gzip
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from aggregator.cluster.events import centroid
from aggregator.cluster.events.scorer import Scorer, ScoringInput, is_open
from aggregator.cluster.events.story_index import IndexedStory, StoryIndex
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import shipped_model
from aggregator.cluster.fingerprint import LiveBlogLinkTuning, fingerprint_timed_entries
from aggregator.config.tuning import effective_tuning
from aggregator.extract.sentences import split_sentences
from aggregator.model.core import CleanArticle, TimedEntry

ALL_TUNING = effective_tuning()
MODEL = shipped_model(ALL_TUNING)
PACKER = TermPacker(MODEL)
ENTRY_WORDS = 35
SEED = 5


def minutes(row: dict[str, Any]) -> int | None:
    """Published, minutes since 1970."""
    if not row.get("published"):
        return None
    return int(dt.datetime.fromisoformat(row["published"]).timestamp() // 60)


def held_back(
    rows: list[dict[str, Any]],
) -> tuple[list[tuple[dict[str, Any], int | None]], list[IndexedStory]]:
    """Entries, each with the number of its story, and the stories."""
    events = defaultdict(list)
    for row in rows:
        events[str(row["cluster"])].append(row)
    chance = random.Random(SEED)
    entries: list[tuple[dict[str, Any], int | None]] = []
    stories: list[IndexedStory] = []
    for _, members in sorted(events.items()):
        if len(members) > 1:
            entries.append((members.pop(chance.randrange(len(members))), len(stories)))
        elif chance.random() < 0.6:
            entries.append((members[0], None))
            continue
        whole = centroid.Centroid()
        for row in members:
            terms, words = PACKER.pack_counted(row["title"], row["text"], row.get("lang"))
            whole = centroid.add(whole, ScoringInput(terms, minutes(row), words).member(MODEL), MODEL)
        number = len(stories)
        stories.append(IndexedStory(number, str(number), centroid.to_bytes(whole, MODEL), number))
    return entries, stories


def sentences(text: str) -> Iterator[str]:
    """The first ones."""
    words = 0
    for paragraph in text.split("\n"):
        for sentence in split_sentences(paragraph):
            if words >= ENTRY_WORDS:
                return
            words += len(sentence.split())
            yield sentence


def main(path: str) -> None:
    """Print precision and recall of links for margins."""
    with gzip.open(path, "rt") as file:
        entries, stories = held_back([json.loads(line) for line in file])
    index, scorer, tuning = (
        StoryIndex(MODEL, stories),
        Scorer(MODEL),
        ALL_TUNING.section("links", LiveBlogLinkTuning),
    )
    found: list[tuple[float, bool, bool]] = []  # above what is asked, right, there is a story
    for row, home in entries:
        entry = TimedEntry(clock_minutes=0, text=" ".join(sentences(row["text"])))
        live = CleanArticle(verdict="ok", language=row.get("lang"), timed=(entry,))
        for mark in fingerprint_timed_entries(live, PACKER, tuning):
            asked = ScoringInput(mark.terms, minutes(row), mark.body_words, inbox=len(stories))
            near = [one for one in index.candidates(asked) if is_open(asked, one, MODEL)]
            best = min(
                scorer.score(asked, near), key=lambda one: (-one.score, one.candidate.number), default=None
            )
            gain = -99.0 if best is None else best.score - best.need
            right = best is not None and best.candidate.number == home
            found.append((gain, right, home is not None))
    there = sum(one[2] for one in found)
    print(f"{len(found)} entries, {there} with a story; seed {SEED}")
    for margin in (-1.0, 0.0, 0.5, 1.0, 2.0, 3.0):
        links = [one for one in found if one[0] >= margin]
        right = sum(one[1] for one in links)
        print(f"margin {margin:+.1f}: {len(links)} links, precision {right / max(1, len(links)):.3f}, "
              f"recall {right / max(1, there):.3f}")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
