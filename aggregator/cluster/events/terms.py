"""An article as weighted terms: what the event level knows of a text.

Seven fields (packed.FIELDS): `all` the title twice and the whole text; `title`; `lead` title and first words
of the text; `names`; `num` numbers; `numu` numbers with the word that follows them ("72|billion"); `rare` the
set of uncommon stems of the lead. A term weighs `(1 + ln tf) * idf`, each field has length 1; a term of
`rare` weighs `sqrt(max(0, idf - 3.8))`, not normalised (grouping.md section 2). Only the heaviest terms
are kept (`packed_terms`).
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.cluster.events.document_frequency import BackgroundFrequencies, Kind, shipped_background
from aggregator.cluster.events.scripts import fitting_language
from aggregator.cluster.events.term_codec import FIELDS, HASH_BITS, RARE_DIVISOR, SCALE, Ints, heaviest
from aggregator.cluster.events.tokenizer import (
    DF_MASK,
    HASH_MASK,
    NUMBER,
    STOP_WORD,
    Vocabulary,
    plain_number,
    primary_tag,
)
from aggregator.cluster.events.weights import EventModel, EventTuning

Floats = npt.NDArray[np.float64]
Special = tuple[str, Kind, list[str]]

_RARE: Final = FIELDS.index("rare")
# grouping.md: ln((1+n)/(1+df)) + .2 - 3; our idf holds 1 more.
_RARE_FROM_IDF: Final = 3.8
_SCRIPT_CHARS: Final = 400  # of the text that tell in which script it is
_LONGEST_TF: Final = 1024
_TF_WEIGHT: Final = np.array([0.0] + [1.0 + math.log(tf) for tf in range(1, _LONGEST_TF + 1)])
# A title in which most words have a capital says nothing about names.
_TITLE_CASE_SHARE: Final = 0.6


class TermCounts(msgspec.Struct, frozen=True):
    """What one scan over an article found: codes (see tokens) by field, in the order of FIELDS but `rare`."""

    fields: tuple[Ints, ...]
    body_words: int


class TokenizedArticle(NamedTuple):
    """Title and body as tokens and their codes, one after the other."""

    tokens: list[str]
    codes: Ints
    title_words: int


class TermPacker:
    """Makes packed terms. Keeps a memo of words by language, so one object should serve many articles."""

    def __init__(self, model: EventModel, background: BackgroundFrequencies | None = None) -> None:
        self._model = model
        self._tuning = model.tuning
        self._background = background if background is not None else shipped_background()
        self._vocabularies: dict[str, Vocabulary] = {}

    def pack(self, title: str, body: str, language: str | None, *, is_container: bool = False) -> bytes:
        """The article's terms, heaviest first, at most `packed_terms`; b"" for a text without words.

        `body` has one paragraph a line. A container is weighed by its title, lead and densest topic.
        """
        return self.pack_counted(title, body, language, is_container=is_container)[0]

    def pack_counted(
        self, title: str, body: str, language: str | None, *, is_container: bool = False
    ) -> tuple[bytes, int]:
        """As `pack`, with the body's number of words (pairs of characters where no spaces stand)."""
        vocabulary = self._vocabulary(language, f"{title}\n{body[:_SCRIPT_CHARS]}")
        kept = self._topic(title, body, vocabulary) if is_container else body
        scan = self._scan(title, kept, vocabulary)
        words = scan.body_words if kept is body else len(vocabulary.tokens(body, self._tuning.longest_words))
        return self._packed(scan, vocabulary), words

    def readable_terms(self, title: str, body: str, language: str | None) -> dict[int, str]:
        """Id of each term of this article (also of those that were cut off) to the word it stands for."""
        vocabulary = self._vocabulary(language, f"{title}\n{body[:_SCRIPT_CHARS]}")
        found: dict[int, str] = {}
        tokens = _read(title, body, vocabulary, self._tuning.longest_words).tokens
        words = {token: vocabulary[token] for token in tokens}
        for field in ("all", "title", "lead", "rare"):
            base = FIELDS.index(field) << HASH_BITS
            for token, code in words.items():
                if code != STOP_WORD:
                    found.setdefault(base | code & HASH_MASK, token)
        for field, kind, terms in special_terms(title, body, vocabulary, self._tuning):
            base = FIELDS.index(field) << HASH_BITS
            found.update(
                {base | vocabulary.code(kind, term) & HASH_MASK: term.replace("|", " ") for term in terms}
            )
        return found

    def _vocabulary(self, language: str | None, beginning: str) -> Vocabulary:
        tag = fitting_language(primary_tag(language), beginning)
        if tag not in self._vocabularies:
            self._vocabularies[tag] = Vocabulary(tag, self._background, self._tuning)
        return self._vocabularies[tag]

    def _scan(self, title: str, body: str, vocabulary: Vocabulary) -> TermCounts:
        reading = _read(title, body, vocabulary, self._tuning.longest_words)
        found = _special(title, body, reading, vocabulary, self._tuning)
        special = [
            np.array([vocabulary.code(kind, term) for term in terms], dtype=np.int64)
            for _, kind, terms in found
        ]
        words = len(reading.codes)
        ends = (reading.title_words, reading.title_words + self._tuning.lead_words, words)
        if vocabulary.has_lists_only:
            title_codes, lead, whole = _weight_codes(reading, found[0][2], vocabulary, ends, self._tuning)
        else:
            title_codes, lead, whole = (reading.codes[:end] for end in ends)
        everything = np.concatenate((title_codes, whole))
        return TermCounts((everything, title_codes, lead, *special), words - reading.title_words)

    def _packed(self, scan: TermCounts, vocabulary: Vocabulary) -> bytes:
        idf = self._background.idf(vocabulary.language)
        ids: list[Ints] = []
        weights: list[Floats] = []
        for number, codes in enumerate(scan.fields):
            terms, counts = np.unique(codes[codes != STOP_WORD], return_counts=True)
            raw = _TF_WEIGHT[np.minimum(counts, _LONGEST_TF)] * idf[terms >> HASH_BITS & DF_MASK]
            ids.append(number << HASH_BITS | terms & HASH_MASK)
            weights.append(raw / math.sqrt(float(raw @ raw)) if len(raw) else raw)
        if vocabulary.knows_common:
            lead = np.unique(scan.fields[FIELDS.index("lead")])
            terms = lead[lead != STOP_WORD]
            ids.append(_RARE << HASH_BITS | terms & HASH_MASK)
            above = np.maximum(idf[terms >> HASH_BITS & DF_MASK] - _RARE_FROM_IDF, 0.0)
            weights.append(np.sqrt(above / RARE_DIVISOR))
        joined, whole = _without_collisions(np.concatenate(ids), np.concatenate(weights))
        kept = heaviest(joined, whole, self._model.field_weights, self._tuning.packed_terms)
        return kept.astype("<u4").tobytes()

    def _topic(self, title: str, body: str, vocabulary: Vocabulary) -> str:
        """The lead and those later paragraphs that share enough stems with title and lead, in order."""
        lead = set(_content_codes(title, vocabulary))
        kept: list[str] = []
        words_so_far = 0
        for paragraph in body.split("\n"):
            tokens = vocabulary.tokens(paragraph, self._tuning.longest_words)
            stems = {code for code in map(vocabulary.__getitem__, tokens) if code != STOP_WORD}
            if words_so_far < self._tuning.lead_words:
                lead |= stems
                kept.append(paragraph)
            elif len(stems & lead) >= self._tuning.container_shared_stems:
                kept.append(paragraph)
            words_so_far += len(tokens)
        return "\n".join(kept)


