"""Decide what a poll changes in its source: state, schedule and counts. All functions are pure.

A single permanent redirect (301, 308) or 410 proves little, because captive portals, parked domains and mistaken
administrators send it, too. So the response must be the same three times, over two days for a redirect and one day
for 410, and a new address must have listed an entry that was known from the old address (ADR 8).
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from aggregator.model.entry import Entry, ParsedFeed
from aggregator.model.errors import FetchError
from aggregator.model.health_report import (
    decay_rate,
    expected_gap_seconds,
    initial_rate,
    update_rate,
)
from aggregator.sources.fetch.connections.certificates import UNCHECKED
from aggregator.sources.fetch.poll_schedule import (
    after_failure,
    after_gone,
    after_hold,
    after_success,
)
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.source_limits import NetTuning
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.intake.known_item_rows import KnownItems
from aggregator.store.intake.source_rows import Source, host_of

# A feed is requested unconditionally after this many of its usual gaps without news (chosen).
_CHECKED_GAPS = 2.0
# The usual gap is assumed to be a day while the rate of new entries is not known.
_UNKNOWN_GAP_SECONDS = 86_400.0
STUCK = "its server answers “not modified” although the feed has grown, so it is asked for the whole feed"
# A source takes the new URL after this many equal permanent redirects in a row ...
_ADOPT_TIMES = 3
# ... over at least this time. An adopted URL that fails as often and as long is given up (chosen: two days).
_ADOPT_HOURS = 48.0
# A feed is no longer polled after this many responses 410 in a row ...
_GONE_TIMES = 3
_GONE_HOURS = 24.0  # ... over at least this time.


class PollTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `polling` of config/tuning.yaml."""

    full_text_words: int
    page_attempts: int
    page_wait_seconds: float
    first_poll_pages: int
    page_retry_seconds: float
    flood_entries: int
    flood_age_hours: float


class PollAnswer(NamedTuple):
    """A response without an error, and the outcome of each entry in the inbox."""

    fetched: FetchResult
    body_hash: bytes | None = None
    # None if the feed has not changed, or has only known items
    feed: ParsedFeed | None = None
    entries: Sequence[Entry] = ()
    # One result for each of `entries`
    accepted: Sequence[AcceptResult] = ()
    # Numbers of entries that are not announced as news; they bump their stories at their own time
    old: Sequence[int] = ()
    # The source that polls the target of the permanent redirects; None without one
    at_target: Source | None = None
    # Whether different entries had the same key
    has_void_keys: bool = False
    # Items without an entry, with the reason
    refused: Sequence[tuple[str, str]] = ()
    # Whether some new messages of a mailbox were not read; then it is polled again soon
    has_more: bool = False
    # The items of the feed at its last poll
    known: KnownItems = KnownItems()
    # Parses the response again, with the items that `feed` leaves out
    parse_whole: Callable[[], ParsedFeed] | None = None


def decide(
    source: Source,
    response: PollAnswer | FetchError,
    now: datetime,
    tuning: NetTuning,
) -> Source:
    """Return `source` after a poll: a failure delays the next poll, and after several 410 there is none."""
    if isinstance(response, PollAnswer):
        return _after_answer(source, response, now, tuning)
    if response.cause == ASKED_TO_WAIT:  # no request was sent, so nothing failed
        due = after_hold(
            source.id,
            now,
            seconds=response.retry_after_seconds or 0.0,
            tuning=tuning,
        )
        return replace(source, next_due_at=due)
    failed = replace(
        source,
        last_polled_at=now,
        failing_since=source.failing_since or now,
        health="failing",
        health_cause=str(response),
        etag=response.state or source.etag,
        next_due_at=after_failure(
            source.id,
            now,
            configured_seconds=source.interval_seconds,
            failures=source.failures,
            retry_after_seconds=response.retry_after_seconds,
            is_out_of_reach=response.cause in ("dns", "connect"),
            tuning=tuning,
        ),
        failures=source.failures + 1,
    )
    lasts = _lasts(
        failed.failures, failed.failing_since, now, _ADOPT_TIMES, _ADOPT_HOURS
    )
    if lasts and failed.redirected_url is not None:
        failed = replace(
            _at_configured_address(failed),
            etag=None,
            last_modified=None,
            body_hash=None,
        )
    if response.status == HTTPStatus.GONE:
        count = failed.gone_count + 1
        since = failed.gone_since or now
        failed = replace(
            failed,
            next_due_at=after_gone(failed.id, now, tuning),
            gone_count=count,
            gone_since=since,
        )
        if _lasts(count, since, now, _GONE_TIMES, _GONE_HOURS):
            if failed.redirected_url is None:
                failed = replace(failed, health="gone")
            else:
                # The configured address may still work.
                failed = replace(_at_configured_address(failed), gone_count=0)
    return failed


