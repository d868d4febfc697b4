"""When a source is asked again. Pure: time comes in, the next time goes out.

The wait follows the source's own rhythm (a quiet source is asked less often, one with news as often as it is
configured), doubles with every failure in a row up to a day, and never becomes "never". What is added so that
sources do not march in step comes from a hash, so that the same history gives the same times everywhere.
"""

import datetime as dt
from hashlib import blake2b

import msgspec

from aggregator.sources.limits import NetTuning


class NextPoll(msgspec.Struct, frozen=True, kw_only=True):
    """When a source is due, and what to remember until then."""

    due: dt.datetime
    interval_seconds: float  # the present rhythm, without jitter
    failures: int  # in a row


def after_success(
    source: str,
    now: dt.datetime,
    *,
    configured_seconds: float,
    interval_seconds: float,
    new_entries: int,
    asked_seconds: float | None = None,
    gap_seconds: float | None = None,
    tuning: NetTuning,
) -> NextPoll:
    """After an answer, 304 included.

    `configured_seconds` is the user's interval for the source, `interval_seconds` the rhythm so far (0 at
    first), `asked_seconds` what the feed asks for (ttl, max-age), honoured up to the longest rhythm;
    `gap_seconds` is the expected gap between two new entries, None where it is unknown: a source that has
    news every hour is not left alone for four because the night was quiet.
    """
    shortest = _bounded(configured_seconds, tuning)
    longest = _bounded(configured_seconds * tuning.quiet_stretch, tuning)
    before = min(max(interval_seconds, shortest), longest)
    usual = longest if gap_seconds is None else min(max(gap_seconds * tuning.rhythm_share, shortest), longest)
    if interval_seconds <= 0:
        rhythm = shortest if gap_seconds is None else usual
    elif new_entries > 0:
        rhythm = before / 2
    else:
        rhythm = min(before * tuning.quiet_factor, max(usual, shortest))
    interval = min(max(rhythm, shortest), longest)
    wait = min(max(interval, asked_seconds or 0.0), max(longest, interval))
    return NextPoll(
        due=_moment(source, now, wait, tuning),
        interval_seconds=interval,
        failures=0,
    )


def after_failure(
    source: str,
    now: dt.datetime,
    *,
    configured_seconds: float,
    interval_seconds: float,
    failures: int,
    retry_after_seconds: float | None = None,
    tuning: NetTuning,
) -> NextPoll:
    """After a fetch or a feed that failed; `failures` is how many in a row there were before this one.

    A server's Retry-After is kept, never shortened by jitter. The longest wait is a day; nothing is given up.
    """
    shortest = _bounded(configured_seconds, tuning)
    doublings = min(max(failures, 0), 32)  # enough for any interval to reach the cap, and no overflow
    backed_off = min(shortest * tuning.backoff_factor**doublings, tuning.interval_cap_seconds)
    wait = max(backed_off, min(retry_after_seconds or 0.0, tuning.retry_after_most_seconds))
    return NextPoll(
        due=_moment(source, now, wait, tuning),
        interval_seconds=max(interval_seconds, shortest),
        failures=failures + 1,
    )


def after_outage(
    source: str, now: dt.datetime, *, since: dt.datetime, configured_seconds: float, tuning: NetTuning
) -> dt.datetime:
    """When a source is asked again that was out of reach for an outage of ours, which began at `since`.

    Soon at first, then after as long as it has lasted, never later than its interval.
    """
    lasted = max((now - since).total_seconds(), tuning.interval_floor_seconds)
    return _moment(source, now, min(lasted, _bounded(configured_seconds, tuning)), tuning)


def first_due(source: str, now: dt.datetime, *, spread_seconds: float) -> dt.datetime:
    """When a new source is asked first: within `spread_seconds`, each at its own moment."""
    return now + dt.timedelta(seconds=spread_seconds * _fraction(source, ""))


def after_gone(source: str, now: dt.datetime, *, failures: int, tuning: NetTuning) -> NextPoll:
    """After a 410: asked a few times more, half a day apart, before it is believed."""
    return NextPoll(
        due=_moment(source, now, tuning.gone_retry_seconds, tuning),
        interval_seconds=0.0,
        failures=failures + 1,
    )


def after_hold(source: str, now: dt.datetime, *, seconds: float, tuning: NetTuning) -> dt.datetime:
    """When a source is due whose host asked us to wait `seconds`; no failure of the source's own."""
    return _moment(source, now, min(max(seconds, 1.0), tuning.interval_cap_seconds), tuning)


def correct_due(
    source: str, due: dt.datetime, now: dt.datetime, *, longest_seconds: float, tuning: NetTuning
) -> dt.datetime:
    """A due time after the clock was set back.

    One within `longest_seconds` (the longest that this source can have to wait) stays. Any other is a time
    of the wrong clock; its source comes at a moment of its own within that wait, lest all come at once.
    """
    wait = min(longest_seconds, tuning.interval_cap_seconds)
    if due <= now + dt.timedelta(seconds=wait):
        return due
    return now + dt.timedelta(seconds=wait * _fraction(source, now.isoformat()))


def longest_wait(
    *, failures: int, interval_seconds: float, rhythm_seconds: float, asked_seconds: float, tuning: NetTuning
) -> float:
    """The longest wait, seconds, that a source in this state was ever given."""
    if failures > 0:
        return tuning.interval_cap_seconds
    longest = _bounded(interval_seconds * tuning.quiet_stretch, tuning)
    wait = max(_bounded(max(interval_seconds, rhythm_seconds), tuning), min(asked_seconds, longest))
    return min(wait * (1 + tuning.jitter_share), tuning.interval_cap_seconds)


def is_overdue_by_jump(last: dt.datetime, now: dt.datetime) -> bool:
    """Whether the clock went back more than a minute since `last`: due times must then be corrected."""
    return now < last - dt.timedelta(seconds=60)


def _bounded(seconds: float, tuning: NetTuning) -> float:
    return min(max(seconds, tuning.interval_floor_seconds), tuning.interval_cap_seconds)


def _moment(source: str, now: dt.datetime, wait_seconds: float, tuning: NetTuning) -> dt.datetime:
    jitter = wait_seconds * tuning.jitter_share * _fraction(source, now.isoformat())
    return now + dt.timedelta(seconds=min(wait_seconds + jitter, tuning.interval_cap_seconds))


def _fraction(source: str, moment: str) -> float:
    """A number in [0, 1) that looks like chance and is always the same for the same words."""
    digest = blake2b(f"{source}\n{moment}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
