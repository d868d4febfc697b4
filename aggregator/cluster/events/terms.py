"""Weighted terms of an article: the features of event scoring.

Seven fields (term_codec.FIELDS): `all` the title twice and the whole text; `title`; `lead` title and first
words of the text; `names`; `num` numbers; `numu` numbers with the word after them ("72|billion"); `rare` the
set of uncommon stems of the lead. The weight of a term is `(1 + ln tf) * idf`, and each field has Euclidean
length 1. A term of `rare` has the weight `sqrt(max(0, idf - 3.8))`, not normalised. Only the `packed_terms`
heaviest terms are stored.
"""

import math
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.cluster.copies.shingles import first_of_equal
from aggregator.cluster.events.document_frequency import BackgroundFrequencies, Kind, shipped_background
from aggregator.cluster.events.term_codec import FIELDS, HASH_BITS, RARE_DIVISOR, SCALE, Ints, heaviest
from aggregator.cluster.events.tokenizer import (
    DF_MASK,
    HASH_MASK,
    NUMBER,
    STOP_WORD,
    Vocabulary,
)
from aggregator.cluster.events.weights import EventModel, EventTuning
from aggregator.text.numbers import plain_number
from aggregator.text.reading import Reading, read

Floats = npt.NDArray[np.float64]

_RARE: Final = FIELDS.index("rare")
_LEAD: Final = FIELDS.index("lead")
_CODE_BITS: Final = 48  # of a code (tokenizer.py), with a margin
_FIELD_STARTS: Final = np.arange(len(FIELDS), dtype=np.int64) << _CODE_BITS
_WHOLE_BITS: Final = 20  # of an integer weight: 32 times SCALE, which none reaches
# idf, ln((1+n)/(1+df)) + 1, above which a word is rare: in one of 16 events or fewer.
_RARE_FROM_IDF: Final = 3.8
_LONGEST_TF: Final = 1024
_TF_WEIGHT: Final = np.array([0.0] + [1.0 + math.log(tf) for tf in range(1, _LONGEST_TF + 1)])
# In a title in which most words are capitalised, capitals do not mark names.
_TITLE_CASE_SHARE: Final = 0.6


class TermPacker:
    """Packs terms. Caches words by language, so use one packer for many articles."""

    def __init__(self, model: EventModel, background: BackgroundFrequencies | None = None) -> None:
        self._model = model
        self._tuning = model.tuning
        self._background = background if background is not None else shipped_background()
        self._vocabularies: dict[str, Vocabulary] = {}

    def pack(self, title: str, body: str, language: str | None, *, is_container: bool = False) -> bytes:
        """Return the article's terms, heaviest first, at most `packed_terms`; b"" for a text without words.

        `body` has one paragraph per line. A live blog or roundup (`is_container`) is represented by its
        title, lead and densest topic.
        """
        return self.pack_counted(title, body, language, is_container=is_container)[0]

    def pack_counted(
        self,
        title: str,
        body: str,
        language: str | None,
        *,
        is_container: bool = False,
        reading: Reading | None = None,
    ) -> tuple[bytes, int]:
        """Return the result of `pack` and the number of words (or pairs of characters) of the body.

        `reading`: of this title and body, if they were read before.
        """
        reading = reading or read(title, body, language)
        vocabulary = self._vocabulary(reading.lexicon.language)
        body_words = len(reading.words) - reading.title_words
        if is_container:
            body = self._topic(title, body, vocabulary)
            reading = read(title, body, vocabulary.language)
        return self._packed(self._scan(title, body, reading, vocabulary), vocabulary), body_words

    def readable_terms(self, title: str, body: str, language: str | None) -> dict[int, str]:
        """Return the word of each term of this article by id, including terms that were cut off."""
        reading = read(title, body, language)
        vocabulary = self._vocabulary(reading.lexicon.language)
        words_by_id: dict[int, str] = {}
        codes = vocabulary.codes_of(reading)
        words = dict(zip(reading.words, codes.tolist(), strict=True))
        for field in ("all", "title", "lead", "rare"):
            base = FIELDS.index(field) << HASH_BITS
            for token, code in words.items():
                if code != STOP_WORD:
                    words_by_id.setdefault(base | code & HASH_MASK, token)
        for field, kind, terms in special_terms(title, body, reading, codes, vocabulary, self._tuning):
            base = FIELDS.index(field) << HASH_BITS
            for term, code in zip(terms, vocabulary.codes(kind, terms), strict=True):
                words_by_id[base | code & HASH_MASK] = term.replace("|", " ")
        return words_by_id

    def _vocabulary(self, language: str) -> Vocabulary:
        if language not in self._vocabularies:
            self._vocabularies[language] = Vocabulary(language, self._background)
        return self._vocabularies[language]

    def _scan(self, title: str, body: str, reading: Reading, vocabulary: Vocabulary) -> tuple[Ints, ...]:
        """Return codes (see tokenizer.py) by field, in the order of FIELDS without `rare`."""
        codes = vocabulary.codes_of(reading)
        special_fields = special_terms(title, body, reading, codes, vocabulary, self._tuning)
        special = [
            np.array(vocabulary.codes(kind, terms), dtype=np.int64) for _, kind, terms in special_fields
        ]
        ends = (reading.title_words, reading.title_words + self._model.lead_words, len(codes))
        if vocabulary.has_lists_only:
            title_codes, lead, whole = _weight_codes(
                codes, special_fields[0][2], vocabulary, ends, self._tuning
            )
        else:
            title_codes, lead, whole = (codes[:end] for end in ends)
        return (np.concatenate((title_codes, whole)), title_codes, lead, *special)

    def _packed(self, scan: tuple[Ints, ...], vocabulary: Vocabulary) -> bytes:
        idf = self._background.idf(vocabulary.language)
        # One sort counts the terms of all fields: the field stands above the code.
        codes = np.concatenate(scan)
        fields = np.repeat(_FIELD_STARTS[: len(scan)], [len(field) for field in scan])
        codes = (fields | codes)[codes != STOP_WORD]
        codes.sort()
        starts = np.flatnonzero(first_of_equal(codes))
        terms, counts = codes[starts], np.diff(starts, append=len(codes))
        term_idf = idf[terms >> HASH_BITS & DF_MASK]
        weights = _TF_WEIGHT[np.minimum(counts, _LONGEST_TF)] * term_idf
        ids = (terms >> _CODE_BITS) << HASH_BITS | terms & HASH_MASK
        ends = np.searchsorted(terms, _FIELD_STARTS[1 : len(scan) + 1]).tolist()
        for start, end in pairwise((0, *ends)):
            raw = weights[start:end]
            if len(raw):
                raw /= math.sqrt(float(raw @ raw))
        if vocabulary.knows_common:
            lead = slice(ends[_LEAD - 1], ends[_LEAD])
            above = np.maximum(term_idf[lead] - _RARE_FROM_IDF, 0.0)
            ids = np.concatenate((ids, _RARE << HASH_BITS | ids[lead] & HASH_MASK))
            weights = np.concatenate((weights, np.sqrt(above / RARE_DIVISOR)))
        joined, whole = _without_collisions(ids, weights)
        packed = heaviest(joined, whole, self._model.field_weights, self._tuning.packed_terms)
        return packed.astype("<u4").tobytes()

    def _topic(self, title: str, body: str, vocabulary: Vocabulary) -> str:
        """Return the lead and later paragraphs that share enough stems with title and lead, in order."""
        lead = vocabulary.content_codes(vocabulary.tokens(title))
        paragraphs: list[str] = []
        words_so_far = 0
        for paragraph in body.split("\n"):
            tokens = vocabulary.tokens(paragraph)
            stems = vocabulary.content_codes(tokens)
            if words_so_far < self._model.lead_words:
                lead |= stems
                paragraphs.append(paragraph)
            elif len(stems & lead) >= self._tuning.container_shared_stems:
                paragraphs.append(paragraph)
            words_so_far += len(tokens)
        return "\n".join(paragraphs)


