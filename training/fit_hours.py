"""Learns the section `hours` of config/tuning.yaml: what clock times and titles add to the logit of two reports.

    pip install lightgbm==4.7.0
    python -m training.fit_hours     print the weights of each set, and of both together, in ten minutes

Two labelled sets have clock times: the second day, and about half of the reading list. In the other sets, times are
days, times of collection, or invented. The weights are fitted by a logistic regression with a ridge, on top of the
logits of trees that were trained on neither set. Each set has its own constant, because the sets differ in how many of
their pairs are of one event.

The shipped cost is not the fitted constant: config/tuning.yaml says how it was chosen.
"""

from typing import Final

import numpy as np

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.hours import ADDED_HOURS, HoursTuning, hours_between
from aggregator.grouping.pairs.pair_features import AT
from aggregator.grouping.pairs.pair_model import PairModel
from training.fit_pair_model import encoded, fit, read_sets, trees_of, weighted
from training.pairs import Floats, Pairs, cases, labelled_pairs, read_records

SECOND_DAY: Final = "events-second-day.jsonl.gz"
READING_LIST: Final = "reading list"
RIDGE: Final = 1.0  # on both weights; .1 and 10 give nearly the same
STEPS: Final = 50  # of Newton's method, which has converged long before
TUNING: Final = Tuning().section("hours", HoursTuning)


def timed_rows(pairs: Pairs, model: PairModel) -> tuple[Floats, Floats, Floats]:
    """Return columns of titles and hours, labels, and logits of the pairs whose clock times are both known."""
    hours = np.array(
        [
            hours_between(
                pairs.articles[later].article, [pairs.articles[earlier].article]
            )[0]
            for later, earlier in zip(
                pairs.later.tolist(), pairs.earlier.tolist(), strict=True
            )
        ]
    )
    is_known = ~np.isnan(hours)
    features = pairs.features[is_known]
    titles = features[:, AT["title_cosine"]] - TUNING.usual_title
    decays = -np.log((hours[is_known] + ADDED_HOURS) / TUNING.even)
    logits = model.logits(model.leaves(features))
    return np.column_stack((titles, decays)), pairs.labels[is_known], logits


def fit_weights(
    columns: Floats, constants: Floats, labels: Floats, logits: Floats
) -> Floats:
    """Return the weights of `columns`, then one constant for each of `constants`, by Newton's method."""
    rows = np.column_stack((columns, constants))
    ridge = np.diag([RIDGE] * columns.shape[1] + [0.0] * constants.shape[1])
    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-(rows @ weights + logits)))
        slope = rows.T @ (labels - chance) - ridge @ weights
        curvature = (rows.T * (chance * (1 - chance))) @ rows + ridge
        weights += np.linalg.solve(curvature, slope)
    return weights


def main() -> None:
    sets = read_sets()
    kept = {key: one for key, one in sets.items() if key[0] != READING_LIST}
    model = PairModel(encoded(trees_of(fit(weighted(kept, cases())))))
    day = sorted(read_records(SECOND_DAY), key=lambda record: str(record["published"]))
    parts = {
        "second day": timed_rows(labelled_pairs(day), model),
        READING_LIST: timed_rows(sets[READING_LIST, ""][0], model),
    }
    for name, (columns, labels, logits) in parts.items():
        constant = np.ones((len(labels), 1))
        print_weights(name, labels, fit_weights(columns, constant, labels, logits))
    columns, labels, logits = map(np.concatenate, zip(*parts.values(), strict=True))
    sizes = [len(part[1]) for part in parts.values()]
    constants = np.repeat(np.eye(len(parts)), sizes, axis=0)
    print_weights("both", labels, fit_weights(columns, constants, labels, logits))


def print_weights(name: str, labels: Floats, weights: Floats) -> None:
    title, decay, *costs = weights.tolist()
    found = ", ".join(f"{cost:.2f}" for cost in costs)
    print(
        f"{name}: {len(labels)} pairs, {int(labels.sum())} of one event: "
        f"title {title:.2f}, decay {decay:.2f}, cost {found}"
    )


if __name__ == "__main__":
    main()
