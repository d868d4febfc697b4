"""Streams labelled articles through terms, index and decision, and prints how good the grouping is.

    python -m training.replay events-fulltext.jsonl.gz [...] [--held-out | --train] [--shuffle SEED]
                              [--undated] [--words N] [--titles] [--faults N] [--shuffles N]
                              [--set rule=value ...]

Offline: no database, no copies, no vetoes, no text cleaning; the same functions as in the daemon. Printed are
the first decisions alone ("one pass") and with the second look; with --shuffles also how well runs agree that
got the articles of each day in another order.
"""

import argparse
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from aggregator.cluster.bcubed import GroupingMetrics, measure, worst_merges, worst_misses
from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import Centroid
from aggregator.cluster.events.document_frequency import (
    BackgroundFrequencies,
    read_background,
    shipped_background,
)
from aggregator.cluster.events.pair_model import PairArticle, PairComparison, PairModel, PairTuning
from aggregator.cluster.events.reassess import CountedReport, ReportMove, StoryMerge, reassess_stories
from aggregator.cluster.events.scorer import Candidate, Decision, Scorer, ScoringInput, decide
from aggregator.cluster.events.story_index import IndexedStory, StoryIndex
from aggregator.cluster.events.stream import StreamSnapshot, pack_frequencies
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import (
    MINUTES_A_DAY,
    EventModel,
    EventTuning,
    event_model,
    read_weights,
    shipped_weights,
)
from aggregator.config.tuning import Tuning
from aggregator.model.core import Reason
from training.dataset import Labelled, in_order_of_time, is_held_out, read_labelled