def _content_codes(text: str, vocabulary: Vocabulary) -> Iterator[int]:
    return (code for code in map(vocabulary.__getitem__, vocabulary.tokens(text, 1000)) if code != STOP_WORD)


def special_terms(title: str, body: str, vocabulary: Vocabulary, tuning: EventTuning) -> tuple[Special, ...]:
    """Names, numbers and numbers with their unit, each with its field and kind, as often as they occur."""
    return _special(title, body, _read(title, body, vocabulary, tuning.longest_words), vocabulary, tuning)


def _read(title: str, body: str, vocabulary: Vocabulary, limit: int) -> TokenizedArticle:
    title_tokens, body_tokens = vocabulary.tokens(title, limit), vocabulary.tokens(body, limit)
    tokens = title_tokens + body_tokens
    codes = np.fromiter(map(vocabulary.__getitem__, tokens), dtype=np.int64, count=len(tokens))
    return TokenizedArticle(tokens, codes, len(title_tokens))


def _weight_codes(
    reading: TokenizedArticle,
    names: list[str],
    vocabulary: Vocabulary,
    ends: tuple[int, ...],
    tuning: EventTuning,
) -> list[Ints]:
    """The codes up to each end, where words count more that tell what the article is about.

    Those are words that no list holds and that are part of a name or said again, and listed names said again.
    """
    in_name = np.isin(reading.codes & HASH_MASK, vocabulary.words_of_names(names))
    _, where, counts = np.unique(reading.codes, return_inverse=True, return_counts=True)
    frequencies, said_again = reading.codes >> HASH_BITS, counts[where] > 1
    unlisted = frequencies == vocabulary.unlisted_df
    codes = np.where(unlisted & (in_name | said_again), reading.codes & HASH_MASK, reading.codes)
    times = np.where(unlisted & in_name, tuning.telling_once, 1)
    times[said_again & (unlisted | (frequencies == vocabulary.named_df))] = tuning.telling_times
    return [np.repeat(codes[:end], times[:end]) for end in ends]


