"""Saved articles of many languages: what stays, what goes, and what is told of them (tests/data/plain)."""

import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.extract.language.dates import is_labelled_date
from aggregator.extract.language.unicode import clean
from aggregator.extract.phrases import label_of, words
from aggregator.extract.plain.boilerplate import without_bullet
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import SavedText
from tests.support.extracting import TUNING
from tests.support.tables import mapping

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("AGGREGATOR_DATA", ROOT.parent / "shared" / "data"))
SEEN = datetime.fromisoformat("2026-11-20T00:00Z")
SAMPLES = ROOT / "tests" / "data" / "plain"
SETS = ("dev", "check", "fresh")


def read(text: str) -> SavedText:
    return read_saved_text(clean(text), TUNING, seen=SEEN)


class Sample(NamedTuple):
    """A text with the marks of its lines, what is known of it (README.md beside it), and how it is read."""

    known: dict[str, str | None]
    marked: list[tuple[str, str]]
    saved: SavedText

    def lines(self, marks: str) -> list[str]:
        found = [" ".join(line.split()) for mark, line in self.marked if mark in marks]
        return [line for line in found if line]

    def furniture_left(self) -> list[str]:
        """Return the lines of furniture that are still in the text."""
        kept, true = joined(self.saved.paragraphs), joined(self.lines("+~"))
        paragraphs = Counter(self.saved.paragraphs)
        wanted = Counter(map(without_bullet, self.lines("+~")))
        left = []
        for line in self.lines("-="):
            bare = without_bullet(line)
            if paragraphs[bare] > wanted[bare] or (line in kept and bare not in true):
                left.append(line)
        return left

    def is_day_right(self) -> bool:
        found, stated = self.saved.published, self.known["published"]
        if found is None or stated is None:
            return found is stated
        wanted = datetime.fromisoformat(stated)
        return found.time.astimezone(wanted.tzinfo or UTC).date() == wanted.date()


def joined(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())


def samples(folder: Path) -> list[Sample]:
    read_samples = []
    for path in sorted(folder.glob("*.txt")):
        head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
        known: dict[str, str | None] = {}
        for label in head.split("\n"):
            name, _, value = label.partition(": ")
            known[name] = None if value == "null" else value
        marked = [(line[:1], line[2:]) for line in body.rstrip("\n").split("\n")]
        saved = read("\n".join(line for _, line in marked))
        read_samples.append(Sample(known, marked, saved))
    return read_samples


READ = {name: samples(SAMPLES / name) for name in SETS}


@pytest.mark.parametrize("name", SETS)
def test_boilerplate_goes_and_true_lines_stay(name: str) -> None:
    left = sum(len(sample.furniture_left()) for sample in READ[name])
    assert left <= 0.05 * sum(len(sample.lines("-=")) for sample in READ[name])
    lost = true = 0
    for sample in READ[name]:
        kept = joined(sample.saved.paragraphs)
        places = [kept.find(without_bullet(line)) for line in sample.lines("+")]
        true += len(places)
        lost += places.count(-1)
        found = [place for place in places if place >= 0]
        assert found == sorted(found) or len(set(found)) < len(found)
    assert lost <= 0.005 * true


@pytest.mark.parametrize("name", SETS)
def test_what_is_known_of_them(name: str) -> None:
    title = day = outlet = 0
    for sample in READ[name]:
        known, saved = sample.known, sample.saved
        assert known["published"] or saved.published is None, "no date is invented"
        assert saved.outlet in (known["outlet"], None)
        title += known["title"] in (None, saved.title)
        outlet += known["outlet"] == saved.outlet
        day += sample.is_day_right()
    # Dates of numbers alone whose order is not known, and mastheads of unknown outlets, are not read.
    texts = len(READ[name])
    assert day >= 0.97 * texts
    assert title >= (0.9 if name == "fresh" else 0.97) * texts
    assert outlet >= (0.75 if name == "fresh" else 0.94) * texts


# Lines of each sample article that are none of its text, counted without blank lines from 0; the texts are
# their publishers' and not held here.
SEEDS = mapping("saved", "seeds")


@pytest.mark.skipif(
    not (DATA / "seeds").is_dir(),
    reason="the sample texts are not here (AGGREGATOR_DATA)",
)
@pytest.mark.parametrize("name", SEEDS)
def test_the_four_seeds_line_by_line(name: str) -> None:
    count, out, title, outlet, published, author = SEEDS[name]
    raw = clean((DATA / "seeds" / name).read_text(encoding="utf-8"))
    lines = [" ".join(line.split()) for line in raw.split("\n") if line.strip()]
    saved = read(raw)
    assert len(lines) == count
    assert list(saved.paragraphs) == [
        line for number, line in enumerate(lines) if number not in out
    ]
    assert saved.title.startswith(title)
    assert (saved.outlet, saved.author) == (outlet, author)
    reported = saved.published.time.isoformat() if saved.published else None
    assert reported == (f"{published}:00+00:00" if published else None)


def test_a_labelled_date_says_what_it_is() -> None:
    assert is_labelled_date("Última actualización: 8 de diciembre de 2024")
    assert not is_labelled_date("8 December 2024")


def test_words_and_labels() -> None:
    assert words("Źródło: PAP") == ("zrodlo", "pap")
    assert words("無断転載") == ("無", "断", "転", "載")
    assert label_of("VIDEO: Así fue") == (("video",), "Así fue")
    assert label_of("no mark here") == ((), "")


HEAD = "Ferry crew walk out over night shifts at Port Merrow\n"
BODY = (
    "About ninety crew members of the ferries left their ships on Friday in a dispute over night shifts.\n"
    "The union said they had been asked to work eleven nights in a row."
)


@pytest.mark.later
@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [line for sample in READ["check"] for _, line in sample.marked]
        ),
        max_size=30,
    )
)
def test_nothing_is_made_up(lines: list[str]) -> None:
    saved = read("\n".join(lines))
    whole = " ".join(" ".join(lines).split())
    assert all(paragraph in whole for paragraph in saved.paragraphs)


def test_a_name_that_the_page_repeats_is_no_headline() -> None:
    saved = read(
        f"Nights at the ferries\nTern Plover\n{HEAD}\n{BODY}\nSource: Tern Plover"
    )
    assert saved.title != "Tern Plover"
