"""Vetoes against look-alikes: two reports with similar words about two events.

"EU adopts 12th package of sanctions" and "... 13th package ..." share all words that the event model sees. A
veto aligns the two headlines and classifies the *difference*. Newsrooms use different numbers, names and
verbs for one event, so a veto needs all of these:

- The headlines have one pattern (`one_build` in the tuning): most words of the shorter one are in the other.
- The difference is of a kind on which newsrooms agree: a position in a sequence, a day, a magnitude, a score,
  one name instead of another, an action instead of its opposite, the same two actors in the other order.
- Neither text has the other's value: a later report often names both.

Five more vetoes: bare headlines share only a month or a year; the headlines share only the label of a series
or the name of an outlet; both name a product, with different versions; both are daily reports (market,
weather, lottery) from different days; or the headlines are alike and one text is not about its own, as an
advertisement under the headline of a report is not, and hardly shares a word with the other.

An objection is a share of the score, in logits. The score is a mean over a story's reports, and so is the
share. A report with a headline of another pattern cannot be judged and counts less in that mean.
"""

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from aggregator.cluster.vetoes.headline_differences import (
    AlignedHeadlines,
    HeadlineDifference,
    compare,
    difference,
)
from aggregator.cluster.vetoes.headline_tokens import (
    VetoInput,
    VetoTuning,
    are_near,
    is_outlet,
    month_of,
    plain_words,
    read_headline,
    unwrapped,
    words_of,
)
from aggregator.model.core import Reason

__all__ = ["Kind", "VetoInput", "VetoTuning", "objection", "objections"]

Kind = HeadlineDifference | Literal["series", "version", "daily", "date", "text"]
_KINDS: Final[tuple[Kind, ...]] = (
    "actors", "row", "day", "figure", "score", "name", "deed", "object", "series", "version", "daily", "date",
    "text",
)  # fmt: skip
_LABEL: Final = re.compile(r"^(?P<label>[^:|–—：.]{2,45}?)\s*(?:[:|–—：]|\. |\s-\s)\s*(?P<rest>\S.*)$")
_MANY: Final = 3.0  # words before an outlet's name, from which on a single shared word does not count
_NOTHING_SHARED: Final = math.inf
_LEAST_SPELT: Final = 4  # words between spaces; fewer are too little evidence (as in scripts without spaces)
# Of 2,100 articles of the evaluation sets 2 % have a fifth of their headline's words or less in their text
# (blogs; of news 1 %), of texts under the headline of another article 95 %.
_OWN_WORDS_OF: Final = 5
_KEY_CHARS: Final = 5  # of a word that are looked for, since endings differ
# Characters of a lead, after its headline, that could repeat words of the headline. With 60, 6 of 158 true
# pairs of the reading list would be kept apart, with 120 one.
_LEAST_LEAD: Final = 120
_LEAST_HEADLINE: Final = 3  # words
# "Linux 6.11", and the word behind it; not "Magnitude 6.1" or "Tesla 3.5 percent".
_VERSION: Final = re.compile(
    r"(?<!\w)(?P<product>[^\W\d_][\w+#-]{0,40}+)[ ]v?"
    r"(?P<number>\d++(?:\.\d++)+)(?![\w%])(?:[ ](?P<next>\w++))?"
)
_NUMBER: Final = re.compile(r"(?<!\d)(?<!\d\.)\d++(?:\.\d++)+")
_ZEROS: Final = re.compile(r"(?<!\.0)(?:\.0)++$")  # at the end
_THOUSANDS: Final = re.compile(r"\d{1,3}\.\d{3}")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_SHARED_LEAD: Final = 4  # words of a lead in the other
_SPELT_OF: Final = 3  # one of so many words must be in both; `compare` requires half, but forms vary


def objections(one: VetoInput, others: Sequence[VetoInput], tuning: VetoTuning) -> tuple[Reason, ...]:
    """Return the vetoes against `one` reporting the event of all `others`; empty for none.

    A reason "veto:KIND": `value` is the share, 0 to 1, of `others` objected to; `share` is the effect in
    logits (at most 0). `others` are reports of one story in any order; the caller limits their number.
    """
    judged = [(_judge(one, other, tuning), one.bodyless or other.bodyless) for other in others]
    weight = sum(tuning.undecided_weight if verdict is None else 1.0 for verdict, _ in judged)
    reasons = []
    for kind in _KINDS:
        objecting = [headline_only for verdict, headline_only in judged if verdict == kind]
        if objecting:
            texts = objecting.count(False)
            logits = tuning.text_logits * texts + tuning.headline_logits * (len(objecting) - texts)
            reasons.append(
                Reason(name=f"veto:{kind}", value=len(objecting) / len(others), share=-logits / weight)
            )
    return tuple(reasons)


