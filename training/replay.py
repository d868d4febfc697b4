"""Streams labelled articles through terms, index and decision, and prints how good the grouping is.

    python -m training.replay events-fulltext.jsonl.gz [...] [--held-out | --train] [--shuffle SEED]
                              [--undated] [--words N] [--titles] [--faults N] [--set rule=value ...]

Offline: no database, no copies, no text cleaning; the same functions as in the daemon.
"""

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from aggregator.dedup import sums
from aggregator.dedup.background import Background, read_background, shipped_background
from aggregator.dedup.events import Article, Decision, Scorer, decide
from aggregator.dedup.index import StoryIndex, StoryRow
from aggregator.dedup.measures import Report, measure, worst_merges, worst_misses
from aggregator.dedup.terms import TermPacker
from aggregator.dedup.weights import EventModel, EventRules, event_model, read_weights, shipped_weights
from aggregator.rules import rule_book
from training.dataset import Labelled, in_order_of_time, is_held_out, read_labelled


class Replay:
    """Stories in plain memory, as the store and the pipeline would keep them."""

    def __init__(self, model: EventModel) -> None:
        self.model = model
        self.index = StoryIndex(model)
        self.scorer = Scorer(model)
        self.blobs: dict[int, bytes] = {}
        self.story_of: dict[str, str] = {}
        self.inbox = 0

    def place(self, name: str, article: Article) -> Decision:
        """Decides about one article and keeps what was decided."""
        self.inbox += 1
        decision = decide(article, self.index.candidates(article), self.scorer)
        number = self.inbox if decision.story is None else int(decision.story)
        before = sums.from_bytes(self.blobs[number]) if number in self.blobs else sums.Sums()
        if decision.weighs:
            after = sums.add(before, article.member(self.model), self.model)
        else:
            after = sums.add_silent(before, article.minutes)
        for taken in map(int, decision.takes_in):
            after = sums.merge(after, sums.from_bytes(self.blobs.pop(taken)), self.model)
            self.index.remove_story(taken)
            moved = {name: str(number) for name, story in self.story_of.items() if story == str(taken)}
            self.story_of.update(moved)
        known = number in self.blobs
        self.blobs[number] = sums.to_bytes(after, self.model)
        row = StoryRow(number, str(number), self.blobs[number], self.inbox)
        (self.index.replace_story if known else self.index.add_story)(row)
        self.story_of[name] = str(number)
        return decision


def run(articles: Sequence[Labelled], packer: TermPacker, model: EventModel) -> tuple[Replay, float, float]:
    """The replay of all articles, and the seconds for terms and for deciding."""
    started = time.perf_counter()
    packed = [packer.pack_counted(a.title, a.text, a.language) for a in articles]
    terms_done = time.perf_counter()
    replay = Replay(model)
    for number, (a, (terms, words)) in enumerate(zip(articles, packed, strict=True), start=1):
        replay.place(a.id, Article(terms, a.minutes, words, inbox=number))
    return replay, terms_done - started, time.perf_counter() - terms_done


def line(name: str, report: Report) -> str:
    """One line of figures."""
    b, p = report.bcubed, report.pairs
    return (
        f"{name:28} {report.articles:5} articles {report.clusters:5} events {report.stories:5} stories | "
        f"BCubed {b.precision:.4f} {b.recall:.4f} F1 {b.f1:.4f} | "
        f"pairs {p.precision:.3f} {p.recall:.3f} {p.f1:.3f} | "
        f"over-merge {report.over_merge:.3f} split {report.split:.3f} | alone {report.alone.f1:.3f}"
    )


def view(article: Labelled, words: int | None, titles: bool, undated: bool) -> Labelled:
    """The article with parts left out."""
    text = "" if titles else article.text
    if words is not None:
        text = " ".join(text.split()[:words])
    return article._replace(text=text, minutes=None if undated else article.minutes)


def shipped_rules(changes: Sequence[str] = ()) -> EventRules:
    """The shipped rules, with "name=value" laid over them."""
    values = {name: yaml.safe_load(value) for name, value in (change.split("=") for change in changes)}
    return rule_book({"events": values}).section("events", EventRules)


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--shuffle", type=int)
    parser.add_argument("--undated", action="store_true")
    parser.add_argument("--words", type=int)
    parser.add_argument("--titles", action="store_true")
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--background", type=Path)
    given = parser.parse_args()
    weights = read_weights(given.weights.read_bytes()) if given.weights else shipped_weights()
    background: Background = (
        read_background(given.background.read_bytes()) if given.background else shipped_background()
    )
    model = event_model(weights, shipped_rules(given.set))
    packer = TermPacker(model, background)
    for name in given.files:
        articles = [view(a, given.words, given.titles, given.undated) for a in read_labelled(name)]
        if given.held_out or given.train:
            articles = [a for a in articles if is_held_out(a.cluster) == given.held_out]
        if given.shuffle is not None:
            random.Random(given.shuffle).shuffle(articles)
        else:
            articles = in_order_of_time(articles)
        replay, terms_seconds, place_seconds = run(articles, packer, model)
        clusters = {a.id: a.cluster for a in articles}
        print(line(Path(name).name.split(".")[0], measure(replay.story_of, clusters)))
        each = [1e3 * seconds / len(articles) for seconds in (terms_seconds, place_seconds)]
        print(f"{'':28} terms {each[0]:.2f} ms, placing {each[1]:.2f} ms an article")
        titles = {a.id: a.title for a in articles}
        for kind, faults in (("merge", worst_merges), ("miss", worst_misses)):
            for fault in faults(replay.story_of, clusters, given.faults):
                print(kind, fault.name, fault.wrong_pairs)
                for part in fault.parts:
                    print("   ", " / ".join(f"{i} {titles[i][:60]}" for i in part[:4]))


if __name__ == "__main__":
    main()
