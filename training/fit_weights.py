"""Learns aggregator/cluster/events/weights.json: a logistic regression on pairs of reports, by Newton's
method.

    python -m training.fit_weights [--write]

Pairs come from the training half of events-fulltext (training.dataset.is_held_out: a salted hash of the
event's id). Each article is seen in views with parts missing: whole, its first 60 words, its first 30 words,
title only, without title, and each article in a view of its own; every view dated and undated. A pair counts
when its `all` cosine is at least .06 (less is never a candidate) and, dated, when it lies at most 30 days
apart. Positive pairs count three times. L2 with C = .2 on the raw features (`rare` divided by 4), intercept
free.

The features are cosines of whole vectors, not of those cut to `packed_terms`: what is cut first depends on
the weights, and learning on cut vectors taught the model its own habits (numbers with unit got a negative
weight; look-alikes and leads fell by .01-.02 in F1).

Document frequencies for the fit come from the training half alone; the held-out half is then measured with
these, the whole file with the shipped table.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.cluster.bcubed import measure
from aggregator.cluster.events.document_frequency import BackgroundFrequencies, shipped_background
from aggregator.cluster.events.term_codec import (
    FIELD_COUNT,
    FIELDS,
    HASH_BITS,
    SCALE,
    ids_of,
    read,
    weights_of,
)
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import MINUTES_A_DAY, Weights, event_model, model_hash, shipped_weights
from training import background as background_table
from training.dataset import Labelled, in_order_of_time, is_held_out, read_labelled
from training.replay import line, run, shipped_tuning

Floats = npt.NDArray[np.float64]

TARGET = Path(__file__).resolve().parents[1] / "aggregator" / "cluster" / "events" / "weights.json"
C = 0.2
POSITIVE_TIMES = 3.0
LEAST_COSINE = 0.06
FARTHEST_DAYS = 30.0
RARE = FIELDS.index("rare")
RARE_SCALE = 4.0
UNCUT = ("packed_terms=100000",)


def views(articles: Sequence[Labelled]) -> Iterator[tuple[str, list[Labelled]]]:
    """The articles with parts missing, one view after another."""
    yield "whole", list(articles)
    for words in (60, 30):
        yield f"{words} words", [a._replace(text=_cut(a.text, words)) for a in articles]
    yield "title", [a._replace(text="") for a in articles]
    yield "no title", [a._replace(title="") for a in articles]
    chance = random.Random(1)
    yield "mixed", [a._replace(text=_cut(a.text, chance.choice((0, 30, 60, 10**6)))) for a in articles]


def _cut(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


def cosines(packed: Sequence[bytes]) -> Floats:
    """Dot products of all articles with all, by field: shape (fields, articles, articles)."""
    rows = np.repeat(np.arange(len(packed)), [len(p) // 4 for p in packed])
    words = read(b"".join(packed))
    ids, weights = ids_of(words), weights_of(words) / SCALE
    grams = []
    for field in range(FIELD_COUNT):
        mine = ids >> HASH_BITS == field
        _, columns = np.unique(ids[mine], return_inverse=True)
        dense = np.zeros((len(packed), int(columns.max(initial=0)) + 1), dtype=np.float32)
        dense[rows[mine], columns] = weights[mine]
        grams.append(dense @ dense.T)
    return np.stack(grams).astype(np.float64)


def pair_features(articles: Sequence[Labelled], packer: TermPacker) -> tuple[Floats, Floats]:
    """Features (fields, three time terms, undated) and labels of all pairs that count in one view."""
    grams = cosines([packer.pack(a.title, a.text, a.language) for a in articles])
    left, right = np.triu_indices(len(articles), 1)
    alike = grams[0, left, right] >= LEAST_COSINE
    left, right = left[alike], right[alike]
    fields = grams[:, left, right].T
    fields[:, RARE] /= RARE_SCALE
    clusters = np.array([a.cluster for a in articles])
    labels = (clusters[left] == clusters[right]).astype(np.float64)
    minutes = np.array([a.minutes or 0 for a in articles], dtype=np.float64)
    days = np.abs(minutes[left] - minutes[right]) / MINUTES_A_DAY
    time = np.stack((np.exp(-days / 1.5), np.exp(-days / 7), np.minimum(days, 30) / 30), axis=1)
    none = np.zeros((len(days), 1))
    near = days <= FARTHEST_DAYS
    dated = np.hstack((fields, time, none))[near]
    undated = np.hstack((fields, np.zeros_like(time), none + 1))
    return np.vstack((dated, undated)), np.concatenate((labels[near], labels))


def fit_logistic(features: Floats, labels: Floats) -> Floats:
    """Intercept and weights of the L2 logistic regression; Newton's method until the step is below 1e-8."""
    design = np.hstack((np.ones((len(features), 1)), features))
    counts = np.where(labels > 0, POSITIVE_TIMES, 1.0)
    penalty = np.full(design.shape[1], 1.0 / C)
    penalty[0] = 0.0
    beta = np.zeros(design.shape[1])
    for _ in range(100):
        chance = 1.0 / (1.0 + np.exp(-(design @ beta)))
        gradient = design.T @ (counts * (chance - labels)) + penalty * beta
        curve = (design * (counts * chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curve, gradient)
        beta -= step
        if float(np.abs(step).max()) < 1e-8:
            return beta
    raise RuntimeError("Newton's method did not settle")


def fit(articles: Sequence[Labelled], background: BackgroundFrequencies, start: Weights) -> Weights:
    """The weights learnt from these articles; `start` only has to be of the right shape."""
    packer = TermPacker(event_model(start, shipped_tuning(UNCUT)), background)
    parts = [pair_features(view, packer) for _, view in views(articles)]
    features, labels = np.vstack([f for f, _ in parts]), np.concatenate([y for _, y in parts])
    print(f"{len(labels)} pairs, {int(labels.sum())} positive")
    beta = [round(float(b), 3) for b in fit_logistic(features, labels)]
    fields = dict(zip(FIELDS, beta[1 : 1 + FIELD_COUNT], strict=True))
    fields["rare"] = round(fields["rare"] / RARE_SCALE, 3)
    near, week, far, undated = beta[1 + FIELD_COUNT :]
    return Weights(bias=beta[0], fields=fields, near_days=near, week_days=week, far_days=far, undated=undated)


def figures(
    articles: Sequence[Labelled], weights: Weights, background: BackgroundFrequencies
) -> dict[str, float]:
    """What the replay of these articles reaches."""
    model = event_model(weights, shipped_tuning())
    replay, _, _ = run(in_order_of_time(list(articles)), TermPacker(model, background), model)
    report = measure(replay.story_of, {a.id: a.cluster for a in articles})
    print(line("", report))
    b = report.bcubed
    named = {"precision": b.precision, "recall": b.recall, "f1": b.f1, "over_merge": report.over_merge}
    return {name: round(value, 4) for name, value in named.items()}


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    articles = read_labelled("events-fulltext.jsonl.gz")
    training = [a for a in articles if not is_held_out(a.cluster)]
    held_out = [a for a in articles if is_held_out(a.cluster)]
    leads = [a for a in read_labelled("events-leads.jsonl.gz") if not is_held_out(a.cluster)]
    background = background_table.count([*training, *leads])
    weights = fit(training, background, shipped_weights())
    print(msgspec.json.encode(weights).decode())
    about = {
        "command": "python -m training.fit_weights --write",
        "data": "training half of events-fulltext.jsonl.gz (salted hash of the event's id)",
        "held_out_half": figures(held_out, weights, background),
        "training_half": figures(training, weights, background),
        "whole_with_shipped_background": figures(articles, weights, shipped_background()),
    }
    if write:
        weights = msgspec.structs.replace(weights, about=about)
        TARGET.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=2) + b"\n")
        print(f"{TARGET}; put into config/tuning.yaml: events: model: {model_hash()}")


if __name__ == "__main__":
    main()
