"""Saved articles of many languages: what stays, what goes, and what is told of them (tests/data/plain)."""

import datetime as dt
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.language.dates import is_labelled_date
from aggregator.extract.language.unicode import clean
from aggregator.extract.phrases import label_of, words
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import SavedText
from tests.support.saved_scores import SAMPLES, figures, load, score
from tests.support.tables import mapping

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("AGGREGATOR_DATA", ROOT.parent / "shared" / "data"))
TUNING = Tuning().section("text", ExtractTuning)
SEEN = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
SETS = ("dev", "check", "fresh")


SCORES = {name: [score(sample) for sample in load(SAMPLES / name)] for name in SETS}


def read(text: str) -> SavedText:
    return read_saved_text(clean(text), TUNING, seen=SEEN)


@pytest.mark.parametrize("name", SETS)
def test_boilerplate_goes_and_true_lines_stay(name: str) -> None:
    reported = figures(SCORES[name])
    assert reported["left"] <= 0.05
    assert reported["lost"] <= 0.005
    assert all(score.in_order for score in SCORES[name])


@pytest.mark.parametrize("name", SETS)
def test_what_is_known_of_them(name: str) -> None:
    reported = figures(SCORES[name])
    assert reported["invented"] == 0
    # Dates of numbers alone whose order is not known, and mastheads of unknown outlets, are not read.
    assert reported["day"] >= 0.97
    assert reported["title"] >= (0.9 if name == "fresh" else 0.97)
    assert reported["outlet"] >= (0.75 if name == "fresh" else 0.94)
    assert all(
        score.read.outlet in (score.sample.outlet, None) for score in SCORES[name]
    )


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


def test_a_list_and_verses_at_the_end_stay() -> None:
    table = "Results:\nThornwick Rovers 2-1 Port Sennick\nMarenholt 1-3 Orrin"
    assert (
        "\n".join(read(f"{HEAD}\n{BODY}\n{table}\nShare").paragraphs)
        == f"{BODY}\n{table}"
    )
    verses = "The lamp goes round\nThe sea goes out\nI trim the wick\nI share the bread"
    assert (
        "\n".join(read(f"{HEAD}\n{BODY}\n{verses}").paragraphs) == f"{BODY}\n{verses}"
    )


@pytest.mark.later
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([line for s in SCORES["check"] for _, line in s.sample.marked]),
        max_size=30,
    )
)
def test_nothing_is_made_up(lines: list[str]) -> None:
    saved = read("\n".join(lines))
    whole = " ".join(" ".join(lines).split())
    assert all(paragraph in whole for paragraph in saved.paragraphs)


def test_menus_above_the_headline_go() -> None:
    """Short lines of which the text has no word."""
    assert (
        read(f"Good evening, reader\nYour balance\n{HEAD}\n{BODY}").title
        == HEAD.strip()
    )


def test_a_name_that_the_page_repeats_is_no_headline() -> None:
    assert read(f"Tern Plover\n\n{HEAD}\n{BODY}").outlet is None
    saved = read(
        f"Nights at the ferries\nTern Plover\n{HEAD}\n{BODY}\nSource: Tern Plover"
    )
    assert saved.title != "Tern Plover"
