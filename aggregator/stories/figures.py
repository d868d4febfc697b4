"""Figures in sentences, and pairs of reports that give different ones for the same thing.

Equal values are matched first: only a value that the other report gives nowhere may stand against another.
Even so a difference is "figures side by side", never a contradiction: over 495 stories half of them were
 part against whole, or another moment.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.stories.facts import Likenesses
from aggregator.stories.lexicon import lexicon, words_of
from aggregator.stories.tuning import StoryRules

VAGUE = {
    "tens of thousands": (20_000, 99_999), "hundreds of thousands": (200_000, 999_999), "dozens": (24, 99),
    "hundreds": (200, 999), "thousands": (2_000, 9_999), "a dozen": (12, 12),
}  # fmt: skip
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12,
          "m": 1e6, "mn": 1e6, "bn": 1e9, "k": 1e3}  # fmt: skip
CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "dollars": "USD", "euros": "EUR", "pounds": "GBP"}
LENGTH_KM = {"km": 1.0, "kms": 1.0, "kilometer": 1.0, "kilometre": 1.0, "kilometers": 1.0, "kilometres": 1.0,
             "mile": 1.609, "miles": 1.609, "metre": 1e-3, "metres": 1e-3, "meter": 1e-3, "meters": 1e-3,
             "feet": 3.048e-4}  # fmt: skip
CLASSES = (
    ("dead", r"\b(?:killed|dead|died|deaths?|kill(?:s|ing)?|lives|fatalit\w+|bodies)\b"),
    (
        "injured",
        r"\b(?:injur\w+|wounded|hurt|casualt(?:y|ies)|hospitali[sz]ed|patients"
        r"|(?:taken|brought|rushed) to (?:\w+ )?hospitals?)\b",
    ),
    ("arrested", r"\b(?:arrest\w*|detain\w*)\b"),
    ("freed", r"\b(?:freed|released?|freeing|liberated?|escaped)\b"),
    ("displaced", r"\b(?:displaced|evacuat\w+|homeless|flee|fled|fleeing)\b"),
    ("missing", r"\b(?:missing|unaccounted for)\b"),
    ("infected", r"\b(?:infect\w+|cases|tested positive)\b"),
    ("jailed", r"\b(?:jailed|sentenced)\b"),
)
FEW = {"one": 1, "two": 2}  # they count hardly anything, unless a class says what: "two people were killed"
SMALL = "|".join(dict.fromkeys((*FEW, *lexicon().numbers)))
NUMBER = re.compile(
    r"(?P<vague>\b(?:tens of thousands|hundreds of thousands|dozens|hundreds|thousands|a dozen)\b)"
    r"|(?P<money>[$€£¥]\s?)?(?P<value>(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.,])\d+(?:\.\d+)?"
    rf"|(?<![\w-])(?:{SMALL})\b(?!-))"
    r"(?:[\s-]?(?P<scale>hundred|thousand|million|billion|trillion|bn|mn|m|k)(?!\w))?"
    r"(?:\s?(?P<percent>%|per ?cent\b|points?\b))?",
    re.IGNORECASE,
)
QUALIFIER = re.compile(
    r"(?P<least>at least|more than|over|above)|(?P<almost>nearly|almost)|(?P<about>about|some|roughly|around|"
    r"approximately|an estimated|just)|(?P<most>up to|less than|fewer than|under)",
    re.IGNORECASE,
)
NO_FIGURE_BEFORE = re.compile(
    r"(?:\b(?:no|nos|number|resolution|article|flight|section|chapter|page|room|highway|route|aged?|channel|"
    r"january|february|march|april|may|june|july|august|september|october|november|december)\.?|[:/])\s*$",
    re.IGNORECASE,
)
NO_FIGURE_AFTER = re.compile(
    r"^(?:st|nd|rd|th|s)\b|^[:/]\d|^\s?(?:a\.?m|p\.?m)\b|^[\s-]years?[\s-]old|^[\s-]year-old|^\s+(?:january|february|"
    r"march|april|june|july|august|september|october|november|december)\b",
    re.IGNORECASE,
)
RANGE_AFTER = re.compile(rf"^\s?(?:to|or|-|–)\s?(?:\d|(?:{SMALL})\b)", re.IGNORECASE)
RANGE_BEFORE = re.compile(rf"(?:\d|\b(?:{SMALL}))\s?(?:to|or|-|–)\s?$|\bin (?:every )?$", re.IGNORECASE)
WORD_AFTER = re.compile(r"[^\W\d_]+")
CLAUSE_EDGE = re.compile(r"[,;–—]|\b(?:and|while|but|including)\b", re.IGNORECASE)
CLAUSE_REACH = 70  # characters around a figure in which a cue tells what is counted


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and what it counts: `low` to `high`, in `unit` (money, %, km), or `noun` and class `kind`."""

    words: str
    low: float
    high: float
    unit: str
    noun: str
    kind: str
    exact: bool  # neither vague nor "at least"
    stated: tuple[float, float]  # the number itself, without its "at least" or "nearly"
    sure: bool  # the word that tells `kind` stands in the figure's own clause


