"""What two articles have in common whatever their languages: names, numbers, time, and sentence vectors.

Only where config.yaml asks for it (`grouping.across_languages`). A name becomes the consonants by which it is
known in most languages (Putin, Путин, بوتين and プーチン are all "ptn"), a number its value ("4,2 Milliarden"
and "42億" are one), each with a weight by how much it tells (cluster/cross_language/normal_forms.py). The
score of two articles is a
sum of reasons, as it is for events; that of an article and a story is the mean over the story's own reports.

Chinese names meet only where they stand in Latin letters; numbers and vectors have to do the rest.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from aggregator.cluster.cross_language.normal_forms import numbers_in, skeleton
from aggregator.cluster.events.document_frequency import (
    ANY_LANGUAGE,
    BackgroundFrequencies,
    common_words,
    shipped_background,
)
from aggregator.cluster.events.scripts import fitting_language, written_out
from aggregator.cluster.events.tokenizer import Vocabulary, primary_tag
from aggregator.model.core import Reason

Keys = npt.NDArray[np.uint32]

PREFIX: Final = "across:"  # of the names of reasons
_WEIGHT_BITS: Final = 8  # of a packed key; the hash is above
_WHOLE: Final = (1 << _WEIGHT_BITS) - 1  # the packed weight 1.0
_VECTOR_UNIT: Final = 127  # length of a packed vector
_MINUTES_A_DAY: Final = 24 * 60


class CrossLanguageTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `across` of config/tuning.yaml; units and origins stand there."""

    mode: str
    model: str
    folder: str
    reach: int
    keys: int
    text_chars: int
    longest_list: int
    candidates: int
    members: int
    name_least: float
    name_step: float
    number_least: float
    number_step: float
    number_small: float
    start: float
    name: float
    names_cap: float
    number: float
    numbers_cap: float
    day: float
    undated: float
    apart_days: float
    vector: float
    vector_from: float
    need: float

    @property
    def is_on(self) -> bool:
        """Whether anything is joined across languages at all."""
        return self.mode != "off"

    @property
    def has_vectors(self) -> bool:
        """Whether articles carry sentence vectors."""
        return self.mode == "vectors"


class CrossLanguageFeatures(msgspec.Struct, frozen=True, array_like=True):
    """One article without its language. Keys are uint32: 24 bits of hash, 8 bits of weight, sorted."""

    language: str
    names: bytes
    numbers: bytes
    vector: bytes = b""  # int8, of length _VECTOR_UNIT; b"" where there is none
    model: str = ""  # hash of the vector's model: those of another one say nothing

    def lookup_keys(self) -> list[int]:
        """The hashes by which it is found; names and numbers never share one."""
        return [int(one) for one in _hashes(_read(self.names))] + [
            int(one) | _NUMBER for one in _hashes(_read(self.numbers))
        ]


_NUMBER: Final = 1 << 24


def pack(features: CrossLanguageFeatures) -> bytes:
    """The features as they are stored."""
    return msgspec.msgpack.encode(features)


def unpack(data: bytes) -> CrossLanguageFeatures:
    """What `pack` made. Raises msgspec.DecodeError for anything else."""
    return msgspec.msgpack.decode(data, type=CrossLanguageFeatures)


# --- likeness ----------------------------------------------------------------------------------------------


class CrossLanguageScore(msgspec.Struct, frozen=True):
    """How much speaks for one event; the reasons' shares and `start` sum up to `score`."""

    score: float
    start: float
    reasons: tuple[Reason, ...]


