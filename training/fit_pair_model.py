"""Learns aggregator/grouping/pairs/pair_trees.json: boosted trees over the features of two articles.

    pip install lightgbm==4.7.0
    python -m training.fit_pair_model --check     print F1, alone, pure and whole of each part, left out of training
    python -m training.fit_pair_model --write     write the file of the program, in a few minutes

SETS has the data and their weights. Whole months have the highest; bodies cut to 55 words, as in feeds, teach short
texts; the project's own sets (OWN) teach other languages and titles of one pattern. Full texts count again without
dates (UNDATED), and pairs with an arguable label count less (ARGUABLE in training/pairs.py). There are ROUNDS trees of
at most eight leaves and depth four. Weights and settings were chosen with each month left out in turn. The model is the
mean of FORESTS forests with different seeds, over rows in a fixed order, so that it hardly depends on one seed, and
not on the order of files. Trained on a part of the sets, it finds as many pairs of the short reports left out as one
forest of as many trees: 150 of 186, with eight wrong ones.

A part of the check is a month, one half of a set (by event, for the reading list by feed), one of the project's
own sets, or a quarter of the cases.
"""

import argparse
import concurrent.futures
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.admin.bcubed import measure_month
from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.pair_features import AT, FEATURES, GROUPS
from aggregator.grouping.pairs.pair_model import (
    UNLIKE,
    PairTuning,
    Tree,
    TreeFile,
    shift_between,
    stream_shift,
)
from training.dataset import is_held_out
from training.pairs import (
    Case,
    Floats,
    Pairs,
    cases,
    cut,
    labelled_pairs,
    own_records,
    read_records,
)

TARGET: Final = (
    Path(__file__).resolve().parents[1]
    / "aggregator"
    / "grouping"
    / "pairs"
    / "pair_trees.json"
)
CUT_WORDS: Final = 55
# Thousandths of a logit that are added for a headline without text, because it has fewer words that can agree. With
# trees of one half of the short reports, 52 of 60 true and 1 of 71 other pairs of the other half reach the threshold;
# without the lift it is 48 and 1, and with 500, 53 and 2.
HEADLINE_LIFT: Final = 250
ROUNDS: Final = 600  # trees of all forests together
FORESTS: Final = 4  # forests with different seeds
PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.2,  # .05 in the mean of four forests
    "num_leaves": 8,
    "max_depth": 4,
    "min_data_in_leaf": 40,
    "lambda_l2": 10,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
SETS: Final = {  # name: file, words of bodies, weight
    "full": ("events-fulltext.jsonl.gz", None, 1.0),
    "full cut": ("events-fulltext.jsonl.gz", CUT_WORDS, 0.5),
    "reading list": ("events-reading-list.jsonl.gz", None, 1.0),
    "leads": ("events-leads.jsonl.gz", None, 1.0),
    "look-alikes": ("events-lookalikes.jsonl.gz", None, 0.5),
    # 109,021 of its pairs are of one event
    "headlines": ("events-headlines.jsonl.gz", None, 0.01),
    "months": ("events-months.jsonl.gz", None, 2.0),
    "months cut": ("events-months.jsonl.gz", CUT_WORDS, 1.0),
}
HEADLINES: Final = 2500  # the first records; the others are never trained on
UNDATED: Final = 0.5  # weight of full texts without dates
OWN: Final = {  # the project's own sets, which are small, and their weights
    "languages": 4.0,
    "samples": 10.0,
    "seeds": 10.0,
    "tripwire": 4.0,
    "Russian look-alikes": 1.0,
    "short reports": 4.0,
}
HALVED: Final = (
    "full",
    "full cut",
    "reading list",
    "leads",
    "look-alikes",
    "headlines",
)
CASES: Final = 4.0  # weight of tests/data/lookalikes.jsonl and of short reports, each case by itself
# The pairs and the weight of each set, by name and part
Sets = Mapping[tuple[str, str], tuple[Pairs, float]]
Table = tuple[Floats, Floats, Floats]  # features, labels, weights
GROUP_OF: Final = {
    FEATURES.index(one): place
    for place, names in enumerate(GROUPS.values())
    for one in names
}