@dataclass(frozen=True, slots=True)
class FigurePair:
    """Two figures of two reports for what looks like the same thing; sentences by number."""

    first: int
    second: int
    words: tuple[str, str]
    likeness: float
    kind: str


def figures_in(sentence: str) -> list[Figure]:
    """The figures of a sentence in order; dates, ages, clocks, ordinals and numbers of names are none."""
    return [figure for match in NUMBER.finditer(sentence) if (figure := _figure(sentence, match))]


def figures_that_differ(likenesses: Likenesses, voices: Sequence[str], rules: StoryRules) -> list[FigurePair]:
    """Pairs of different values for the same thing, the most alike sentences first.

    `voices[i]` is who says sentence i; two sentences of one voice never differ here.
    """
    figures = [figures_in(features.sentence.text) for features in likenesses.features]
    given: dict[str, list[Figure]] = {}
    for index, found in enumerate(figures):
        given.setdefault(voices[index], []).extend(found)
    pairs = [
        FigurePair(a, b, (x.words, y.words), s, x.kind)
        for (a, b), s in likenesses.pairs.items()
        if s >= rules.figure_classed_from and voices[a] != voices[b] and _may_agree(likenesses, a, b, s)
        for x in figures[a]
        for y in figures[b]
        if _differ(x, y, s, rules) and not _given(x, given[voices[b]]) and not _given(y, given[voices[a]])
    ]
    pairs.sort(key=lambda pair: (-pair.likeness, pair.first, pair.second, pair.words))
    return _one_a_sentence(pairs)


def _one_a_sentence(pairs: Sequence[FigurePair]) -> list[FigurePair]:
    """A sentence stands against one other only: its most alike."""
    used: set[int] = set()
    kept = []
    for pair in pairs:
        if pair.first not in used and pair.second not in used:
            used |= {pair.first, pair.second}
            kept.append(pair)
    return kept


def _figure(sentence: str, match: re.Match[str]) -> Figure | None:
    before, after = sentence[: match.start()], sentence[match.end() :]
    if NO_FIGURE_BEFORE.search(before) or NO_FIGURE_AFTER.search(after):
        return None
    if RANGE_AFTER.search(after) or RANGE_BEFORE.search(before):
        return None  # "10 to 15 inches" meets nearly everything
    if re.search(r",\s*$", before) and after.startswith(",") and not match["money"]:
        return None  # "Jane Doe, 34, said": an age
    low, high, exact = _interval(match)
    stated = low, high
    if not (match["vague"] or match["money"] or match["scale"] or match["percent"]) and 1900 <= low <= 2099:
        return None  # a year
    qualifier = QUALIFIER.search(before[-18:])
    if qualifier and before[-18:][qualifier.end() :].strip(" \t") in ("", "a", "an", "the"):
        low, high, exact = _qualified(low, high, qualifier)
        words = f"{qualifier.group()} {match.group().strip()}"
    else:
        words = match.group().strip()
    unit, factor = _unit(match, after)
    noun = _place(after) if unit == "km" else _noun(after)
    kind, sure = _kind(sentence, match) if not unit else ("", False)
    if (match["value"] or "").lower() in FEW and not (sure and noun in ("", "people")):
        return None
    return Figure(words, low * factor, high * factor, unit, noun, kind, exact, stated, sure)


def _interval(match: re.Match[str]) -> tuple[float, float, bool]:
    if match["vague"]:
        low, high = VAGUE[match["vague"].lower()]
        return float(low), float(high), False
    digits = match["value"].replace(",", "").lower()
    value = float(lexicon().numbers.get(digits) or FEW.get(digits) or digits)
    if match["scale"]:
        value *= SCALES[match["scale"].lower()]
    return value - _rounding(value), value + _rounding(value), True