def _lasts(
    count: int, since: datetime | None, now: datetime, times: int, hours: float
) -> bool:
    """Return whether a response came at least `times` in a row (`count`), over at least `hours` (from `since`)."""
    return (
        since is not None and count >= times and now - since >= timedelta(hours=hours)
    )


def _at_configured_address(source: Source) -> Source:
    return replace(source, redirected_url=None, host=host_of(source.address))


def _after_answer(
    source: Source, answer: PollAnswer, now: datetime, tuning: NetTuning
) -> Source:
    fetched = answer.fetched
    is_stuck = STUCK in (source.health_cause or "") or _is_stuck(source, answer, now)
    # Whether the response has a known entry, or nothing to compare with earlier entries
    shares = (
        answer.feed is None
        or not source.first_poll_done
        or bool(answer.feed.left_out)
        or any(result.outcome != "new" for result in answer.accepted)
    )
    cause = None if source.health == "failing" else source.health_cause
    if answer.feed is not None:
        source = _with_feed(source, answer, now)
        cause = answer.feed.problem
    # The warning stays while the certificate of the source is not checked.
    cause = (cause or "").removeprefix(UNCHECKED).removeprefix("; ")
    if fetched.is_unchecked:
        cause = f"{UNCHECKED}; {cause}" if cause else UNCHECKED
    if is_stuck and STUCK not in cause:
        cause = f"{cause}; {STUCK}" if cause else STUCK
    next_poll = after_success(
        source.id,
        now,
        configured_seconds=source.interval_seconds,
        interval_seconds=source.adaptive_interval_seconds,
        new_entries=sum(result.entry_no is not None for result in answer.accepted),
        ttl_seconds=source.ttl_seconds,
        gap_seconds=expected_gap_seconds(
            decay_rate(source.per_day, source.per_day_at, now)
        ),
        tuning=tuning,
    )
    due = next_poll.due
    if answer.has_more:
        due = now + timedelta(seconds=tuning.interval_floor_seconds)
    etag = fetched.etag
    last_modified = fetched.last_modified
    if fetched.not_modified:
        etag = etag or source.etag
        last_modified = last_modified or source.last_modified
    elif is_stuck:
        etag = last_modified = None
    moved = _follow_redirect(source, answer, now, shares=shares)
    return replace(
        moved,
        etag=etag or None,
        last_modified=last_modified or None,
        adaptive_interval_seconds=next_poll.interval_seconds,
        next_due_at=due,
        last_polled_at=now,
        last_success_at=now,
        failures=0,
        failing_since=None,
        gone_count=0,
        gone_since=None,
        health="merged" if moved.merged_into else "ok",
        health_cause=cause or None,
    )


def is_to_be_checked(source: Source, now: datetime) -> bool:
    """Return whether a source is to be requested unconditionally: whenever two more gaps have passed without news.

    `per_day_at` is the time of the last news, because the rate is updated only then.
    """
    if source.per_day_at is None or source.last_polled_at is None:
        return False
    gap = expected_gap_seconds(source.per_day) or _UNKNOWN_GAP_SECONDS
    gaps = timedelta(seconds=_CHECKED_GAPS * gap)
    since = source.per_day_at
    return (now - since) // gaps > (source.last_polled_at - since) // gaps


