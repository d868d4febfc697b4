"""Sentences are split carefully and never changed."""

import pytest

from aggregator.text.sentences import paragraphs, split_sentences
from tests.support.tables import rows


@pytest.mark.parametrize(
    "marked",
    rows("sentences", "a text is split where it is marked"),
)
def test_a_text_is_split_where_it_is_marked(marked: str) -> None:
    assert split_sentences(marked.replace(" | ", " ")) == marked.split(" | ")


@pytest.mark.parametrize(
    ("text", "sentences"),
    rows("sentences", "what is no sentence is left out"),
)
def test_what_is_no_sentence_is_left_out(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_paragraphs() -> None:
    assert paragraphs("a\n\n  b \nc\n") == ["a", "b", "c"]
