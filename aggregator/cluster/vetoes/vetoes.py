"""Look-alikes: two reports whose words agree though they tell of two events.

"EU adopts 12th package of sanctions" and "... 13th package ..." share all words that the event model sees. A
veto looks at the two headlines in order and asks what the *difference* is. Real newsrooms write different
numbers, names and verbs about one event, so a veto speaks only where

 - the headlines are of one build: most words of the shorter one stand in the other, and
 - what differs is of a kind that newsrooms agree about: a place in a row, a day, a magnitude, a score, one
   name in the place of another, a deed in the place of its opposite, the same two actors in the other
   order, and
 - neither text has the other's value: a later report often names both.

Two more look at what headlines share: the label of a series or the name of an outlet alone, and a report of a
kind that comes every day (market, weather, lottery) from another day.

An objection is a share of the score like any other, in logits. The score is a mean over a story's reports, so
is the share; a report whose headline is of another build cannot tell, and counts less in that mean.
"""

import functools
import math
import re
from collections.abc import Sequence
from typing import Final, Literal

from aggregator.cluster.vetoes.headline_alignment import AlignedHeadlines, compare
from aggregator.cluster.vetoes.headline_differences import HeadlineDifference, difference
from aggregator.cluster.vetoes.headline_tokens import (
    MAY_BE_NAME,
    NAME,
    ParsedHeadline,
    VetoInput,
    VetoTuning,
    are_near,
    is_outlet,
    name_likelihood,
    read_headline,
    unwrapped,
    weekday_of,
    words_of,
)
from aggregator.model.core import Reason

__all__ = ["Kind", "VetoInput", "VetoTuning", "objection", "objections"]

Kind = HeadlineDifference | Literal["series", "daily"]
_KINDS: Final[tuple[Kind, ...]] = (
    "actors", "row", "day", "figure", "score", "name", "deed", "object", "series", "daily",
)  # fmt: skip
_LABEL: Final = re.compile(r"^(?P<label>[^:|–—：.]{2,45}?)\s*(?:[:|–—：]|\. |\s-\s)\s*(?P<rest>\S.*)$")
_MANY: Final = 3.0  # words before an outlet's name among which one shared word says nothing
_NOTHING_SHARED: Final = math.inf
_LEAST_SPELT: Final = 4  # words between blanks; fewer tell too little (and where no blanks stand, nothing)
_SPELT_OF: Final = 3  # one word of so many in both: below the half that `compare` asks, as forms differ


def objections(one: VetoInput, others: Sequence[VetoInput], tuning: VetoTuning) -> tuple[Reason, ...]:
    """What speaks against `one` being of the event that all `others` report; empty where nothing does.

    A reason "veto:KIND": `value` is the share of `others` objected to, 0 to 1, `share` what that costs in
    logits (never above 0). `others` are reports of one story, in any order; the caller bounds their number.
    """
    judged = [(_judge(one, other, tuning), one.bodyless or other.bodyless) for other in others]
    weight = sum(tuning.cannot_tell if verdict is None else 1.0 for verdict, _ in judged)
    found = []
    for kind in _KINDS:
        objecting = [headline_only for verdict, headline_only in judged if verdict == kind]
        if objecting:
            texts = objecting.count(False)
            logits = tuning.text_logits * texts + tuning.headline_logits * (len(objecting) - texts)
            found.append(
                Reason(name=f"veto:{kind}", value=len(objecting) / len(others), share=-logits / weight)
            )
    return tuple(found)


def objection(one: VetoInput, other: VetoInput, tuning: VetoTuning) -> Kind | None:
    """The kind of look-alike that two articles are; None for the rest, which is nearly all. Symmetric."""
    verdict = _judge(one, other, tuning)
    return None if verdict == "agrees" else verdict


def _judge(one: VetoInput, other: VetoInput, tuning: VetoTuning) -> Kind | Literal["agrees"] | None:
    """An objection; "agrees" for headlines of one build without one; None where the headlines cannot tell."""
    if _languages_differ(one, other) or not one.title or not other.title:
        return None
    if (other.title, other.lead) < (one.title, one.lead):
        one, other = other, one
    if _is_series(one, other):
        return "series"
    pair = compare(one, other) if _may_be_of_one_build(one.title, other.title) else None
    if pair is None:
        return None
    kind = difference(pair, tuning) or ("daily" if _is_daily(pair, tuning) else None)
    return "agrees" if kind is None and pair.in_order >= tuning.one_build else kind


