"""Manners: Retry-After as servers write it, and the gate before each host."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.rate_limiter import RateLimiter, parse_retry_after
from aggregator.sources.source_limits import net_tuning
from tests.support.tables import rows
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.world import Time

TUNING = net_tuning(Tuning())
NOW = datetime.fromisoformat("2026-11-20T08:00Z")
DAY = 86400.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *rows("sources_manners", "retry after"),
        ("9" * 5000, DAY),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW, TUNING) == seconds


@pytest.mark.later
@given(
    st.text()
    | st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,9} [A-Z+0-9]*"
    )
)
def test_any_retry_after_is_within_the_clamp_or_nothing(value: str) -> None:
    seconds = parse_retry_after(value, NOW, TUNING)
    assert seconds is None or 60 <= seconds <= DAY


def gate_of(gap_seconds: float, concurrency: int) -> RateLimiter:
    tuning = {"host_gap_seconds": gap_seconds, "host_concurrency": concurrency}
    return RateLimiter(net_tuning(Tuning({"net": tuning})))


def test_no_more_than_two_at_a_host_and_all_get_their_turn() -> None:
    rate_limiter = gate_of(0.0, 2)
    lock = threading.Lock()
    inside = most = done = 0

    def visit(_: int) -> None:
        nonlocal inside, most, done
        with rate_limiter.turn("a.example"):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.005)
            with lock:
                inside -= 1
                done += 1

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(visit, range(60)))
    assert (most, done) == (2, 60)


def test_the_gate_tells_how_long_it_would_take() -> None:
    rate_limiter = gate_of(60.0, 2)
    assert rate_limiter.ready_in("a.example") == 0
    with rate_limiter.turn("a.example"):
        assert 0 < rate_limiter.ready_in("a.example") <= 60
        assert rate_limiter.ready_in("b.example") == 0


def test_a_crawl_delay_widens_the_gap_within_reason() -> None:
    rate_limiter = gate_of(0.0, 1)
    rate_limiter.widen("a.example", 25.0)
    rate_limiter.widen("b.example", 1e9)
    for host, most in (("a.example", 25.0), ("b.example", 30.0)):
        with rate_limiter.turn(host):
            pass
        assert 0 < rate_limiter.ready_in(host) <= most


def test_a_server_at_home_needs_no_gap() -> None:
    rate_limiter = gate_of(60.0, 1)
    for _ in range(3):
        with rate_limiter.turn("127.0.0.1:8080", is_private_host=True):
            pass
    assert rate_limiter.ready_in("127.0.0.1:8080") == 0


def test_closing_turns_away_who_waits() -> None:
    rate_limiter = gate_of(60.0, 1)
    with rate_limiter.turn("a.example"), ThreadPoolExecutor(3) as threads:
        waiting = [
            threads.submit(lambda: rate_limiter.turn("a.example").__enter__())
            for _ in range(3)
        ]
        rate_limiter.close()
        assert all(
            isinstance(future.exception(timeout=PATIENCE_SECONDS), FetchError)
            for future in waiting
        )


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def gate(clock: Time) -> RateLimiter:
    return RateLimiter(TUNING, clock.monotonic, clock.run)


def turned_away(gate: RateLimiter, host: str) -> float | None:
    """Seconds that a request is told to wait; None where it may go."""
    try:
        with gate.turn(host):
            return None
    except FetchError as error:
        return error.retry_after_seconds if error.cause == "asked to wait" else -1.0


def test_a_429_holds_all_feeds_of_the_host_and_of_no_other(
    gate: RateLimiter, clock: Time
) -> None:
    gate.asked_to_wait("a.example", "http://a.example/1", 429, 600.0)
    assert turned_away(gate, "a.example") == 600.0
    assert turned_away(gate, "b.example") is None
    assert gate.ready_in("a.example") == 600.0
    assert gate.not_ready(1.0) == ["a.example"]
    clock.run(600.0)
    assert turned_away(gate, "a.example") is None


@pytest.mark.parametrize(
    ("seconds", "held"), [(60.0, 60.0), (DAY, 3600.0), (None, 300.0)]
)
def test_a_platform_never_stands_still_for_a_day(
    seconds: float | None, held: float, gate: RateLimiter
) -> None:
    gate.asked_to_wait("a.example", "http://a.example/1", 429, seconds)
    assert turned_away(gate, "a.example") == held


def test_one_bad_route_of_a_platform_holds_nobody_else_but_two_do(
    gate: RateLimiter,
) -> None:
    for _ in range(3):
        gate.asked_to_wait("a.example", "http://a.example/1", 503, 900.0)
    assert turned_away(gate, "a.example") is None
    gate.asked_to_wait("a.example", "http://a.example/2", 503, None)
    assert turned_away(gate, "a.example") is None, (
        "a 503 that names no time is a plain failure"
    )
    gate.asked_to_wait("a.example", "http://a.example/2", 503, 600.0)
    assert turned_away(gate, "a.example") == 600.0, "the shorter of both"


def test_two_bad_routes_at_different_times_hold_nobody(
    gate: RateLimiter, clock: Time
) -> None:
    gate.asked_to_wait("a.example", "http://a.example/1", 503, 900.0)
    clock.run(901.0)
    gate.asked_to_wait("a.example", "http://a.example/2", 503, 900.0)
    assert turned_away(gate, "a.example") is None


def test_each_429_doubles_the_gap_and_good_answers_halve_it_again(
    gate: RateLimiter, clock: Time
) -> None:

    def gap() -> float:
        with gate.turn("a.example"):
            pass
        return gate.ready_in("a.example")

    for doubled in (2.0, 4.0, 8.0, 16.0, 32.0, 32.0):
        gate.asked_to_wait("a.example", "u", 429, 60.0)
        # Came back together: counts once
        gate.asked_to_wait("a.example", "u", 429, 60.0)
        clock.run(3600.0)
        assert gap() == doubled
    for halved in (16.0, 8.0, 4.0, 2.0, 1.0, 1.0):
        for _ in range(20):
            gate.answered("a.example")
        clock.run(3600.0)
        assert gap() == halved


def test_no_feed_waits_for_the_wide_gaps_of_the_pages_of_its_host(
    gate: RateLimiter, clock: Time
) -> None:
    for _ in range(6):
        gate.asked_to_wait("a.example", "u", 429, 60.0, is_page=True)
        clock.run(3600.0)
    with gate.turn("a.example", is_page=True):
        pass
    assert gate.ready_in("a.example") == 1.0
    assert gate.ready_in("a.example", is_page=True) == 32.0
    clock.run(1.0)
    assert gate.not_ready(0.0) == ["a.example pages"]
    with gate.turn("a.example"):
        pass
    before = clock.monotonic()
    with gate.turn("a.example", is_page=True):
        assert clock.monotonic() - before == 31.0


def test_the_step_of_a_redirect_waits_for_nobody_and_is_paid_for_afterwards(
    gate: RateLimiter, clock: Time
) -> None:
    for at_once in (False, True, True):
        with gate.turn("a.example", at_once=at_once):
            pass
    assert clock.monotonic() == 1e6
    assert gate.ready_in("a.example") == 3.0


@pytest.mark.later
@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "429", "503", "ok"]), st.integers(0, 100)),
        max_size=60,
    )
)
def test_starts_at_a_host_lie_a_gap_apart_whatever_it_answers(
    steps: list[tuple[str, int]],
) -> None:
    clock = Time()
    gate = RateLimiter(TUNING, clock.monotonic, clock.run)
    starts: list[float] = []
    for step, seconds in steps:
        clock.run(seconds)
        if step == "429":
            gate.asked_to_wait("a.example", "u", 429, float(seconds))
        elif step == "503":
            gate.asked_to_wait("a.example", str(seconds), 503, float(seconds))
        elif step == "ok":
            gate.answered("a.example")
        else:
            left = turned_away(gate, "a.example")
            assert left is None or 0 < left <= 3600
            starts += [clock.monotonic()] if left is None else []
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(starts))


@pytest.mark.later
def test_the_gate_forgets_idle_hosts() -> None:
    rate_limiter = gate_of(0.0, 1)
    for number in range(25_000):
        with rate_limiter.turn(f"{number}.example"):
            pass
    assert len(rate_limiter._hosts) <= 10_000