class Replay:
    """Stories in plain memory, as the store and the pipeline would keep them. It is the lookup of its looks.

    Articles come in the order of their days; an undated one belongs to the day before it.
    """

    def __init__(self, model: EventModel, *, looks: bool = True, at_once: bool = False) -> None:
        self.model = model
        self._at_once = at_once
        self.tuning = Tuning().section("pairs", PairTuning)
        self.pair_model = PairModel(model, self.tuning)
        self._articles: dict[str, PairArticle] = {}
        self._terms: list[bytes] = []  # of the present day
        self._periods: list[tuple[int, int, bytes]] = []  # day, articles, frequencies
        self._lasts: list[tuple[int, int]] = []  # day, last inbox number
        self._day = -1
        self._outlets: Counter[str] = Counter()
        self._matches: Counter[str] = Counter()
        self._snapshot = StreamSnapshot(0, (), {})
        self.index = StoryIndex(model)
        self.scorer = Scorer(model)
        self.looks = looks
        self.blobs: dict[int, bytes] = {}
        self.members: dict[int, dict[str, CountedReport]] = {}
        self.silent: dict[int, set[str]] = {}
        self.home: dict[str, int] = {}
        self.inbox = 0
        self.numbers = 0
        self.touched: set[int] = set()
        self.changes: Counter[str] = Counter()
        self._moved: set[str] = set()
        self.look_seconds = 0.0

    @property
    def story_of(self) -> dict[str, str]:
        """Article to story."""
        return {name: str(number) for name, number in self.home.items()}

    def place(self, name: str, article: ScoringInput, title: str = "", outlet: str | None = None) -> Decision:
        """Decides about one article, keeps what was decided, and looks again when that is due."""
        self.inbox += 1
        self._close_period(article)
        self._articles[name] = own = PairArticle(article, outlet=outlet, title=title)
        matched: set[str] = set()

        def correct(candidates: Sequence[Candidate]) -> list[tuple[Reason, ...]]:
            compared = [self._compare(own, candidate.number) for candidate in candidates]
            matched.update(*(one.matched for one in compared if one))
            return [one.reasons if one else () for one in compared]

        decision = decide(
            article,
            self.index.candidates(article),
            self.scorer,
            correct,
            most=self.tuning.compared_stories,
        )
        self._terms.append(article.terms)
        if outlet is not None:
            self._outlets[outlet] += 1
            self._matches.update({outlet, *matched} if matched else ())
        number = self._new_number() if decision.story is None else int(decision.story)
        total = self.story_centroid(number) if number in self.blobs else centroid.Centroid()
        if decision.counts_in_centroid:
            total = centroid.add(total, article.member(self.model), self.model)
            self.members.setdefault(number, {})[name] = CountedReport(name, article)
        else:
            total = centroid.add_silent(total, article.minutes)
            self.silent.setdefault(number, set()).add(name)
        self.home[name] = number
        for taken in map(int, decision.absorbed_stories):
            total = centroid.merge(total, self.story_centroid(taken), self.model)
            moved = {*self.members.pop(taken), *self.silent.pop(taken, set())}
            self.silent.setdefault(number, set()).update(moved)
            self.home.update(dict.fromkeys(moved, number))
            del self.blobs[taken]
            self.index.remove_story(taken)
        self._keep(number, total, self.inbox)
        if self.looks and self.inbox % self.model.tuning.reassess_every == 0:
            self._look()
        return decision

    def _close_period(self, article: ScoringInput) -> None:
        day = self._day if article.minutes is None else article.minutes // MINUTES_A_DAY
        if day <= self._day or self._at_once:
            return
        self._periods.append((self._day, *pack_frequencies(self._terms)))
        self._lasts.append((self._day, self.inbox - 1))
        self._terms, self._day = [], day
        oldest = day - self.model.tuning.window_days
        self.index.undated_from = max((last + 1 for ended, last in self._lasts if ended < oldest), default=0)
        self._periods = [one for one in self._periods if one[0] >= day - self.tuning.stream_days]
        outlets = {name: (count, self._matches[name]) for name, count in self._outlets.items()}
        self._snapshot = StreamSnapshot(day, [one[1:] for one in self._periods], outlets)

    def _compare(self, own: PairArticle, number: int) -> PairComparison | None:
        newest = self.counted_reports(number, self.tuning.compared_reports + 1)
        others = [self._articles[one.id] for one in newest if one.article.inbox != own.inbox]
        others = others[: self.tuning.compared_reports]
        return self.pair_model.compare(own, others, self._snapshot) if others else None

    def _new_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def _keep(self, number: int, total: centroid.Centroid, last_inbox: int) -> None:
        known = number in self.blobs
        self.blobs[number] = centroid.to_bytes(total, self.model)
        row = IndexedStory(number, str(number), self.blobs[number], last_inbox)
        (self.index.replace_story if known else self.index.add_story)(row)
        self.touched.add(number)

    # --- the second look ----------------------------------------------------------------------------------

    def _look(self) -> None:
        started = time.process_time()
        touched, self.touched = self.touched, set()
        for change in reassess_stories(touched, self, self.scorer):
            self.changes[type(change).__name__] += 1
            if isinstance(change, ReportMove):
                self._move(change)
            else:
                self._merge(change)
        self.look_seconds += time.process_time() - started

    def _move(self, move: ReportMove) -> None:
        self._moved.add(move.article)
        unit = self.members[move.source].pop(move.article)
        self._keep(
            move.source,
            centroid.remove(self.story_centroid(move.source), unit.article.member(self.model), self.model),
            self.index.story(move.source).last_inbox,
        )
        target = self._new_number() if move.target is None else move.target
        self.members.setdefault(target, {})[move.article] = unit
        self.home[move.article] = target
        known = target in self.blobs
        total = self.story_centroid(target) if known else centroid.Centroid()
        last_inbox = max(unit.article.inbox, self.index.story(target).last_inbox if known else 0)
        self._keep(target, centroid.add(total, unit.article.member(self.model), self.model), last_inbox)

    def _merge(self, merge: StoryMerge) -> None:
        total = centroid.merge(self.story_centroid(merge.kept), self.story_centroid(merge.gone), self.model)
        last_inbox = max(self.index.story(number).last_inbox for number in (merge.kept, merge.gone))
        units, silent = self.members.pop(merge.gone), self.silent.pop(merge.gone, set())
        self.members[merge.kept].update(units)
        self.silent.setdefault(merge.kept, set()).update(silent)
        self.home.update(dict.fromkeys((*units, *silent), merge.kept))
        del self.blobs[merge.gone]
        self.touched.discard(merge.gone)
        self.index.remove_story(merge.gone)
        self._keep(merge.kept, total, last_inbox)

    # --- second_look.Desk ---------------------------------------------------------------------------------

    def story(self, number: int) -> Candidate | None:
        return self.index.story(number) if number in self.index else None

    def story_centroid(self, number: int) -> Centroid:
        return centroid.from_bytes(self.blobs[number])

    def story_centroids(self, numbers: Iterable[int]) -> dict[int, Centroid]:
        return {number: self.story_centroid(number) for number in numbers}

    def counted_reports(self, number: int, newest: int) -> list[CountedReport]:
        return sorted(self.members[number].values(), key=lambda unit: -unit.article.inbox)[:newest]

    def neighbours(self, number: int) -> list[Candidate]:
        return self.index.neighbours(number)

    def candidates(self, article: ScoringInput) -> list[Candidate]:
        return self.index.candidates(article)

    def has_report(self, number: int) -> bool:
        return any(not self._articles[name].is_opinion for name in self.members[number])

    def may_leave(self, article: str) -> bool:
        return article not in self._moved  # once, as in the store

    def may_join(self, _article: str, _number: int) -> bool:
        return True

    def may_merge(self, _one: int, _other: int) -> bool:
        return True

    def read(self, numbers: Iterable[int]) -> None:
        """Everything is in memory."""

    def compare(self, _reports: Sequence[CountedReport], _number: int) -> None:
        """Each report is compared by itself."""

    def corrections(self, report: CountedReport, number: int) -> tuple[Reason, ...]:
        compared = self._compare(self._articles[report.id], number)
        return compared.reasons if compared else ()


def run(
    articles: Sequence[Labelled],
    packer: TermPacker,
    model: EventModel,
    *,
    looks: bool = True,
    at_once: bool = False,
) -> tuple[Replay, float, float]:
    """The replay of all articles, and the seconds of CPU for terms and for deciding.

    `at_once`: all are accepted on one day, as an archive in any order is; else each on the day of its date.
    """
    started = time.process_time()
    packed = [packer.pack_counted(a.title, a.text, a.language) for a in articles]
    terms_done = time.process_time()
    replay = Replay(model, looks=looks, at_once=at_once)
    for number, (a, (terms, words)) in enumerate(zip(articles, packed, strict=True), start=1):
        replay.place(a.id, ScoringInput(terms, a.minutes, words, inbox=number), a.title, a.outlet)
    return replay, terms_done - started, time.process_time() - terms_done