def model_hash() -> str:
    """Return a hash of the trees, the table of word frequencies and the lists of common words, as 12 hex digits.

    This is the value of `model` in config/tuning.yaml, so that `rules_version` changes with these files.
    """
    digest = hashlib.blake2b(digest_size=6)
    trees = files("aggregator.grouping.pairs").joinpath("pair_trees.json")
    lists = sorted(
        files("aggregator.text").joinpath("common").iterdir(),
        key=lambda path: path.name,
    )
    for path in (
        trees,
        files("aggregator.text").joinpath("background.tsv.gz"),
        *lists,
    ):
        if path.name.endswith((".json", ".gz", ".txt")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def read_sets() -> Sets:
    """Return the pairs and the weight of each set. Each month is a set of its own."""
    wanted: list[tuple[tuple[str, str], Sequence[Mapping[str, Any]], float]] = [
        (key, rows, OWN[key[0]]) for key, rows in own_records().items()
    ]
    for name, (file, words, weight) in SETS.items():
        parts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for record in read_records(file)[: HEADLINES if name == "headlines" else None]:
            parts[record["published"][:7] if "months" in name else ""].append(record)
        wanted += [
            ((name, part), cut(rows, words) if words else rows, weight)
            for part, rows in parts.items()
        ]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        made = pool.map(_pairs, [(key[0], rows) for key, rows, _ in wanted])
        return {
            key: (pairs, weight)
            for (key, _, weight), pairs in zip(wanted, made, strict=True)
        }


def _pairs(named: tuple[str, Sequence[Mapping[str, Any]]]) -> Pairs:
    return labelled_pairs(named[1], loose=named[0] == "reading list")


def weighted(sets: Sets, cases: Sequence[Case]) -> list[Table]:
    """Return the features, labels and weights of all sets, of full texts without dates, and of the cases."""
    parts = []
    for (name, _), (pairs, weight) in sets.items():
        parts.append((pairs.features, pairs.labels, pairs.weights * weight))
        if name == "full":
            features = pairs.features.copy()
            features[:, AT["days"]] = -1.0
            parts.append((features, pairs.labels, pairs.weights * UNDATED))
    labels = np.concatenate([case.labels for case in cases])
    features = np.vstack([case.features for case in cases])
    return [*parts, (features, labels, np.full(len(labels), CASES))]


def fit(parts: Sequence[Table]) -> list[Any]:  # Boosters
    """Return the forests that are learnt from these pairs, which do not depend on the order of the pairs."""
    import lightgbm  # type: ignore[import-not-found]  # only for training, not in the lock

    rows = np.vstack([np.column_stack(part) for part in parts])
    as_bytes = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))
    rows = rows[as_bytes.ravel().argsort()]
    return [
        lightgbm.train(
            {**PARAMETERS, "seed": seed},
            lightgbm.Dataset(rows[:, :-2], rows[:, -2], weight=rows[:, -1]),
            ROUNDS // FORESTS,
        )
        for seed in range(FORESTS)
    ]


def trees_of(forests: Sequence[Any]) -> TreeFile:
    """Return the mean of the forests in the shipped form, with leaves in thousandths by group of features."""
    made = [
        _tree(one["tree_structure"])
        for forest in forests
        for one in forest.dump_model()["tree_info"]
    ]
    bias = sum(root for _, root in made) / len(forests)
    trees = (*(tree for tree, _ in made), headline_tree())
    return TreeFile(about={}, features=FEATURES, bias=round(bias, 3), trees=trees)


def headline_tree() -> Tree:
    """Return the tree that raises the logit of a headline without text and a report of another outlet."""
    lifted, others = [0] * len(GROUPS), (0,) * len(GROUPS)
    lifted[GROUP_OF[AT["shorter_words"]]] = HEADLINE_LIFT
    # Pairs of one outlet reach the third leaf, and other pairs of two bodies the second.
    return Tree(
        (AT["same_outlet"], AT["shorter_words"]),
        (0.5, 0.5),
        (0b11111100, 0b11111110),
        (tuple(lifted), others, others),
    )


def _tree(root: dict[str, Any]) -> tuple[Tree, float]:
    conditions: list[tuple[int, float, int]] = []
    leaves: list[tuple[int, ...]] = []

    def visit(node: dict[str, Any], shares: Mapping[int, float]) -> list[int]:
        """Return the leaves below a node, from left to right."""
        if "leaf_value" in node:
            leaves.append(
                tuple(
                    round(1000 / FORESTS * shares.get(group, 0.0))
                    for group in range(len(GROUPS))
                )
            )
            return [len(leaves) - 1]
        group, below = GROUP_OF[node["split_feature"]], []
        for side in ("left_child", "right_child"):
            child = node[side]
            value = (
                child["leaf_value"]
                if "leaf_value" in child
                else child["internal_value"]
            )
            added = shares.get(group, 0.0) + value - node["internal_value"]
            below.append(visit(child, {**shares, group: added}))
        excluded = sum(1 << leaf for leaf in below[0])
        conditions.append(
            (node["split_feature"], float(f"{node['threshold']:.6g}"), 0xFF & ~excluded)
        )
        return below[0] + below[1]

    visit(root, {})
    if not conditions:
        return Tree((), (), (), ((0,) * len(GROUPS),)), float(root["leaf_value"])
    features, thresholds, masks = zip(*conditions, strict=True)
    return Tree(features, thresholds, masks, tuple(leaves)), float(
        root["internal_value"]
    )


