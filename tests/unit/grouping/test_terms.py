"""Text to packed terms: what counts as a word, a name, a number, and what counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from aggregator.text.document_frequency import (
    BackgroundFrequencies,
)
from aggregator.text.language import primary_tag
from aggregator.text.vocabulary import STOP_WORD, Vocabulary
from tests.support.tables import each_row, numbered
from training.fit_pair_model import model_hash

MODEL = shipped_model(Tuning())
PACKER = TermPacker(MODEL)
EMPTY = BackgroundFrequencies(events={}, counts={})
BODY = (
    "The harbour of Port Ellory was closed on Friday after 1,250 tonnes of grain slid into the basin. "
    "Mayor Ines Calloway said that two cranes were lost, and that 7.5 percent of the quay is gone.\n"
    "Divers from the Northern Salvage Company began to search the basin."
)


def by_field(packed: bytes) -> dict[str, np.ndarray]:
    words = read(packed)
    fields = ids_of(words) >> HASH_BITS
    return {
        name: weights_of(words[fields == number]) for number, name in enumerate(FIELDS)
    }


def test_heaviest_terms_come_first_and_the_rest_is_cut():
    long_body = " ".join(numbered("word%nx", 2000))
    words = read(PACKER.pack("A short title", long_body, "en")[0])
    folded = weights_of(words) * MODEL.field_weights[ids_of(words) >> HASH_BITS]
    assert len(words) == MODEL.tuning.packed_terms
    assert np.all(np.diff(folded) <= folded[:-1] * 0.012)  # codes are steps of 1.1 %
    assert len(set(ids_of(words).tolist())) == len(words)


@pytest.mark.later
@given(
    st.text(max_size=60),
    st.text(max_size=400),
    st.sampled_from(["en", "de", "fr", "ar", "zh", "xx", None, "", "en-GB"]),
)
@settings(max_examples=60)
def test_packing_is_the_same_with_a_fresh_memo_and_for_any_text(title, body, language):
    assert (
        PACKER.pack(title, body, language)[0]
        == TermPacker(MODEL).pack(title, body, language)[0]
    )


def test_a_text_without_words_has_no_terms():
    assert PACKER.pack("", "", "en")[0] == b""
    assert PACKER.pack("!?", "the and of", "en")[0] == b""


@each_row(
    "terms",
    "names are runs of capitals inside sentences and german nouns are none",
    "language",
    "text",
    "names",
)
def test_names_are_runs_of_capitals_inside_sentences_and_german_nouns_are_none(
    language, text, names
):
    assert Vocabulary(language, EMPTY).names(text) == names


@each_row(
    "terms",
    "words of names are those with a capital inside a sentence and no days",
    "language",
    "title",
    "text",
    "named",
)
def test_words_of_names_are_those_with_a_capital_inside_a_sentence_and_no_days(
    language, title, text, named
):
    words = PACKER.readable_terms(title, text, language)
    found = ids(title, text, language)
    assert {words[id_] for id_ in found if FIELDS[id_ >> HASH_BITS] == "named"} >= set(
        named
    )
    assert not any(
        words[id_] in {"Saturday", "March", "Samstag", "Killed", "Two"}
        for id_ in found
        if FIELDS[id_ >> HASH_BITS] == "named"
    )


def ids(
    title: str, body: str, language: str = "en", *, is_container: bool = False
) -> set[int]:
    return set(
        ids_of(
            read(PACKER.pack(title, body, language, is_container=is_container)[0])
        ).tolist()
    )


def test_names_and_numbers_match_across_languages_and_words_do_not():
    english = ids("", "Today the party of Ines Calloway won 1,250 votes, hotel")
    spanish = ids("", "Hoy el grupo de Ines Calloway con 1,250 actas, hotel", "es")
    assert {FIELDS[id_ >> HASH_BITS] for id_ in english & spanish} == {"names", "num"}


@each_row("terms", "stop words are silent", "language", "word")
def test_stop_words_are_silent(language, word):
    assert Vocabulary(language, EMPTY)[word] == STOP_WORD


def test_tags_of_languages():
    assert [primary_tag(t) for t in ("en-GB", "PT_br", None, "", "x-klingon", "zh-Hans")] == [
        "en", "pt", None, None, None, "zh",
    ]  # fmt: skip
    assert primary_tag("en-US, de-DE, fr-FR, es-ES, it-IT, pt-PT") == "en"


def test_rare_is_silent_where_no_background_was_counted():
    assert len(by_field(PACKER.pack("", BODY, "en")[0])["rare"]) > 5
    assert len(by_field(PACKER.pack("", BODY, "sw")[0])["rare"]) == 0


def test_a_live_blog_is_weighed_by_its_topic():
    blog = BODY + "\n" + " ".join(["Filler about harbour work."] * 20)
    with_aside = (
        blog + "\nElsewhere a zeppelin festival opened in Marlow with balloons."
    )
    given_text = ("Grain slides into harbour", with_aside)
    words = PACKER.readable_terms(*given_text, "en")
    asides = {id_ for id_, word in words.items() if word in {"zeppelin", "balloons"}}
    assert asides & ids(*given_text)
    assert not asides & ids(*given_text, is_container=True)


def test_the_rule_book_names_the_learnt_files():
    assert MODEL.tuning.model == model_hash()
