"""Sentences are split carefully and never changed."""

import pytest

from aggregator.text.sentences import paragraphs, split_sentences


@pytest.mark.parametrize(
    "marked",
    [
        "The bridge was closed today. | Nobody was hurt there. | Why was it closed?",
        "Mr. Lorne met Dr. Marsh in St. Ives on Monday. | They talked for hours.",
        "It closed at 4 p.m. | The mayor of the town came.",
        "The U.S. Navy sent two ships there.",
        "They met U.S. President Boll on Monday.",
        "It was written by Reps. Lorne and Marsh.",
        "“It is closed. It stays closed for now,” the mayor said. | She left at noon.",
        "Am 6. Dezember wurde die Brücke gesperrt. | Verletzt wurde bisher niemand.",
        "„Ich gehe heute früh. Du bleibst noch hier.“ | Danach sagte die Frau nichts mehr.",
        "Nobody was hurt there. | “We were lucky,” the mayor of the town said.",
        "Le pont est fermé depuis lundi. | « Nous ne savons rien », dit le maire.",
        "¿Por qué se cerró el puente? | No se sabe nada todavía.",
        "It rose by 3.5 per cent to 1.2 million.",
    ],
)
def test_a_text_is_split_where_it_is_marked(marked: str) -> None:
    assert split_sentences(marked.replace(" | ", " ")) == marked.split(" | ")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "橋は月曜日に閉鎖された。けが人はいなかった。",
            ["橋は月曜日に閉鎖された。", "けが人はいなかった。"],
        ),
        ("Panic in the harbour quarter", []),
        (
            "Nobody came. The bridge stays closed until Friday.",
            ["The bridge stays closed until Friday."],
        ),
        ("9:43 p.m.: The bridge was closed today.", ["The bridge was closed today."]),
    ],
)
def test_what_is_no_sentence_is_left_out(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_paragraphs() -> None:
    assert paragraphs("a\n\n  b \nc\n") == ["a", "b", "c"]
