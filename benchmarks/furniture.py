"""Saved articles: furniture lines left, true lines lost, title, time, outlet and author; by language.

    python benchmarks/furniture.py [--set dev|check|fresh] [--show]     # labelled texts of tests/data/plain
    python benchmarks/furniture.py --removed [--data ../shared/data] [--show]

`--removed` reads the full articles of the labelled events, which are mostly clean, and counts the words that
the rules take away; with `--show` the lines are printed, most frequent first, to be looked at by a person.
"""

import argparse
import datetime as dt
import gzip
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.extract.language.unicode import clean
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.plain.boilerplate import without_bullet
from aggregator.extract.plain.saved_text import SavedText, SavedTextContext, read_saved_text
from aggregator.extract.plain.titled_text import read_titled_text
from aggregator.text.lines import count_words

SETS = ("dev", "check", "fresh")
SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "data" / "plain"
# The moment at which the texts are read; all of them are older.
SEEN = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
_TUNING = Tuning().section("text", ExtractTuning)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled text; `marked` are its lines with their marks, as tests/data/plain/README.md tells them."""

    name: str
    language: str
    title: str | None
    published: str | None
    outlet: str | None
    author: str | None
    marked: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.marked)

    def lines(self, *marks: str) -> list[str]:
        return [" ".join(line.split()) for mark, line in self.marked if mark in marks]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How one sample was read. `left`: furniture lines still in the text; `lost`: true lines that are not."""

    sample: Sample
    left: tuple[str, ...]
    lost: tuple[str, ...]
    in_order: bool
    read: SavedText

    @property
    def title(self) -> bool:
        return self.sample.title is None or self.sample.title == self.read.title

    @property
    def day(self) -> bool:
        found, wanted = self.read.published, _moment(self.sample.published)
        if found is None or wanted is None:
            return (found is None) == (wanted is None)
        return found.time.astimezone(wanted.tzinfo).date() == wanted.date()

    @property
    def moment(self) -> bool:
        found, wanted = self.read.published, _moment(self.sample.published)
        if found is None or wanted is None:
            return (found is None) == (wanted is None)
        is_day = len(self.sample.published or "") == len("2024-12-08")
        return found.time == wanted and found.precision == ("day" if is_day else "minute")

    @property
    def invented(self) -> bool:
        return self.sample.published is None and self.read.published is not None

    @property
    def outlet(self) -> bool:
        return self.sample.outlet == self.read.outlet

    @property
    def author(self) -> bool:
        return self.sample.author == (self.read.author or None)


def load(folder: Path) -> list[Sample]:
    """The samples of `folder` by name."""
    return [_sample(path) for path in sorted(folder.glob("*.txt"))]


def score(sample: Sample) -> Score:
    saved = read_saved_text(clean(sample.text), SavedTextContext(tuning=_TUNING, seen=SEEN))
    kept = " ".join(" ".join(saved.paragraphs).split())
    true = " ".join(sample.lines("+", "~"))
    paragraphs = Counter(saved.paragraphs)
    wanted = Counter(map(without_bullet, sample.lines("+", "~")))
    left = [
        line
        for line in sample.lines("-", "=")
        if line
        and (
            paragraphs[without_bullet(line)] > wanted[without_bullet(line)]
            or (line in kept and without_bullet(line) not in true)
        )
    ]
    lost = [line for line in sample.lines("+") if line and without_bullet(line) not in kept]
    places = [kept.find(without_bullet(line)) for line in sample.lines("+") if line not in lost]
    return Score(
        sample=sample,
        left=tuple(left),
        lost=tuple(lost),
        in_order=places == sorted(places) or len(set(places)) < len(places),
        read=saved,
    )