def line(name: str, report: GroupingMetrics) -> str:
    """One line of figures."""
    b, p = report.bcubed, report.pairs
    return (
        f"{name:28} {report.articles:5} articles {report.clusters:5} events {report.stories:5} stories | "
        f"BCubed {b.precision:.4f} {b.recall:.4f} F1 {b.f1:.4f} | "
        f"pairs {p.precision:.3f} {p.recall:.3f} {p.f1:.3f} | "
        f"over-merge {report.over_merge:.3f} split {report.split:.3f} | alone {report.alone.f1:.3f}"
    )


def in_another_order(articles: Sequence[Labelled], seed: int) -> list[Labelled]:
    """In order of time, but the articles of one day shuffled; undated ones with the day before them."""
    chance, day, keyed = random.Random(seed), -1, []
    for article in in_order_of_time(list(articles)):
        day = day if article.minutes is None else article.minutes // MINUTES_A_DAY
        keyed.append((day, chance.random(), article))
    return [article for _, _, article in sorted(keyed, key=lambda one: one[:2])]


def agreement(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[float, float]:
    """Share of pairs of articles on which two groupings agree: of those together in either, and of all."""

    def pairs(counts: Iterable[int]) -> int:
        return sum(n * (n - 1) // 2 for n in counts)

    both = pairs(Counter((one[i], other[i]) for i in one).values())
    either = pairs(Counter(one.values()).values()) + pairs(Counter(other.values()).values()) - both
    every = len(one) * (len(one) - 1) // 2
    return (both / either if either else 1.0), 1.0 - (either - both) / every


def view(article: Labelled, words: int | None, titles: bool, undated: bool) -> Labelled:
    """The article with parts left out."""
    text = "" if titles else article.text
    if words is not None:
        text = " ".join(text.split()[:words])
    return article._replace(text=text, minutes=None if undated else article.minutes)


def shipped_tuning(changes: Sequence[str] = ()) -> EventTuning:
    """The shipped rules, with "name=value" laid over them."""
    values = {name: yaml.safe_load(value) for name, value in (change.split("=") for change in changes)}
    return Tuning({"events": values}).section("events", EventTuning)


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
    parser.add_argument("--shuffles", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--background", type=Path)
    given = parser.parse_args()
    weights = read_weights(given.weights.read_bytes()) if given.weights else shipped_weights()
    background: BackgroundFrequencies = (
        read_background(given.background.read_bytes()) if given.background else shipped_background()
    )
    model = event_model(weights, shipped_tuning(given.set))
    packer = TermPacker(model, background)
    for name in given.files:
        articles = [view(a, given.words, given.titles, given.undated) for a in read_labelled(name)]
        if given.held_out or given.train:
            articles = [a for a in articles if is_held_out(a.cluster) == given.held_out]
        if given.shuffle is not None:
            random.Random(given.shuffle).shuffle(articles)
        else:
            articles = in_order_of_time(articles)
        clusters = {a.id: a.cluster for a in articles}
        short = Path(name).name.split(".")[0]
        print(
            line(
                f"{short}, one pass", measure(run(articles, packer, model, looks=False)[0].story_of, clusters)
            )
        )
        replay, terms_seconds, place_seconds = run(articles, packer, model)
        print(line(f"{short}, looks", measure(replay.story_of, clusters)))
        each = [1e3 * s / len(articles) for s in (terms_seconds, place_seconds, replay.look_seconds)]
        print(
            f"    terms {each[0]:.2f} ms, placing {each[1]:.2f} ms, of it looks {each[2]:.2f} ms an article"
        )
        print(f"    {dict(replay.changes)}")
        for looks in (False, True) if given.shuffles else ():
            homes = [
                run(in_another_order(articles, seed), packer, model, looks=looks)[0].story_of
                for seed in range(given.shuffles)
            ]
            shares = [agreement(one, other) for one, other in itertools.combinations(homes, 2)]
            figures = [measure(home, clusters).bcubed.f1 for home in homes]
            print(
                f"    shuffled within a day, {'looks' if looks else 'one pass'}: of pairs together in either "
                f"{min(shares)[0]:.4f}..{max(shares)[0]:.4f} agree, "
                f"of all {min(all_ for _, all_ in shares):.6f}, "
                f"F1 {min(figures):.4f}..{max(figures):.4f}"
            )
        titles = {a.id: a.title for a in articles}
        for kind, faults in (("merge", worst_merges), ("miss", worst_misses)):
            for fault in faults(replay.story_of, clusters, given.faults):
                print(kind, fault.name, fault.wrong_pairs)
                for part in fault.parts:
                    print("   ", " / ".join(f"{i} {titles[i][:60]}" for i in part[:4]))


if __name__ == "__main__":
    main()
