"""Similarity of two articles in different languages: names, numbers, time and sentence vectors.

Used only with `grouping.across_languages` in config.yaml. A name is reduced to consonants that most languages
keep (Putin, Путин, بوتين and プーチン are all "ptn"), a number to its value ("4,2 Milliarden" and "42億" are
equal). Each has a weight by how informative it is. The score of two articles is a sum of reasons, as for
events. The score of an article and a story is the mean over the story's own reports.

Chinese names match only where they are written in Latin letters; otherwise numbers and vectors have to
suffice.

There is no table of names: the sound of a letter is derived from its Unicode name, and sounds that languages
confuse (b and p, l and r, g and k) are one class. Different names may therefore get one form by chance; the
caller weights a match by its length.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from aggregator.cluster.events.document_frequency import (
    ANY_LANGUAGE,
    BackgroundFrequencies,
    common_words,
    shipped_background,
)
from aggregator.cluster.events.scripts import fitting_language, written_out
from aggregator.cluster.events.tokenizer import Vocabulary, primary_tag
from aggregator.model.core import Reason

# --- names -------------------------------------------------------------------------------------------------

_KEY_LETTERS: Final = 6
_VOWELS: Final = "aeiouyj"  # j is a vowel in half of Europe; dropping vowels rarely makes two names equal
_ARTICLE: Final = re.compile(r"^(?:وال|بال|لل|ال)(?=...)")
# Sounds written with several letters, in this order; then the classes of sounds that languages confuse.
_SPELLINGS: Final = (
    (re.compile("dzh|dj"), "j"),
    (re.compile("t?sh?ch|sch|tch|[sczt]h(?<!th)|cz|cs|dz|ts|tz"), "s"),
    (re.compile("kh"), "h"),
    (re.compile("ph"), "f"),
    (re.compile("th"), "t"),
    (re.compile("ck|gh|q"), "k"),
    (re.compile("c(?=[eiy])|z"), "s"),
    (re.compile("[cg]"), "k"),
    (re.compile("x"), "ks"),
    (re.compile("^w"), "f"),
)
_CLASSES: Final = str.maketrans({"b": "p", "v": "f", "l": "r", "h": None})
_NOT_KEPT: Final = re.compile(f"[{_VOWELS}w]")
_TWICE: Final = re.compile(r"(.)\1+")


@lru_cache(maxsize=50_000)
def skeleton(word: str) -> str:
    """Return the consonants of a name that most languages keep: "ptn" for Putin, Путин, بوتين, プーチン.

    A name that begins with a vowel begins with "a". Chinese characters are kept as they are.
    """
    spelt = "".join(map(_letter, _ARTICLE.sub("", word).lower()))
    for pattern, sound in _SPELLINGS:
        spelt = pattern.sub(sound, spelt)
    first = "a" if spelt[:1] and spelt[0] in _VOWELS else ""
    sounds = _TWICE.sub(r"\1", spelt.translate(_CLASSES))
    sounds = _NOT_KEPT.sub("", sounds)
    return (first + re.sub("m(?=[pf])", "n", sounds))[:_KEY_LETTERS]


_LETTER_NAME: Final = re.compile(r"([A-Z]+) (?:SMALL |CAPITAL |FINAL )*(?:LETTER|SYLLABLE|LIGATURE) (.+)")
_LETTER_SOUNDS: Final = {
    "SHARP S": "s", "AE": "a", "OE": "o", "DOTLESS I": "i", "SHORT I": "j", "HU": "f", "SMALL TU": "",
    "HARD SIGN": "", "SOFT SIGN": "", "YERU": "a", "EF": "f", "EL": "l", "EM": "m", "EN": "n", "ER": "r",
    "ES": "s", "TEH MARBUTA": "a", "ALEF MAKSURA": "a", "FARSI YEH": "a", "YEH": "a", "WAW": "w", "VAV": "w",
    "FINAL SIGMA": "s", "XI": "ks", "PSI": "ps", "CHI": "h", "JEEM": "j",
}  # fmt: skip
_SCRIPT_VOWEL: Final = "a"


@lru_cache(maxsize=50_000)
def _letter(character: str) -> str:
    """Return the sound of a letter by its Unicode name: П is "PE", ب is "BEH", ツ is "TU"."""
    match = _LETTER_NAME.fullmatch(unicodedata.name(character, ""))
    if match is None:
        return character if "\u3400" <= character <= "\u9fff" else ""
    script, name = match[1], match[2].partition(" WITH ")[0]
    if name in _LETTER_SOUNDS:
        return _LETTER_SOUNDS[name]
    if script == "LATIN":
        return name.lower() if len(name) == 1 else ""
    name = name.rpartition(" ")[2]
    if script == "HANGUL":
        return re.sub("[AEIOUYW]+", _SCRIPT_VOWEL, name).lower()
    consonants = re.match("[^AEIOU]*", name)
    spelt = consonants[0].lower() if consonants else ""
    is_syllable = script in ("KATAKANA", "HIRAGANA", "DEVANAGARI") and spelt != "n"
    return spelt + (_SCRIPT_VOWEL if not spelt or is_syllable else "")


# --- numbers -----------------------------------------------------------------------------------------------

_FOREIGN_DIGIT: Final = re.compile(r"(?![0-9])\d")
_CLOCK: Final = re.compile(r"(?<!\d)\d{1,2}(?::| ?[hH] ?)\d\d(?!\d)")
_FIGURE: Final = re.compile(
    r"(?<![A-Za-z\u00c0-\u052f\d.,:])(\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?|\d[\d.,]*\d|\d)"
    r"(?![\d:]|[.]\d)\s?([^\W\d_]+)?(?:\s([^\W\d_]+))?"
)
# Languages with a decimal point; the others have a decimal comma.
_POINT_LANGUAGES: Final = frozenset(
    ("en", "zh", "ja", "ko", "he", "th", "hi", "ar", "ur", "bn", "ta", "te", "ms", "tl", "sw")
)
_YEARS: Final = range(1900, 2101)
_CLOCK_WORDS: Final = frozenset({"uhr", "am", "pm", "a", "p"})
_THOUSAND: Final = re.compile("thousand|tausend|mill?e$|mila$|mil$|duizend|tusen|тыс|tys|آلاف|ألف|الف|bin$")
_MILLION: Final = re.compile("milli?o|milh|milj[oö]|milió|mio$|mln$|млн|миллион|مليون|ملايين|milyon")
_MILLIARD: Final = re.compile("milliar|miljar|miliar|mrd$|mld$|bn$|млрд|миллиард|مليار|milyar")
_TRILLION: Final = re.compile("tri(?:ll|lh)|трлн|триллион|تريليون")
_BILLION: Final = re.compile("bi(?:ll|lh)")
_SHORT_SCALE: Final = frozenset({"en", "pt"})  # a billion is 10^9


def numbers_in(text: str, language: str) -> Iterator[float]:
    """Yield the numbers in `text` of two or more digits (9.5 has two), multiplied by a following number word.

    Digits of any script; separators by `language`. Years and times of day are left out.
    """
    text = _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    text = _CLOCK.sub(" ", text)
    for match in _FIGURE.finditer(text.replace("٫", ".").replace("٬", ",")):
        figure, unit, second = match[1], (match[2] or "").lower(), (match[3] or "").lower()
        value = _value(figure, language) * _times(unit, second, language)
        is_year = figure.isdigit() and value in _YEARS
        if is_year or unit in _CLOCK_WORDS or not math.isfinite(value):
            continue
        if value >= 10 or value != int(value):
            yield value


def _value(figure: str, language: str) -> float:
    figure = re.sub("[ \u00a0\u202f'’]", "", figure)
    point = "." if language in _POINT_LANGUAGES else ","
    groups = re.split("[.,]", figure)
    marks = re.findall("[.,]", figure)
    if not marks:
        return float(figure)
    is_grouped = all(len(group) == 3 for group in groups[1:]) and len(groups[0]) <= 3
    if len(set(marks)) == 1 and is_grouped and (len(marks) > 1 or marks[0] != point):
        return float("".join(groups))
    if len(set(marks)) == 1 and len(marks) > 1:
        return float(groups[0])  # a date or a version, not a number
    return float("".join(groups[:-1]) + "." + groups[-1])


def _times(unit: str, second: str, language: str) -> float:
    if _THOUSAND.match(unit):
        return 1e9 if _MILLION.match(second) else 1e3  # es: mil millones
    for pattern, times in ((_MILLIARD, 1e9), (_MILLION, 1e6), (_TRILLION, 1e12)):
        if pattern.match(unit):
            return times
    if _BILLION.match(unit):
        return 1e9 if language in _SHORT_SCALE else 1e12
    return 1.0


Keys = npt.NDArray[np.uint32]

PREFIX: Final = "across:"  # prefix of the names of reasons
_WEIGHT_BITS: Final = 8  # lower bits of a packed key; the hash is above them
_WHOLE: Final = (1 << _WEIGHT_BITS) - 1  # the packed weight 1.0
_VECTOR_UNIT: Final = 127  # length of a packed vector
_MINUTES_A_DAY: Final = 24 * 60


class CrossLanguageTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `cross_language` of config/tuning.yaml, which gives units and origins."""

    mode: str
    model: str
    folder: str
    reach: int
    keys: int
    text_chars: int
    max_postings: int
    candidates: int
    members: int
    name_weight: float
    number_min: float
    number_step: float
    bias: float
    shared_cap: float
    day: float
    undated: float
    apart_days: float
    vector: float
    vector_from: float

    @property
    def is_on(self) -> bool:
        """Whether articles are joined across languages at all."""
        return self.mode != "off"

    @property
    def has_vectors(self) -> bool:
        """Whether articles have sentence vectors."""
        return self.mode == "vectors"


