"""Stems by language (aggregator/text/stems.py)."""

import pytest

from aggregator.text.stems import elided, stem_of


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "elections", "election"), ("ru", "паром", "пароме"), ("ar", "زلازل", "زلزال"),
        ("ar", "والوزير", "وزير"), ("de", "regierung", "regierungen"), ("xx", "same", "same"),
    ],
)  # fmt: skip
def test_forms_of_one_word_share_a_stem(language: str, one: str, other: str) -> None:
    assert stem_of(one, language) == stem_of(other, language)


def test_a_language_without_a_stemmer_keeps_its_words() -> None:
    assert stem_of("wordings", "xx") == "wordings"


@pytest.mark.parametrize(
    ("word", "language", "rest"),
    [
        ("l'usine", "fr", "usine"), ("dell’isola", "it", "isola"), ("aujourd'hui", "fr", "aujourd'hui"),
        ("o'brien", "fr", "o'brien"), ("l'usine", "en", "l'usine"), ("d'", "fr", "d'"),
    ],
)  # fmt: skip
def test_only_an_elided_word_is_cut_off(word: str, language: str, rest: str) -> None:
    assert word[elided(word, language) :] == rest