def _special(
    title: str, body: str, reading: TokenizedArticle, vocabulary: Vocabulary, tuning: EventTuning
) -> tuple[Special, ...]:
    title_tokens = reading.tokens[: reading.title_words]
    capitals = sum(token[0].isupper() for token in title_tokens)
    in_title_case = capitals > _TITLE_CASE_SHARE * len(title_tokens)
    numbers = np.flatnonzero(reading.codes >= NUMBER).tolist()
    with_unit = [place for place in numbers if place < reading.title_words + tuning.unit_words]
    return (
        ("names", "n", vocabulary.names(body if in_title_case else f"{title}\n{body}")),
        ("num", "d", _numbers(reading, numbers)),
        ("numu", "u", _numbers_with_unit(reading, with_unit, vocabulary)),
    )


def _numbers(reading: TokenizedArticle, places: list[int]) -> list[str]:
    tokens = (reading.tokens[place] for place in places)
    return [
        plain_number(token)
        for token in tokens
        if len(token) > 1 and token[0].isdigit() and token[-1].isdigit()
    ]


def _numbers_with_unit(reading: TokenizedArticle, places: list[int], vocabulary: Vocabulary) -> list[str]:
    """Each number with the stem of the next word that says something: "72|billion"."""
    found = []
    for place in places:
        following = (vocabulary.stem(token) for token in reading.tokens[place + 1 : place + 5])
        unit = next((stem for stem in following if stem), None)
        if unit is not None:
            found.append(f"{vocabulary.number(reading.tokens[place])}|{unit}")
    return found


def _without_collisions(ids: Ints, weights: Floats) -> tuple[Ints, Ints]:
    """Integer weights, with one entry for each id: where two words share a hash, the heavier one stands."""
    whole = np.rint(weights * SCALE).astype(np.int64)
    order = np.lexsort((-whole, ids))
    ids, whole = ids[order], whole[order]
    first = np.ones(len(ids), dtype=bool)
    first[1:] = ids[1:] != ids[:-1]
    return ids[first], whole[first]
