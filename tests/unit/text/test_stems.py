"""Stems by language (aggregator/text/stems.py)."""

import pytest

from aggregator.text.stems import elision_length, stem_of
from tests.support.tables import rows


@pytest.mark.parametrize(
    ("language", "one", "other"),
    rows("stems", "forms of one word share a stem"),
)  # fmt: skip
def test_forms_of_one_word_share_a_stem(language: str, one: str, other: str) -> None:
    assert stem_of(one, language) == stem_of(other, language)


def test_a_language_without_a_stemmer_keeps_its_words() -> None:
    assert stem_of("wordings", "xx") == "wordings"


@pytest.mark.parametrize(
    ("word", "language", "rest"),
    rows("stems", "only an elided word is cut off"),
)  # fmt: skip
def test_only_an_elided_word_is_cut_off(word: str, language: str, rest: str) -> None:
    assert word[elision_length(word, language) :] == rest
