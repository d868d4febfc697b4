"""Which sentences may be shown: the filter on sentences labelled by reading."""

import json
from pathlib import Path

import pytest

from aggregator.stories.story_sentences import (
    front_matter,
    has_odd_marks,
    shows_alone,
    without_dateline,
    without_heading,
)
from tests.support.tables import each_row

LABELLED = Path(__file__).parents[2] / "data" / "front_matter.jsonl"


def test_captions_teasers_and_loose_quotations_are_found_and_right_ones_kept() -> None:
    rows = [
        json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()
    ]
    assert len(rows) >= 300
    assert len({row["outlet"] for row in rows}) >= 40
    hidden = [not shows_alone(without_dateline(row["text"]), "en") for row in rows]
    faulty = [row["fault"] is not None for row in rows]
    assert 0.4 < sum(faulty) / len(rows) < 0.6
    both = sum(one and other for one, other in zip(hidden, faulty, strict=True))
    assert both / sum(hidden) >= 0.95
    assert both / sum(faulty) >= 0.90


CLOSED = "The bridge in Tarnow was closed on Monday."


@each_row("front_matter", "a dateline is cut off", "dateline")
def test_a_dateline_is_cut_off(dateline: str) -> None:
    assert without_dateline(dateline + CLOSED) == CLOSED
    assert without_dateline(
        "CLOSE A bridge of Tarnow was closed on Monday afternoon."
    ).startswith("A bridge")


@pytest.mark.parametrize(
    "sentence",
    [
        "The mayor — a lawyer from Port Ellis — closed the bridge.",
        "HALVERNE (MNA) — Short.",
        "Il sindaco Marco Rossi, 45 anni – eletto nel 2020 – ha lasciato il consiglio di Tarnow.",
    ],
)
def test_what_is_no_dateline_stays(sentence: str) -> None:
    assert without_dateline(sentence) == sentence


def test_a_heading_that_is_run_into_a_sentence_is_cut_off() -> None:
    title, rest = (
        "Bridge in Tarnow is closed",
        "The mayor closed the bridge in Tarnow on Monday.",
    )
    assert without_heading(f"{title} {rest}", title) == rest
    assert without_heading(
        f"{title} after a flood of the river Arrel on Monday.", title
    ).startswith(title)


@each_row(
    "front_matter", "talk to the reader and captions are not shown", "sentence", "why"
)
def test_talk_to_the_reader_and_captions_are_not_shown(
    sentence: str, why: str | None
) -> None:
    assert front_matter(sentence, "en") == why


@pytest.mark.parametrize(
    "sentence",
    [
        "In other words, the mayor of Tarnow has closed the bridge.",
        "It’s the mayor of Tarnow who has to close the bridge.",
        "The bridge of Tarnow needs money from the county, she said on Monday.",
        "The Varna Republican thanked the mayor of Tarnow on Monday.",
        "“We closed the bridge on Monday,” he said in the evening.",
    ],
)
def test_a_sentence_that_refers_to_another_one_is_not_shown_alone(
    sentence: str,
) -> None:
    assert not shows_alone(sentence, "en")


@pytest.mark.parametrize(
    "sentence",
    [
        "It was President Boll who closed the bridge of Tarnow on Monday.",
        "Inspectors, or those who replace them, closed the bridge of Tarnow on Monday.",
        "“We closed the bridge on Monday,” said Emrys Boll, the mayor of Tarnow.",
    ],
)
def test_cleft_sentences_and_quotations_with_a_speaker_are_shown(sentence: str) -> None:
    assert shows_alone(sentence, "en")


@each_row("front_matter", "marks that do not pair are found", "sentence", "is_odd")
def test_marks_that_do_not_pair_are_found(sentence: str, is_odd: bool) -> None:
    assert has_odd_marks(sentence) is is_odd


@each_row(
    "front_matter",
    "a sentence that refers to another is not shown alone",
    "sentence",
    "is_alone",
)
def test_a_sentence_that_refers_to_another_is_not_shown_alone(
    sentence: str, is_alone: bool
) -> None:
    assert shows_alone(sentence, "en") is is_alone


@each_row(
    "front_matter",
    "an article or a preposition refers to nothing",
    "sentence",
    "language",
)
def test_an_article_or_a_preposition_refers_to_nothing(
    sentence: str, language: str
) -> None:
    assert shows_alone(sentence, language)