def _rounding(value: float) -> float:
    """Half a unit of the last digit that is no zero, for round numbers of three digits or more."""
    if value < 100 or value != int(value):
        return 0.0
    unit = 1
    while value % (unit * 10) == 0:
        unit *= 10
    return unit / 2 if unit > 1 else 0.0


def _qualified(low: float, high: float, qualifier: re.Match[str]) -> tuple[float, float, bool]:
    if qualifier["least"]:
        return low, 2 * high, False
    if qualifier["almost"]:
        return 0.85 * low, high, True
    if qualifier["most"]:
        return 0.5 * low, high, False
    return 0.9 * low, 1.1 * high, True


def _unit(match: re.Match[str], after: str) -> tuple[str, float]:
    if match["money"]:
        return CURRENCY[match["money"].strip()], 1.0
    if match["percent"]:
        return "%", 1.0
    for word in WORD_AFTER.findall(after)[:2]:
        lower = word.lower()
        if lower in LENGTH_KM:
            return "km", LENGTH_KM[lower]
        if lower in CURRENCY:
            return CURRENCY[lower], 1.0
    return "", 1.0


def _noun(after: str) -> str:
    """What is counted: a word for people within five words, else the first plural."""
    clause = re.split(r"[,;:–—.]|\b(?:and|while|but|including|after|when|who|from|in)\b", after, maxsplit=1)[
        0
    ]
    near = [word.lower() for word in WORD_AFTER.findall(clause)][:5]
    for word in near:
        if word in words_of("people"):
            return "people"
    return next(
        (word for word in near if word.endswith("s") and not word.endswith("ss") and len(word) > 3), ""
    )


def _place(after: str) -> str:
    """From where a length is measured: the first name in the clause behind it."""
    words = WORD_AFTER.findall(re.split(r"[,;:]", after, maxsplit=1)[0])
    return next((word.lower() for word in words if word[0].isupper()), "")


def _kind(sentence: str, match: re.Match[str]) -> tuple[str, bool]:
    """The class of a count of people by the nearest cue, and whether its own clause has that cue."""
    start, end = max(0, match.start() - CLAUSE_REACH), match.end() + CLAUSE_REACH
    cues: list[tuple[int, int, str]] = []
    for kind, pattern in CLASSES:
        found = re.finditer(pattern, sentence[start:end], re.IGNORECASE)
        cues += [(abs(cue.start() + start - match.start()), cue.start() + start, kind) for cue in found]
    first = max((edge.end() for edge in CLAUSE_EDGE.finditer(sentence[: match.start()])), default=0)
    edge_after = CLAUSE_EDGE.search(sentence, match.end())
    last = edge_after.start() if edge_after else len(sentence)
    own = [cue for cue in cues if first <= cue[1] < last]
    nearest = min(own or cues, default=None)
    return (nearest[2], bool(own)) if nearest else ("", False)


def _comparable(x: Figure, y: Figure) -> bool:
    if x.unit or y.unit:
        return x.unit == y.unit
    if x.kind and x.kind == y.kind:
        return x.noun == y.noun or {x.noun, y.noun} == {"people", ""}
    return bool(x.noun) and x.noun == y.noun and not (x.kind or y.kind)


def _meet(x: Figure, y: Figure) -> bool:
    slack = 1.03 if x.unit == "km" else 1.0
    return x.low <= y.high * slack and y.low <= x.high * slack


def _given(figure: Figure, others: Sequence[Figure]) -> bool:
    return any(_comparable(figure, other) and _meet(figure, other) for other in others)


def _differ(x: Figure, y: Figure, s: float, rules: StoryRules) -> bool:
    if not _comparable(x, y) or _meet(x, y):
        return False
    if x.unit == "km":
        return bool(x.noun) and x.noun == y.noun and s >= rules.figure_count_from
    if x.kind and not x.unit:
        return s >= rules.figure_classed_from
    if x.unit:
        apart = max(x.low, y.low) / (min(x.low, y.low) or 1.0)
        return s >= rules.figure_money_from and apart <= rules.figure_money_factor
    return s >= rules.figure_count_from


def _may_agree(likenesses: Likenesses, a: int, b: int, s: float) -> bool:
    """Whether the sentences may speak of one thing: no other names, and the same years."""
    one, other = likenesses.features[a], likenesses.features[b]
    if s < 0.5 and one.names and other.names and not one.names & other.names:
        return False
    return years_in(one.sentence.text) == years_in(other.sentence.text)


def years_in(text: str) -> frozenset[str]:
    """The years that a sentence names."""
    return frozenset(re.findall(r"\b(?:19|20)\d\d\b", text))