def figures(scores: Sequence[Score]) -> dict[str, float]:
    """Shares of lines and of texts, 0 to 1; `invented` is of the texts without a time."""
    furniture = sum(1 for s in scores for line in s.sample.lines("-", "=") if line)
    true = sum(1 for s in scores for line in s.sample.lines("+") if line)
    undated = [s for s in scores if s.sample.published is None]
    return {
        "texts": float(len(scores)),
        "furniture_lines": float(furniture),
        "true_lines": float(true),
        "left": sum(len(s.left) for s in scores) / max(furniture, 1),
        "lost": sum(len(s.lost) for s in scores) / max(true, 1),
        **{
            what: sum(bool(getattr(s, what)) for s in scores) / max(len(scores), 1)
            for what in ("title", "day", "moment", "outlet", "author")
        },
        "invented": sum(s.invented for s in undated) / max(len(undated), 1),
    }


def _sample(path: Path) -> Sample:
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    labels = dict(line.split(": ", 1) for line in head.split("\n"))
    marked = tuple((line[:1], line[2:]) for line in body.rstrip("\n").split("\n"))
    reported = {name: None if value == "null" else value for name, value in labels.items()}
    return Sample(
        name=path.stem,
        language=labels["lang"],
        title=reported["title"],
        published=reported["published"],
        outlet=reported["outlet"],
        author=reported["author"],
        marked=marked,
    )


def _moment(stated: str | None) -> dt.datetime | None:
    if stated is None:
        return None
    moment = dt.datetime.fromisoformat(stated)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


# --- ordinary articles -------------------------------------------------------------------------------------


def records(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def removed(articles: Iterable[dict[str, str]]) -> tuple[int, Counter[str]]:
    """(words in all texts, lines that are gone with how often) under the short reading of records."""
    words, gone = 0, Counter[str]()
    for article in articles:
        text = clean(article["text"] or "")
        saved = read_titled_text(text, article["title"] or "")
        words += count_words(text)
        gone.update((Counter(map(without_bullet, saved.lines)) - Counter(saved.paragraphs)).elements())
    return words, gone


def _print_removed(data: Path, *, show: bool) -> None:
    for name in ("events-fulltext", "events-leads", "events-lookalikes"):
        words, gone = removed(records(data / f"{name}.jsonl.gz"))
        lost = sum(count_words(line) * times for line, times in gone.items())
        print(f"{name}: {words} words, {lost} removed ({lost / words:.5f}) in {sum(gone.values())} lines")
        for line, times in gone.most_common() if show else ():
            print(f"  {times:4d} {line[:200]}")


def _print_scores(scores: Sequence[Score], *, show: bool) -> None:
    by_language: dict[str, list[Score]] = defaultdict(list)
    for one in scores:
        by_language[one.sample.language].append(one)
    for language, some in [*sorted(by_language.items()), ("all", list(scores))]:
        reported = figures(some)
        counts = f"{reported['texts']:3.0f} texts "
        counts += f"{reported['furniture_lines']:4.0f} + {reported['true_lines']:3.0f} lines"
        shares = "  ".join(f"{what} {share:.3f}" for what, share in list(reported.items())[3:])
        print(f"{language:4s}{counts}  {shares}")
    for one in scores if show else ():
        told_wrong = [w for w in ("title", "moment", "outlet", "author") if not getattr(one, w)]
        if one.left or one.lost or told_wrong or not one.in_order:
            print(f"{one.sample.name}{'' if one.in_order else ' (out of order)'}")
            _print_mistakes(one, told_wrong)


def _print_mistakes(one: Score, told_wrong: Iterable[str]) -> None:
    for line in one.left:
        print(f"  left  {line}")
    for line in one.lost:
        print(f"  lost  {line}")
    for what in told_wrong:
        name = "published" if what == "moment" else what
        print(f"  {name}: {getattr(one.read, name)!r}, not {getattr(one.sample, name)!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("AGGREGATOR_DATA", str(SAMPLES.parents[3] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--set", choices=SETS, action="append")
    parser.add_argument("--removed", action="store_true", help="what goes from ordinary articles")
    parser.add_argument("--show", action="store_true", help="print every mistake, or every line removed")
    asked = parser.parse_args()
    if asked.removed:
        _print_removed(asked.data, show=asked.show)
        return
    for name in asked.set or SETS:
        print(f"== {name}")
        _print_scores([score(sample) for sample in load(SAMPLES / name)], show=asked.show)


if __name__ == "__main__":
    main()
