"""Learns aggregator/extract/style.json, which distinguishes analysis and opinion from reports in English texts.

    python -m training.fit_kind --check    print what is found in months and outlets left out, and in other feeds
    python -m training.fit_kind --write    write the file of the program

The model learns from `kind` of events-months. It learns what is not news from the feeds of events-reading-list that
are not news outlets. The feeds in training/labels/reading-list-kinds.tsv are news outlets, and are never learned from.
"""

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.extract.kind import find_kind
from aggregator.extract.language.style import (
    Regression,
    StyleModel,
    kind_by_style,
    style_figures,
)
from aggregator.text.reading import Reading, read
from training.pairs import Record, read_records

TARGET: Final = (
    Path(__file__).resolve().parents[1] / "aggregator" / "extract" / "style.json"
)
READING_LIST: Final = Path(__file__).parent / "labels" / "reading-list-kinds.tsv"
KINDS: Final = ("report", "analysis", "opinion")
# The ridge on standardised figures; values from 10 to 200 order the articles left out nearly alike
RIDGE: Final = 60.0
# The share of reports that the limit marks wrongly. It was chosen so that no month has many, because the months differ
# by their news and by who labelled them. With months and outlets left out, .027 marks .042 of the reports of the
# MOST_MARKED months, .030 marks .047, and .035 marks .064; they find .66, .68 and .69 of the other articles there.
MARKED: Final = 0.027
LOST: Final = 0.06  # the share of analyses and opinions that do not count as news
# The share of analyses and opinions that count as posts. With months and outlets left out, .005 of the reports, .027 of
# the others, and 1,333 of 1,600 posts of blogs are called posts (.06 would call more columns of newspapers posts).
POSTS: Final = 0.02
OUTLET_GROUPS: Final = 4
MOST_MARKED: Final = (
    "2016-10",
    "2018-08",
    "2019-12",
)  # months; with 17 figures and MARKED at .045, .10 of their reports were marked
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Labelled(NamedTuple):
    """Articles with figures, one row each."""

    names: tuple[str, ...]  # the names of the figures
    figures: Floats
    kinds: npt.NDArray[np.str_]
    months: npt.NDArray[np.str_]
    outlets: npt.NDArray[np.int64]  # groups of outlets
    is_stated: Bools  # whether the title or the address states a kind

    def only(self, rows: Bools) -> "Labelled":
        """Return these rows."""
        return Labelled(
            self.names,
            self.figures[rows],
            self.kinds[rows],
            self.months[rows],
            self.outlets[rows],
            self.is_stated[rows],
        )


def read_blogs() -> Labelled:
    """Return the English entries of the reading list whose feed is not a news outlet, without kinds."""
    news_feeds = {
        line.partition("-")[0] for line in READING_LIST.read_text("utf-8").splitlines()
    }
    records = read_records("events-reading-list.jsonl.gz")
    english = [record for record in records if record["lang"] in (None, "en")]
    return _labelled(
        [record for record in english if record["id"][:8] not in news_feeds]
    )


def read_months() -> Labelled:
    """Return the articles of events-months that are a report, an analysis or an opinion."""
    return _labelled(
        [
            record
            for record in read_records("events-months.jsonl.gz")
            if record["kind"] in KINDS
        ]
    )


def _labelled(records: Sequence[Record]) -> Labelled:
    names: tuple[str, ...] = ()
    figures, kinds, months, outlets, is_stated = [], [], [], [], []
    for record in records:
        by_name = style_figures(*_read(record))
        if not by_name:
            continue
        names = tuple(by_name)
        figures.append(list(by_name.values()))
        kinds.append(record.get("kind", ""))
        months.append((record["published"] or "")[:7])
        outlets.append(_outlet_group(record))
        is_stated.append(
            find_kind(record["title"] or "", urls=(record["url"],)).kind != "report"
        )
    return Labelled(
        names,
        np.array(figures),
        np.array(kinds),
        np.array(months),
        np.array(outlets),
        np.array(is_stated),
    )


def _outlet_group(record: Record) -> int:
    """Return the group of an article's domain, or of its source if it has no address."""
    host = urlsplit(record["url"] or "").hostname or record["source"] or ""
    domain = ".".join(host.split(".")[-2:])
    return zlib.crc32(domain.encode()) % OUTLET_GROUPS


def _read(record: Record) -> tuple[str, str, Reading]:
    title, text = record["title"] or "", record["text"] or ""
    return title, text, read(title, text, "en")


def fit(figures: Floats, labels: Floats) -> Regression:
    """Return a logistic regression with a ridge, by Newton's method, rounded to four decimal places."""
    mean, spread = figures.mean(axis=0), figures.std(axis=0)
    rows = np.column_stack([np.ones(len(figures)), (figures - mean) / spread])
    ridge = np.diag([0.0] + [RIDGE] * figures.shape[1])
    coefficients = np.zeros(rows.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-rows @ coefficients))
        slope = rows.T @ (labels - chance) - ridge @ coefficients
        coefficients += np.linalg.solve(
            rows.T * (chance * (1 - chance)) @ rows + ridge, slope
        )
    weights = coefficients[1:] / spread
    bias = float(coefficients[0] - weights @ mean)
    return Regression(
        round(bias, 4), tuple(round(float(weight), 4) for weight in weights)
    )


