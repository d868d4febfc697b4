"""Weighted terms of an article: the features of event scoring.

Eight fields (term_codec.FIELDS): `all` the title twice and the whole text; `title`; `lead` title and first
words of the text; `names`; `num` numbers; `numu` numbers with the word after them ("72|billion"); `rare` the
set of uncommon stems of the lead; `named` the words of names in title and lead. The weight of a term is
`(1 + ln tf) * idf`, and each field has Euclidean length 1. A term of `rare` has the weight
`sqrt(max(0, idf - 3.8) / 10)`, not normalised. Only the `packed_terms` heaviest terms are stored.
"""

import math
from typing import TypeVar

import numpy as np

from aggregator.grouping.pairs.term_codec import (
    FIELDS,
    HASH_BITS,
    RARE_DIVISOR,
    SCALE,
    Ints,
    heaviest,
)
from aggregator.grouping.pairs.weights import EventModel, EventTuning
from aggregator.text.document_frequency import Kind, shipped_background
from aggregator.text.numbers import plain_number
from aggregator.text.reading import Reading, read
from aggregator.text.tokens import word_tokens
from aggregator.text.vocabulary import (
    DF_MASK,
    HASH_MASK,
    MAYBE_NAME,
    NAME,
    NUMBER,
    STOP_WORD,
    Vocabulary,
)

Codes = TypeVar("Codes", int, Ints)

_RARE = FIELDS.index("rare")
# A code of a word (`text/vocabulary.py`) has fewer bits; the field stands above them.
_CODE_BITS = 48
_NAMED = FIELDS.index("named")
_WORD_FIELDS = (0, 1, 2, _RARE, _NAMED)  # all, title, lead, rare, named: in FIELDS
_FIELD_OF: dict[Kind, int] = {"n": 3, "d": 4, "u": 5}  # names, num, numu
# A word is rare if its idf, ln((1+n)/(1+df)) + 1, is higher: if at most one of 16 events has the word.
_RARE_FROM_IDF = 3.8
_LONGEST_TF = 1024
_TF_WEIGHT = np.array([0.0] + [1.0 + math.log(tf) for tf in range(1, _LONGEST_TF + 1)])
# If more than this share of the words of a title is capitalised, capitals do not mark names.
_TITLE_CASE_SHARE = 0.6
# The part of a title before a colon names a subject if it has at most this many words
_SUBJECT_WORDS = 3
_UNIT_WITHIN = 4  # words after a number: the first content word among them is its unit


