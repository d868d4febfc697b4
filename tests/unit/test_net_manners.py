"""Manners: Retry-After as servers write it, and the gate before each host."""

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import FetchError
from aggregator.net.manners import HostGate, parse_retry_after
from aggregator.net.rulebook import net_rules
from aggregator.rules import rule_book

RULES = net_rules(rule_book())
NOW = dt.datetime(2026, 11, 20, 8, 0, tzinfo=dt.UTC)
DAY = 86400.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", 60.0),
        ("1", 60.0),
        ("86401", DAY),
        ("99999999999999999999", DAY),
        ("9" * 5000, DAY),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 3600.0),
        ("Friday, 20-Nov-26 09:00:00 GMT", 3600.0),
        ("Fri Nov 20 09:00:00 2026", 3600.0),
        ("Fri, 20 Nov 2026 07:00:00 GMT", 60.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        ("1e9", None),
        ("-5", None),
        ("1.5", None),
        ("٣٦٠٠", None),
        ("soon", None),
        ("Fri, 99 Nov 2026 09:00:00 GMT", None),
        ("Fri, 20 Nov 2026 09:00:00 +99999999999", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW, RULES) == seconds


@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,9} [A-Z+0-9]*")
)
def test_any_retry_after_is_within_the_clamp_or_nothing(value: str) -> None:
    seconds = parse_retry_after(value, NOW, RULES)
    assert seconds is None or 60 <= seconds <= DAY


def test_no_more_than_two_at_a_host_and_all_get_their_turn() -> None:
    gate = HostGate(gap_seconds=0.0, concurrency=2)
    lock = threading.Lock()
    inside = most = done = 0

    def visit(_: int) -> None:
        nonlocal inside, most, done
        with gate.turn("a.example"):
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


def test_starts_at_one_host_lie_apart() -> None:
    gate = HostGate(gap_seconds=0.1, concurrency=5)

    def visit(_: int) -> float:
        with gate.turn("a.example"):
            return time.monotonic()

    began = time.monotonic()
    with ThreadPoolExecutor(5) as threads:
        starts = sorted(threads.map(visit, range(5)))
    for number, start in enumerate(starts):
        assert start - began >= 0.1 * number


def test_the_gate_tells_how_long_it_would_take() -> None:
    gate = HostGate(gap_seconds=60.0, concurrency=2)
    assert gate.ready_in("a.example") == 0
    with gate.turn("a.example"):
        assert 0 < gate.ready_in("a.example") <= 60
        assert gate.ready_in("b.example") == 0


def test_a_hosts_own_wish_widens_the_gap_within_reason() -> None:
    gate = HostGate(gap_seconds=0.0, concurrency=1)
    gate.widen("a.example", 25.0)
    gate.widen("b.example", 1e9)
    for host, most in (("a.example", 25.0), ("b.example", 30.0)):
        with gate.turn(host):
            pass
        assert 0 < gate.ready_in(host) <= most


def test_a_server_at_home_needs_no_gap() -> None:
    gate = HostGate(gap_seconds=60.0, concurrency=1)
    for _ in range(3):
        with gate.turn("127.0.0.1:8080", at_home=True):
            pass
    assert gate.ready_in("127.0.0.1:8080") == 0


def test_closing_turns_away_who_waits() -> None:
    gate = HostGate(gap_seconds=60.0, concurrency=1)
    with gate.turn("a.example"), ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(lambda: gate.turn("a.example").__enter__()) for _ in range(3)]
        gate.close()
        assert all(isinstance(future.exception(timeout=10), FetchError) for future in waiting)


def test_the_gate_forgets_idle_hosts() -> None:
    gate = HostGate(gap_seconds=0.0, concurrency=1)
    for number in range(25_000):
        with gate.turn(f"{number}.example"):
            pass
    assert len(gate._hosts) <= 10_000
