"""How much of an article's text is found on a page: precision and recall of word 4-shingles.

    python benchmarks/extraction.py [--data ../shared/data] [--set pages|pages-world] [--half 0|1] [--worst 10]

The metric is that of the article extraction benchmark that the README of the data names: the shingles found, missed
and wrongly given on each page give its precision and recall, which are averaged over the pages, and F1 is computed
from these means. For `pages-world`, titles, days of publication and authors are measured, too:

- title: the share of titles with the same folded words (`lines.fold_line`) as the true title, and the share where one
  title contains the words of the other in a row, if the title found has at least half as many words, so that a topic
  alone does not count;
- day: the share of pages with the true day, in the time zone of the truth;
- authors: the share of pages where every true author was found.

`--half 0|1` takes only the pages whose name has an even or odd hash, so that constants can be chosen on one half and
checked on the other.
"""

import argparse
import gzip
import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from aggregator.text.lines import fold_line

SHINGLE_WORDS = 4
_WORD = re.compile(r"\w+")
# The time at which pages were fetched is not known, so this is later than all their dates.
_SEEN = datetime(2030, 1, 1, tzinfo=UTC)


def shingles(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    if not words:
        return Counter()
    return Counter(
        tuple(words[n : n + SHINGLE_WORDS])
        for n in range(max(1, len(words) - SHINGLE_WORDS + 1))
    )


def precision_recall(truth: str, found: str) -> tuple[float, float]:
    """Return the precision and recall of one page, from 0 to 1; 1 if there is no text and none was found."""
    wanted, given = shingles(truth), shingles(found)
    hit = sum((wanted & given).values())
    wrong, missed = sum((given - wanted).values()), sum((wanted - given).values())
    precision = (
        1.0 if wrong == missed == 0 else hit / (hit + wrong) if hit + wrong else 0.0
    )
    recall = (
        1.0 if wrong == missed == 0 else hit / (hit + missed) if hit + missed else 0.0
    )
    return precision, recall


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def is_title(found: str, truth: str) -> bool:
    """Return whether one title contains the words of the other in a row, and `found` has at least half as many."""
    ours, theirs = fold_line(found).split(), fold_line(truth).split()
    if not ours or not theirs or 2 * len(ours) < len(theirs):
        return False
    return (
        f" {' '.join(ours)} " in f" {' '.join(theirs)} "
        or f" {' '.join(theirs)} " in f" {' '.join(ours)} "
    )


def has_authors(found: str | None, truth: Sequence[str]) -> bool:
    """Return whether all true authors are in the author found."""
    ours = f" {fold_line(found or '')} "
    return all(f" {fold_line(name)} " in ours for name in truth)


Extract = Callable[[bytes, str | None], CleanArticle]


def through_the_room(page: bytes, url: str | None) -> CleanArticle:
    return clean_entry(
        Entry(source="benchmark"), page=page, page_url=url, seen=_SEEN, tuning=Tuning()
    ).article


Row = tuple[str, float, float, CleanArticle, dict[str, Any]]


def half_of(name: str) -> int:
    """Return 0 or 1 by a hash of a page's name, which is the same on every machine."""
    return hashlib.sha256(name.encode()).digest()[-1] % 2


def evaluate(
    folder: Path, extract: Extract = through_the_room, half: int | None = None
) -> list[Row]:
    """Return (page, precision, recall, article, truth) of every page in the ground truth, or in one half of it."""
    truths: dict[str, dict[str, Any]] = json.loads(
        (folder / "ground-truth.json").read_text(encoding="utf-8")
    )
    rows = []
    for name, truth in sorted(truths.items()):
        if half is not None and half_of(name) != half:
            continue
        page = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
        article = extract(page, truth.get("url"))
        precision, recall = precision_recall(truth["articleBody"], article.text)
        rows.append((name, precision, recall, article, truth))
    return rows


def summary(rows: list[Row]) -> dict[str, float]:
    precision = sum(row[1] for row in rows) / len(rows)
    recall = sum(row[2] for row in rows) / len(rows)
    figures = {
        "pages": float(len(rows)),
        "precision": precision,
        "recall": recall,
        "f1": f1(precision, recall),
    }
    titled = [(row[3].title, row[4]["title"]) for row in rows if row[4].get("title")]
    if titled:
        figures["title_exact"] = sum(
            fold_line(a) == fold_line(b) for a, b in titled
        ) / len(titled)
        figures["title_contained"] = sum(is_title(a, b) for a, b in titled) / len(
            titled
        )
    dated = [
        (row[3].published, row[4]["published"])
        for row in rows
        if row[4].get("published")
    ]
    if dated:
        figures["day"] = sum(
            a is not None and _same_day(a.time, b) for a, b in dated
        ) / len(dated)
        figures["day_given"] = sum(a is not None for a, _ in dated) / len(dated)
    signed = [
        (row[3].author, row[4]["authors"]) for row in rows if row[4].get("authors")
    ]
    if signed:
        figures["authors"] = sum(has_authors(a, b) for a, b in signed) / len(signed)
    return figures


def _same_day(found: datetime, truth: str) -> bool:
    wanted = datetime.fromisoformat(truth)
    return found.astimezone(wanted.tzinfo or UTC).date() == wanted.date()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get(
        "AGGREGATOR_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data")
    )
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--set", choices=("pages", "pages-world"), action="append")
    parser.add_argument(
        "--half", type=int, choices=(0, 1), help="only the pages of this half"
    )
    parser.add_argument(
        "--worst", type=int, default=0, help="print this many of the worst pages"
    )
    asked = parser.parse_args()
    for name in asked.set or ("pages", "pages-world"):
        started = time.perf_counter()
        rows = evaluate(asked.data / name, half=asked.half)
        seconds = time.perf_counter() - started
        figures = "  ".join(
            f"{key} {value:.4g}" for key, value in summary(rows).items()
        )
        verdicts = Counter(row[3].verdict for row in rows)
        print(f"{name}: {figures}  {len(rows) / seconds:.1f} pages/s  {dict(verdicts)}")
        for page, precision, recall, article, truth in sorted(
            rows, key=lambda r: f1(r[1], r[2])
        )[: asked.worst]:
            print(
                f"  {page[:16]} P {precision:.3f} R {recall:.3f} {article.verdict} {truth['url'][:80]}"
            )


if __name__ == "__main__":
    main()
