"""The parts of a score as the page of an explanation shows them."""

from collections.abc import Sequence

import msgspec

from aggregator.grouping.corrections.decision_words import reason_name, reason_value
from aggregator.model.evidence import Reason

# The classes .w0 to .w20; the Content-Security-Policy forbids style attributes
BAR_STEPS = 20


class ScorePart(msgspec.Struct, frozen=True):
    """One part of a score: `share` in logits, `bar` from 0 to BAR_STEPS, `value` formatted for people."""

    label: str
    value: str
    share: float
    bar: int


class ScoreBreakdown(msgspec.Struct, frozen=True):
    """A score and its parts, the largest first; `need` is the threshold, None if there was none."""

    score: float
    need: float | None
    shares: tuple[ScorePart, ...]


def breakdown(
    score: float,
    need: float | None,
    bias: float,
    reasons: Sequence[Reason],
    *,
    is_of_day: bool,
) -> ScoreBreakdown:
    """Return a score and its parts; none if they are not stored. `is_of_day`: see `reason_value`."""
    longest = max([abs(bias), 1.0, *(abs(reason.share) for reason in reasons)])

    def bar(share: float) -> int:
        return min(BAR_STEPS, round(abs(share) / longest * BAR_STEPS))

    shares = []
    if bias:
        shares.append(ScorePart("start value of two articles", "", bias, bar(bias)))
    for reason in sorted(reasons, key=lambda r: (-abs(r.share), r.name)):
        value = reason_value(reason, is_of_day=is_of_day)
        share = reason.share
        shares.append(ScorePart(reason_name(reason), value, share, bar(share)))
    return ScoreBreakdown(score, need, tuple(shares))
