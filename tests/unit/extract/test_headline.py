"""Headlines lose the words of their outlet, and leads begin after captions, credits and datelines."""

from datetime import datetime

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.shown_text import first_sentences
from aggregator.grouping.fingerprint import fingerprinter
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle

SEEN = datetime.fromisoformat("2026-03-01T00:00Z")
OPENING = (
    "The wall of the upper dock fell into the harbour on Sunday, the port office said."
)


def cleaned(title: str, text: str = "", outlet: str = "Fen Courier") -> CleanArticle:
    entry = Entry(
        source="feed",
        title=title,
        text=text,
        outlet=outlet,
        url="https://fencourier.example/1",
    )
    return clean_entry(entry, seen=SEEN, tuning=Tuning()).article


@pytest.mark.parametrize(
    "title",
    [
        "Fen Courier exclusive: Dock wall falls into harbour | Fen Courier News",
        "WATCH LIVE: Dock wall falls into harbour - Fen Courier Live Coverage",
        "EXKLUSIV – Dock wall falls into harbour",
        "[VIDEO] Dock wall falls into harbour • Fen Courier",
        "Fen Courier | Breaking: Dock wall falls into harbour",
    ],
)
def test_a_headline_loses_the_words_of_its_outlet(title: str) -> None:
    article = cleaned(title)
    assert article.title == "Dock wall falls into harbour"
    assert article.kind == "report"


@pytest.mark.parametrize(
    "title",
    [
        "Live: Dock wall falls into harbour",
        "Opinion | Leave the harbour alone",
        "Watch makers strike: no bells on Sunday",
        "Harbour master: the wall was old",
        "Dock wall - the long story - Night Post",
        "Video games: sales fall in spring",
    ],
)
def test_a_headline_keeps_what_is_not_of_its_outlet(title: str) -> None:
    assert cleaned(title).title == title


def test_a_broadcast_is_no_live_blog_and_a_live_blog_is_one() -> None:
    assert not cleaned("Watch live: Dock wall falls into harbour").is_container
    assert cleaned("Live: Dock wall falls into harbour").is_container


@pytest.mark.parametrize(
    "before",
    [
        "FILE PHOTO: Ships lie in the upper dock before the storm of last winter.\n",
        "Workers stand at the upper dock on Monday, March 2, 2026. (AP Photo/Ann Lee)\n",
        "CLOSE\n\nBoys walk at the dock in Halverne, Varna, on Monday. (Photo: Ann Lee, Kite Images)\n\n",
        "HALVERNE (MNA) — ",
        "A vigil was held at the dock on Monday night. (Dec. 31)\nHALVERNE, New Varna (AP) — ",
        "Should it be rebuilt?\nThe wall is gone, and nobody saw it.\nHALVERNE, Varna — ",
        "A wall is gone.\nLIVERPOOL, England (AP) — ",
        "A wall is gone.\nREADING, Pa. — ",
    ],
)
def test_a_lead_begins_after_captions_credits_and_datelines(before: str) -> None:
    article = cleaned("Dock wall falls", f"{before}{OPENING}")
    assert article.lead == OPENING
    assert article.text.endswith(OPENING)


@pytest.mark.parametrize(
    "later",
    [
        "THE BACKGROUND — The wall was built by the town a hundred years ago.",
        "KEY POINTS – The harbour office had warned of the wall in spring.",
        "WHAT WE KNOW - Police closed the road beside the dock on Monday.",
        "NASA — America's space agency — photographed the dock on Monday.",
        "Shares of Apple Inc (AP) rose after the fall of the wall on Monday.",
        "In a message to Al Jazeera (AFP) the office said that nobody died.",
    ],
)
def test_a_lead_keeps_the_paragraphs_above_a_part_of_its_report(later: str) -> None:
    assert cleaned("Dock wall falls", f"{OPENING}\n{later}").lead.startswith(OPENING)


def test_a_caption_is_not_compared_with_reports() -> None:
    caption = "FILE PHOTO: Ships lie in the upper dock before the storm."
    bare = cleaned("Dock wall falls", OPENING)
    captioned = cleaned("Dock wall falls", f"{caption}\n{OPENING}")
    prints = [
        fingerprinter(Tuning().to_json()).fingerprint(article)
        for article in (bare, captioned)
    ]
    assert prints[0].terms == prints[1].terms


def test_a_text_of_a_caption_alone_keeps_it() -> None:
    caption = "FILE PHOTO: Ships lie in the upper dock before the storm."
    assert first_sentences([caption], 80) == caption