class CrossLanguageFeatures(msgspec.Struct, frozen=True, array_like=True):
    """Language-independent features of an article. Keys are sorted uint32: 24 bits hash, 8 bits weight."""

    language: str
    names: bytes
    numbers: bytes
    vector: bytes = b""  # int8, of Euclidean length _VECTOR_UNIT; b"" for none
    model: str = ""  # hash of the vector's model; vectors of two models are not compared

    def lookup_keys(self) -> list[int]:
        """Return the hashes for the index; names and numbers never share one."""
        return [int(one) for one in _hashes(_read(self.names))] + [
            int(one) | _NUMBER for one in _hashes(_read(self.numbers))
        ]


_NUMBER: Final = 1 << 24


def pack(features: CrossLanguageFeatures) -> bytes:
    """Return the stored form of the features."""
    return msgspec.msgpack.encode(features)


def unpack(data: bytes) -> CrossLanguageFeatures:
    """Return the features that `pack` stored. Raise msgspec.DecodeError for anything else."""
    return msgspec.msgpack.decode(data, type=CrossLanguageFeatures)


# --- similarity --------------------------------------------------------------------------------------------


class CrossLanguageScore(msgspec.Struct, frozen=True):
    """The log odds that both report one event: `score` is `start` plus the shares of the reasons."""

    score: float
    start: float
    reasons: tuple[Reason, ...]


