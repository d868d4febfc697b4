"""Learns `lead_weights` of config/tuning.yaml: which report of a story opens it.

    python -m training.fit_lead ../shared/data/story-titles.jsonl [--check]

The labels tell whose openings are right. The chance of a report is a softmax of its score among those of its
story; the chance that one of the right ones is taken is made as high as possible. `--check`: right leads of
stories that were left out, in five folds, on average over ten orders.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.stories.text.summary import choices_of, lead_figures, likeness, openings_of
from aggregator.stories.tuning import shipped_tuning
from benchmarks.headlines import Story, shown_title, stories

RIDGE: Final = 3.0  # on standardised figures (1 to 10: equal)
FOLDS: Final = 5
ORDERS: Final = 10
Floats = npt.NDArray[np.float64]


class Candidates(NamedTuple):
    """The openings of a story: one row of figures each."""

    figures: Floats
    likeness: Floats  # of the best summary that begins with it, times its weight: not learned
    right: npt.NDArray[np.bool_]


def candidates(story: Story) -> Candidates:
    """Return the openings that the program compares."""
    tuning = shipped_tuning()
    title, openings = shown_title(story), openings_of(story.articles, tuning)
    most = [0.0] * len(openings)
    for choice in choices_of(openings, tuning.summary_words, tuning):
        first, _ = choice[0]
        most[first] = max(most[first], tuning.summary_likeness_weight * likeness(choice, openings))
    return Candidates(
        np.array([lead_figures(opening, title) for opening in openings]),
        np.array(most),
        np.array([opening.article.id in story.leads for opening in openings]),
    )


def fit(given: Sequence[Candidates]) -> Floats:
    """Return the weights, by Newton's method."""
    spread = np.vstack([one.figures for one in given]).std(axis=0)
    rows = [(one.figures / spread, one) for one in given if one.right.any() and not one.right.all()]
    weights = np.zeros(len(spread))
    for _ in range(25):
        slope, bend = -RIDGE * weights, RIDGE * np.eye(len(spread))
        for figures, one in rows:
            chance = np.exp(figures @ weights + one.likeness - (figures @ weights + one.likeness).max())
            chance /= chance.sum()
            of_right = chance * one.right / (chance @ one.right)
            mean = chance @ figures
            slope += (of_right - chance) @ figures
            bend += (figures.T * chance) @ figures - np.outer(mean, mean)
        weights += np.linalg.solve(bend, slope)
    found: Floats = weights / spread
    return found


def count_right(given: Sequence[Candidates], weights: Floats) -> int:
    """Count the stories whose best opening is right."""
    return sum(bool(one.right[np.argmax(one.figures @ weights + one.likeness)]) for one in given)


def check(given: Sequence[Candidates]) -> float:
    """Return how many leads are right in stories that were left out."""
    right = 0
    for seed in range(ORDERS):
        order = np.random.default_rng(seed).permutation(len(given))
        for fold in range(FOLDS):
            left_out = set(order[fold::FOLDS].tolist())
            weights = fit([one for n, one in enumerate(given) if n not in left_out])
            right += count_right([given[n] for n in sorted(left_out)], weights)
    return right / ORDERS


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the weights, and how many leads are right with them and left out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    given = [candidates(story) for story in stories(options.file) if story.leads]
    weights = fit(given)
    print(f"lead_weights: [{', '.join(f'{weight:.2f}' for weight in weights)}]")
    print(f"{count_right(given, weights)} of {len(given)} leads are right")
    if options.check:
        print(f"left out: {check(given):.1f}")


if __name__ == "__main__":
    main()
