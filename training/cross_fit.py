"""Measures the pair model on pairs that its trees were not trained on.

    python -m training.cross_fit

Each set has two halves (see training.fit_pair_model): events of events-fulltext, outlets of the reading list,
months of the stream. Trees are learnt from each half. The whole set is replayed; a pair within one half is
scored by the trees of the other half, a pair across by the mean of both. Rules and penalties were chosen on
all of these sets.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from aggregator.cluster.bcubed import measure, measure_judged, measure_outlets
from aggregator.cluster.events.pair_model import (
    FEATURES,
    Floats,
    PairArticle,
    PairComparison,
    PairModel,
    PairTuning,
)
from aggregator.cluster.events.scorer import ScoringInput
from aggregator.cluster.events.stream import StreamSnapshot
from aggregator.cluster.events.weights import event_model, shipped_weights
from aggregator.config.tuning import Tuning
from training.dataset import is_held_out
from training.fit_pair_model import (
    Pairs,
    Stored,
    fit,
    judged_labels,
    judged_pairs,
    labelled_pairs,
    loose_pairs,
    month_half,
    stored,
    without_dates,
)
from training.replay import Replay, shipped_tuning

SETS = ("events-reading-list.jsonl.gz", "events-fulltext.jsonl.gz", "events-stream.jsonl.gz")


class CrossPairModel(PairModel):
    """Scores each pair with trees that did not see it."""

    def __init__(self, trees: Sequence[bytes], halves: dict[int, int]) -> None:
        model = event_model(shipped_weights(), shipped_tuning())
        tuning = Tuning().section("pairs", PairTuning)
        super().__init__(model, tuning, trees[0])
        self._other = PairModel(model, tuning, trees[1])
        self._halves = halves
        self._sides: tuple[int, list[int]] = (0, [])

    def compare(
        self, article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
    ) -> PairComparison:
        self._sides = (self._halves[article.inbox], [self._halves[one.inbox] for one in reports])
        return super().compare(article, reports, snapshot)

    def _tree_sums(self, features: Floats) -> Floats:
        sums = (super()._tree_sums(features), self._other._tree_sums(features))
        own, others = self._sides
        return np.where(np.array(others) == own, sums[1 - own], (sums[0] + sums[1]) / 2)


def half_of(name: str, one: Stored) -> int:
    """Return the half that an article of a set belongs to."""
    if "stream" in name:
        return month_half(one.day)
    return int(is_held_out((one.article.outlet or "") if "reading" in name else one.cluster))


def grouping(name: str, articles: Sequence[Stored], trees: Sequence[bytes]) -> dict[str, str]:
    """Replay a set and return the story of each record; a copy has that of its original."""
    replay = Replay(event_model(shipped_weights(), shipped_tuning()))
    halves = {one.article.inbox: half_of(name, one) for one in articles}
    replay.pair_model = CrossPairModel(trees, halves)
    ids = {one.stored_id: one.id for one in articles}
    for one in articles:
        if one.copy_of is None:
            pair = one.article
            scored = ScoringInput(one.terms, pair.minutes, pair.body_words, inbox=pair.inbox)
            replay.place(one.id, scored, one.title, pair.outlet)
    stories = replay.story_of
    for one in articles:
        if one.copy_of is not None:
            stories[one.id] = stories.get(ids.get(one.copy_of, ""), one.id)
    return stories


def encoded(parts: Sequence[Pairs]) -> bytes:
    """Return the file of the trees that are learnt from these pairs."""
    return msgspec.json.encode({"features": FEATURES, "trees": fit(parts)})


def main() -> None:
    tuning = Tuning()
    days = tuning.section("pairs", PairTuning).stream_days
    sets = {name: stored(name, tuning) for name in SETS}
    full = labelled_pairs(SETS[1], sets[SETS[1]], days)
    parts = [
        full,
        without_dates(full),
        labelled_pairs(SETS[0], sets[SETS[0]], days),
        judged_pairs(sets[SETS[2]], days),
    ]
    halves = [[Pairs(*(values[part.folds == half] for values in part)) for part in parts] for half in (0, 1)]
    trees = [encoded(half) for half in halves]
    for name, articles in sets.items():
        stories = grouping(name, articles, trees)
        print(name)
        if "stream" in name:
            judged = [(min(pair), max(pair), label) for pair, label in judged_labels().items()]
            for one in measure_judged(stories, judged):
                print(f"  judged {one.label}: {one.together} of {one.pairs}")
            continue
        clusters = {one.id: one.cluster for one in articles}
        outlets = {one.id: one.article.outlet for one in articles if one.article.outlet}
        report = measure(stories, clusters)
        print(f"  BCubed F1 {report.bcubed.f1:.4f}, over-merge {report.over_merge:.3f}")
        print(f"  {measure_outlets(stories, clusters, outlets, loose_pairs() if 'reading' in name else ())}")


if __name__ == "__main__":
    main()