def score_similarity(
    one: CrossLanguageFeatures, other: CrossLanguageFeatures, apart: int | None, tuning: CrossLanguageTuning
) -> CrossLanguageScore:
    """Score two articles of different languages; `apart` is the minutes between them, None: unknown."""
    names = _shared(one.names, other.names)
    numbers = _shared(one.numbers, other.numbers)
    days = None if apart is None else apart / _MINUTES_A_DAY
    parts = [
        ("names", names, min(names, tuning.shared_cap)),
        ("numbers", numbers, min(numbers, tuning.shared_cap)),
        ("days", days or 0.0, -tuning.day * days if days is not None else -tuning.undated),
    ]
    if tuning.has_vectors and one.vector and other.vector and one.model == other.model:
        near = cosine(one.vector, other.vector)
        parts.append(("vector", near, tuning.vector * (near - tuning.vector_from)))
    return _sum_shares(parts, tuning.bias)


def mean_score(parts: Sequence[CrossLanguageScore]) -> CrossLanguageScore:
    """Return the score of an article and a story: the mean of its scores with the members, at least one."""
    values: dict[str, list[tuple[float, float]]] = {}
    for part in parts:
        for reason in part.reasons:
            values.setdefault(reason.name.removeprefix(PREFIX), []).append((reason.value, reason.share))
    means = [
        (name, sum(value for value, _ in pairs) / len(parts), sum(share for _, share in pairs) / len(parts))
        for name, pairs in values.items()
    ]
    return _sum_shares(means, parts[0].start)


def _sum_shares(parts: Iterable[tuple[str, float, float]], start: float) -> CrossLanguageScore:
    reasons = tuple(
        Reason(name=PREFIX + name, value=value, share=share) for name, value, share in parts if share != 0.0
    )
    return CrossLanguageScore(start + sum(reason.share for reason in reasons), start, reasons)


def cosine(one: bytes, other: bytes) -> float:
    """Return the cosine, -1..1, of two packed vectors of one length.

    The sums are of integers, so the result is the same on every machine.
    """
    left, right = (np.frombuffer(data, np.int8).astype(np.int64) for data in (one, other))
    return float(left @ right) / (_VECTOR_UNIT * _VECTOR_UNIT)


