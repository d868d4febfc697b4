"""How saved articles are read: lines of boilerplate left, true lines lost, title, time, outlet and author."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.language.unicode import clean
from aggregator.extract.plain.boilerplate import without_bullet
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import SavedText

SETS = ("dev", "check", "fresh")
SAMPLES = Path(__file__).resolve().parents[1] / "data" / "plain"
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
        return found.time == wanted and found.precision == (
            "day" if is_day else "minute"
        )

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
    saved = read_saved_text(clean(sample.text), _TUNING, seen=SEEN)
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
    lost = [
        line for line in sample.lines("+") if line and without_bullet(line) not in kept
    ]
    places = [
        kept.find(without_bullet(line))
        for line in sample.lines("+")
        if line not in lost
    ]
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
    reported = {
        name: None if value == "null" else value for name, value in labels.items()
    }
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