def grouped(
    pairs: Pairs, logits: Floats, tuning: PairTuning, threshold: float
) -> dict[str, str]:
    """Return the story of each record, decided in order by the mean over the newest reports, as in the program."""
    scores: dict[int, dict[int, float]] = defaultdict(dict)
    for later, earlier, logit in zip(
        pairs.later.tolist(), pairs.earlier.tolist(), logits.tolist(), strict=True
    ):
        scores[later][earlier] = logit
    place_of = {one.stored_id: place for place, one in enumerate(pairs.articles)}
    story: dict[int, int] = {}
    members: dict[int, list[int]] = defaultdict(list)
    placed: list[int] = []
    counts: dict[str, tuple[int, int]] = {}
    day, closed = None, counts
    for place, one in enumerate(pairs.articles):
        if one.copy_of in place_of:
            story[place] = story.get(place_of[one.copy_of], place)
            continue
        if one.day != day:
            day, closed = one.day, dict(counts)
        last = placed[-tuning.stream_articles :]
        shared = sum(len(members[story[other]]) > 1 for other in last)
        source = one.article.source
        shift = stream_shift(shared, len(last), tuning, closed.get(source, (0, 0)))
        best, chosen = threshold, place
        for number in sorted({story[other] for other in scores[place]}):
            reports = [
                other
                for other in members[number]
                if not pairs.articles[other].article.is_opinion
            ]
            newest = (reports or members[number])[-tuning.compared_reports :]
            compared = [
                one.article,
                *(pairs.articles[other].article for other in newest),
            ]
            score = float(
                np.mean([scores[place].get(other, UNLIKE) for other in newest])
            )
            score += shift_between(shift, compared, tuning)
            if score > best:
                best, chosen = score, number
        story[place] = chosen
        members[chosen].append(place)
        placed.append(place)
        articles, joined = counts.get(source, (0, 0))
        counts[source] = (articles + 1, joined + (chosen != place))
    return {one.id: str(story[place]) for place, one in enumerate(pairs.articles)}


def right_cases(
    cases: Sequence[Case], logits: Sequence[Floats], threshold: float
) -> float:
    """Return the share of the cases whose stories are right."""
    right = 0
    for case, found in zip(cases, logits, strict=True):
        score = dict(zip(case.pairs, found.tolist(), strict=True))
        stories: list[int] = []
        for number in range(len(case.events)):
            best, chosen = threshold, number
            for story in sorted(set(stories)):
                members = [other for other in range(number) if stories[other] == story]
                mean = float(
                    np.mean([score.get((number, other), UNLIKE) for other in members])
                )
                if mean > best:
                    best, chosen = mean, story
            stories.append(chosen)
        events = list(case.events)
        right += list(map(stories.index, stories)) == list(map(events.index, events))
    return right / len(cases)


def figures(
    pairs: Pairs, stories: Mapping[str, str], *, sure: bool = False
) -> dict[str, float]:
    """Return the figures of a grouping; with `sure`, only of reports with a sure label."""
    labelled = zip(pairs.articles, pairs.clusters, strict=True)
    clusters = {
        one.id: gold for one, gold in labelled if one.is_sure_report or not sure
    }
    found = measure_month(stories, clusters)
    several = found.several
    return {
        "F1": found.report.bcubed.f1,
        "alone": found.report.alone.f1,
        "stories": several.stories,
        "pure": several.pure / max(several.stories, 1),
        "whole": several.whole / max(several.events, 1),
    }


def check(
    sets: Sets, cases: Sequence[Case], thresholds: Sequence[float]
) -> Iterator[str]:
    """Yield the figures of each part, by trees that were fitted to the other parts, then those of all months."""
    tuning = Tuning().section("pairs", PairTuning)
    logits, of_cases = _left_out(sets, cases)
    for threshold in thresholds:
        months, reports = [], []
        for key, found in logits.items():
            pairs = sets[key][0]
            stories = grouped(pairs, found, tuning, threshold)
            row = figures(pairs, stories)
            if key[0] == "months":
                months.append(row)
                reports.append(figures(pairs, stories, sure=True))
            numbers = " ".join(f"{name} {value:.4g}" for name, value in row.items())
            yield f"{threshold} {' '.join(key)}: {numbers}"
        yield f"{threshold} cases: {right_cases(cases, of_cases, threshold):.3f} right"
        yield f"{threshold} months: {_of_months(months)}"
        yield f"{threshold} months, sure reports: {_of_months(reports)}"


def _of_months(months: Sequence[Mapping[str, float]]) -> str:
    gains = [row["F1"] - row["alone"] for row in months]
    pure, whole = (
        sum(row[key] for row in months) / len(months) for key in ("pure", "whole")
    )
    mean = sum(gains) / len(gains)
    return f"mean gain {mean:.4f}, least {min(gains):.4f}, pure {pure:.3f}, whole {whole:.3f}"