def pack_vector(vector: npt.NDArray[np.float32]) -> bytes:
    """Scale a vector to length 127 and round it to int8; b"" for one without a finite, positive length."""
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not math.isfinite(length) or length == 0.0:
        return b""
    return np.rint(vector.astype(np.float64) / length * _VECTOR_UNIT).astype(np.int8).tobytes()


def _shared(one: bytes, other: bytes) -> float:
    """Sum the weights of the keys in both, the lower weight of each."""
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


# --- extraction --------------------------------------------------------------------------------------------


class FeatureExtractor:
    """Extracts features. Caches words by language, so use one extractor for many articles."""

    def __init__(self, tuning: CrossLanguageTuning, background: BackgroundFrequencies | None = None) -> None:
        self._tuning = tuning
        self._background = background or shipped_background()
        self._events = self._background.events.get(ANY_LANGUAGE, 0)
        self._name_frequencies = _name_frequencies(self._background)
        self._vocabularies: dict[str, Vocabulary] = {}
        self._common: dict[str, frozenset[str]] = {}  # stems that are not names
        self._memo: dict[str, dict[str, tuple[str, float]]] = {}

    def features(
        self, title: str, text: str, language: str | None, vector: bytes = b""
    ) -> CrossLanguageFeatures | None:
        """Return the features of an article, or None where the language is unknown."""
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
        """Pack the first `keys` terms with a weight above 0."""
        steps: dict[int, int] = {}
        for term, weight in weighted:
            step = min(_WHOLE, round(weight * _WHOLE))
            if step > 0:
                steps.setdefault(xxhash.xxh3_64_intdigest(term.encode()) >> 40, step)
                if len(steps) == self._tuning.keys:
                    break
        packed = [hashed << _WEIGHT_BITS | step for hashed, step in steps.items()]
        return np.sort(np.array(packed, dtype=np.uint32)).astype("<u4").tobytes()

    def _names(self, title: str, text_start: str, tag: str) -> Iterator[tuple[str, float]]:
        cached = self._cache(tag)
        words = [word for token in _WORD.findall(text_start) for word in token.split("-") if word]
        in_title = len(_WORD.findall(title))
        # In a headline in which every word is capitalised, capitals do not mark names.
        is_title_case = sum(word[0].isupper() for word in words[:in_title]) > _TITLE_CASE * in_title
        for place, word in enumerate(words):
            if word[0].islower() or (is_title_case and place < in_title):
                continue  # in a script without capitals any word may be a name
            named = cached.get(word)
            if named is None:
                named = cached[word] = self._name(word, tag)
            if named[1]:
                yield named

    def _name(self, word: str, tag: str) -> tuple[str, float]:
        """Return the key of a name and its weight, by its rarity in the background table."""
        stem = self._vocabularies[tag].stem(word)
        if not stem or stem in self._common[tag]:
            return "", 0.0
        key = skeleton(stem if tag in _DECLINING else word)
        if len(key) < _LEAST_SOUNDS:
            return "", 0.0
        df = max(self._background.table("w", tag).get(stem, 0), self._name_frequencies.get(key, 0))
        rarity = math.log((1 + self._events) / (1 + df)) / math.log(1 + self._events)
        return key, self._tuning.name_weight * rarity

    def _numbers(self, text_start: str, tag: str) -> Iterator[tuple[str, float]]:
        tuning = self._tuning
        for value in numbers_in(written_out(text_start), tag):
            digits = len(f"{value:.7e}".partition("e")[0].replace(".", "").strip("0"))
            yield f"{value:.8g}", min(1.0, tuning.number_min + tuning.number_step * (digits - 1))

    def _cache(self, tag: str) -> dict[str, tuple[str, float]]:
        """Return the cache of names by word of a language. Results do not depend on it; it is cleared when
        full.
        """
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
_LEAST_SOUNDS: Final = 3  # of a name's key; names with fewer are often equal by chance
_MEMO_LIMIT: Final = 50_000  # words per language
_DECLINING: Final = frozenset({"ru", "uk", "be", "bg", "sr", "mk"})


def _name_frequencies(background: BackgroundFrequencies) -> dict[str, int]:
    """Return by consonant key the number of events that have such a name."""
    frequencies: dict[str, int] = {}
    for name, df in background.table("n", ANY_LANGUAGE).items():
        for word in name.split():
            key = skeleton(word)
            frequencies[key] = max(frequencies.get(key, 0), df)
    return frequencies
