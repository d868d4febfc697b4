"""Stems by language (aggregator/text/stems.py)."""

from aggregator.text.stems import elision_length, stem_of
from tests.support.tables import each_row


@each_row("stems", "forms of one word share a stem", "language", "one", "other")
def test_forms_of_one_word_share_a_stem(language: str, one: str, other: str) -> None:
    assert stem_of(one, language) == stem_of(other, language)


def test_a_language_without_a_stemmer_keeps_its_words() -> None:
    assert stem_of("wordings", "xx") == "wordings"


@each_row("stems", "only an elided word is cut off", "word", "language", "rest")
def test_only_an_elided_word_is_cut_off(word: str, language: str, rest: str) -> None:
    assert word[elision_length(word, language) :] == rest
