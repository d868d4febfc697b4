"""Learns aggregator/cluster/events/pair_trees.json: small trees over pairs of reports.

    pip install lightgbm==4.7.0
    python -m training.fit_pair_model [--write]

Pairs, each with a cosine of whole texts of at least .06 and at most 30 days apart:

- events-fulltext, weight 1, and once more without dates, weight .5;
- events-reading-list, weight 1, without pairs of the loose list;
- the judged pairs of events-stream, weight 1 where they are the same event, else 3.

Positive pairs count three times. 300 trees of depth two, learning rate .1, L2 10, at least 60 pairs in a leaf
(settings of the study that docs/evaluation.md names). `training.cross_fit` measures the result on pairs that
the trees did not see; `folds` says which half a pair belongs to: of the events, of the outlets (reading
list), of the months (judged pairs).
"""

import argparse
import datetime as dt
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from aggregator.admin.evaluate import place_records, read_dataset
from aggregator.cluster.events.pair_model import FEATURES, PairArticle, PairTuning, pair_features
from aggregator.cluster.events.scorer import ScoringInput
from aggregator.cluster.events.stream import StreamSnapshot, pack_frequencies
from aggregator.cluster.events.weights import MINUTES_A_DAY, model_hash
from aggregator.config.tuning import Tuning
from aggregator.model.core import OPINION_KINDS
from aggregator.pipeline.pipeline import Pipeline
from aggregator.pipeline.workers.executor import InlineExecutor
from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.read.reader import assignments
from aggregator.store.stories.articles import dates_of
from aggregator.store.tables import article as article_table
from training.dataset import data_folder, is_held_out

Floats = npt.NDArray[np.float64]

TARGET: Final = Path(__file__).resolve().parents[1] / "aggregator" / "cluster" / "events" / "pair_trees.json"
LEAST_COSINE: Final = 0.06
FARTHEST_DAYS: Final = 30
POSITIVE_TIMES: Final = 3.0
BOTH: Final = 2  # the fold of a pair whose sides are in different halves
SECOND_MONTHS: Final = (4,)  # April 2013 and April 2020; the other two months are the first half
PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 4,
    "max_depth": 2,
    "min_data_in_leaf": 60,
    "lambda_l2": 10,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "seed": 1,
    "num_threads": 1,
    "deterministic": True,
    "verbose": -1,
}
ROUNDS: Final = 300


class Stored(NamedTuple):
    """A record as the pipeline stored it."""

    id: str
    cluster: str
    day: int
    stored_id: str  # of the article
    copy_of: str | None
    title: str
    terms: bytes
    article: PairArticle


class Pairs(NamedTuple):
    """Pairs of one dataset, as arrays."""

    features: Floats
    labels: Floats
    weights: Floats
    folds: npt.NDArray[np.int64]


def stored(name: str, tuning: Tuning) -> list[Stored]:
    """Run the pipeline on a dataset and return its articles, in the order of placing."""
    records = read_dataset(data_folder() / name)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/training.db")
        upgrade(database)
        pipeline = Pipeline(database, InlineExecutor(), tuning, _now, keep_all=True)
        numbers = place_records(records, database, pipeline, lambda _: None)
        with database.read() as connection:
            article_of = {one.entry_no: one.article for one in assignments(connection)}
            rows = {row.id: row for row in connection.execute(select(article_table))}
        database.close()
    found = []
    for number, record in zip(numbers, records, strict=True):
        row = rows.get(article_of.get(number, ""))
        if row is not None:
            found.append(
                Stored(
                    record.id,
                    record.cluster or record.id,
                    int(row.seen_at.timestamp()) // 86400,
                    row.id,
                    row.copy_of,
                    row.title,
                    row.terms,
                    PairArticle(
                        ScoringInput(
                            row.terms,
                            dates_of(row.published, date_counts=row.date_counts)[0],
                            row.body_words,
                            inbox=row.inbox_no,
                            is_opinion=row.kind in OPINION_KINDS,
                        ),
                        outlet=row.outlet,
                        title=row.title,
                        source=row.source,
                    ),
                )
            )
    return found


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def comparisons(articles: Sequence[Stored], days: int) -> Iterator[tuple[int, Sequence[int], Floats]]:
    """Yield each article with the earlier ones that it is compared with, and their features."""
    by_day: dict[int, list[bytes]] = {}
    for one in articles:
        by_day.setdefault(one.day, []).append(one.terms)
    snapshot, last = StreamSnapshot(0, (), {}), None
    for place, one in enumerate(articles):
        if one.day != last:
            last = one.day
            periods = [pack_frequencies(by_day.get(day, ())) for day in range(last - days, last)]
            snapshot = StreamSnapshot(0, [period for period in periods if period[0]], {})
        earlier = [
            other
            for other in range(place)
            if articles[other].copy_of is None and _days_apart(one, articles[other]) <= FARTHEST_DAYS
        ]
        for start in range(0, len(earlier) if one.copy_of is None else 0, 2000):
            part = earlier[start : start + 2000]
            features = pair_features(one.article, [articles[other].article for other in part], snapshot)
            near = np.flatnonzero(features[:, 0] >= LEAST_COSINE)
            if len(near):
                yield place, [part[spot] for spot in near.tolist()], features[near]


def _days_apart(one: Stored, other: Stored) -> float:
    if one.article.minutes is None or other.article.minutes is None:
        return 0.0
    return abs(one.article.minutes - other.article.minutes) / MINUTES_A_DAY


