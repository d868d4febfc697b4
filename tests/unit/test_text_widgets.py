"""Boxes beside a name that a page leaves inside a sentence."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import effective_tuning
from aggregator.extract.article import clean_article
from aggregator.extract.html.boxes import without_widgets
from aggregator.model.core import Entry

NOW = dt.datetime(2026, 10, 12, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (
            "President Brandt Ilse Marie BrandtSenators balk at trial Warden goes local MORE said no.",
            "President Brandt said no.",
        ),
        (
            "Speaker Paul Tellier Paul Davis Tellier Retirees should say no to plan MORE (R-Wis.) left.",
            "Speaker Paul Tellier (R-Wis.) left.",
        ),
        (
            "Then Ted Orlow Rafael (Ted) Edward OrlowOrlow sends wishes Who is next? MORE's aide spoke.",
            "Then Ted Orlow's aide spoke.",
        ),
    ],
)
def test_a_box_beside_a_name_goes(line: str, kept: str) -> None:
    assert without_widgets(line) == kept


@pytest.mark.parametrize(
    "line",
    [
        "They want MORE than that, Ilse Brandt said.",
        "Ilse Brandt met Maud Brandt, and both asked for more.",
        "Brandt and his brother Karl Brandt wrote a book. It is called Once and for All.",
        "",
    ],
)
def test_sentences_stay(line: str) -> None:
    assert without_widgets(line) == line


@given(st.text(alphabet="AaBb MORE()'.\n", max_size=400))
def test_nothing_is_invented(line: str) -> None:
    assert len(without_widgets(line)) <= len(line)
    assert without_widgets(line).count("\n") == line.count("\n")


def test_an_article_is_read_without_them() -> None:
    text = (
        "The council met on Monday and voted to keep the levee as it is for another year.\n"
        "Mayor Brandt Ilse Marie BrandtFour things to know Council fights MORE called it a shame "
        "and announced that the water authority will look at the plans again before the winter comes."
    )
    entry = Entry(source="herald.example", title="Council keeps the levee as it is", text=text)
    found = clean_article(entry, None, None, None, NOW, effective_tuning())
    assert "MORE" not in found.text
    assert "Mayor Brandt called it a shame" in found.text