def _languages_differ(one: VetoInput, other: VetoInput) -> bool:
    return (one.language or "")[:2].lower() != (other.language or "")[:2].lower()


def _may_be_of_one_build(one: str, other: str) -> bool:
    """Whether a third of the words, as they are spelt, is in both: nearly all pairs end here, unread."""
    left, right = _spelt(one), _spelt(other)
    fewer = min(len(left), len(right))
    return fewer < _LEAST_SPELT or len(left & right) * _SPELT_OF >= fewer


@functools.lru_cache(maxsize=1024)
def _spelt(title: str) -> frozenset[str]:
    return frozenset(title.lower().split())


# --- series and daily reports ------------------------------------------------------------------------------


def _is_series(one: VetoInput, other: VetoInput) -> bool:
    """Whether the titles share the label of a series or an outlet's name, and nothing else."""
    behind = _behind_label(one, other)
    if behind is not None and _are_unrelated(behind, one, other, _NOTHING_SHARED):
        return True
    before = _before_wrapper(one, other)
    return before is not None and _are_unrelated(before, one, other, _MANY)


def _are_unrelated(rests: tuple[str, str], one: VetoInput, other: VetoInput, many: float) -> bool:
    """Whether two titles without what they share are of different matters, and their leads do not object.

    Among `many` words one that is shared says nothing ("sign" tells neither who nor what).
    """
    left, right = (_contents(rest, one.language) for rest in rests)
    shared = sum(any(are_near(a, b) for b in right) for a in left)
    if not left or not right or shared > 1 or (shared == 1 and min(len(left), len(right)) < many):
        return False
    return not _is_informative(left, other) and not _is_informative(right, one)


def _behind_label(one: VetoInput, other: VetoInput) -> tuple[str, str] | None:
    """The titles without a label of a series that both begin with."""
    left, right = _label(one.title), _label(other.title)
    if left is not None and right is not None and left[0] == right[0]:
        label = read_headline(one.title[: len(left[0])], one.language)
        if words_of("labels", label.language).met_in(label) and not _has_name(label):
            return left[1], right[1]
    return None


def _has_name(label: ParsedHeadline) -> bool:
    """Whether a label names a matter ("Titanfall review"): then it is no mere label."""
    labels = words_of("labels", label.language)
    least = MAY_BE_NAME if label.language == "en" else NAME
    return label.has_spaces and any(
        name_likelihood(label, at) >= least
        for at, word in enumerate(label.words)
        if not labels.holds(word.key) and weekday_of(word, label.language) is None
    )


@functools.lru_cache(maxsize=1024)
def _label(title: str) -> tuple[str, str] | None:
    found = _LABEL.match(title)
    if found:
        return found["label"].lower().strip(), found["rest"]
    first, _, rest = title.partition(" ")
    return (first.lower(), rest) if rest else None


def _before_wrapper(one: VetoInput, other: VetoInput) -> tuple[str, str] | None:
    """The titles without an outlet's name that both end with."""
    left, right = unwrapped(one.title), unwrapped(other.title)
    if not left[1] or left[1] != right[1]:
        return None
    return (left[0], right[0]) if is_outlet(left[1], one) or is_outlet(right[1], other) else None


def _contents(text: str, language: str | None) -> frozenset[str]:
    """The words that say something; pairs of neighbours where no spaces are written."""
    headline = read_headline(text, language)
    if headline.has_spaces:
        return frozenset(word.key for word in headline.words if word.is_content)
    return frozenset(left + right for left, right in zip(headline.keys, headline.keys[1:], strict=False))


def _is_informative(words: frozenset[str], of: VetoInput) -> bool:
    """Whether the lead has one of two of the words: then the label is not all that is shared."""
    lead = of.lead.lower()
    return bool(lead) and sum(word in lead for word in words if len(word) > 1) * 2 >= len(words)


def _is_daily(pair: AlignedHeadlines, tuning: VetoTuning) -> bool:
    """Whether both are reports of a kind that comes every day, of one build, from two days."""
    one, other = pair.one, pair.other
    if one.minutes is None or other.minutes is None:
        return False
    if (
        abs(one.minutes - other.minutes) < tuning.daily_hours * 60
        or pair.in_order < tuning.one_build_in_order
    ):
        return False
    daily = words_of("daily", pair.left.language)
    return daily.met_in(pair.left) and daily.met_in(pair.right)
