"""Headlines as comparable words: numbers, days, names and actions; and the input and tuning of the vetoes.

The vetoes (vetoes.py) compare headlines word by word. This module parses a headline into words with all
attributes that the comparison needs; the word lists are in vetoes.yaml. Parsing is cached; results do not
depend on the cache.
"""

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple

import msgspec
import yaml

from aggregator.cluster.events.document_frequency import shipped_background
from aggregator.text.calendar import dates_of, number_of
from aggregator.text.language import stop_words, tag_or_und
from aggregator.text.numbers import han_number, plain_number, spelt_numbers
from aggregator.text.stems import elided, stem_of

WordKind = Literal["word", "number", "ordinal", "score"]
# Confidence that a word is a name.
NO_NAME: Final = 0
MAY_BE_NAME: Final = 1
NAME: Final = 2

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN: Final = re.compile(
    rf"(?P<score>(?<![\d.,])\d{{1,3}}[-–:]\d{{1,3}}(?![\w:.-]))"
    rf"|(?P<number>\d+(?:[.,]\d+)*)(?P<suffix>(?:-?(?:st|nd|rd|th|er|ère|e|è|º|ª|й|я|е|го|му|ю))?(?![\w]))?"
    rf"|(?P<hanzi>(?<![〇一二三四五六七八九十百])[〇一二三四五六七八九十百]++)(?=[轮次届弹弾回位季度月日级級名人])"
    rf"|(?P<sign>[$€£¥₹%])"
    rf"|(?P<unspaced>[{_UNSPACED}])"
    rf"|(?P<word>[^\W\d_](?:(?![{_UNSPACED}])[\w'’-])*)"
)
_GERMAN_ORDINAL: Final = re.compile(r"\. ?(?=[^\W\d_])")
# Characters that divide a headline; a capital after one marks a beginning and not a name.
_DIVIDERS: Final = frozenset(":|–—-.!?…\"“„«»'‘’·()")
_UNSPACED_TAGS: Final = frozenset({"zh", "ja"})
# A word is a name if, of the events that have it, at least this share has it as a single name in mid-sentence
# ("Spain" .7, "Boeing" .55, "Microsoft" .4; "Judge" .03, "President" .16, "Court" .24).
_NAME_SHARE: Final = 0.35
_LEAST_NAME_EVENTS: Final = 2


class HeadlineWord(NamedTuple):
    """One word of a headline."""

    key: str  # equal for equivalent words: "12th" and "twelfth" are "#12"
    sort: WordKind
    value: float  # of a number or ordinal; 0.0 for words
    spelt: str
    start: int  # index in the title
    end: int
    is_initial: bool  # at the beginning of the headline or of a part of it
    is_content: bool  # not a stop word


class ParsedHeadline(NamedTuple):
    """A parsed title."""

    title: str  # in lower case
    language: str
    words: tuple[HeadlineWord, ...]
    keys: tuple[str, ...]
    is_title_case: bool
    is_shouted: bool  # all capitals
    has_spaces: bool

    @property
    def joined(self) -> str:
        """The words as one string, to search phrases; padded with spaces in scripts with spaces."""
        return f" {' '.join(self.keys)} " if self.has_spaces else "".join(self.keys)


class WordSet(NamedTuple):
    """A list of words, word beginnings and phrases."""

    exact: frozenset[str]
    beginnings: tuple[str, ...]
    phrases: tuple[str, ...]

    def holds(self, key: str) -> bool:
        """Return whether the list has this word."""
        return key in self.exact or (bool(self.beginnings) and key.startswith(self.beginnings))

    def met_in(self, headline: ParsedHeadline) -> bool:
        """Return whether an entry of the list is in the headline."""
        if not headline.has_spaces:
            return any(entry in headline.title for entry in (*self.exact, *self.phrases))
        if any(self.holds(key) for key in headline.keys):
            return True
        return bool(self.phrases) and any(f" {phrase} " in headline.joined for phrase in self.phrases)