def score_similarity(
    one: CrossLanguageFeatures, other: CrossLanguageFeatures, apart: int | None, tuning: CrossLanguageTuning
) -> CrossLanguageScore:
    """The likeness of two articles of different languages; `apart`: minutes between them, None: unknown."""
    names = _shared(one.names, other.names)
    numbers = _shared(one.numbers, other.numbers)
    days = None if apart is None else apart / _MINUTES_A_DAY
    found = [
        ("names", names, tuning.name * min(names, tuning.names_cap)),
        ("numbers", numbers, tuning.number * min(numbers, tuning.numbers_cap)),
        ("days", days or 0.0, -tuning.day * days if days is not None else -tuning.undated),
    ]
    if tuning.has_vectors and one.vector and other.vector and one.model == other.model:
        near = cosine(one.vector, other.vector)
        found.append(("vector", near, tuning.vector * (near - tuning.vector_from)))
    return _sum_shares(found, tuning.start)


def mean_score(parts: Sequence[CrossLanguageScore]) -> CrossLanguageScore:
    """The likeness to a story: the mean over those to its members, of which there is at least one."""
    values: dict[str, list[tuple[float, float]]] = {}
    for part in parts:
        for reason in part.reasons:
            values.setdefault(reason.name.removeprefix(PREFIX), []).append((reason.value, reason.share))
    found = [
        (name, sum(value for value, _ in said) / len(parts), sum(share for _, share in said) / len(parts))
        for name, said in values.items()
    ]
    return _sum_shares(found, parts[0].start)


def _sum_shares(found: Iterable[tuple[str, float, float]], start: float) -> CrossLanguageScore:
    reasons = tuple(
        Reason(name=PREFIX + name, value=value, share=share) for name, value, share in found if share != 0.0
    )
    return CrossLanguageScore(start + sum(reason.share for reason in reasons), start, reasons)


def cosine(one: bytes, other: bytes) -> float:
    """Of two packed vectors of one length, -1..1. Sums of integers: the same on every machine."""
    left, right = (np.frombuffer(data, np.int8).astype(np.int64) for data in (one, other))
    return float(left @ right) / (_VECTOR_UNIT * _VECTOR_UNIT)


def pack_vector(vector: npt.NDArray[np.float32]) -> bytes:
    """A vector in steps of 1/127 of its length; b"" for one without a length."""
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not math.isfinite(length) or length == 0.0:
        return b""
    return np.rint(vector.astype(np.float64) / length * _VECTOR_UNIT).astype(np.int8).tobytes()


def _shared(one: bytes, other: bytes) -> float:
    """Sum of the weights of the keys in both, the lesser of each."""
    left, right = _read(one), _read(other)
    _, at_left, at_right = np.intersect1d(
        _hashes(left), _hashes(right), assume_unique=True, return_indices=True
    )
    least = np.minimum(left[at_left] & np.uint32(_WHOLE), right[at_right] & np.uint32(_WHOLE))
    return float(least.sum()) / _WHOLE


def _read(keys: bytes) -> Keys:
    return np.frombuffer(keys, dtype="<u4")


def _hashes(keys: Keys) -> Keys:
    return keys >> np.uint32(_WEIGHT_BITS)


# --- making features ---------------------------------------------------------------------------------------