def _weight_codes(
    codes: Ints,
    names: list[str],
    vocabulary: Vocabulary,
    ends: tuple[int, ...],
    tuning: EventTuning,
) -> list[Ints]:
    """Return the codes up to each end, with the words that show the topic repeated.

    These are unlisted words that are part of a name or occur again, and listed names that occur again.
    """
    in_name = np.isin(codes & HASH_MASK, vocabulary.words_of_names(names))
    _, where, counts = np.unique(codes, return_inverse=True, return_counts=True)
    frequencies, repeated = codes >> HASH_BITS, counts[where] > 1
    unlisted = frequencies == vocabulary.unlisted_df
    codes = np.where(unlisted & (in_name | repeated), codes & HASH_MASK, codes)
    times = np.where(unlisted & in_name, tuning.unlisted_name_weight, 1)
    times[repeated & (unlisted | (frequencies == vocabulary.named_df))] = tuning.repeated_name_weight
    return [np.repeat(codes[:end], times[:end]) for end in ends]


def special_terms(  # noqa: PLR0917 - an article, what was read of it, and how
    title: str, body: str, reading: Reading, codes: Ints, vocabulary: Vocabulary, tuning: EventTuning
) -> tuple[tuple[str, Kind, list[str]], ...]:
    """Return names, numbers, and numbers with their unit, each with field and kind, with repeats.

    `codes`: of the words of `reading` (tokenizer.py).
    """
    words, title_words = reading.words, reading.title_words
    capitals = sum(word[0].isupper() for word in words[:title_words])
    in_title_case = capitals > _TITLE_CASE_SHARE * title_words
    numbers = np.flatnonzero(codes >= NUMBER).tolist()
    with_unit = [place for place in numbers if place < title_words + tuning.unit_words]
    return (
        ("names", "n", vocabulary.names(body if in_title_case else f"{title}\n{body}")),
        ("num", "d", _numbers([words[place] for place in numbers], vocabulary)),
        ("numu", "u", _numbers_with_unit(words, with_unit, vocabulary)),
    )


def _numbers(words: list[str], vocabulary: Vocabulary) -> list[str]:
    return [
        plain_number(word, vocabulary.language)
        for word in words
        if len(word) > 1 and word[0].isdigit() and word[-1].isdigit()
    ]


def _numbers_with_unit(words: list[str], places: list[int], vocabulary: Vocabulary) -> list[str]:
    """Return each number with the stem of the next content word: "72|billion"."""
    terms = []
    for place in places:
        following = map(vocabulary.stem, words[place + 1 : place + 5])
        unit = next(filter(None, following), None)
        if unit is not None:
            terms.append(f"{vocabulary.number(words[place])}|{unit}")
    return terms


def _without_collisions(ids: Ints, weights: Floats) -> tuple[Ints, Ints]:
    """Return integer weights with one entry per id; if two words share a hash, the heavier one is used."""
    whole = np.rint(weights * SCALE).astype(np.int64)
    keys = ids << _WHOLE_BITS | (1 << _WHOLE_BITS) - 1 - whole  # sorts by id, then the heaviest first
    keys.sort()
    ids = keys >> _WHOLE_BITS
    first = first_of_equal(ids)
    return ids[first], (1 << _WHOLE_BITS) - 1 - (keys[first] & (1 << _WHOLE_BITS) - 1)
