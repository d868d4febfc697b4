"""How often a source has news, how seldom it wants to be asked, and what its health says about both."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.model.health_report import (
    decay_rate,
    expected_gap_seconds,
    initial_rate,
    update_rate,
)
from aggregator.sources.fetch.response import fresh_seconds
from aggregator.sources.parse.feeds.feedparser_feed import ttl_seconds
from aggregator.store.intake.source_rows import Source
from aggregator.store.read.health.source_health import health_of
from tests.support.tables import each_row, mapping

NOW = datetime.fromisoformat("2026-11-20T08:00Z")


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


# --- rates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ages", "least", "most"),
    [
        ([], 0, 0),
        ([n / 24 for n in range(20)], 24, 26),  # hourly, all of the last day
        ([n / 10 for n in range(200)], 10, 10.2),  # ten a day, for weeks
        # All of the last minutes: not thousands
        ([0.001 * n for n in range(15)], 200, 361),
        ([30 * n for n in range(1, 11)], 0.02, 0.04),  # monthly
        # A pinned one says nothing about the others' span
        ([0.1, 0.2, 0.3, 900], 0.4, 0.5),
        ([-5, -1], 0, 0),  # tomorrow's dates tell nothing
        ([3], 0.1, 0.2),
    ],
)
def test_the_dates_of_a_new_feed_tell_its_rate(
    ages: list[float], least: float, most: float
) -> None:
    assert least <= initial_rate([ago(age) for age in ages], NOW) <= most


@pytest.mark.later
@given(st.floats(0.2, 200), st.floats(0, 500))
def test_the_rate_that_is_kept_becomes_the_rate_that_is(
    true: float, start: float
) -> None:
    rate, at = start, NOW
    for step in range(1, 1001):
        now = NOW + timedelta(days=step / true)
        rate, at = update_rate(rate, at, now, 1), now
        if now > NOW + timedelta(days=80):
            break
    days = (at - NOW).total_seconds() / 86400
    assert days <= 50 or true * 0.8 <= decay_rate(rate, at, at) <= true * 1.8 + 0.2


def test_a_rate_fades_while_nothing_comes() -> None:
    assert decay_rate(10.0, ago(7), NOW) == pytest.approx(3.68, abs=0.01)
    assert decay_rate(10.0, NOW, ago(1)) == 10.0, (
        "a clock that went back makes nothing more"
    )
    assert decay_rate(10.0, None, NOW) == 0.0
    assert (expected_gap_seconds(24.0), expected_gap_seconds(0.0)) == (3600.0, None)


# --- what feeds and servers ask for ------------------------------------------------------------------------


@each_row("rhythm", "what a feed asks for", "ttl", "period", "frequency", "seconds")
def test_what_a_feed_asks_for(
    ttl: str, period: str, frequency: str, seconds: float | None
) -> None:
    assert ttl_seconds(ttl, period, frequency) == seconds


@each_row("rhythm", "how long an answer is fresh", "headers", "seconds")
def test_how_long_an_answer_is_fresh(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert fresh_seconds(headers) == seconds


@given(
    st.dictionaries(
        st.sampled_from(["cache-control", "expires", "date", "age"]), st.text()
    )
)
def test_any_headers_are_read(headers: dict[str, str]) -> None:
    found = fresh_seconds(headers)
    assert found is None or found >= 0


# --- health ------------------------------------------------------------------------------------------------


def source(**more: object) -> Source:
    values: dict[str, object] = {
        "id": "s", "kind": "feed", "address": "https://a.example/feed", "interval_seconds": 3600,
        "next_due_at": NOW + timedelta(hours=3), "health": "ok", "first_poll_done": True,
    }  # fmt: skip
    return msgspec.convert(values | more, Source)


def reported(**more: object) -> tuple[str, str, str]:
    health = health_of(source(**more), NOW)
    return health.state, health.cause, health.words


@each_row(
    "rhythm", "a failure is shown with its cause", "health_cause", "cause", "words"
)
def test_a_failure_is_shown_with_its_cause(
    health_cause: str, cause: str, words: str
) -> None:
    failing = {
        "health": "failing",
        "health_cause": health_cause,
        "failures": 5,
        "failing_since": ago(2),
    }
    assert reported(**failing) == (
        "failing", cause, f"{words}; 5 times since 2026-11-18 08:00; next try in 3 hours",
    )  # fmt: skip


def test_the_last_second_is_one() -> None:
    words = reported(
        health="failing",
        health_cause="http 503: Busy",
        failures=1,
        failing_since=ago(2),
        next_due_at=ago(0),
    )[2]
    assert "seconds" not in words


@each_row(
    "rhythm",
    "silence is measured by a sources own rhythm",
    "per_day",
    "days",
    "is_silent",
)
def test_silence_is_measured_by_a_sources_own_rhythm(
    per_day: float, days: float, is_silent: bool
) -> None:
    state, cause, words = reported(
        per_day=per_day, per_day_at=ago(days), last_new_at=ago(days)
    )
    assert (state == "silent") == is_silent
    assert ("nothing new for" in words, cause) == (
        is_silent,
        "silent" if is_silent else "",
    )


HEALTH = mapping("rhythm", "the health of a source is reported")


@pytest.mark.parametrize("name", HEALTH)
def test_the_health_of_a_source_is_reported(name: str) -> None:
    known, ages, state, cause, words = HEALTH[name]
    found = reported(**known, **{key: ago(days) for key, days in ages.items()})
    assert found[:2] == (state, cause)
    assert found[2].startswith(words)
    assert bool(found[2]) is bool(words)


def test_articles_a_day_are_known_after_the_first_answer() -> None:
    assert health_of(source(per_day=12.0, per_day_at=NOW), NOW).per_day == 12.0
    assert health_of(source(first_poll_done=False), NOW).per_day is None