class FeatureExtractor:
    """Makes features; keeps a memo of words by language, so one should serve many articles."""

    def __init__(self, tuning: CrossLanguageTuning, background: BackgroundFrequencies | None = None) -> None:
        self._tuning = tuning
        self._background = background or shipped_background()
        self._events = self._background.events.get(ANY_LANGUAGE, 0)
        self._name_frequencies = _name_frequencies(self._background)
        self._vocabularies: dict[str, Vocabulary] = {}
        self._common: dict[str, frozenset[str]] = {}  # stems that are no names
        self._memo: dict[str, dict[str, tuple[str, float]]] = {}

    def features(
        self, title: str, text: str, language: str | None, vector: bytes = b""
    ) -> CrossLanguageFeatures | None:
        """What can be compared; None where the language is unknown."""
        tag = fitting_language(primary_tag(language), f"{title}\n{text}")
        if tag == "und":
            return None
        text_start = unicodedata.normalize("NFKC", f"{title}\n{text[: self._tuning.text_chars]}")
        return CrossLanguageFeatures(
            language=tag,
            names=self._packed(self._names(title, text_start, tag)),
            numbers=self._packed(self._numbers(text_start, tag)),
            vector=vector,
            model=self._tuning.model if vector else "",
        )

    def _packed(self, weighted: Iterable[tuple[str, float]]) -> bytes:
        """The first `keys` that weigh anything."""
        kept: dict[int, int] = {}
        for term, weight in weighted:
            step = min(_WHOLE, round(weight * _WHOLE))
            if step > 0:
                kept.setdefault(xxhash.xxh3_64_intdigest(term.encode()) >> 40, step)
                if len(kept) == self._tuning.keys:
                    break
        packed = [hashed << _WEIGHT_BITS | step for hashed, step in kept.items()]
        return np.sort(np.array(packed, dtype=np.uint32)).astype("<u4").tobytes()

    def _names(self, title: str, text_start: str, tag: str) -> Iterator[tuple[str, float]]:
        known = self._known(tag)
        words = [word for token in _WORD.findall(text_start) for word in token.split("-") if word]
        in_title = len(_WORD.findall(title))
        # A headline in which every word has a capital says nothing about names.
        shouting = sum(word[0].isupper() for word in words[:in_title]) > _TITLE_CASE * in_title
        for place, word in enumerate(words):
            if word[0].islower() or (shouting and place < in_title):
                continue  # in a script without capitals any word may be a name
            found = known.get(word)
            if found is None:
                found = known[word] = self._name(word, tag)
            if found[1]:
                yield found

    def _name(self, word: str, tag: str) -> tuple[str, float]:
        """Its key, and its weight by the length of that and by how rare it is in the background table."""
        stem = self._vocabularies[tag].stem(word)
        if not stem or stem in self._common[tag]:
            return "", 0.0
        key = skeleton(stem if tag in _DECLINING else word)
        by_length = min(1.0, self._tuning.name_least + self._tuning.name_step * (len(key) - 3))
        df = max(self._background.table("w", tag).get(stem, 0), self._name_frequencies.get(key, 0))
        return key, by_length * math.log((1 + self._events) / (1 + df)) / math.log(1 + self._events)

    def _numbers(self, text_start: str, tag: str) -> Iterator[tuple[str, float]]:
        tuning = self._tuning
        for value in numbers_in(written_out(text_start), tag):
            digits = len(f"{value:.7e}".partition("e")[0].replace(".", "").strip("0"))
            weight = min(1.0, tuning.number_least + tuning.number_step * (digits - 1))
            is_small = value < 100 and value == int(value)
            yield f"{value:.8g}", weight * (tuning.number_small if is_small else 1.0)

    def _known(self, tag: str) -> dict[str, tuple[str, float]]:
        """What words of a language gave before: derived, so it may start anew when it is full."""
        if tag not in self._vocabularies:
            vocabulary = self._vocabularies[tag] = Vocabulary(tag, self._background)
            listed = (word for _, words in common_words(tag) for word in words.split())
            self._common[tag] = frozenset(map(vocabulary.stem, listed))
        memo = self._memo.setdefault(tag, {})
        if len(memo) > _MEMO_LIMIT:
            memo.clear()
        return memo


_WORD: Final = re.compile(r"[^\W\d_](?:[\w’'-]*[^\W_])?")
_TITLE_CASE: Final = 0.6
_MEMO_LIMIT: Final = 50_000  # words a language
_DECLINING: Final = frozenset({"ru", "uk", "be", "bg", "sr", "mk"})


def _name_frequencies(background: BackgroundFrequencies) -> dict[str, int]:
    """In how many events a name stands that is known by these consonants."""
    found: dict[str, int] = {}
    for name, df in background.table("n", ANY_LANGUAGE).items():
        for word in name.split():
            key = skeleton(word)
            found[key] = max(found.get(key, 0), df)
    return found