def objection(one: VetoInput, other: VetoInput, tuning: VetoTuning) -> Kind | None:
    """Return the kind of look-alike of two articles, None for nearly all pairs. Symmetric."""
    verdict = _judge(one, other, tuning)
    return None if verdict == "agrees" else verdict


def _judge(one: VetoInput, other: VetoInput, tuning: VetoTuning) -> Kind | Literal["agrees"] | None:
    """Return an objection, "agrees" for headlines of one pattern without one, else None."""
    if _languages_differ(one, other) or not one.title or not other.title:
        return None
    if (other.title, other.lead) < (one.title, one.lead):
        one, other = other, one
    return _judged(one, other, tuning)


@functools.lru_cache(maxsize=4096)  # decisions are repeated after later reports arrived
def _judged(one: VetoInput, other: VetoInput, tuning: VetoTuning) -> Kind | Literal["agrees"] | None:
    found = next((kind for kind, applies in _BEFORE_ALIGNMENT if applies(one, other)), None)
    if found is not None:
        return found
    pair = compare(one, other) if _may_be_of_one_build(one.title, other.title) else None
    if pair is None:
        return None
    kind = difference(pair, tuning) or ("daily" if _is_daily(pair, tuning) else None)
    return "agrees" if kind is None and pair.in_order >= tuning.template_share else kind


def _languages_differ(one: VetoInput, other: VetoInput) -> bool:
    return (one.language or "")[:2].lower() != (other.language or "")[:2].lower()


def _may_be_of_one_build(one: str, other: str) -> bool:
    """Return whether a third of the words, as spelt, is in both; excludes nearly all pairs cheaply."""
    left, right = _spelt(one), _spelt(other)
    fewer = min(len(left), len(right))
    return fewer < _LEAST_SPELT or len(left & right) * _SPELT_OF >= fewer


@functools.lru_cache(maxsize=1024)
def _spelt(title: str) -> frozenset[str]:
    return frozenset(title.lower().split())


# --- series and daily reports ------------------------------------------------------------------------------


def _is_series(one: VetoInput, other: VetoInput) -> bool:
    """Return whether the titles share only the label of a series or an outlet's name."""
    after_label = _behind_label(one, other)
    if after_label is not None and _are_unrelated(after_label, one, other, _NOTHING_SHARED):
        return True
    before_outlet = _before_wrapper(one, other)
    return before_outlet is not None and _are_unrelated(before_outlet, one, other, _MANY)


def _are_unrelated(rests: tuple[str, str], one: VetoInput, other: VetoInput, many: float) -> bool:
    """Return whether the rests of two titles have different topics and their leads do not connect them.

    Among `many` words a single shared one does not count ("sign" shows no topic).
    """
    left, right = (_contents(rest, one.language) for rest in rests)
    shared = sum(any(are_near(a, b) for b in right) for a in left)
    if not left or not right or shared > 1 or (shared == 1 and min(len(left), len(right)) < many):
        return False
    return not _is_informative(left, other) and not _is_informative(right, one)


def _behind_label(one: VetoInput, other: VetoInput) -> tuple[str, str] | None:
    """Return both titles without a series label that they both begin with."""
    left, right = _label(one.title), _label(other.title)
    if left is not None and right is not None and left[0] == right[0]:
        label = read_headline(one.title[: len(left[0])], one.language)
        if words_of("labels", label.language).met_in(label):
            return left[1], right[1]
    return None


@functools.lru_cache(maxsize=1024)
def _label(title: str) -> tuple[str, str] | None:
    match = _LABEL.match(title)
    if match:
        return match["label"].lower().strip(), match["rest"]
    first, _, tail = title.partition(" ")
    return (first.lower(), tail) if tail else None


def _before_wrapper(one: VetoInput, other: VetoInput) -> tuple[str, str] | None:
    """Return both titles without an outlet's name that they both end with."""
    left, right = unwrapped(one.title), unwrapped(other.title)
    if not left[1] or left[1] != right[1]:
        return None
    return (left[0], right[0]) if is_outlet(left[1], one) or is_outlet(right[1], other) else None


def _contents(text: str, language: str | None) -> frozenset[str]:
    """Return the content words; pairs of characters in scripts without spaces."""
    headline = read_headline(text, language)
    if headline.has_spaces:
        return frozenset(word.key for word in headline.words if word.is_content)
    return frozenset(left + right for left, right in zip(headline.keys, headline.keys[1:], strict=False))


def _is_informative(words: frozenset[str], of: VetoInput) -> bool:
    """Return whether the lead has half of the words: then the titles share more than the label."""
    lead = of.lead.lower()
    return bool(lead) and sum(word in lead for word in words if len(word) > 1) * 2 >= len(words)


