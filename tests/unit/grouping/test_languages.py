"""Words, names and numbers in many languages and scripts; which words are known to be common."""

import pytest

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.term_codec import (
    FIELDS,
    HASH_BITS,
    ids_of,
    read,
    weights_of,
)
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.text.common_words import SHARES, listed_words
from aggregator.text.document_frequency import (
    BackgroundFrequencies,
    shipped_background,
)
from aggregator.text.names import find_names
from aggregator.text.numbers import written_out
from aggregator.text.tokens import word_tokens
from aggregator.text.vocabulary import STOP_WORD, Vocabulary
from tests.support.tables import each_row, mapping

MODEL = shipped_model(Tuning())
PACKER = TermPacker(MODEL)
EMPTY = BackgroundFrequencies(events={}, counts={})
LISTED = ["ar", "de", "es", "fr", "it", "ja", "nl", "pt", "ru", "zh"]


def tokens(language: str, text: str) -> list[str]:
    return word_tokens(text, language, 1000)


def names(language: str, text: str) -> list[str]:
    return Vocabulary(language, shipped_background()).names(text)


# --- words -------------------------------------------------------------------------------------------------


@each_row("languages", "words are found in every script", "language", "text", "words")
def test_words_are_found_in_every_script(language, text, words):
    assert tokens(language, text) == words


@each_row("languages", "forms of a word are one word", "language", "one", "other")
def test_forms_of_a_word_are_one_word(language, one, other):
    lexicon = Vocabulary(language, EMPTY)
    assert lexicon.stem(one) == lexicon.stem(other) != ""
    assert lexicon[one] == lexicon[other] != STOP_WORD


@each_row(
    "languages",
    "cases and adjectives of a name are one word",
    "language",
    "one",
    "other",
)
def test_cases_and_adjectives_of_a_name_are_one_word(language, one, other):
    lexicon = Vocabulary(language, EMPTY)
    assert lexicon[one] == lexicon[other] != STOP_WORD


@each_row(
    "languages",
    "words that only begin alike are different words",
    "language",
    "one",
    "other",
)
def test_words_that_only_begin_alike_are_different_words(language, one, other):
    lexicon = Vocabulary(language, EMPTY)
    assert lexicon[one] != lexicon[other]


def test_the_beginning_of_an_unlisted_word_is_not_a_listed_word():
    lexicon = Vocabulary("fr", shipped_background())
    assert lexicon.is_common("ville")
    assert lexicon["Villeurbanne"] != lexicon["ville"]


# --- numbers -----------------------------------------------------------------------------------------------


@each_row(
    "languages", "numbers in chinese characters are written out", "text", "written"
)
def test_numbers_in_chinese_characters_are_written_out(text, written):
    assert written_out(text) == written


@each_row(
    "languages", "digits of other scripts are numbers", "language", "text", "number"
)
def test_digits_of_other_scripts_are_numbers(language, text, number):
    lexicon = Vocabulary(language, EMPTY)
    assert number in [
        lexicon.number(token) for token in word_tokens(text, language, 100)
    ]


@each_row("languages", "number words", "language", "word", "number")
def test_number_words(language, word, number):
    assert Vocabulary(language, EMPTY).number(word) == number


def test_a_text_without_spaces_is_read_up_to_its_bound():
    assert len(tokens("und", "文" * 100_000)) == 1000


# --- names -------------------------------------------------------------------------------------------------


@each_row("languages", "names by the signs of a script", "language", "text", "found")
def test_names_by_the_signs_of_a_script(language, text, found):
    assert names(language, text) == found


@each_row("languages", "days and months are not names", "language", "text", "found")
def test_days_and_months_are_not_names(language, text, found):
    assert names(language, text) == found


def test_institutions_that_are_always_named_are_no_names():
    assert names("ru", "как сообщает МЧС") == []
    assert find_names("как сообщает МЧС", "ru", lambda _: False) == ["МЧС"]


# --- common words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LISTED)
def test_lists_hold_words_below_their_headings(language):
    lists = listed_words(language)
    assert [
        name for name in SHARES if len(lists.get(name, [])) <= 50 and name != "named"
    ] == []


@pytest.mark.parametrize("language", ["ar", "ja", "ru", "zh"])
def test_a_place_that_is_often_named_weighs_less_than_an_unknown_one(language):
    named = {"ar": "باريس", "ja": "ロンドン", "ru": "Казань", "zh": "杭州"}[language]
    lexicon = Vocabulary(language, shipped_background())
    unknown = {"ar": "بلانكو", "ja": "タラパカ", "ru": "Икике", "zh": "伊基"}[language]
    assert (
        lexicon[named] >> HASH_BITS == lexicon.named_df > lexicon[unknown] >> HASH_BITS
    )


def test_traditional_characters_are_the_same_terms():
    simple, traditional = "远驰汽车召回电动车", "遠馳汽車召回電動車"
    assert (
        PACKER.pack(simple, simple, "zh")[0]
        == PACKER.pack(traditional, traditional, "zh")[0]
    )


def test_a_language_without_a_list_has_no_ranks():
    assert listed_words("xx") == {}
    assert not Vocabulary("xx", shipped_background()).knows_common


def test_words_that_tell_what_it_is_about_weigh_most():
    title = "Kapitän verhaftet"
    body = "Die Polizei hat am Mittwoch vor Naxos den Kapitän verhaftet. Ein Papagei sah zu."
    terms = read(PACKER.pack(title, body, "de")[0])
    words = PACKER.readable_terms(title, body, "de")
    weight = {
        words[int(id_)]: value
        for id_, value in zip(ids_of(terms), weights_of(terms), strict=True)
        if FIELDS[int(id_) >> HASH_BITS] == "lead"
    }
    assert weight["Naxos"] > weight["Papagei"] > weight["Polizei"]


def test_a_list_is_not_asked_where_words_were_counted():
    counted = BackgroundFrequencies(
        events={"*": 10, "de": 10}, counts={("w", "de"): {"polizei": 3}}
    )
    assert not Vocabulary("de", counted).has_lists_only
    assert Vocabulary("de", shipped_background()).has_lists_only


# --- any text ----------------------------------------------------------------------------------------------

SAME_AND_OTHER = mapping("languages", "same and other")


@pytest.mark.parametrize("language", sorted(SAME_AND_OTHER))
def test_languages_without_a_list_still_tell_events_apart(language):
    one, same, other = (
        set(ids_of(read(PACKER.pack(title, "", language)[0])).tolist())
        for title in SAME_AND_OTHER[language]
    )
    assert len(one & same) >= 3 * max(1, len(one & other))


@pytest.mark.later
@pytest.mark.parametrize(
    "text",
    [
        "1,1" * 80_000,
        "三" * 240_000,
        "ก" * 240_000,
        "斯" * 240_000,
        "「" * 240_000,
        "ナ・" * 99_999,
    ],
)
def test_hostile_texts_in_any_script_are_bounded(text):
    assert (
        len(read(PACKER.pack(text[:200], text + "中", "zh")[0]))
        <= MODEL.tuning.packed_terms
    )
    assert Vocabulary("zh", EMPTY)["中" * 1000] != STOP_WORD
