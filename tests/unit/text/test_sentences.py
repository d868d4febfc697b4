"""Sentences are split carefully and never changed."""

from aggregator.text.sentences import paragraphs, split_sentences
from tests.support.tables import each_row


@each_row("sentences", "a text is split where it is marked", "marked")
def test_a_text_is_split_where_it_is_marked(marked: str) -> None:
    assert split_sentences(marked.replace(" | ", " ")) == marked.split(" | ")


@each_row("sentences", "what is no sentence is left out", "text", "sentences")
def test_what_is_no_sentence_is_left_out(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_paragraphs() -> None:
    assert paragraphs("a\n\n  b \nc\n") == ["a", "b", "c"]