class _VetoLists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of vetoes.yaml."""

    ordinals: dict[str, list[str]]
    numbered: dict[str, str]
    magnitude: str
    measures: str
    prices: str
    amounts: str
    priced: dict[str, str]
    versions: dict[str, str]
    actions: dict[str, list[dict[str, str]]]
    together: dict[str, str]
    alongside: dict[str, str]
    labels: dict[str, str]
    daily: dict[str, str]
    objects: dict[str, str]
    objects_generic: str
    outlets: dict[str, str]
    common: dict[str, str]
    aliases: list[str]
    place_prepositions: dict[str, str]
    places: dict[str, str]


@functools.cache
def _lists() -> _VetoLists:
    raw: dict[str, Any] = yaml.safe_load(
        files("aggregator.cluster.vetoes").joinpath("vetoes.yaml").read_text(encoding="utf-8")
    )
    return msgspec.convert(raw, _VetoLists)


def lists_hash() -> str:
    """Return 12 hex digits over vetoes.yaml, the value of `vetoes.word_lists` in config/tuning.yaml."""
    data = files("aggregator.cluster.vetoes").joinpath("vetoes.yaml").read_bytes()
    return hashlib.blake2b(data, digest_size=6).hexdigest()


def _word_set(text: str) -> WordSet:
    entries = [entry.strip('"') for entry in re.findall(r'"[^"]+"|\S+', text)]
    phrases = [entry for entry in entries if " " in entry]
    single = [entry for entry in entries if " " not in entry]
    return WordSet(
        frozenset(entry for entry in single if not entry.endswith("*")),
        tuple(entry[:-1] for entry in single if entry.endswith("*")),
        tuple(entry.removesuffix("*") for entry in phrases),
    )


NamedList = Literal[
    "numbered",
    "together",
    "labels",
    "daily",
    "objects",
    "common",
    "place_prepositions",
    "outlets",
    "versions",
    "priced",
    "alongside",
]


@functools.cache
def words_of(name: NamedList, language: str) -> WordSet:
    """Return the list `name` of a language; empty where there is none."""
    lists: Mapping[str, str] = getattr(_lists(), name)
    return _word_set(lists.get(language, ""))


@functools.cache
def plain_words(name: Literal["magnitude", "measures", "prices", "amounts", "objects_generic"]) -> WordSet:
    """Return the list `name`, which has words of all languages."""
    return _word_set(getattr(_lists(), name))


@functools.cache
def places(language: str) -> tuple[str, ...]:
    """Return names of places, for languages without capitals; the longest first."""
    return tuple(sorted(_lists().places.get(language, "").split(), key=len, reverse=True))


@functools.cache
def _aliases() -> dict[str, int]:
    return {word: number for number, line in enumerate(_lists().aliases) for word in line.split()}


@functools.cache
def _families(language: str) -> tuple[tuple[str, tuple[WordSet, ...]], ...]:
    families = _lists().actions.items()
    return tuple(
        (name, tuple(_word_set(state.get(language, "")) for state in states)) for name, states in families
    )


class _OrdinalWords(NamedTuple):
    """Words for positions in a sequence."""

    exact: dict[str, int]
    beginnings: tuple[tuple[str, int], ...]

    def find(self, word: str) -> int | None:
        if word in self.exact:
            return self.exact[word]
        return next((number for start, number in self.beginnings if word.startswith(start)), None)


@functools.cache
def _ordinals(language: str) -> _OrdinalWords:
    exact: dict[str, int] = {}
    beginnings: list[tuple[str, int]] = []
    for number, forms in enumerate(_lists().ordinals.get(language, []), start=1):
        for form in forms.split("|"):
            if form.endswith("*"):
                beginnings.append((form[:-1], number))
            else:
                exact[form] = number
    # A longer beginning is tried first: "zweite" before "zwei".
    return _OrdinalWords(exact, tuple(sorted(beginnings, key=lambda one: -len(one[0]))))


@functools.lru_cache(maxsize=1024)
def read_headline(title: str, language: str | None) -> ParsedHeadline:
    """Parse a title. `language` as declared ("en-GB"); for an unknown one no lists are used."""
    tag = tag_or_und(language)
    words = tuple(_words(title, tag))
    spaced = [word for word in words if word.is_content and word.sort == "word" and len(word.key) > 2]
    return ParsedHeadline(
        title=title.lower(),
        language=tag,
        words=words,
        keys=tuple(word.key for word in words),
        # German capitalises every noun, so title case cannot be recognised.
        is_title_case=tag != "de" and not any(word.spelt[0].islower() for word in spaced),
        is_shouted=title.isupper(),
        has_spaces=tag not in _UNSPACED_TAGS,
    )


def _words(title: str, language: str) -> Iterable[HeadlineWord]:
    stops = stop_words(language)
    for match in _TOKEN.finditer(title):
        spelt = match.group()
        start, end = match.span()
        before = title[:start].rstrip()
        initial = not before or before[-1] in _DIVIDERS
        sort, value, key = _sense(match, title, language)
        content = sort != "word" or (key not in stops and (len(key) > 1 or match["unspaced"] is not None))
        yield HeadlineWord(key, sort, value, spelt, start, end, initial, content)


def _sense(match: re.Match[str], title: str, language: str) -> tuple[WordKind, float, str]:
    """Return the kind, the value and the key of a token."""
    if match["score"]:
        return "score", 0.0, re.sub(r"[–:]", "-", match["score"])
    if match["number"] or match["hanzi"]:
        value = _value(match["number"] or han_number(match["hanzi"]), language)
        german = language == "de" and match["number"] and _GERMAN_ORDINAL.match(title, match.end())
        if match["suffix"] or german or title[: match.start()].endswith("第"):
            return "ordinal", value, f"#{value:g}"
        return "number", value, f"{value:.10g}"
    word = match.group().lower().replace("’", "'")
    word = word[elided(word, language) :].removesuffix("'s").rstrip("'-")
    if re.fullmatch(r"q[1-4]", word):
        return "ordinal", float(word[1]), f"#{word[1]}"
    if (row := _ordinals(language).find(word)) is not None:
        return "ordinal", float(row), f"#{row}"
    number = spelt_numbers(language).get(word)
    return ("word", 0.0, word) if number is None else ("number", float(number), str(number))


def _value(digits: str, language: str) -> float:
    whole, _, decimals = plain_number(digits, language).partition(".")
    return float(f"{whole}.{decimals.replace('.', '') or 0}")


# --- kinds of words ----------------------------------------------------------------------------------------


def weekday_of(word: HeadlineWord, language: str) -> int | None:
    """Return 1 for Monday to 7 for Sunday; None for any other word."""
    return number_of("weekdays", word.key, language) if word.sort == "word" else None


def month_of(word: HeadlineWord, language: str) -> int | None:
    """Return 1 for January to 12 for December; None for any other word."""
    return number_of("months", word.key, language) if word.sort == "word" else None


@functools.lru_cache(maxsize=1024)
def states_of(headline: ParsedHeadline) -> dict[str, frozenset[int]]:
    """Return for each family of actions the states in the headline (vetoes.yaml, `actions`)."""
    states_by_family = {}
    for name, states in _families(headline.language):
        met = frozenset(number for number, words in enumerate(states) if words.met_in(headline))
        if met:
            states_by_family[name] = met
    return states_by_family


def is_deed(headline: ParsedHeadline, at: int, family: str) -> bool:
    """Return whether the word is one of a family of actions, or a part of such a phrase."""
    key = headline.keys[at]
    states = dict(_families(headline.language))[family]
    return any(words.holds(key) or any(key in phrase.split() for phrase in words.phrases) for words in states)


def are_near(left: str, right: str) -> bool:
    """Return whether two words are forms of one word ("Israel", "Israeli"), parts of one compound, or
    aliases.
    """
    if left == right:
        return True
    left, right = folded(left), folded(right)
    aliases = _aliases()
    if left in aliases and aliases[left] == aliases.get(right):
        return True
    if min(len(left), len(right)) < 4:
        return False
    if left[:4] == right[:4] or left.endswith(f"-{right}") or right.endswith(f"-{left}"):
        return True
    return min(len(left), len(right)) > 6 and left[-4:] == right[-4:]


@functools.lru_cache(maxsize=16384)
def folded(word: str) -> str:
    """Return the word without accents: "Moise" for "Moïse"."""
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


def name_likelihood(headline: ParsedHeadline, at: int) -> int:
    """Return NO_NAME, MAY_BE_NAME or NAME for the word at this index."""
    word = headline.words[at]
    if not _has_capital_of_its_own(headline, word):
        return NO_NAME
    if len(word.spelt) > 1 and word.spelt.isupper() and not headline.is_shouted:
        return NAME
    if headline.language == "de":
        return _german_name(headline, at)
    if headline.language != "und" and not word.is_initial and not headline.is_title_case:
        return NAME
    if headline.language == "en":
        return _known_name(headline, word)
    return NO_NAME if headline.language == "und" else MAY_BE_NAME


def _has_capital_of_its_own(headline: ParsedHeadline, word: HeadlineWord) -> bool:
    if word.sort != "word" or not word.is_content or not word.spelt[0].isupper():
        return False
    is_date = word.key in dates_of(headline.language)
    return not (is_date or words_of("common", headline.language).holds(word.key))


def _german_name(headline: ParsedHeadline, at: int) -> int:
    before = headline.words[at - 1] if at else None
    if before is not None and words_of("place_prepositions", "de").holds(before.key):
        return NAME
    neighbours = headline.words[max(0, at - 1) : at] + headline.words[at + 1 : at + 2]
    with_capital = [
        one for one in neighbours if one.spelt[0].isupper() and one.sort == "word" and one.is_content
    ]
    return NAME if with_capital and not headline.words[at].is_initial else MAY_BE_NAME


def _known_name(headline: ParsedHeadline, word: HeadlineWord) -> int:
    """Judge a word by how often news have it as a name, for headlines where capitals do not help."""
    background = shipped_background()
    as_word = background.table("w", "en").get(stem_of(word.key, "en"), 0)
    as_name = background.table("n", "*").get(word.key, 0)
    if as_word == 0 and as_name == 0:
        return MAY_BE_NAME if headline.is_title_case else NAME
    is_name = as_name >= _LEAST_NAME_EVENTS and as_name >= _NAME_SHARE * as_word
    return NAME if is_name else NO_NAME if as_word > 20 else MAY_BE_NAME


_WRAPPER: Final = re.compile(r"\s(?:-|–|—|\|)\s+(?P<name>[^|–—]{2,40})$")


class VetoTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `vetoes` of config/tuning.yaml, which gives units and origins."""

    headline_logits: float
    text_logits: float
    undecided_weight: float
    template_share: float
    template_share_in_order: float
    same_magnitude: float
    same_measure: float
    same_price: float
    daily_hours: float
    word_lists: str


class VetoInput(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an article that a veto needs."""

    title: str
    lead: str = ""  # first words of the text; may be empty
    language: str | None = None
    outlet: str | None = None
    minutes: int | None = None  # published, minutes since 1970; None: unknown
    bodyless: bool = False


@functools.lru_cache(maxsize=1024)
def unwrapped(title: str) -> tuple[str, str]:
    """Return the title without the text after its last dash, and that text in lower case ("" for none)."""
    match = _WRAPPER.search(title)
    if match is None or not match.start():
        return title, ""
    return title[: match.start()], match["name"].lower()


def without_outlet(veto_input: VetoInput) -> str:
    """Return the title without the name of an outlet or agency at its end."""
    title, wrapper = unwrapped(veto_input.title)
    return title if wrapper and is_outlet(wrapper, veto_input) else veto_input.title


def is_outlet(wrapper: str, veto_input: VetoInput) -> bool:
    if wrapper == (veto_input.outlet or "").lower():
        return True
    return words_of("outlets", "any").met_in(read_headline(wrapper, veto_input.language))
