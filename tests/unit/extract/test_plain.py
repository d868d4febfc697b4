"""Saved texts: headline, byline, date and outlet are found, furniture goes, every sentence stays."""

from datetime import datetime

import pytest

from aggregator.extract.language.unicode import clean
from aggregator.extract.plain.boilerplate import breadcrumb_pieces, is_boilerplate
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import SavedText, read_titled_text
from tests.support.extracting import TUNING
from tests.support.tables import each_row, mapping, named_parts

BODY = (
    "The old harbour bridge was closed on Monday after inspectors found cracks in it, the port said.\n"
    "Traffic is led over the northern road until the repairs are done. Nobody was hurt."
)


def read(text: str) -> SavedText:
    return read_saved_text(clean(text), TUNING)


SAVED, TITLED = mapping("saved_texts", "saved"), mapping("saved_texts", "titled")


@pytest.mark.parametrize("name", SAVED)
def test_what_is_read_of_a_saved_text(name: str) -> None:
    row = SAVED[name]
    assert named_parts(read(row["text"]), row["gives"]) == row["gives"]


@pytest.mark.parametrize("name", TITLED)
def test_what_is_read_of_a_text_with_a_known_headline(name: str) -> None:
    row = TITLED[name]
    is_dated = row.get("declared", True)
    seen = datetime.fromisoformat("2025-03-10T00:00Z")
    text = read_titled_text(row["text"], row["title"], is_dated=is_dated, seen=seen)
    assert named_parts(text, row["gives"]) == row["gives"]


@each_row("plain", "headlines", "head", "title", "outlet")
def test_headlines(head: str, title: str, outlet: str | None) -> None:
    saved = read(f"{head}\n\n{BODY}")
    assert (saved.title, saved.outlet) == (title, outlet)
    assert "\n".join(saved.paragraphs) == BODY


@each_row("plain", "boilerplate lines", "line")
def test_boilerplate_lines(line: str) -> None:
    assert is_boilerplate(line) or breadcrumb_pieces(line)


@each_row("plain", "sentences and headings are no boilerplate", "line")
def test_sentences_and_headings_are_no_boilerplate(line: str) -> None:
    assert not is_boilerplate(line)
