"""Maintenance tasks: one that fails backs off and is logged, the others go on, the daemon lives on."""

from collections.abc import Callable
from threading import Event

import pytest

from aggregator.daemon import maintenance
from aggregator.daemon.maintenance import Maintenance, MaintenanceTask
from aggregator.intake.prepare import Stop
from aggregator.model.errors import (
    AggregatorError,
    DatabaseAwayError,
    DatabaseLockedError,
    LeaseLostError,
)
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.world import Time

HOUR = 3600.0


def never() -> bool:
    return False


def step(
    name: str, said: list[str], pieces: int, error: Exception | None = None
) -> MaintenanceTask:
    """One that has so many pieces, or fails at each."""
    left = [pieces]

    def run(_stops: Stop) -> bool:
        said.append(name)
        if error is not None:
            raise error
        left[0] -= 1
        return left[0] > 0

    return MaintenanceTask(name, HOUR, run)


def steps_of(
    *steps: MaintenanceTask, clock: Callable[[], float] = lambda: 0.0
) -> Maintenance:
    return Maintenance(steps, (), is_writer=lambda: True, clock=clock)


def test_steps_take_turns_until_none_has_more_and_wait_until_they_are_due_again() -> (
    None
):
    said: list[str] = []
    time = Time()
    steps = steps_of(
        step("a", said, 3), step("b", said, 1), step("c", said, 2), clock=time.monotonic
    )
    while steps.run_step(never):
        pass
    assert said == ["a", "b", "c", "a", "c", "a"]
    assert not steps.run_step(never)
    time.run(HOUR)
    assert not steps.run_step(never)
    assert said[6:] == ["b", "c", "a"]


def test_a_step_that_was_interrupted_is_still_due() -> None:
    said: list[str] = []
    steps = steps_of(step("a", said, 1))
    steps.run_step(lambda: bool(said))
    steps.run_step(never)
    steps.run_step(never)
    assert said == ["a", "a"]


def test_a_failing_step_backs_off_and_is_reported_and_the_others_continue(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said: list[str] = []
    time = Time()
    steps = steps_of(
        step("bad", said, 1, OSError("no room")),
        step("good", said, 10),
        clock=time.monotonic,
    )
    for _ in range(5):
        assert steps.run_step(never)
    assert said.count("bad") == 1
    assert said.count("good") == 5
    assert steps.failures() == ("bad: no room",)
    assert [getattr(record, "job", None) for record in caplog.records] == ["bad"]
    time.run(maintenance.MAINTENANCE_BACKOFF_SECONDS + 1)
    steps.run_step(never)
    steps.run_step(never)
    assert said.count("bad") == 2


@pytest.mark.parametrize(
    "error",
    [
        DatabaseAwayError("it does not answer"),
        DatabaseLockedError("locked"),
        LeaseLostError("taken over"),
    ],
)
def test_a_database_in_trouble_is_no_failure_of_a_step(error: AggregatorError) -> None:
    """Else each of them would rest for ten minutes after a moment's trouble, and be waited for in turn."""
    said: list[str] = []
    steps = steps_of(step("late", said, 1, error))
    for _ in range(2):
        with pytest.raises(type(error)):
            steps.run_step(never)
    assert (said, steps.failures()) == (["late", "late"], ())


def test_steps_come_again_and_jobs_run_in_the_writer_only() -> None:
    done: list[str] = []
    ran, is_writer = Event(), Event()

    def task(name: str) -> MaintenanceTask:
        def work(stops: Stop) -> bool:
            assert not stops()
            done.append(name)
            if name == "broken":
                raise AggregatorError("the disk is full")
            if done.count("due") == 2:
                ran.set()
            return False

        return MaintenanceTask(name, HOUR if name == "later" else 0.01, work)

    tasks = Maintenance(
        [task("step")],
        [task("later"), task("broken"), task("due")],
        is_writer=is_writer.is_set,
    )
    tasks.start()
    assert not ran.wait(0.1)
    assert done == [], "nobody asked a daemon that stands by"
    is_writer.set()
    assert ran.wait(PATIENCE_SECONDS)
    steps_done = done.count("step")
    while done.count("step") < steps_done + 3:
        tasks.run_step(never)
    tasks.stop()
    assert not tasks.join(PATIENCE_SECONDS)
    assert set(done) == {"broken", "due", "step"}
    assert done.count("broken") == 1
    assert tasks.failures() == ("broken: the disk is full",)


def test_a_job_does_not_wait_for_another_one_and_a_stop_waits_for_both() -> None:
    """A digest is due while the backup of a big database runs."""
    backing_up, sent, ended = Event(), Event(), Event()

    def back_up(stops: Stop) -> bool:
        backing_up.set()
        ended.wait(PATIENCE_SECONDS)
        assert stops()
        return False

    def send(_stops: Stop) -> bool:
        assert backing_up.wait(PATIENCE_SECONDS)
        sent.set()
        return False

    jobs = Maintenance(
        (),
        [
            MaintenanceTask("backup", 0.01, back_up),
            MaintenanceTask("digest", 0.01, send),
        ],
        is_writer=lambda: True,
    )
    jobs.start()
    assert sent.wait(PATIENCE_SECONDS)
    jobs.stop()
    assert jobs.join(0.1), "the backup still runs"
    ended.set()
    assert not jobs.join(PATIENCE_SECONDS)
    assert jobs.failures() == ()


def test_tasks_run_when_the_clock_jumped() -> None:
    """APScheduler waits by the clock: after one that went back by hours it would wait for hours."""
    ran = Event()

    def run(_stops: Stop) -> bool:
        ran.set()
        return False

    jobs = Maintenance((), [MaintenanceTask("due", HOUR, run)], is_writer=lambda: True)
    jobs.start()
    jobs.clock_jumped()
    assert ran.wait(PATIENCE_SECONDS)
    jobs.stop()
    assert not jobs.join(PATIENCE_SECONDS)
    jobs.clock_jumped()  # a scheduler thread that a reload left behind