def _left_out(
    sets: Sets, cases: Sequence[Case]
) -> tuple[dict[tuple[str, str], Floats], list[Floats]]:
    """Return the logits of each part, and of each case, by trees that were fitted without it."""
    months = sorted({part for name, part in sets if name == "months"})
    own = sorted({_own_set(key) for key in sets if key[0] in OWN})
    logits: dict[tuple[str, str], Floats] = {}
    of_cases: list[Floats] = [np.zeros(0)] * len(cases)
    for start in range(4):
        fold = {
            key
            for key in sets
            if key[1] in months[start::4] or _own_set(key) in own[start::4]
        }
        forests = fit(
            weighted(
                {key: one for key, one in sets.items() if key not in fold},
                [case for place, case in enumerate(cases) if place % 4 != start],
            )
        )
        for key in fold:
            logits[key] = _logits(forests, sets[key][0].features)
        for place in range(start, len(cases), 4):
            of_cases[place] = _logits(forests, cases[place].features)
    logits |= _by_halves(sets, cases)
    return {key: logits[key] for key in sorted(logits)}, of_cases


def _logits(forests: Sequence[Any], features: Floats) -> Floats:
    """Return the logits of pairs as the program computes them."""
    found = [forest.predict(features, raw_score=True) for forest in forests]
    is_lifted = (features[:, AT["shorter_words"]] == 0) & (
        features[:, AT["same_outlet"]] == 0
    )
    lifted = np.mean(found, axis=0) + is_lifted * HEADLINE_LIFT / 1000
    logits: Floats = np.maximum(lifted, UNLIKE)
    return logits


def _own_set(key: tuple[str, str]) -> str:
    """Return the name of what is left out together: all orders of the seeds, but each file of languages alone."""
    return "seeds" if key[0] == "seeds" else " ".join(key)


def _by_halves(sets: Sets, cases: Sequence[Case]) -> dict[tuple[str, str], Floats]:
    """Return the logits of the sets of HALVED, each half by trees that were fitted to the other halves.

    A pair with one article in each half gets the mean of both.
    """
    sides = {
        key: _sides(key[0], pairs)
        for key, (pairs, _) in sets.items()
        if key[0] in HALVED
    }
    logits = {key: np.zeros(len(both)) for key, both in sides.items()}
    for half in (False, True):
        kept = dict(sets)
        for key, both in sides.items():
            pairs, weight = sets[key]
            inside = (both == half).all(axis=1)
            half_of = {
                one: getattr(pairs, one)[inside]
                for one in ("features", "labels", "weights")
            }
            kept[key] = pairs._replace(**half_of), weight
        forests = fit(weighted(kept, cases))
        for key, both in sides.items():
            share = (both != half).mean(axis=1)
            logits[key] += share * _logits(forests, sets[key][0].features)
    return logits


def _sides(name: str, pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Return the halves of the two articles of each pair, by event, or for the reading list by feed."""
    outlets = [one.article.outlet or "" for one in pairs.articles]
    halves = np.array(
        [
            is_held_out(one)
            for one in (outlets if name == "reading list" else pairs.clusters)
        ]
    )
    return halves[np.stack((pairs.later, pairs.earlier), axis=1)]


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[1.0])
    given = parser.parse_args()
    if msgspec.json.decode(TARGET.read_bytes(), type=TreeFile).features != FEATURES:
        # The pipeline reads the file, too, so it must have the same features.
        _write(TreeFile({}, FEATURES, 0.0, ()))
    sets, made_cases = read_sets(), cases()
    for (name, part), (pairs, _) in sets.items():
        print(
            f"{name} {part}: {len(pairs.labels)} pairs, {int(pairs.labels.sum())} of one event",
            flush=True,
        )
    if given.check:
        for line in check(sets, made_cases, given.thresholds):
            print(line, flush=True)
    if given.write:
        about = {
            "command": "python -m training.fit_pair_model --write",
            "sets": {
                " ".join(key).strip(): [len(p.labels), int(p.labels.sum())]
                for key, (p, _) in sets.items()
            },
        }
        _write(
            msgspec.structs.replace(
                trees_of(fit(weighted(sets, made_cases))), about=about
            )
        )
        print(f"{TARGET}; put into config/tuning.yaml: events: model: {model_hash()}")


def encoded(made: TreeFile) -> bytes:
    """Return the bytes of the file of these trees, one tree a line."""
    head = msgspec.json.encode(
        {"about": made.about, "features": made.features, "bias": made.bias}
    ).decode()
    body = ",\n".join(msgspec.json.encode(tree).decode() for tree in made.trees)
    return f'{head[:-1]},\n"trees": [\n{body}\n]}}\n'.encode()


def _write(made: TreeFile) -> None:
    TARGET.write_bytes(encoded(made))


if __name__ == "__main__":
    main()
