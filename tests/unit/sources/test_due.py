"""When a source is due: its own rhythm, back-off without end, no step in common, and clocks that jump."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.sources.fetch.poll_schedule import (
    NextPoll,
    after_failure,
    after_gone,
    after_success,
    correct_due,
    first_due,
    longest_wait,
)
from aggregator.sources.source_limits import net_tuning

TUNING = net_tuning(Tuning())
NOW = datetime.fromisoformat("2026-11-20T08:00Z")
DAY = 86400.0

moments = st.integers(0, 4_000_000_000).map(
    lambda stamp: datetime.fromtimestamp(stamp, UTC)
)
seconds = st.floats(0, 1e7)


def success(
    now: datetime, interval: float, new: int, source: str = "feed", **more: Any
) -> NextPoll:
    return after_success(
        source, now, **{"configured_seconds": 600.0, **more}, interval_seconds=interval, new_entries=new,
        tuning=TUNING,
    )  # fmt: skip


def failure(
    now: datetime,
    failures: int,
    retry: float | None = None,
    source: str = "feed",
    **more: Any,
) -> datetime:
    given = {"configured_seconds": 600.0, **more}
    return after_failure(
        source,
        now,
        **given,
        failures=failures,
        retry_after_seconds=retry,
        tuning=TUNING,
    )


def wait(due: datetime, now: datetime = NOW) -> float:
    return (due - now).total_seconds()


def test_a_quiet_source_is_asked_less_often_and_news_bring_it_back() -> None:
    interval, seen = 0.0, []
    for new in [0, 0, 0, 0, 0, 0, 5, 5, 5]:
        interval = success(NOW, interval, new).interval_seconds
        seen.append(interval)
    assert seen == [600.0, 900.0, 1350.0, 2025.0, 2400.0, 2400.0, 1200.0, 600.0, 600.0]


def test_each_failure_doubles_the_wait_up_to_a_day_and_never_ends_it() -> None:
    waits = [wait(failure(NOW, failures)) for failures in range(12)]
    for failures, waited in enumerate(waits[:7]):
        assert 600 * 2**failures <= waited <= 660 * 2**failures
    assert waits[-1] == DAY
    assert wait(failure(NOW, 10**9)) == DAY


@pytest.mark.parametrize(
    ("retry", "least", "most"), [(60, 600, 660), (7200, 7200, 7920), (1e12, DAY, DAY)]
)
def test_a_server_that_asks_for_time_gets_it(
    retry: float, least: float, most: float
) -> None:
    assert least <= wait(failure(NOW, 0, retry)) <= most


@given(st.text(), moments, seconds, seconds, st.integers(0, 1000), seconds | st.none())
def test_every_wait_is_between_a_minute_and_a_day_or_the_interval(
    source: str,
    now: datetime,
    base: float,
    interval: float,
    count: int,
    asked: float | None,
) -> None:
    dues = [
        success(
            now, interval, count, source, configured_seconds=base, ttl_seconds=asked
        ).due,
        failure(now, count, asked, source, configured_seconds=base),
    ]
    for due in dues:
        most = max(base, DAY)
        assert 60 <= wait(due, now) <= most + 1e-3
        assert due == correct_due(source, due, now, longest_seconds=most + 1e-3)


def test_an_interval_of_a_week_is_kept() -> None:
    for new, asked in ((0, None), (3, 60.0), (0, 1e9)):
        assert (
            wait(
                success(NOW, 0, new, configured_seconds=7 * DAY, ttl_seconds=asked).due
            )
            == 7 * DAY
        )
    assert wait(failure(NOW, 3, configured_seconds=7 * DAY)) == 7 * DAY


def test_sources_do_not_march_in_step_and_the_same_history_gives_the_same_times() -> (
    None
):
    dues = [success(NOW, 600, 0, source=f"feed {number}").due for number in range(1000)]
    assert dues == [
        success(NOW, 600, 0, source=f"feed {number}").due for number in range(1000)
    ]
    assert max(Counter(due.replace(microsecond=0) for due in dues).values()) < 40
    firsts = [
        first_due(f"feed {number}", NOW, spread_seconds=60) for number in range(1000)
    ]
    assert all(NOW <= first < NOW + timedelta(seconds=60) for first in firsts)
    assert max(Counter(first.replace(microsecond=0) for first in firsts).values()) < 40


@given(seconds, seconds, seconds, seconds | st.none(), st.integers(0, 3), moments)
def test_the_longest_wait_is_never_shorter_than_one_that_was_given(
    base: float,
    interval: float,
    asked: float,
    gap: float | None,
    new: int,
    now: datetime,
) -> None:
    """Else a clock that goes back by a minute would move sources that wait as they should."""
    poll = success(
        now,
        interval,
        new,
        configured_seconds=base,
        ttl_seconds=asked,
        gap_seconds=gap or None,
    )
    longest = longest_wait(failures=0, interval_seconds=base, tuning=TUNING)
    assert (poll.due - now).total_seconds() <= longest + 1e-3


def test_a_source_with_news_every_hour_is_not_left_alone_for_four() -> None:
    def settled(gap: float | None) -> float:
        interval = 600.0
        for _ in range(10):
            interval = success(NOW, interval, 0, gap_seconds=gap).interval_seconds
        return interval

    assert [settled(gap) for gap in (60.0, 3600.0, 7200.0, 1e6, None)] == [
        600,
        1800,
        2400,
        2400,
        2400,
    ]


def test_a_new_source_starts_with_the_rhythm_that_its_dates_tell() -> None:
    firsts = [
        success(NOW, 0, 20, gap_seconds=gap).interval_seconds
        for gap in (None, 60.0, 3000.0, 1e7)
    ]
    assert firsts == [600, 600, 1500, 2400]


def test_a_410_is_asked_again_twice_half_a_day_apart() -> None:
    assert 12 * 3600 <= wait(after_gone("feed", NOW, TUNING)) <= 12 * 3600 * 1.1
