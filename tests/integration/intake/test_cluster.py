"""Work on a real Dask cluster: the same stories as inline, whatever is killed, and words where it is not."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from aggregator.config.tuning import Tuning
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import Executor, InlineExecutor
from aggregator.intake.workers.factory import open_executor
from aggregator.model.entry import Entry
from aggregator.model.errors import ConfigError, NoWorkersError, WorkError
from aggregator.store.intake import inbox
from tests.support import fault_jobs
from tests.support.articles import (
    Clock,
    Rig,
    record,
    settled,
)
from tests.support.cluster import Cluster, children_of
from tests.support.fresh import sqlite_file, with_tables
from tests.support.kill_records import invented
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytest.importorskip("distributed", reason="pip install distributed")

from contextlib import closing

import dask
from distributed import Client

from tests.support.rows import read_by

ARTICLES, FIRST = 120, 96  # more jobs than workers


class Running(Cluster):
    """Two workers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.workers = [self.start_worker(), self.start_worker()]

    def await_threads(self, wanted: int) -> None:
        """Until the scheduler knows so many."""

        with Client(
            self.executor.replace("dask", "tcp"),
            timeout=PATIENCE_SECONDS,  # the scheduler has only been started
            set_as_default=False,
        ) as client:
            client.wait_for_workers(wanted, timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("cluster"))
    try:
        running.await_threads(2)
        yield running
    finally:
        running.end()


@pytest.fixture
def executor(cluster: Running) -> Iterator[Executor]:
    opened = open_executor(cluster.executor, 0, Tuning())
    yield opened
    opened.close()


def entries() -> list[Entry]:
    return [
        record(one["source"], one["id"], one["title"], one["text"], published=None)
        for one in invented(ARTICLES)
    ]


def kill(process: "subprocess.Popen[bytes]") -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def _kill_at_work(worker: "subprocess.Popen[bytes]") -> None:
    """Once it has started a process for a job that it was given; its processes end with it."""
    before = set(children_of(worker))
    begun = wait_until(lambda: set(children_of(worker)) - before, "a process for a job")
    kill(worker)
    wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in begun),
        "its processes to end",
    )


@pytest.mark.later
def test_a_job_that_breaks_its_process_is_named_and_the_dask_worker_lives(
    executor: Executor, cluster: Running
) -> None:
    for function, job, verdict in (
        (fault_jobs.fail, b"no such feed", "failed"),
        (fault_jobs.crash, b"", "died"),
        (fault_jobs.swell, str(1 << 31).encode(), "memory"),
    ):
        error = executor.submit(function, job).exception(timeout=PATIENCE_SECONDS)
        assert error.verdict == verdict
    assert (
        executor.submit(fault_jobs.echo, b"next").result(timeout=PATIENCE_SECONDS)
        == b"next"
    )
    own = {str(process.pid).encode() for process in cluster.workers}
    worker = executor.submit(fault_jobs.process_id, b"").result(
        timeout=PATIENCE_SECONDS
    )
    assert worker not in own, "strangers' bytes stay out"


def test_a_late_job_and_an_answer_that_is_too_long_are_named(cluster: Running) -> None:
    all_tuning = Tuning(
        {"work": {"parse_deadline_seconds": 5.0, "result_cap_bytes": 1000}}
    )
    with closing(open_executor(cluster.executor, 0, all_tuning)) as limited:
        for function, job, verdict in (
            (fault_jobs.spin, b"", "timeout"),
            (fault_jobs.echo, bytes(2000), "died"),
        ):
            error = limited.submit(function, job).exception(timeout=PATIENCE_SECONDS)
            assert error.verdict == verdict


def test_submit_waits_while_enough_is_under_way_and_close_ends_all(
    cluster: Running,
) -> None:
    executor = open_executor(
        cluster.executor, 0, Tuning({"work": {"queued_jobs_per_worker": 1}})
    )
    assert executor.workers == 2
    handed_out = []

    def feed() -> None:
        with suppress(WorkError):
            while True:
                handed_out.append(executor.submit(fault_jobs.sleep, b"5"))

    feeder = Thread(target=feed)
    feeder.start()
    wait_until(lambda: len(handed_out) == 4, "two to run and two to wait")
    feeder.join(timeout=0.5)
    assert feeder.is_alive()
    assert len(handed_out) == 4
    assert handed_out[3].cancel()
    executor.close()
    feeder.join(timeout=PATIENCE_SECONDS)
    assert not feeder.is_alive()
    errors = [
        future.exception(timeout=PATIENCE_SECONDS)
        for future in handed_out
        if not future.cancelled()
    ]
    assert {type(error) for error in errors} == {WorkError}
    with pytest.raises(WorkError):
        executor.submit(fault_jobs.echo, b"late")


@pytest.mark.later
def test_an_executor_that_is_closed_leaves_no_thread_and_no_file(
    cluster: Running,
) -> None:
    """A daemon opens another one at each reload."""

    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    # kept: nobody is to tidy up by chance
    opened = [open_executor(cluster.executor, 0, Tuning())]
    opened[0].close()
    before = files(), threading.active_count()
    for _ in range(2):
        opened.append(open_executor(cluster.executor, 0, Tuning()))
        assert (
            opened[-1].submit(fault_jobs.echo, b"one").result(timeout=PATIENCE_SECONDS)
            == b"one"
        )
        opened[-1].close()
    assert (files(), threading.active_count()) == before