class TermPacker:
    """Packs terms. Caches words by language, so use one packer for many articles."""

    def __init__(self, model: EventModel) -> None:
        self._model = model
        self._tuning = model.tuning
        self._background = shipped_background()
        self._vocabularies: dict[str, Vocabulary] = {}

    def pack(
        self,
        title: str,
        body: str,
        language: str | None,
        *,
        is_container: bool = False,
        reading: Reading | None = None,
    ) -> tuple[bytes, int]:
        """Return the article's terms, heaviest first, and the number of words (or pairs of characters) of the body.

        There are `packed_terms` terms at most; b"" for a text without words. `body` has one paragraph per line. A
        live blog or roundup (`is_container`) is represented by its title, its lead, and the later paragraphs that
        share enough words with them. `reading` has the words of this title and body, if they were read before.
        """
        reading = reading or read(title, body, language)
        vocabulary = self._vocabulary(reading.lexicon.language)
        body_words = len(reading.words) - reading.title_words
        if is_container:
            # Keep the lead, and the later paragraphs that share enough stems with title and lead
            lead = vocabulary.content_codes(word_tokens(title, vocabulary.language))
            paragraphs = []
            words_so_far = 0
            for paragraph in body.split("\n"):
                tokens = word_tokens(paragraph, vocabulary.language)
                stems = vocabulary.content_codes(tokens)
                if words_so_far < self._model.lead_words:
                    lead |= stems
                    paragraphs.append(paragraph)
                elif len(stems & lead) >= self._tuning.container_shared_stems:
                    paragraphs.append(paragraph)
                words_so_far += len(tokens)
            body = "\n".join(paragraphs)
            reading = read(title, body, vocabulary.language)
        codes = self._codes_by_field(title, body, reading, vocabulary)
        return self._pack(codes, vocabulary), body_words

    def readable_terms(
        self, title: str, body: str, language: str | None
    ) -> dict[int, str]:
        """Return the word of each term of this article by id, including terms that were cut off."""
        reading = read(title, body, language)
        vocabulary = self._vocabulary(reading.lexicon.language)
        words_by_id: dict[int, str] = {}
        for word, code in zip(
            reading.words, vocabulary.codes_of(reading).tolist(), strict=True
        ):
            if code == STOP_WORD:
                continue
            for field in _WORD_FIELDS:
                words_by_id.setdefault(_ids(field, code), word)
        for kind, terms in special_terms(
            title, body, reading, vocabulary, self._tuning
        ).items():
            for term, code in zip(
                terms, vocabulary.codes(kind, terms).tolist(), strict=True
            ):
                words_by_id[_ids(_FIELD_OF[kind], code)] = term.replace("|", " ")
        return words_by_id

    def _vocabulary(self, language: str) -> Vocabulary:
        if language not in self._vocabularies:
            self._vocabularies[language] = Vocabulary(language, self._background)
        return self._vocabularies[language]

    def _codes_by_field(
        self, title: str, body: str, reading: Reading, vocabulary: Vocabulary
    ) -> list[Ints]:
        """Return the codes (see `text/vocabulary.py`) of each field, with repeats, in the order of FIELDS."""
        special = special_terms(title, body, reading, vocabulary, self._tuning)
        codes = vocabulary.codes_of(reading)
        lead_end = reading.title_words + self._model.lead_words
        lead_codes = codes[:lead_end]
        times = np.ones_like(codes)
        if vocabulary.has_lists_only:
            codes, times = _stress_topic_words(
                codes, special["n"], vocabulary, self._tuning
            )
        title_codes, lead, whole = (
            np.repeat(codes[:end], times[:end])
            for end in (reading.title_words, lead_end, len(codes))
        )
        special_codes = [vocabulary.codes(kind, special[kind]) for kind in _FIELD_OF]
        # `rare` has each word of the lead, if the common words of the language are known.
        rare = lead if vocabulary.knows_common else lead[:0]
        marks = vocabulary.name_marks(reading, len(lead_codes))
        is_in_name = np.isin(
            lead_codes & HASH_MASK, vocabulary.words_of_names(special["n"])
        )
        # A short part of a title before a colon names the subject, so its words may be names.
        before, colon, _ = title.partition(":")
        subject_words = len(word_tokens(before, vocabulary.language))
        if colon and subject_words <= _SUBJECT_WORDS:
            is_in_name[:subject_words] = True
        is_named = (marks == NAME) | ((marks == MAYBE_NAME) & is_in_name)
        return [
            np.concatenate((title_codes, whole)),
            title_codes,
            lead,
            *special_codes,
            rare,
            lead_codes[is_named],
        ]

    def _pack(self, codes_by_field: list[Ints], vocabulary: Vocabulary) -> bytes:
        sizes = [len(codes) for codes in codes_by_field]
        fields = np.arange(len(sizes)).repeat(sizes) << _CODE_BITS
        codes = np.concatenate(codes_by_field)
        # One sort counts the terms of all fields: each term is a number, with the field in the bits above the code.
        terms, counts = np.unique(
            (fields | codes)[codes != STOP_WORD], return_counts=True
        )
        fields = terms >> _CODE_BITS
        idf = self._background.idf(vocabulary.language)[terms >> HASH_BITS & DF_MASK]
        # The weight of each term: see the module
        weights = _TF_WEIGHT[np.minimum(counts, _LONGEST_TF)] * idf
        weights /= np.sqrt(np.bincount(fields, weights**2))[fields]
        rarity = np.sqrt(np.maximum(idf - _RARE_FROM_IDF, 0.0) / RARE_DIVISOR)
        weights = np.rint(np.where(fields == _RARE, rarity, weights) * SCALE)
        # Two words may share a hash: the heavier one is used.
        different, places = np.unique(_ids(fields, terms), return_inverse=True)
        heavier = np.zeros(len(different), np.int64)
        np.maximum.at(heavier, places, weights.astype(np.int64))
        packed = heaviest(
            different, heavier, self._model.field_weights, self._tuning.packed_terms
        )
        return packed.astype("<u4").tobytes()


def _ids(fields: Codes, codes: Codes) -> Codes:
    """Return the ids (term_codec.py) of codes in fields."""
    return fields << HASH_BITS | codes & HASH_MASK


def _stress_topic_words(
    codes: Ints, names: list[str], vocabulary: Vocabulary, tuning: EventTuning
) -> tuple[Ints, Ints]:
    """Return the codes of words, and how often each counts, so that words which show the topic weigh more.

    They are unlisted words that are part of a name or occur several times, and listed names that occur several times.
    """
    frequencies = codes >> HASH_BITS
    is_unlisted = frequencies == vocabulary.unlisted_df
    is_in_name = is_unlisted & np.isin(
        codes & HASH_MASK, vocabulary.words_of_names(names)
    )
    _, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    is_repeated = counts[places] > 1
    times = np.where(is_in_name, tuning.unlisted_name_weight, 1)
    times[is_repeated & (is_unlisted | (frequencies == vocabulary.named_df))] = (
        tuning.repeated_name_weight
    )
    # These unlisted words lose their assumed document frequency, and so have the highest idf.
    return np.where(
        is_in_name | is_unlisted & is_repeated, codes & HASH_MASK, codes
    ), times


def special_terms(
    title: str, body: str, reading: Reading, vocabulary: Vocabulary, tuning: EventTuning
) -> dict[Kind, list[str]]:
    """Return the names, numbers, and numbers with their unit of a title and body, with repeats.

    `reading` has the words of this title and body.
    """
    units_end = reading.title_words + tuning.unit_words
    numbers = []
    with_units = []
    for place in np.flatnonzero(vocabulary.codes_of(reading) >= NUMBER).tolist():
        word = reading.words[place]
        if len(word) > 1 and word[0].isdigit() and word[-1].isdigit():
            numbers.append(plain_number(word, vocabulary.language))
        if place < units_end:
            # The stem of the first content word after a number, if one is near
            following = reading.words[place + 1 : place + 1 + _UNIT_WITHIN]
            unit = next(filter(None, map(vocabulary.stem, following)), "")
            if unit:
                with_units.append(f"{vocabulary.number(word)}|{unit}")
    capitals = sum(word[0].isupper() for word in reading.words[: reading.title_words])
    in_title_case = capitals > _TITLE_CASE_SHARE * reading.title_words
    return {
        "n": vocabulary.names(body if in_title_case else f"{title}\n{body}"),
        "d": numbers,
        "u": with_units,
    }