def learned(articles: Labelled, blogs: Labelled) -> StyleModel:
    """Return the model of these articles, with the limits that follow from MARKED, LOST and POSTS."""
    is_report = articles.kinds == "report"
    no_report = fit(articles.figures, (~is_report).astype(float))
    others = articles.only(~is_report)
    opinion = fit(others.figures, (others.kinds == "opinion").astype(float))
    limit = np.quantile(logits(no_report, articles.figures[is_report]), 1 - MARKED)
    of_news = np.repeat([1.0, 0.0], [len(others.figures), len(blogs.figures)])
    news = fit(np.vstack([others.figures, blogs.figures]), of_news)
    news_limit, post_limit = np.quantile(logits(news, others.figures), (LOST, POSTS))
    return StyleModel(
        figures=articles.names,
        limit=round(float(limit), 4),
        no_report=no_report,
        news_limit=round(float(news_limit), 4),
        post_limit=round(float(post_limit), 4),
        news=news,
        opinion=opinion,
    )


def logits(regression: Regression, figures: Floats) -> Floats:
    """Return the log odds of each row."""
    log_odds: Floats = figures @ np.array(regression.weights) + regression.bias
    return log_odds


def is_marked(model: StyleModel, figures: Floats) -> Bools:
    """Return for each row whether it counts as news that is not a report."""
    is_news = logits(model.news, figures) >= model.news_limit
    return is_news & (logits(model.no_report, figures) > model.limit)


def check() -> None:
    """Print what is found by models that have seen neither the month nor the outlet of an article."""
    articles, blogs = read_months(), read_blogs()
    months = sorted(set(articles.months))
    by_style = np.zeros(len(articles.kinds), bool)
    is_opinion = np.zeros(len(articles.kinds), bool)
    blogs_marked, blogs_found = 0, 0
    is_post = np.zeros(len(articles.kinds), bool)
    for month in months:
        for group in range(OUTLET_GROUPS):
            is_tested = (articles.months == month) & (articles.outlets == group)
            is_seen = (articles.months != month) & (articles.outlets != group)
            is_blog_seen = blogs.outlets != group
            model = learned(articles.only(is_seen), blogs.only(is_blog_seen))
            tested = articles.figures[is_tested]
            by_style[is_tested] = is_marked(model, tested)
            is_opinion[is_tested] = logits(model.opinion, tested) > 0
            unseen = blogs.figures[~is_blog_seen]
            blogs_marked += int(is_marked(model, unseen).sum())
            blogs_found += int((logits(model.news, unseen) < model.post_limit).sum())
            is_post[is_tested] = logits(model.news, tested) < model.post_limit
    everywhere = np.full(len(articles.kinds), True)
    print(
        "                        reports marked, others found; with what title and address tell"
    )
    _print_shares("all", everywhere, articles, by_style)
    _print_shares(
        "most marked months", np.isin(articles.months, MOST_MARKED), articles, by_style
    )
    for month in months:
        _print_shares(month, articles.months == month, articles, by_style)
    for group in range(OUTLET_GROUPS):
        _print_shares(
            f"outlets, group {group}", articles.outlets == group, articles, by_style
        )
    is_found = by_style & (articles.kinds != "report")
    is_right = is_opinion == (articles.kinds == "opinion")
    print(f"opinion or analysis right {is_right[is_found].mean():.3f}")
    print(
        f"posts of blogs marked: {blogs_marked / len(months):.0f} of {len(blogs.figures)}, "
        f"called posts: {blogs_found / len(months):.0f}"
    )
    is_report = articles.kinds == "report"
    print(
        f"called posts: {is_post[is_report].mean():.4f} of the reports, {is_post[~is_report].mean():.4f} of the others"
    )
    print(_reading_list())


def _print_shares(name: str, rows: Bools, articles: Labelled, by_style: Bools) -> None:
    reports = rows & (articles.kinds == "report")
    others = rows & (articles.kinds != "report")
    marked = by_style | articles.is_stated
    print(
        f"{name:20}  style  {by_style[reports].mean():.3f} {by_style[others].mean():.3f}"
        f"  all  {marked[reports].mean():.3f} {marked[others].mean():.3f}"
    )


def _reading_list() -> str:
    by_id = {
        record["id"]: record for record in read_records("events-reading-list.jsonl.gz")
    }
    rows = [
        line.split("\t") for line in READING_LIST.read_text("utf-8").splitlines()[2:]
    ]
    counts = []
    for kind in KINDS:
        records = [
            by_id[id_]
            for id_, label, sure in rows
            if label == kind and sure == "1" and id_ in by_id
        ]
        marked = sum(kind_by_style(*_read(record))[0] != "report" for record in records)
        counts.append(f"{marked} of {len(records)} {kind}")
    return f"reading list, marked by the shipped file: {', '.join(counts)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `--check` or `--write`."""
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