@pytest.mark.later
def test_a_worker_killed_in_the_middle_loses_nothing_and_where_all_are_gone_entries_wait(
    cluster: Running, tmp_path: Path
) -> None:
    given = entries()
    inline = with_tables(sqlite_file(tmp_path / "inline.db"))
    Rig(inline).take(*given)
    database = with_tables(sqlite_file(tmp_path / "cluster.db"))
    Rig(database).accept(*given[:FIRST])
    executor = open_executor(
        cluster.executor, 0, Tuning({"work": {"parse_deadline_seconds": 2.5}})
    )
    pipeline = Pipeline(database, executor, Tuning(), Clock())
    killer = Thread(target=_kill_at_work, args=(cluster.workers[0],))
    killer.start()
    try:
        list(pipeline.place_waiting())
        killer.join(timeout=PATIENCE_SECONDS)
        assert cluster.workers[0].poll() == -signal.SIGKILL
        kill(cluster.workers[1])
        Rig(database).accept(*given[FIRST:])
        with pytest.raises(NoWorkersError, match="no Dask worker"):
            list(pipeline.place_waiting())
    finally:
        executor.close()
    assert read_by(database, inbox.waiting_count) == ARTICLES - FIRST
    list(Pipeline(database, InlineExecutor(), Tuning(), Clock()).place_waiting())
    assert settled(database) == settled(inline)
    for one in (inline, database):
        one.close()


def test_a_worker_of_another_version_is_refused_at_once_whoever_else_is_there(
    cluster: Running,
) -> None:
    """At the start before any job is sent, and by the first job where it comes later."""
    for worker in cluster.workers:
        if worker.poll() is None:
            kill(worker)
    fit = cluster.start_worker()
    cluster.await_threads(1)
    with closing(open_executor(cluster.executor, 0, Tuning())) as executor:
        other = cluster.start_stranger()
        cluster.await_threads(2)
        with pytest.raises(NoWorkersError, match=r"runs another version: code \w+"):
            open_executor(cluster.executor, 0, Tuning())
        kill(fit)
        error = executor.submit(fault_jobs.echo, b"one").exception(
            timeout=PATIENCE_SECONDS
        )
        assert isinstance(error, NoWorkersError)
        assert "runs another version: code" in str(error)
    kill(other)


def test_a_scheduler_without_workers_is_reported_until_there_is_one(
    cluster: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aggregator.intake.workers import dask

    monkeypatch.setattr(dask, "_COUNTING_SECONDS", 0.1)
    with closing(open_executor(cluster.executor, 0, Tuning())) as executor:
        wait_until(lambda: executor.trouble, "the trouble to be told")
        assert (
            "has no workers; start some with: dask worker tcp://127.0.0.1"
            in executor.trouble
        )
        assert caplog.text.count("has no workers") == 1, "told once"
        cluster.start_worker()
        wait_until(lambda: executor.trouble is None, "a worker to be seen")
        assert "has workers again" in caplog.text


def test_a_scheduler_that_is_not_there_is_named() -> None:
    all_tuning = Tuning({"work": {"parse_deadline_seconds": 0.3}})
    with pytest.raises(NoWorkersError, match="no Dask scheduler answers at tcp"):
        open_executor("dask://127.0.0.1:1", 0, all_tuning)


def test_without_the_library_it_is_said_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'distributed"):
        open_executor("dask://127.0.0.1:8786", 0, Tuning())


@pytest.mark.torture
def test_a_scheduler_that_is_started_again_costs_time_alone(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        cluster.start_worker()
        executor = open_executor(cluster.executor, 0, Tuning())
        assert (
            executor.submit(fault_jobs.echo, b"one").result(timeout=PATIENCE_SECONDS)
            == b"one"
        )
        futures = [executor.submit(fault_jobs.sleep, b"0.3") for _ in range(4)]
        kill(cluster.scheduler)
        cluster.start_scheduler()
        cluster.start_worker()
        assert [future.result(timeout=100) for future in futures] == [b"0.3"] * 4
        executor.close()
    finally:
        cluster.end()


# --- certificates ------------------------------------------------------------------------------------------


@pytest.mark.later
def test_a_scheduler_with_tls_is_asked_with_a_certificate(
    tmp_path: Path, certificate: Path
) -> None:
    running = Cluster(tmp_path, certificate)
    try:
        running.start_worker()
        with pytest.raises(ConfigError, match="certificates"):
            open_executor(running.executor, 0, Tuning())
        tls = {
            f"distributed.comm.tls.{name}": str(certificate)
            for name in ("ca-file", "client.cert", "client.key")
        }
        with (
            dask.config.set(tls),
            closing(open_executor(running.executor, 0, Tuning())) as executor,
        ):
            echoed = executor.submit(fault_jobs.echo, b"one")
            assert echoed.result(timeout=PATIENCE_SECONDS) == b"one"
    finally:
        running.end()
