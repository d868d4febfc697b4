"""What systemd hears, over a socket like its own; and whether all get on."""

import socket
from collections.abc import Iterator
from pathlib import Path
from time import CLOCK_MONOTONIC, clock_gettime_ns

import pytest

from aggregator.daemon import watchdog
from aggregator.daemon.watchdog import Notifier, Watchdog, watchdog_interval_seconds
from tests.support.world import Time


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.chdir(tmp_path)  # the name of a socket has room for 108 characters
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("notify")
        listening.settimeout(10)
        yield listening


def reported(listening: socket.socket) -> dict[str, str]:
    return dict(
        line.split("=", 1) for line in listening.recv(4096).decode().splitlines()
    )


def test_each_state_is_a_datagram(systemd: socket.socket) -> None:
    notifier = Notifier("notify")
    notifier.ready("listening")
    assert reported(systemd) == {"READY": "1", "STATUS": "listening"}
    before = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    reloading = reported(systemd)
    assert reloading["RELOADING"] == "1"
    assert (
        before
        <= int(reloading["MONOTONIC_USEC"])
        <= clock_gettime_ns(CLOCK_MONOTONIC) // 1000
    )
    notifier.watchdog()
    assert reported(systemd) == {"WATCHDOG": "1"}
    notifier.stopping()
    assert reported(systemd)["STOPPING"] == "1"


def test_no_words_can_make_a_state_of_their_own(systemd: socket.socket) -> None:
    Notifier("notify").status("a source named\nREADY=1 " + "x" * 5000)
    status = reported(systemd)
    assert list(status) == ["STATUS"]
    assert len(status["STATUS"]) == watchdog.STATUS_CHARS


def test_an_abstract_name_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0aggregator-test-notify")
        listening.settimeout(10)
        Notifier("@aggregator-test-notify").watchdog()
        assert listening.recv(100) == b"WATCHDOG=1"


def test_who_is_not_there_stops_nothing(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "gone")).ready("x")
    Notifier("").ready("x")


def test_the_watchdog_is_asked_for_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    assert watchdog_interval_seconds() == 30.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval_seconds() is None, "another process is meant"
    monkeypatch.delenv("WATCHDOG_PID")
    for nothing in ("0", "", "soon"):
        monkeypatch.setenv("WATCHDOG_USEC", nothing)
        assert watchdog_interval_seconds() is None


# --- the heart ---------------------------------------------------------------------------------------------


def test_who_does_not_beat_is_stalled_and_recovers() -> None:
    time = Time()
    heart = Watchdog(45, 5, time.monotonic)
    heart.heartbeat("placing")
    heart.heartbeat("scheduler")
    for _ in range(9):
        time.run(5)
        heart.heartbeat("scheduler")
        assert heart.stalled() == []
    time.run(5)
    assert heart.stalled() == ["placing"]
    heart.heartbeat("placing")
    assert heart.stalled() == []


def test_a_beat_between_two_looks_counts_from_its_own_moment() -> None:
    time = Time()
    heart = Watchdog(10, 5, time.monotonic)
    time.run(4.9)
    heart.heartbeat("placing")
    time.run(0.1)
    assert heart.stalled() == []
    time.run(5)
    assert heart.stalled() == []
    time.run(4.8)
    assert heart.stalled() == [], "9.9 seconds"
    time.run(0.2)
    assert heart.stalled() == ["placing"]


def test_after_a_night_asleep_nobody_is_stalled() -> None:
    time = Time()
    heart = Watchdog(45, 5, time.monotonic)
    heart.heartbeat("placing")
    time.run(8 * 3600)
    assert heart.stalled() == []
    for _ in range(8):
        time.run(5)
        stalled = heart.stalled()
    assert stalled == ["placing"], "but who does not wake with the others is"


def test_who_is_dropped_is_expected_no_more() -> None:
    time = Time()
    heart = Watchdog(10, 5, time.monotonic)
    heart.heartbeat("webhooks")
    heart.drop("webhooks", "never heard of")
    for _ in range(5):
        time.run(5)
        assert heart.stalled() == []