def _half(text: str) -> int:
    return int(is_held_out(text))


def labelled_pairs(name: str, articles: Sequence[Stored], days: int) -> Pairs:
    """Return the pairs of a dataset whose records have a cluster."""
    loose = loose_pairs() if "reading-list" in name else set()
    halves = [_half(one.article.outlet or "" if loose else one.cluster) for one in articles]
    features, labels, folds = [], [], []
    for place, others, rows in comparisons(articles, days):
        for other, row in zip(others, rows, strict=True):
            if frozenset((articles[place].id, articles[other].id)) not in loose:
                features.append(row)
                labels.append(float(articles[place].cluster == articles[other].cluster))
                folds.append(halves[place] if halves[place] == halves[other] else BOTH)
    return Pairs(np.array(features), np.array(labels), np.ones(len(labels)), np.array(folds))


def judged_labels() -> dict[frozenset[str], str]:
    """Return the label of each judged pair of the stream, by the ids of its records."""
    lines = (data_folder() / "events-stream-pairs.jsonl").read_text("utf-8").splitlines()
    pairs = [json.loads(line) for line in lines if line.strip()]
    return {frozenset((pair["a"], pair["b"])): pair["label"] for pair in pairs}


def month_half(day: int) -> int:
    """Return the half that a day of the stream belongs to."""
    return int(dt.datetime.fromtimestamp(day * 86400, dt.UTC).month in SECOND_MONTHS)


def judged_pairs(articles: Sequence[Stored], days: int) -> Pairs:
    """Return the judged pairs of the stream."""
    judged = judged_labels()
    features, labels, folds = [], [], []
    for place, others, rows in comparisons(articles, days):
        for other, row in zip(others, rows, strict=True):
            label = judged.get(frozenset((articles[place].id, articles[other].id)))
            if label is not None:
                features.append(row)
                labels.append(float(label == "same"))
                folds.append(month_half(articles[place].day))
    weights = np.where(np.array(labels) > 0, 1.0, 3.0)
    return Pairs(np.array(features), np.array(labels), weights, np.array(folds))


def loose_pairs() -> set[frozenset[str]]:
    lines = (data_folder() / "events-reading-list-loose.jsonl").read_text("utf-8").splitlines()
    groups = [json.loads(line)["ids"] for line in lines if line.strip()]
    return {frozenset(pair) for group in groups for pair in itertools.combinations(group, 2)}


def without_dates(pairs: Pairs) -> Pairs:
    """Return the pairs as if no date were known, with half the weight."""
    features = pairs.features.copy()
    features[:, FEATURES.index("days")] = -1.0
    return pairs._replace(features=features, weights=pairs.weights / 2)


def fit(parts: Sequence[Pairs]) -> list[list[float]]:
    """Return the trees: root, left node with its leaves, right node with its leaves."""
    import lightgbm  # type: ignore[import-not-found]  # only for training, not in the lock

    labels = np.concatenate([part.labels for part in parts])
    weights = np.concatenate([part.weights for part in parts]) * np.where(labels > 0, POSITIVE_TIMES, 1.0)
    data = lightgbm.Dataset(np.vstack([part.features for part in parts]), labels, weight=weights)
    model = lightgbm.train(PARAMETERS, data, ROUNDS)
    return [_tree(one["tree_structure"]) for one in model.dump_model()["tree_info"]]


def _tree(root: dict[str, Any]) -> list[float]:
    if "leaf_value" in root:
        return [0, 0.0, *_node(root), *_node(root)]
    return [
        root["split_feature"],
        _above(root["threshold"]),
        *_node(root["left_child"]),
        *_node(root["right_child"]),
    ]


def _node(node: dict[str, Any]) -> list[float]:
    if "leaf_value" in node:
        value = round(node["leaf_value"], 3)
        return [0, 0.0, value, value]
    leaves = [round(node[side]["leaf_value"], 3) for side in ("left_child", "right_child")]
    return [node["split_feature"], _above(node["threshold"]), *leaves]


def _above(threshold: float) -> float:
    return float(f"{threshold:.6g}")


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    tuning = Tuning()
    days = tuning.section("pairs", PairTuning).stream_days
    full, reading_list = (
        labelled_pairs(name, stored(name, tuning), days)
        for name in ("events-fulltext.jsonl.gz", "events-reading-list.jsonl.gz")
    )
    judged = judged_pairs(stored("events-stream.jsonl.gz", tuning), days)
    parts = [full, without_dates(full), reading_list, judged]
    for name, part in zip(("full text", "undated", "reading list", "judged"), parts, strict=True):
        print(f"{name}: {len(part.labels)} pairs, {int(part.labels.sum())} positive")
    about = {
        "command": "python -m training.fit_pair_model --write",
        "data": "events-fulltext, events-reading-list, judged pairs of events-stream",
        "pairs": [len(part.labels) for part in parts],
        "positive": [int(part.labels.sum()) for part in parts],
    }
    trees = fit(parts)
    if given.write:
        encoded = [msgspec.json.encode(tree).decode() for tree in trees]
        body = ",\n".join(encoded)
        head = msgspec.json.encode({"about": about, "features": FEATURES}).decode()
        TARGET.write_text(f'{head[:-1]},\n"trees": [\n{body}\n]}}\n', "utf-8")
        print(f"{TARGET}; put into config/tuning.yaml: events: model: {model_hash()}")


if __name__ == "__main__":
    main()
