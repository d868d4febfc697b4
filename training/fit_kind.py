"""Learns aggregator/extract/style.json: what tells analysis and opinion from reports in English texts.

    python -m training.fit_kind --check    what is found of months left out, and of the reading list
    python -m training.fit_kind --write    the file of the program

Learned from `kind` of events-months, and what is no news from the feeds of events-reading-list that are no
outlets of news; those of training/labels/reading-list-kinds.tsv are, and are never learned from.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.extract.kind import Regression, StyleModel, kind_by_style, style_figures
from aggregator.text.reading import Reading, read
from training.pairs import Record, read_records

TARGET: Final = Path(__file__).resolve().parents[1] / "aggregator" / "extract" / "style.json"
READING_LIST: Final = Path(__file__).parent / "labels" / "reading-list-kinds.tsv"
KINDS: Final = ("report", "analysis", "opinion")
RIDGE: Final = 3.0  # on standardised figures
MARKED: Final = 0.045  # share of reports that the limit marks
LOST: Final = 0.06  # share of what is no report that counts as no news
Floats = npt.NDArray[np.float64]


class Labelled(NamedTuple):
    """Articles with figures: one row each."""

    names: tuple[str, ...]
    figures: Floats
    kinds: npt.NDArray[np.str_]
    months: npt.NDArray[np.str_]  # of a blog its feed


def read_blogs() -> Labelled:
    """Return the English entries of the reading list that are of no outlet of news."""
    news = {line.partition("-")[0] for line in READING_LIST.read_text("utf-8").splitlines()}
    records = [one for one in read_records("events-reading-list.jsonl.gz") if one["lang"] in (None, "en")]
    made = [(style_figures(*_read(one)), one["id"][:8]) for one in records]
    found = [(figures, feed) for figures, feed in made if figures and feed not in news]
    feeds = np.array([feed for _, feed in found])
    return Labelled((), np.array([list(figures.values()) for figures, _ in found]), feeds, feeds)


def read_months() -> Labelled:
    """Return the articles of events-months that are a report, an analysis or an opinion."""
    records = [one for one in read_records("events-months.jsonl.gz") if one["kind"] in KINDS]
    made = [(style_figures(*_read(one)), one) for one in records]
    found = [(figures, one) for figures, one in made if figures]
    return Labelled(
        tuple(found[0][0]),
        np.array([list(figures.values()) for figures, _ in found]),
        np.array([one["kind"] for _, one in found]),
        np.array([one["published"][:7] for _, one in found]),
    )


def _read(record: Record) -> tuple[str, str, Reading]:
    title, text = record["title"] or "", record["text"] or ""
    return title, text, read(title, text, "en")


def fit(figures: Floats, labels: Floats) -> Regression:
    """Return a logistic regression with a ridge, by Newton's method; numbers of four digits."""
    mean, spread = figures.mean(axis=0), figures.std(axis=0)
    rows = np.column_stack([np.ones(len(figures)), (figures - mean) / spread])
    ridge = np.diag([0.0] + [RIDGE] * figures.shape[1])
    weights = np.zeros(rows.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (labels - chance) - ridge @ weights
        weights += np.linalg.solve(rows.T * (chance * (1 - chance)) @ rows + ridge, slope)
    own = weights[1:] / spread
    bias = float(weights[0] - own @ mean)
    return Regression(round(bias, 4), tuple(round(float(one), 4) for one in own))


def learned(months: Labelled, blogs: Labelled) -> StyleModel:
    """Return the model of these articles; its limits mark MARKED of the reports, lose LOST of the others."""
    is_report = months.kinds == "report"
    no_report = fit(months.figures, (~is_report).astype(float))
    others = months.figures[~is_report]
    opinion = fit(others, (months.kinds[~is_report] == "opinion").astype(float))
    limit = np.quantile(logits(no_report, months.figures[is_report]), 1 - MARKED)
    of_news = np.repeat([1.0, 0.0], [len(others), len(blogs.figures)])
    news = fit(np.vstack([others, blogs.figures]), of_news)
    least = np.quantile(logits(news, others), LOST)
    return StyleModel(months.names, round(float(limit), 4), no_report, round(float(least), 4), news, opinion)


def logits(regression: Regression, figures: Floats) -> Floats:
    """Return the log odds of each row."""
    found: Floats = figures @ np.array(regression.weights) + regression.bias
    return found


def check() -> None:
    """Print what models without a month find in it, at several shares of its reports marked."""
    months, blogs = read_months(), read_blogs()
    is_report = months.kinds == "report"
    feeds = sorted(set(blogs.months))
    blogs_marked = 0
    above, opinion = np.zeros(len(months.kinds)), np.zeros(len(months.kinds))
    parts = sorted(set(months.months))
    for place, month in enumerate(parts):
        own = months.months == month
        left_out = np.isin(blogs.months, feeds[place :: len(parts)])
        model = learned(
            months._replace(figures=months.figures[~own], kinds=months.kinds[~own]),
            blogs._replace(figures=blogs.figures[~left_out]),
        )
        above[own] = _above(model, months.figures[own])
        blogs_marked += int((_above(model, blogs.figures[left_out]) > 0).sum())
        opinion[own] = logits(model.opinion, months.figures[own])
    for share in (0.02, 0.04, 0.05, 0.06, 0.1):
        limit = np.quantile(above[is_report], 1 - share)
        print(f"reports marked {share:.2f}: found {(above[~is_report] > limit).mean():.3f} of the others")
    told = ~is_report & (above > 0)
    right = (opinion[told] > 0) == (months.kinds[told] == "opinion")
    print(
        f"at the limits learned: reports marked {(above[is_report] > 0).mean():.3f}, "
        f"found {(above[~is_report] > 0).mean():.3f}, opinion or analysis right {right.mean():.3f}"
    )
    print(f"posts of blogs marked: {blogs_marked} of {len(blogs.figures)}")
    print(_reading_list())


def _above(model: StyleModel, figures: Floats) -> Floats:
    """Return by how much rows are above the limit of what is no report; -inf for what is no news."""
    is_news = logits(model.news, figures) >= model.news_limit
    return np.where(is_news, logits(model.no_report, figures) - model.limit, -np.inf)


def _reading_list() -> str:
    by_id = {one["id"]: one for one in read_records("events-reading-list.jsonl.gz")}
    rows = [line.split("\t") for line in READING_LIST.read_text("utf-8").splitlines()[2:]]
    found = []
    for kind in KINDS:
        own = [by_id[id_] for id_, label, sure in rows if label == kind and sure == "1" and id_ in by_id]
        marked = sum(kind_by_style(*_read(one))[0] != "report" for one in own)
        found.append(f"{marked} of {len(own)} {kind}")
    return f"reading list, marked by the shipped file: {', '.join(found)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Check or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    if given.write:
        raw = msgspec.json.encode(learned(read_months(), read_blogs()))
        TARGET.write_bytes(msgspec.json.format(raw, indent=1) + b"\n")
    if given.check:
        check()


if __name__ == "__main__":
    main()
