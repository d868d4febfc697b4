"""Poll schedule: computes the time of a source's next poll. Pure; the time is a parameter.

The interval adapts to the source's rate of news: a quiet source is polled less often, an active one at the
configured interval. It doubles with every consecutive failure, up to a day, but polling never ends. No wait is longer
than a day, unless the configured interval is. Jitter, which spreads the polls of sources, is derived from a hash, so
the same history gives the same times everywhere.
"""

from datetime import datetime, timedelta
from hashlib import blake2b

from aggregator.model.structs import FrozenStruct
from aggregator.sources.source_limits import NetTuning

# A source that answers 410 (gone) is polled again after this time
GONE_RETRY_SECONDS = 43_200.0
# Each poll without news multiplies the interval by this, up to net.quiet_stretch
_QUIET_FACTOR = 1.5
# The interval grows up to this share of the expected time between two new entries (chosen)
_EXPECTED_GAP_SHARE = 0.5


class NextPoll(FrozenStruct):
    """When a source is due after a response, and its new interval, which is stored for the next response."""

    due: datetime
    interval_seconds: float  # the current interval, without jitter


def after_success(
    source: str,
    now: datetime,
    *,
    configured_seconds: float,
    interval_seconds: float,
    new_entries: int,
    ttl_seconds: float | None = None,
    gap_seconds: float | None = None,
    tuning: NetTuning,
) -> NextPoll:
    """Return the next poll after a response, including 304.

    `configured_seconds` is the user's interval for the source, and `interval_seconds` the previous interval (0 at
    first). `ttl_seconds` is the interval that the feed requests (ttl, max-age), which is limited to the longest
    interval. `gap_seconds` is the expected time between two new entries, None if unknown; because of it, a source with
    hourly news is not polled every four hours after a quiet night.
    """
    shortest = _shortest(configured_seconds, tuning)
    longest = _longest(configured_seconds, tuning)
    before = min(max(interval_seconds, shortest), longest)
    first = shortest
    usual = longest
    if gap_seconds is not None:
        first = usual = min(max(gap_seconds * _EXPECTED_GAP_SHARE, shortest), longest)
    if interval_seconds <= 0:
        rhythm = first
    elif new_entries > 0:
        rhythm = before / 2
    else:
        rhythm = min(before * _QUIET_FACTOR, usual)
    interval = min(max(rhythm, shortest), longest)
    wait = min(max(interval, ttl_seconds or 0.0), longest)
    return NextPoll(due=_moment(source, now, wait, tuning), interval_seconds=interval)


def after_failure(
    source: str,
    now: datetime,
    *,
    configured_seconds: float,
    failures: int,
    retry_after_seconds: float | None = None,
    is_out_of_reach: bool = False,
    tuning: NetTuning,
) -> datetime:
    """Return when a source is due after a failure; `failures` is the number of failures directly before it.

    Jitter never shortens a server's Retry-After. `parse_retry_after` clamps this header; the limit here holds for any
    value, so that no source waits longer than a day for it. If the host is out of reach, this machine's network may be
    the cause, so the first wait is short, and no wait is longer than the configured interval.
    """
    shortest = _shortest(configured_seconds, tuning)
    first = shortest
    most = max(shortest, tuning.interval_cap_seconds)
    if is_out_of_reach:
        first = tuning.interval_floor_seconds
        most = shortest
    # The limit is enough to reach the longest wait from any interval, and prevents an overflow.
    doublings = min(max(failures, 0), 32)
    backed_off = min(first * tuning.backoff_factor**doublings, most)
    wait = max(backed_off, min(retry_after_seconds or 0.0, tuning.interval_cap_seconds))
    return _moment(source, now, wait, tuning)


def first_due(source: str, now: datetime, *, spread_seconds: float) -> datetime:
    """Return when a new source is polled first; the first polls of sources are spread over `spread_seconds`."""
    return now + timedelta(seconds=spread_seconds * _fraction(source, ""))


def after_gone(source: str, now: datetime, tuning: NetTuning) -> datetime:
    """Return when a source is due after a 410. Only several of these, half a day apart, mean that it is gone."""
    return _moment(source, now, GONE_RETRY_SECONDS, tuning)


def after_hold(
    source: str, now: datetime, *, seconds: float, tuning: NetTuning
) -> datetime:
    """Return when a source is due whose host requested a wait of `seconds`, which is not a failure of the source."""
    return _moment(
        source, now, min(max(seconds, 1.0), tuning.interval_cap_seconds), tuning
    )


def correct_due(
    source: str, due: datetime, now: datetime, *, longest_seconds: float
) -> datetime:
    """Return a plausible due time after the clock was set back.

    A time within `longest_seconds` (the longest wait possible for this source) is kept. Any later time comes from the
    wrong clock and is replaced by a time within this wait that depends on the source, so that sources are not all due
    at once.
    """
    if due <= now + timedelta(seconds=longest_seconds):
        return due
    return now + timedelta(seconds=longest_seconds * _fraction(source, now.isoformat()))


def longest_wait(*, failures: int, interval_seconds: float, tuning: NetTuning) -> float:
    """Return the longest wait, in seconds, that a source with this many failures may have."""
    most = max(_shortest(interval_seconds, tuning), tuning.interval_cap_seconds)
    if failures > 0:
        return most
    return min(_longest(interval_seconds, tuning) * (1 + tuning.jitter_share), most)


def is_overdue_by_jump(last: datetime, now: datetime) -> bool:
    """Return whether the clock was set back by more than a minute since `last`, so that due times must be corrected."""
    return now < last - timedelta(seconds=60)


def _shortest(configured_seconds: float, tuning: NetTuning) -> float:
    return max(configured_seconds, tuning.interval_floor_seconds)


def _longest(configured_seconds: float, tuning: NetTuning) -> float:
    """Return the interval of a quiet source."""
    shortest = _shortest(configured_seconds, tuning)
    return max(
        shortest, min(shortest * tuning.quiet_stretch, tuning.interval_cap_seconds)
    )


def _moment(
    source: str, now: datetime, wait_seconds: float, tuning: NetTuning
) -> datetime:
    jitter = wait_seconds * tuning.jitter_share * _fraction(source, now.isoformat())
    most = max(wait_seconds, tuning.interval_cap_seconds)
    return now + timedelta(seconds=min(wait_seconds + jitter, most))


def _fraction(source: str, moment: str) -> float:
    """Return a pseudo-random number in [0, 1) that is a function of the arguments."""
    words = f"{source}\n{moment}".encode("utf-8", "replace")
    return int.from_bytes(blake2b(words, digest_size=8).digest()) / 2**64
