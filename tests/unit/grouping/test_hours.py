"""What clock times add to the comparison of two reports, and when a clock time counts as unknown."""

import itertools
import math
from typing import Any

import pytest

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.hours import HoursTuning
from aggregator.grouping.pairs.pair_article import PairArticle
from aggregator.grouping.pairs.pair_model import (
    ComparedPair,
    PairModel,
    compare_pairs,
    reasons_of,
)
from aggregator.grouping.pairs.snapshot import StreamSnapshot
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.model.evidence import HOURS
from tests.support.events import GRAIN, article_of

NOON = 29_000_000  # minutes since 1970, not a midnight
MIDNIGHT = NOON - NOON % 1440
SHIPPED = PairModel()
TUNING = Tuning().section("hours", HoursTuning)
PACKER = TermPacker(shipped_model(Tuning()))
_NUMBERS = itertools.count(1)


def report(number: int, minutes: int | None, **how: Any) -> PairArticle:
    """A report of the grain slide, published at this minute."""
    title, text = GRAIN[number]
    terms, words = PACKER.pack(title, text, "en")
    given = {"published_precision": "minute", "published_origin": "feed"} | how
    return PairArticle(
        article_of(
            terms,
            minutes,
            words,
            inbox_no=next(_NUMBERS),
            title=title,
            outlet=f"outlet {number}",
            **given,
        )
    )


def compare(one: PairArticle, other: PairArticle) -> ComparedPair:
    return compare_pairs(SHIPPED, one, [other], StreamSnapshot((), {}), TUNING)[0]


def test_the_nearer_in_time_the_likelier_two_reports_are_of_one_event() -> None:
    steps = [
        compare(report(0, NOON), report(1, NOON + 60 * hours)).step
        for hours in (0, 1, 4, 12, 30, 100)
    ]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > 0 > steps[-1]


def test_hours_change_the_score_of_an_event_but_not_that_of_an_affair() -> None:
    pair = compare(report(0, NOON), report(1, NOON + 30 * 60))
    assert pair.hours == 30
    assert pair.logit == pytest.approx(pair.affinity + pair.step)
    assert pair.step < 0


@pytest.mark.parametrize(
    ("minutes", "how"),
    [
        (None, {}),
        (NOON, {"published_precision": "day"}),
        (NOON, {"published_precision": None}),
        (MIDNIGHT, {}),
        (NOON, {"published_origin": "poll"}),
        (NOON, {"timezone_assumed": True}),
        (NOON, {"published_origin": "text", "date_counts": False}),
    ],
    ids=[
        "no date",
        "only the day is declared",
        "stored before precisions",
        "midnight",
        "time of the poll",
        "no zone",
        "a date in the text",
    ],
)
def test_an_unknown_clock_time_adds_nothing(
    minutes: int | None, how: dict[str, Any]
) -> None:
    for one, other in (
        (report(0, NOON + 60), report(1, minutes, **how)),
        (report(0, minutes, **how), report(1, NOON + 60)),
    ):
        pair = compare(one, other)
        assert math.isnan(pair.hours)
        assert pair.step == 0
        assert pair.logit == pair.affinity
        assert HOURS not in {reason.name for reason in reasons_of(SHIPPED, [pair])}


def test_the_reasons_with_the_hours_add_up_to_the_logit() -> None:
    pairs = [
        compare(report(0, NOON), report(1, NOON + 90)),
        compare(report(0, NOON), report(2, NOON + 20 * 60)),
        compare(report(0, NOON), report(2, MIDNIGHT)),
    ]
    reasons = reasons_of(SHIPPED, pairs)
    mean = sum(pair.logit for pair in pairs) / len(pairs)
    assert SHIPPED.bias + sum(reason.share for reason in reasons) == pytest.approx(mean)
    [hours] = [reason for reason in reasons if reason.name == HOURS]
    assert hours.value == pytest.approx((1.5 + 20) / 2), "the third time is unknown"