def _is_stuck(source: Source, answer: PollAnswer, now: datetime) -> bool:
    """Return whether an unconditional request brought new entries although ETag and Last-Modified are unchanged."""
    fetched = answer.fetched
    is_grown = any(result.outcome == "new" for result in answer.accepted)
    known = (source.etag, source.last_modified)
    is_same = (fetched.etag, fetched.last_modified) == known and any(known)
    return is_grown and is_same and is_to_be_checked(source, now)


def old_entries(
    source: Source, answer: PollAnswer, now: datetime, tuning: PollTuning
) -> list[int]:
    """Return the numbers of new entries with old dates if there are at least `flood_entries`; else none.

    This many old entries at once are an archive, and not news.
    """
    if not source.first_poll_done:
        return []
    oldest_news = now - timedelta(hours=tuning.flood_age_hours)
    old = [
        result.entry_no
        for result, entry in zip(answer.accepted, answer.entries, strict=True)
        if result.outcome == "new" and result.entry_no is not None
        if entry.published is not None and entry.published.time < oldest_news
    ]
    return old if len(old) >= tuning.flood_entries else []


def with_counts(
    source: Source, accepted: Sequence[AcceptResult], rejected: int
) -> Source:
    """Return the source with the outcomes of its entries counted; `rejected` counts items without an entry."""
    new = sum(
        result.entry_no is not None and result.outcome != "revision"
        for result in accepted
    )
    forgotten = sum(result.outcome == "forgotten" for result in accepted)
    return replace(
        source,
        entries_new=source.entries_new + new,
        entries_known=source.entries_known + len(accepted) - new - forgotten,
        entries_rejected=source.entries_rejected + rejected + forgotten,
    )


def _with_feed(source: Source, answer: PollAnswer, now: datetime) -> Source:
    """Return the source with the title and site that its feed declares, its counts, and the rate of new entries."""
    feed = answer.feed
    assert feed is not None
    counted = replace(
        with_counts(source, answer.accepted, len(answer.refused)),
        body_hash=answer.body_hash,
        title=feed.title or source.title,
        site_url=source.site_url or feed.site_url,
        self_url=feed.self_url,
        ttl_seconds=max(feed.ttl_seconds or 0.0, answer.fetched.fresh_seconds or 0.0),
        first_poll_done=True,
    )
    new = counted.entries_new - source.entries_new
    flood = len(answer.old)
    if flood:
        counted = replace(counted, flooded_at=now, flood_entries=flood)
    if not source.first_poll_done:
        # The entries of a first poll are a backlog, so the rate is estimated from their dates, not their number.
        times = [entry.published.time for entry in answer.entries if entry.published]
        return replace(
            counted,
            per_day=initial_rate(times, now),
            per_day_at=now,
            last_new_at=max((time for time in times if time <= now), default=now),
        )
    if new == flood:
        return counted
    return replace(
        counted,
        per_day=update_rate(source.per_day, source.per_day_at, now, new - flood),
        per_day_at=now,
        last_new_at=now,
    )


def _follow_redirect(
    source: Source, answer: PollAnswer, now: datetime, *, shares: bool
) -> Source:
    """Record a permanent redirect, and adopt it once it is confirmed.

    The source keeps its id and its configured address, so its articles stay known. If the target is a source
    already, this source is merged into it. `shares`: whether the response listed a known entry. Only the first
    response of a target counts, because afterwards its own entries are known.
    """
    to = answer.fetched.permanent_url
    other = answer.at_target
    settled = replace(
        source, moved_to=None, moved_count=0, moved_since=None, move_confirmed=False
    )
    if to is None:
        return settled
    if to == source.moved_to:
        observed = replace(source, moved_count=source.moved_count + 1)
    else:
        observed = replace(
            source, moved_to=to, moved_count=1, moved_since=now, move_confirmed=shares
        )
    lasts = _lasts(
        observed.moved_count, observed.moved_since, now, _ADOPT_TIMES, _ADOPT_HOURS
    )
    if not (lasts and observed.move_confirmed):
        return observed
    if other is None or other.id == source.id or other.health in ("gone", "merged"):
        return replace(settled, redirected_url=to, host=host_of(to))
    if other.paused:
        # The source is not merged, because the user paused only the other one.
        return source
    return replace(settled, merged_into=other.id)
