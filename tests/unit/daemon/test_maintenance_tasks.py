"""Maintenance tasks: one that fails backs off and is logged, the others go on, the daemon lives on."""

import datetime as dt
import threading
from collections.abc import Callable

import pytest

from aggregator.daemon import maintenance
from aggregator.daemon.maintenance import (
    MaintenanceJob,
    MaintenanceJobs,
    MaintenanceStep,
    MaintenanceSteps,
    Stops,
    TaskFailures,
)
from aggregator.model.errors import AggregatorError, DatabaseAwayError, DatabaseLockedError, LeaseLostError

NOON = dt.datetime(2026, 10, 12, 12, 0, tzinfo=dt.UTC)


class Seconds:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed


def never() -> bool:
    return False


def step(name: str, said: list[str], pieces: int, error: Exception | None = None) -> MaintenanceStep:
    """One that has so many pieces, or fails at each."""
    left = [pieces]

    def run(_stops: Stops) -> bool:
        said.append(name)
        if error is not None:
            raise error
        left[0] -= 1
        return left[0] > 0

    return MaintenanceStep(name, run)


def test_steps_take_turns_until_none_has_more() -> None:
    said: list[str] = []
    steps = MaintenanceSteps([step("a", said, 3), step("b", said, 1), step("c", said, 2)], TaskFailures())
    while steps.next(never):
        pass
    assert said[:4] == ["a", "b", "c", "a"]
    assert said.count("a") == 3


def test_a_failing_step_backs_off_and_is_reported_and_the_others_continue(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said: list[str] = []
    clock = Seconds()
    failures = TaskFailures(clock)
    steps = MaintenanceSteps([step("bad", said, 1, OSError("no room")), step("good", said, 10)], failures)
    for _ in range(5):
        assert steps.next(never)
    assert said.count("bad") == 1
    assert said.count("good") == 5
    assert failures.words() == ("bad: no room",)
    assert [getattr(record, "job", None) for record in caplog.records] == ["bad"]
    clock.passed += maintenance.BACKOFF_SECONDS + 1
    steps.next(never)
    steps.next(never)
    assert said.count("bad") == 2


def test_a_step_that_lost_the_lock_says_so_at_once() -> None:
    steps = MaintenanceSteps([step("late", [], 1, LeaseLostError("another one took over"))], TaskFailures())
    with pytest.raises(LeaseLostError):
        steps.next(never)


@pytest.mark.parametrize("error", [DatabaseAwayError("it does not answer"), DatabaseLockedError("locked")])
def test_a_database_in_trouble_is_no_failure_of_a_step(error: AggregatorError) -> None:
    """Else each of them would rest for ten minutes after a moment's trouble, and be waited for in turn."""
    failures = TaskFailures()
    with pytest.raises(type(error)):
        MaintenanceSteps([step("late", [], 1, error)], failures).next(lambda: False)
    assert failures.words() == ()


def test_jobs_run_when_they_are_due_and_only_on_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "CHECK_SECONDS", 0.01)
    done: list[str] = []
    ran, is_writer = threading.Event(), threading.Event()
    failures = TaskFailures()

    def run(name: str) -> Callable[[Stops], None]:
        def work(stops: Stops) -> None:
            assert not stops()
            done.append(name)
            if name == "broken":
                raise AggregatorError("the disk is full")
            if done.count("due") == 2:
                ran.set()

        return work

    jobs = MaintenanceJobs(
        [
            MaintenanceJob("never", lambda: None, run("never")),
            MaintenanceJob("later", lambda: NOON + dt.timedelta(seconds=1), run("later")),
            MaintenanceJob("broken", lambda: NOON, run("broken")),
            MaintenanceJob("due", lambda: NOON, run("due")),
        ],
        failures,
        lambda: NOON,
        is_writer=is_writer.is_set,
    )
    jobs.start()
    assert not ran.wait(0.1)
    assert done == [], "nobody asked a daemon that stands by"
    is_writer.set()
    assert ran.wait(30)
    jobs.stop()
    assert not jobs.join(30)
    assert set(done) == {"broken", "due"}
    assert done.count("broken") == 1
    assert failures.words() == ("broken: the disk is full",)


def test_jobs_are_looked_at_when_the_clock_jumped(monkeypatch: pytest.MonkeyPatch) -> None:
    """APScheduler waits by the clock: after one that went back by hours it would wait for hours."""
    monkeypatch.setattr(maintenance, "CHECK_SECONDS", 3600.0)
    ran = threading.Event()
    jobs = MaintenanceJobs(
        [MaintenanceJob("due", lambda: NOON, lambda _stops: ran.set())],
        TaskFailures(),
        lambda: NOON,
        is_writer=lambda: True,
    )
    jobs.start()
    jobs.clock_jumped()
    assert ran.wait(30)
    jobs.stop()
    assert not jobs.join(30)
