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


@pytest.mark.parametrize(
    "dateline",
    ["HALVERNE (MNA) — ", "PORT ELLIS, Varna — ", "HALVERNE / TARNOW: ", "— ", "CLOSE ",
     "Halverne (CNN) ", "HALVERNE, Nov 3 - ", "Port Ellis, Varna - ", "Halverne, 3 Nov. -- ", "PORT ELLIS—",
     "Halverne, 20 nov (EFE).- ", "(ANSA) - HALVERNE, 20 NOV - ", "Halverne/Tarnow – ",
     "HALVERNE (Varna), 20 Nov 2026: "],
)  # fmt: skip
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


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        (
            "The mayor of Tarnow closes every bridge that you cross.",
            "first or second person",
        ),
        (
            "Members of the council (left to right) Emrys Boll and Mara Ell await the vote.",
            "caption",
        ),
        ("The mayor pushed back on reports that the bridge of Tarnow has...", "no end"),
        (
            "The mayor of Tarnow told the county on Monday that the bridge had been…",
            "no end",
        ),
        (
            "The mayor of Tarnow closed the bridge over the Arrel on Monday morning",
            None,
        ),
        ("The mayor closes the bridge of Tarnow", "no end"),
        ("(3) Closing the bridge of Tarnow may help the boats.", "credit"),
        ("The mayor Emrys Boll arriving at the bridge of Tarnow 2.", "caption"),
        ("SOUNDBITE (English) Emrys Boll, mayor of Tarnow, on the bridge.", "caption"),
        ("The council of Tarnow closed the bridge by a vote of 8 to 2.", None),
        (
            "Ada Ell of the Fanal has more: The mayor Emrys Boll closes the bridge of Tarnow.",
            "credit",
        ),
        ("The campaign Know Your Rights of Tarnow opened the bridge.", None),
        (
            "Emrys Boll of Tarnow said: “You cross the bridge and your boats wait.”",
            None,
        ),
        ("The mayor of Tarnow was alarmed when he was called by U.S.", "no end"),
        (
            "The mayor of Tarnow opens the bridge, Tuesday, May 3, 2022, in Tarnow.",
            "caption",
        ),
        (
            "Shares of the bridge company of Tarnow rose on Monday against the SPX, -0.15%.",
            "links",
        ),
        ("The post Bridge of Tarnow is closed appeared first on Port FM.", "promotion"),
        ("“We closed the bridge on Monday.”", "a quotation alone"),
        ("CLICK HERE TO GET THE APP OF THE BRIDGE.", "promotion"),
        ("This article has been updated with words of the mayor.", "promotion"),
        ("He spoke to the crowd, which cheered, Nov. 3, 1864.", "caption"),
        (
            "A judge hears pleas on Friday, Jan. 11, 2019, over the bridge of Tarnow.",
            "caption",
        ),
        ("A judge will hear pleas on Friday over the bridge of Tarnow.", None),
        ("CLOSE The mayor says he will go.", "caption"),
        ("Close to forty ships waited before the harbour.", None),
        (
            "Anna Berg stands before the court in the old town of Port Ellis on Tuesday",
            "caption",
        ),
        (
            "The mayor opens a bridge over the Arrel in Tarnow, on December 18, 2019.",
            "caption",
        ),
        ("The mayor, center, and two of his deputies met the press.", "caption"),
        ("The mayor of the town said that he would go (R).", None),
        (
            "The harbour was closed by the mayorMORE after the storm had passed.",
            "links",
        ),
        ("The harbour was closed after the storm.Yet the ferries went on.", "links"),
        ("The governor of the island (D-Halv., +3 in the polls) has resigned.", None),
        ("TIES, -3 in the polls of the island, was the answer of the mayor.", "links"),
    ],
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


@pytest.mark.parametrize(
    ("sentence", "is_odd"),
    [
        ("“We closed the bridge.", True),
        ("We closed the bridge” on Monday.", True),
        ('It began." The rest came "later".', True),
        ('"It began. It went on. "Others say that it ended.', True),
        ('He called it "a bridge" and "a wall".', False),
        ("Er nannte es „eine Brücke“.", False),
    ],
)
def test_marks_that_do_not_pair_are_found(sentence: str, is_odd: bool) -> None:
    assert has_odd_marks(sentence) is is_odd


@pytest.mark.parametrize(
    ("sentence", "is_alone"),
    [
        (
            "The woman suspected of closing the bridge of Tarnow was found on Monday.",
            True,
        ),
        ("The woman closed the bridge of Tarnow in the night to Monday.", False),
        (
            "In a town that takes its time, that is unlikely to happen before Monday.",
            False,
        ),
        (
            "In a town that takes its time, the bridge of Tarnow was closed at once.",
            True,
        ),
        ("They closed the bridge of Tarnow in the night to Monday.", False),
        ("It was Emrys Boll who closed the bridge of Tarnow on Monday.", True),
    ],
)
def test_a_sentence_that_refers_to_another_is_not_shown_alone(
    sentence: str, is_alone: bool
) -> None:
    assert shows_alone(sentence, "en") is is_alone


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("Das Landgericht Halverne hat am Montag den Bau der Brücke erlaubt.", "de"),
        ("Het kabinet van Varna heeft op maandag de brug in Tarnow gesloten.", "nl"),
        ("Sin agua ni luz siguen desde el lunes las casas de Valdehierro.", "es"),
    ],
)
def test_an_article_or_a_preposition_refers_to_nothing(
    sentence: str, language: str
) -> None:
    assert shows_alone(sentence, language)