def _are_versions(one: VetoInput, other: VetoInput) -> bool:
    """Return whether both titles name one product, with versions that the other title does not name."""
    left, right = _versions(one.title), _versions(other.title)
    products = left.keys() & right.keys()
    numbers = _numbers(one.title) & _numbers(other.title)
    return bool(products) and all(numbers.isdisjoint(left[name] | right[name]) for name in products)


@functools.lru_cache(maxsize=1024)
def _versions(title: str) -> dict[str, frozenset[str]]:
    """Return the versions that a title names, by product."""
    found: dict[str, frozenset[str]] = {}
    units = [plain_words(name) for name in ("measures", "prices", "amounts")]
    for match in _VERSION.finditer(title):
        product, number = match["product"], match["number"]
        behind = (match["next"] or "").lower()
        is_amount = any(unit.holds(behind) for unit in units) or _THOUSANDS.fullmatch(number)
        is_named = product[0].isupper() or number.count(".") > 1
        if is_named and not is_amount and not plain_words("magnitude").holds(product.lower()):
            key = product.lower()
            found[key] = found.get(key, frozenset()) | _numbers(number)
    return found


def _numbers(text: str) -> frozenset[str]:
    """Return the numbers with decimals or parts, without zeros at the end: "6.12.0" is "6.12"."""
    return frozenset(_ZEROS.sub("", number) for number in _NUMBER.findall(text))


def _share_only_a_date(one: VetoInput, other: VetoInput) -> bool:
    """Return whether a bare headline shares words with the other article, but only months and years."""
    bare, with_text = (one, other) if one.bodyless else (other, one)
    if not bare.bodyless:
        return False
    dates, others = _dates_and_others(bare.title, bare.language)
    if not dates:
        return False
    lead, keys = with_text.lead.lower(), _contents(with_text.title, with_text.language)

    def is_shared(word: str) -> bool:
        return word[:_KEY_CHARS] in lead or any(are_near(word, key) for key in keys)

    shared_dates = [is_shared(word) for word in dates]
    has_others = bool(others) or not all(shared_dates)
    return any(shared_dates) and has_others and not any(is_shared(word) for word in others)


@functools.lru_cache(maxsize=1024)
def _dates_and_others(title: str, language: str | None) -> tuple[list[str], list[str]]:
    """Return the months and years of a headline, and its other content words."""
    headline = read_headline(title, language)
    dates: list[str] = []
    others: list[str] = []
    for word in headline.words:
        if word.is_content:
            is_date = _YEAR.fullmatch(word.key) or month_of(word, headline.language) is not None
            (dates if is_date else others).append(word.key)
    return dates, others


# --- texts that are not about their headline ---------------------------------------------------------------


def _is_other_text(one: VetoInput, other: VetoInput) -> bool:
    """Return whether two texts under one headline differ, and one of them is not about the headline."""
    if one.bodyless or other.bodyless or min(len(_own_lead(one)), len(_own_lead(other))) < _LEAST_LEAD:
        return False
    if _is_about_headline(one) and _is_about_headline(other):
        return False
    left, right = _contents(one.title, one.language), _contents(other.title, other.language)
    if len(left & right) * 2 < max(len(left), len(right)):
        return False
    lead = _own_lead(other).lower()
    words = _contents(_own_lead(one), one.language)
    return sum(word[:_KEY_CHARS] in lead for word in words if len(word) > 1) < _SHARED_LEAD


@functools.lru_cache(maxsize=1024)
def _own_lead(article: VetoInput) -> str:
    """Return the lead without repetitions of the headline at its beginning: any text can open with them."""
    lead, length = article.lead, len(article.title)
    while length and lead[:length].casefold() == article.title.casefold():
        lead = lead[length:].lstrip(" .:!?|–—-\n")
    return lead


@functools.lru_cache(maxsize=1024)
def _is_about_headline(article: VetoInput) -> bool:
    lead = _own_lead(article).lower()
    words = [word for word in _contents(article.title, article.language) if len(word) > 1]
    found = sum(word[:_KEY_CHARS] in lead for word in words)
    return len(words) < _LEAST_HEADLINE or found * _OWN_WORDS_OF > len(words)


_BEFORE_ALIGNMENT: Final[tuple[tuple[Kind, Callable[[VetoInput, VetoInput], bool]], ...]] = (
    ("series", _is_series),
    ("version", _are_versions),
    ("date", _share_only_a_date),
    ("text", _is_other_text),
)


def _is_daily(pair: AlignedHeadlines, tuning: VetoTuning) -> bool:
    """Return whether both are daily reports of one pattern from two days."""
    one, other = pair.one, pair.other
    if one.minutes is None or other.minutes is None:
        return False
    if (
        abs(one.minutes - other.minutes) < tuning.daily_hours * 60
        or pair.in_order < tuning.template_share_in_order
    ):
        return False
    daily = words_of("daily", pair.left.language)
    return daily.met_in(pair.left) and daily.met_in(pair.right)
