"""How often a source has news. Pure: times and counts come in, entries a day go out.

Kept is one number, a mean that forgets: each new entry weighs less the longer ago it came. It is worked out
anew only when there is news, so that what is stored tells how busy a source was when it fell silent.
"""

import datetime as dt
import math
from collections.abc import Iterable

_DAY_SECONDS = 86400.0
_LEAST_SPAN_DAYS = 1 / 24  # a feed whose entries are all of the last minutes has not thousands a day


def first_rate(published: Iterable[dt.datetime], now: dt.datetime, rate_days: float) -> float:
    """New entries a day, told from the dates in a feed that is seen for the first time; 0 without dates."""
    ages = [(now - time).total_seconds() / _DAY_SECONDS for time in published]
    known = sorted(age for age in ages if age >= 0)
    recent = [age for age in known if age <= rate_days]
    if len(recent) >= 2:
        # A feed shows its newest entries only: where they are all recent, its oldest bounds the span.
        span = recent[-1] if len(recent) == len(known) else rate_days
        return len(recent) / max(span, _LEAST_SPAN_DAYS)
    return len(known) / max(known[-1], rate_days) if known else 0.0


def decayed(per_day: float, at: dt.datetime | None, now: dt.datetime, rate_days: float) -> float:
    """What a rate as of `at` is worth now, when nothing came since."""
    if at is None:
        return 0.0
    days = max(0.0, (now - at).total_seconds() / _DAY_SECONDS)
    return per_day * math.exp(-days / rate_days)


def later_rate(per_day: float, at: dt.datetime | None, now: dt.datetime, new: int, rate_days: float) -> float:
    """The rate after `new` entries that came since the last look."""
    return decayed(per_day, at, now, rate_days) + new / rate_days


def silence_seconds(
    per_day: float, last_new_at: dt.datetime | None, now: dt.datetime, *, gaps: float, days: float
) -> float | None:
    """How long a source is silent, where that is more than `gaps` of its own and `days`; else None.

    `per_day` is the rate as of its last news.
    """
    gap = expected_gap_seconds(per_day)
    if gap is None or last_new_at is None:
        return None
    silent = (now - last_new_at).total_seconds()
    return silent if silent >= max(gap * gaps, days * _DAY_SECONDS) else None


def expected_gap_seconds(per_day: float) -> float | None:
    """Seconds between two new entries; None where the rate is unknown."""
    return _DAY_SECONDS / per_day if per_day > 0 else None
