"""Figures in a sentence: a value, what it counts, and qualifiers such as "at least" or "about".

One grammar is used with the words of languages.yaml. Dates, ages, clock times, ordinals and numbers in names
are no figures. In a language without words only digits, percentages and currency signs are read.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import dropwhile

from aggregator.stories.lexicon import LanguageWords, language_words, word_list
from aggregator.stories.words import head_of
from aggregator.text.calendar import forms
from aggregator.text.numbers import decimal_mark, small_numbers, spelt_numbers
from aggregator.text.tokens import PART

CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
# Factors of the lowest and the highest number that is meant: "at least 14" is 14 to 28.
QUALIFIED = {"least": (1.0, 2.0), "almost": (0.85, 1.0), "most": (0.5, 1.0), "about": (0.9, 1.1)}
WORD_AFTER = re.compile(r"[^\W\d_]+")
DIGIT = re.compile(r"\d")
YEAR = re.compile(r"(?:19|20)\d\d")  # "1,950 people" are a count
CLAUSE_REACH = 70  # characters around a figure searched for what is counted
QUALIFIER_REACH = 18  # characters before a figure searched for "at least"
CLAUSE_END = re.compile(r"[,;:.!?()\[\]\"“”„«»—–](?:\s|$)|\s[-(\[\"“„«—–]")
WORDS_BESIDE = 5  # shown with a figure at most,
CONTENT_BESIDE = 2  # ... and of them such as are no function words
AND = frozenset({"and", "or", "und", "oder", "et", "ou", "y", "o", "e", "en", "и", "или", "&"})
WORDS_REACH = 100  # characters before a figure that the words which end there do not exceed
NAME_BEFORE = r"[:/](?!\s)|[^\W\d_]-"  # "9:31", "COVID-19"
SPACELESS = ("zh", "ja", "th")


@dataclass(frozen=True, slots=True)
class Figure:
    """A value from `low` to `high`, in `unit` (currency, %, km), or of `noun` and class `kind`."""

    words: str
    low: float
    high: float
    unit: str
    noun: str
    kind: str
    stated: tuple[float, float]  # the number without its qualifier
    sure: bool  # the word for `kind` is in the clause of the figure
    end: int = 0  # offset of the end of the number in the sentence
    vague: bool = False  # approximate: "hundreds"

    @property
    def counted(self) -> tuple[object, ...]:
        """The number and what it counts; equal for figures that state the same."""
        digits = 0 if self.unit == "km" else 6  # 70 miles are 113 km
        stated = tuple(round(value, digits) for value in self.stated)
        if self.unit:
            return stated, self.unit
        return stated, self.kind, self.noun or ("people" if self.kind else "")


@dataclass(frozen=True, slots=True)
class FigureGrammar:
    """The patterns of one language."""

    language: str
    words: LanguageWords
    spelt: frozenset[str] | None  # the longest word of each number; None in scripts without spaces
    number: re.Pattern[str]
    qualifier: re.Pattern[str]
    not_before: re.Pattern[str]
    not_after: re.Pattern[str]
    range_before: re.Pattern[str]
    range_after: re.Pattern[str]
    clause: re.Pattern[str]
    noun_ends: re.Pattern[str]
    classes: tuple[tuple[str, re.Pattern[str]], ...]
    magnitude: re.Pattern[str]


def may_have_figures(sentence: str, words: frozenset[str], language: str | None) -> bool:
    """Whether `figures_in` may find figures in a sentence of these words, which are in lower case.

    Most sentences have neither a digit nor the word of a number; looking for figures takes ten times as long.
    """
    spelt = _grammar(language).spelt
    if spelt is None or not spelt.isdisjoint(words) or DIGIT.search(sentence):
        return True
    return "'" in sentence or "’" in sentence  # which may join such a word to another one


def figures_in(sentence: str, language: str | None = None) -> list[Figure]:
    """Return the figures of a sentence in order. `language` is a primary BCP 47 tag; None means English."""
    grammar = _grammar(language)
    return [
        figure
        for match in grammar.number.finditer(sentence)
        if (figure := _figure(sentence, match, grammar)) is not None
    ]


def meet(x: Figure, y: Figure) -> bool:
    """Whether the intervals of both overlap."""
    slack = 1.03 if x.unit == "km" else 1.0
    return x.low <= y.high * slack and y.low <= x.high * slack


def comparable(x: Figure, y: Figure) -> bool:
    """Whether both count the same kind of thing."""
    if x.unit or y.unit:
        return x.unit == y.unit
    if x.kind and x.kind == y.kind:
        return x.noun == y.noun or {x.noun, y.noun} == {"people", ""}
    return bool(x.noun) and x.noun == y.noun and not (x.kind or y.kind)


def with_counted(sentence: str, figure: Figure, language: str | None) -> str:
    """Return the figure with up to two words that tell what it counts: "14 people died", "killing 14".

    They are words of its clause after it, else before it; none in languages without spaces.
    """
    start = sentence.rfind(figure.words, 0, figure.end + 1)
    if start < 0 or language in SPACELESS:
        return figure.words
    numbers = spelt_numbers(language or "en")

    def is_content(word: str) -> bool:
        """Whether it is neither a function word nor another number."""
        found = PART.search(word.lower())
        if found is None or found.group() in numbers or (word[0].isdigit() and not YEAR.match(word)):
            return False
        return head_of(found.group(), language or "en") != ""

    after = CLAUSE_END.split(sentence[start + len(figure.words) :], maxsplit=1)[0].split()[:WORDS_BESIDE]
    if after and after[0].lower() in AND:
        after = []
    content = [n for n, word in enumerate(after, start=1) if is_content(word)][:CONTENT_BESIDE]
    after = after[: max(content, default=0)]
    before = [] if after or figure.unit else CLAUSE_END.split(sentence[:start])[-1].split()[-WORDS_BESIDE:]
    if before and is_content(before[-1]):  # "on Sunday and killed 14"
        before = before[max(0 if is_content(word) else n for n, word in enumerate(before, start=1)) :]
    before = list(dropwhile(lambda word: not is_content(word), before))
    return " ".join([*before, figure.words, *after])


def equal_figures(x: Figure, y: Figure, least: int) -> bool:
    """Whether both state one number that is seldom equal by chance: with a unit, or at least `least`."""
    if x.vague or y.vague or x.unit != y.unit or x.stated != y.stated:
        return False
    return bool(x.unit) or x.stated[0] >= least


def differ(xs: Sequence[Figure], ys: Sequence[Figure]) -> bool:
    """Whether one gives another value for a thing of the other, and none that the other gives."""
    apart = [(x, y) for x in xs for y in ys if comparable(x, y) and not meet(x, y)]
    return any(
        not any(comparable(x, other) and meet(x, other) for other in ys)
        and not any(comparable(y, other) and meet(y, other) for other in xs)
        for x, y in apart
    )


@cache
def _grammar(language: str | None) -> FigureGrammar:
    words, language = language_words(language), language or "en"
    spaced, decimal = language not in SPACELESS, decimal_mark(language)
    counted = {**small_numbers(language), **spelt_numbers(language)}
    spelt = frozenset(max(PART.findall(one), key=len) for one in (*words.vague, *counted))
    small = _either(counted)
    months = forms("months", language)
    short_months = forms("months", language, short=True) - months

    def context(pattern: str) -> str:
        return pattern.replace("{months}", _either(months)).replace("{short_months}", _either(short_months))

    edges = f"(?:{words.range or '-'}|-|–)"
    ignoring = re.IGNORECASE
    stop = r"^[:/]\d" if decimal == "." else r"^[.:/]\d"
    qualifiers = "|".join(f"(?P<{name}>{pattern})" for name, pattern in words.qualifiers.items())
    return FigureGrammar(
        language=language,
        words=words,
        spelt=spelt if spaced else None,
        number=_number(words, small, decimal, spaced),
        qualifier=re.compile(rf"\b(?:{qualifiers or '(?!)'})", ignoring),
        not_before=re.compile(rf"(?:{context(words.not_before)}|{NAME_BEFORE})\s*$", ignoring),
        not_after=re.compile(rf"^(?:{context(words.not_after)})|{stop}", ignoring),
        range_before=re.compile(rf"(?:[\d%]|\b(?:{small}))\s?{edges}\s?$", ignoring),
        range_after=re.compile(rf"^\s?{edges}\s?(?:\d|(?:{small})\b)", ignoring),
        clause=re.compile(words.clause, ignoring),
        noun_ends=re.compile(words.noun_ends, ignoring),
        classes=tuple((kind, re.compile(pattern, ignoring)) for kind, pattern in words.classes.items()),
        magnitude=re.compile(rf"\b(?:{words.magnitude})\b(?:\s\w+){{0,2}}\W*$", ignoring),
    )


def _number(words: LanguageWords, small: str, decimal: str, spaced: bool) -> re.Pattern[str]:
    digits = (
        r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
        if decimal == "."
        else r"\d{1,3}(?:[.\u00a0\u202f ]\d{3})+(?!\d)(?:,\d+)?|\d+(?:,\d+)?"
    )
    before = r"(?<![\w.,])" if spaced else r"(?<![\d.,])"
    pattern = rf"(?P<vague>\b(?:{_either(words.vague)})\b)|"
    pattern += rf"(?P<money>[$€£¥]\s?)?(?P<value>{before}(?:{digits})|(?<![\w-])(?:{small})\b(?!-))"
    tail = r"(?!\w)" if spaced else ""
    pattern += rf"(?:[\s\u00a0-]?(?P<scale>{_either(words.scales)}){tail})?"
    return re.compile(
        pattern + rf"(?:\s?(?P<percent>{words.percent}))?(?:\s?(?P<symbol>[€$£¥]))?", re.IGNORECASE
    )


def _either(words: Iterable[str]) -> str:
    """Return an alternation of words, longest first; a pattern without a match where there are none."""
    longest_first = sorted(dict.fromkeys(words), key=lambda word: (-len(word), word))
    return "|".join(map(re.escape, longest_first)) or "(?!)"


def _figure(sentence: str, match: re.Match[str], grammar: FigureGrammar) -> Figure | None:
    before = sentence[max(0, match.start() - WORDS_REACH) : match.start()]
    after = sentence[match.end() :]
    if grammar.not_before.search(before) or grammar.not_after.search(after):
        return None
    if grammar.range_after.search(after) or grammar.range_before.search(before):
        return None  # "10 to 15 inches" would overlap with nearly everything
    if re.search(r",\s*$", before) and after.startswith(",") and not match["money"]:
        return None  # "Jane Doe, 34, said": an age
    interval = _interval(match, grammar)
    is_plain = not (match["money"] or match["scale"] or match["percent"] or match["symbol"])
    if interval is None or (is_plain and YEAR.fullmatch(match["value"] or "")):
        return None
    low, high = stated = interval
    words = match.group().strip()
    near = before[-QUALIFIER_REACH:]
    qualifier = next(reversed([*grammar.qualifier.finditer(near)]), None)
    if qualifier and near[qualifier.end() :].strip().lower() in ("", *grammar.words.between.split("|")):
        least, most = QUALIFIED[qualifier.lastgroup or ""]
        low, high = least * low, most * high
        words = f"{qualifier.group()} {words}"
    unit, factor = _unit(match, after, grammar)
    noun = _noun(after, grammar)
    kind, sure = _kind(sentence, match, grammar) if not unit else ("", False)
    is_count = unit or match["vague"] or stated[0].is_integer()
    if not is_count or grammar.magnitude.search(before):
        noun, kind, sure = "", "", False  # of a quake, or an average: no count
    if (match["value"] or "").lower() in small_numbers(grammar.language) and not (
        sure and noun in ("", "people")
    ):
        return None
    return Figure(
        words, low * factor, high * factor, unit, noun, kind, (stated[0] * factor, stated[1] * factor), sure,
        match.end(), bool(match["vague"]),
    )  # fmt: skip


def _interval(match: re.Match[str], grammar: FigureGrammar) -> tuple[float, float] | None:
    """Return the interval; None for a value above all floats, or letters like those of a number: "sıx"."""
    if match["vague"]:
        return grammar.words.vague.get(match["vague"].lower())
    value = _value(match["value"].lower(), grammar.language)
    if match["scale"]:
        value *= grammar.words.scales.get(match["scale"].lower(), math.nan)
    return (value - _rounding(value), value + _rounding(value)) if math.isfinite(value) else None


def _value(digits: str, language: str) -> float:
    number = spelt_numbers(language).get(digits) or small_numbers(language).get(digits)
    if number is not None:
        return float(number)
    if not digits[0].isdecimal():
        return math.nan
    whole, _, decimals = digits.partition(decimal_mark(language))
    return float("".join(one for one in whole if one.isdecimal()) + f".{decimals or 0}")


def _rounding(value: float) -> float:
    """Return half a unit of the last non-zero digit for round numbers from 100 on, else 0."""
    if value < 100 or value != int(value):
        return 0.0
    unit = 1
    while value % (unit * 10) == 0:
        unit *= 10
    return unit / 2 if unit > 1 else 0.0


def _unit(match: re.Match[str], after: str, grammar: FigureGrammar) -> tuple[str, float]:
    sign = match["money"] or match["symbol"]
    if sign:
        return CURRENCY[sign.strip()], 1.0
    if match["percent"]:
        return "%", 1.0
    for word in WORD_AFTER.findall(after[:CLAUSE_REACH])[:2]:
        lower = word.lower()
        if lower in grammar.words.lengths:
            return "km", grammar.words.lengths[lower]
        if lower in grammar.words.currency:
            return grammar.words.currency[lower], 1.0
    return "", 1.0


def _noun(after: str, grammar: FigureGrammar) -> str:
    """Return what is counted: "people" if one of five words means people, else the first recognized noun."""
    near = WORD_AFTER.findall(grammar.noun_ends.split(after, maxsplit=1)[0])[:5]
    people = word_list(grammar.language, "people")
    if re.match(grammar.words.counter, after) or any(word.lower() in people for word in near):
        return "people"
    return next((word.lower() for word in near if _is_counted(word, grammar.words.plural)), "")


def _is_counted(word: str, sign: str) -> bool:
    if sign == "capital":
        return word[0].isupper()
    if sign == "any":
        return len(word) > 3
    return sign == "s" and word.lower().endswith("s") and not word.endswith("ss") and len(word) > 3


def _kind(sentence: str, match: re.Match[str], grammar: FigureGrammar) -> tuple[str, bool]:
    """Return the class of a count by the nearest cue, and whether that cue is in the same clause."""
    start = max(0, match.start() - CLAUSE_REACH)
    near = sentence[start : match.end() + CLAUSE_REACH]
    found = ((start + cue.start(), kind) for kind, each in grammar.classes for cue in each.finditer(near))
    cues = [(abs(place - match.start()), place, kind) for place, kind in found]
    first = max((edge.end() for edge in grammar.clause.finditer(sentence[: match.start()])), default=0)
    edge_after = grammar.clause.search(sentence, match.end())
    last = edge_after.start() if edge_after else len(sentence)
    own = [cue for cue in cues if first <= cue[1] < last]
    _, _, nearest = min(own or cues, default=(0, 0, ""))
    return nearest, bool(own)
