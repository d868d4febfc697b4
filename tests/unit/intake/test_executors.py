"""The executors: right answers, named failures, limits that bite, nothing lost when workers are killed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from pkgutil import resolve_name
from threading import Thread
from xml.sax.saxutils import escape

import msgspec
import pytest

import aggregator
from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import FeedJob, read_feed
from aggregator.intake.workers.executor import Executor, InlineExecutor, name_of
from aggregator.intake.workers.factory import open_executor
from aggregator.intake.workers.process_pool import ProcessExecutor
from aggregator.intake.workers.program_versions import hash_of_code
from aggregator.model.errors import ConfigError, NoWorkersError, WorkError
from aggregator.sources.source_limits import source_tuning
from tests.support import fault_jobs
from tests.support.articles import NOON
from tests.support.programs import run_program
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.support.worker_processes import process_ids

MIB = 1 << 20


@contextmanager
def processes(workers: int = 1, **tuning: float) -> Iterator[ProcessExecutor]:
    executor = open_executor("processes", workers, Tuning({"work": tuning}))
    assert isinstance(executor, ProcessExecutor)
    try:
        yield executor
    finally:
        executor.close()


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessExecutor]:
    with processes(2, memory_extra_bytes=200 * MIB) as executor:
        yield executor


def answer(
    executor: Executor, function: Callable[[bytes], bytes], job: bytes = b""
) -> bytes:
    return executor.submit(function, job).result(timeout=PATIENCE_SECONDS)


def verdict_of(future: Future[bytes]) -> str:
    return future.exception(timeout=PATIENCE_SECONDS).verdict


def is_alive(process_id: int) -> bool:
    try:
        state = (
            Path(f"/proc/{process_id}/stat")
            .read_text(encoding="ascii")
            .rsplit(")", 1)[1]
            .split()[0]
        )
    except OSError:
        return False
    return state != "Z"


@pytest.mark.later
def test_answers_are_the_functions_and_each_goes_to_its_own_job(
    pool: ProcessExecutor,
) -> None:
    jobs = [str(number).encode() * number for number in range(100)]
    futures = [pool.submit(fault_jobs.echo, job) for job in jobs]
    assert [future.result(timeout=PATIENCE_SECONDS) for future in futures] == jobs


@pytest.mark.slow
def test_megabytes_pass_both_ways(pool: ProcessExecutor) -> None:
    job = os.urandom(9 * MIB)
    assert answer(pool, fault_jobs.echo, job) == job


def test_what_a_parser_prints_never_reaches_the_answers(pool: ProcessExecutor) -> None:
    assert answer(pool, fault_jobs.chatter, b"quiet") == b"quiet"
    assert answer(pool, fault_jobs.echo, b"next") == b"next"


def test_an_exception_is_a_verdict_with_its_words_in_one_line(
    pool: ProcessExecutor,
) -> None:
    error = pool.submit(fault_jobs.fail, b"no\n\x1b[31msuch \xff feed").exception(
        timeout=PATIENCE_SECONDS
    )
    assert error.verdict == "failed"
    assert error.detail.startswith("ValueError: no")
    assert error.detail.isprintable()


@pytest.mark.later
@pytest.mark.parametrize(
    ("function", "job", "verdict"),
    [
        (fault_jobs.swell, str(1 << 30).encode(), "memory"),
        (fault_jobs.crash, b"", "died"),
    ],
)
def test_a_job_that_breaks_its_worker_is_named_and_the_next_is_answered(
    pool: ProcessExecutor, function: object, job: bytes, verdict: str
) -> None:
    assert verdict_of(pool.submit(function, job)) == verdict  # type: ignore[arg-type]
    assert answer(pool, fault_jobs.echo, b"next") == b"next"


@pytest.mark.later
def test_a_late_job_is_killed_alone() -> None:
    with processes(2, parse_deadline_seconds=5.0) as executor:
        bystander = answer(executor, fault_jobs.process_id)
        assert verdict_of(executor.submit(fault_jobs.spin, b"")) == "timeout"
        answers = {answer(executor, fault_jobs.process_id) for _ in range(20)}
        assert answers <= {
            bystander,
            *(str(number).encode() for number in process_ids(executor)),
        }


@pytest.mark.later
def test_memory_within_the_limit_is_had(pool: ProcessExecutor) -> None:
    wanted = str(100 * MIB).encode()
    assert answer(pool, fault_jobs.swell, wanted) == wanted


@pytest.mark.later
def test_an_answer_that_is_too_long_is_refused() -> None:
    with processes(result_cap_bytes=1000) as executor:
        assert verdict_of(executor.submit(fault_jobs.echo, bytes(2000))) == "died"
        assert answer(executor, fault_jobs.echo, b"next") == b"next"


@pytest.mark.later
def test_workers_retire() -> None:
    with processes(jobs_before_retiring=3) as executor:
        seen = [answer(executor, fault_jobs.process_id) for _ in range(7)]
    assert [len(set(seen[:3])), len(set(seen[3:6])), len(set(seen))] == [1, 1, 3]


@pytest.mark.later
def test_a_worker_that_has_grown_retires() -> None:
    with processes(
        bytes_before_retiring=100 * MIB, least_jobs_before_retiring=3
    ) as executor:
        answer(executor, fault_jobs.keep, str(100 * MIB).encode())
        seen = [answer(executor, fault_jobs.process_id) for _ in range(4)]
    assert seen[0] == seen[1] != seen[2] == seen[3]  # it ended with its third job


@pytest.mark.later
def test_a_worker_keeps_nothing_of_the_feeds_that_it_has_read() -> None:
    # 330 KB
    said = "<p>" + "The harbour opens again after the storm. " * 8_000 + "</p>"
    feed = f"<rss version='2.0'><channel><item><title>Storm</title><description>{escape(said)}</description>"
    job = FeedJob(
        data=f"{feed}</item></channel></rss>".encode(),
        source="feed:http://storm.example/",
        seen=NOON,
        tuning=source_tuning(Tuning()),
        all_tuning=Tuning().to_json(),
    )
    with processes(jobs_before_retiring=1_000) as executor:
        before = answer(executor, fault_jobs.process_id)
        for _ in range(150):
            answer(executor, read_feed, msgspec.msgpack.encode(job))
        assert answer(executor, fault_jobs.process_id) == before


@pytest.mark.later
def test_workers_that_nothing_needs_end() -> None:
    with processes(3, idle_seconds=0.5, spare_seconds=0.5) as executor:
        held = [executor.submit(fault_jobs.sleep, b"0.1") for _ in range(3)]
        assert [future.result(timeout=PATIENCE_SECONDS) for future in held] == [
            b"0.1"
        ] * 3

        def one_is_left() -> bool:
            return process_ids(executor) == [
                int(answer(executor, fault_jobs.process_id))
            ]

        wait_until(one_is_left, "all but the one that single jobs keep busy have ended")
        wait_until(
            lambda: not process_ids(executor), "it has ended, too, as no job comes"
        )
        held = [executor.submit(fault_jobs.sleep, b"0.5") for _ in range(3)]
        assert [future.result(timeout=PATIENCE_SECONDS) for future in held] == [
            b"0.5"
        ] * 3


def test_workers_at_rest_end_and_the_next_job_starts_one() -> None:
    with processes() as executor:
        before = answer(executor, fault_jobs.process_id)
        executor.end_idle_workers()
        wait_until(lambda: not process_ids(executor), "it has no job")
        assert executor.language_model is None
        assert answer(executor, fault_jobs.process_id) != before


@pytest.mark.later
def test_kills_from_outside_cost_no_job() -> None:
    with processes(2, queued_jobs_per_worker=60, outside_deaths_per_job=50) as executor:
        futures = [executor.submit(fault_jobs.sleep, b"0.02") for _ in range(100)]
        for done in range(8, 100, 16):  # a kill for every sixteen answers
            futures[done].result(timeout=PATIENCE_SECONDS)
            victims = wait_until(lambda: process_ids(executor), "a worker to kill")
            with suppress(ProcessLookupError):
                os.kill(victims[done % len(victims)], signal.SIGKILL)
        assert [future.result(timeout=PATIENCE_SECONDS) for future in futures] == [
            b"0.02"
        ] * 100


@pytest.mark.later
def test_a_job_whose_workers_are_always_killed_ends_with_a_verdict() -> None:
    with processes(outside_deaths_per_job=2) as executor:
        error = executor.submit(fault_jobs.be_killed, b"").exception(
            timeout=PATIENCE_SECONDS
        )
        assert error.verdict == "died"
        assert "repeatedly" in error.detail
        assert answer(executor, fault_jobs.echo, b"next") == b"next"


def test_nothing_is_started_before_the_first_job_and_all_ends_with_close() -> None:
    with processes(3) as executor:
        assert process_ids(executor) == []
        assert answer(executor, fault_jobs.echo, b"one") == b"one"
        (worker,) = process_ids(executor)
        executor.close()
        assert not is_alive(worker)


def test_close_ends_what_runs_and_what_waits() -> None:
    with processes(1) as executor:
        futures = [executor.submit(fault_jobs.sleep, b"600") for _ in range(4)]
        executor.close()
        assert {verdict_of(future) for future in futures} == {"died"}
        with pytest.raises(WorkError):
            executor.submit(fault_jobs.echo, b"late")


def test_submit_waits_while_the_queue_is_full() -> None:
    with processes(1, queued_jobs_per_worker=2) as executor:
        queued: list[int] = []

        def feed() -> None:
            with suppress(WorkError):
                for number in range(10):
                    executor.submit(fault_jobs.sleep, b"600")
                    queued.append(number)

        feeder = Thread(target=feed)
        feeder.start()
        wait_until(lambda: len(queued) == 3, "one to run and two to wait")
        feeder.join(timeout=0.2)
        assert feeder.is_alive()
        assert len(queued) == 3
        executor.close()
        feeder.join(PATIENCE_SECONDS)
        assert not feeder.is_alive()


@pytest.mark.slow
def test_a_cancelled_job_is_never_run() -> None:
    with processes(1) as executor:
        first = executor.submit(fault_jobs.sleep, b"1")
        assert executor.submit(fault_jobs.echo, b"unwanted").cancel()
        assert first.result(timeout=PATIENCE_SECONDS) == b"1"
        assert answer(executor, fault_jobs.echo, b"next") == b"next"


@pytest.mark.later
def test_workers_end_when_their_parent_is_killed() -> None:
    script = (
        "import sys, time\nfrom aggregator.config.tuning import Tuning\nfrom "
        "tests.support import fault_jobs as probes\nfrom aggregator.intake.workers.factory "
        "import open_executor\nexecutor = open_executor('processes', 1, "
        "Tuning())\nprint(executor.submit(probes.process_id, b'').result().decode(), "
        "flush=True)\nexecutor.submit(probes.spin, b'')\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    )
    worker = int(parent.stdout.readline())
    assert is_alive(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_alive(worker), "the worker to end with its parent")


@pytest.mark.slow
def test_a_worker_sees_no_secrets_of_ours(
    pool: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    with processes() as executor:
        names = answer(executor, fault_jobs.environment).decode().split("\n")
    assert "DATABASE_URL" not in names
    assert "OPENBLAS_NUM_THREADS" in names


@pytest.mark.later
def test_parsers_are_loaded_there_and_not_here() -> None:
    with processes() as executor:
        there = answer(executor, fault_jobs.modules).decode().split("\n")
    assert {"feedparser", "py3langid", "datasketch.minhash"} <= set(there)
    assert not {"trafilatura", "scipy"} & set(there), "the first page loads it"
    script = "import sys, aggregator.intake.workers.process_pool; print(*sys.modules)"
    here = run_program([sys.executable, "-c", script], check=True).stdout
    assert not {"trafilatura", "feedparser", "datasketch", "numpy"} & set(here.split())


def test_files_beside_the_user_are_no_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lxml.py").write_text("raise SystemExit(7)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with processes() as executor:
        assert answer(executor, fault_jobs.echo, b"fine") == b"fine"


def test_inline_runs_here_and_names_failures_alike() -> None:
    executor = open_executor("inline", 4, Tuning())
    assert isinstance(executor, InlineExecutor)
    assert (
        executor.submit(fault_jobs.process_id, b"").result()
        == str(os.getpid()).encode()
    )
    assert verdict_of(executor.submit(fault_jobs.fail, b"x")) == "failed"
    executor.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["inline", "processes"])
def test_a_full_disk_is_not_the_fault_of_the_job(kind: str) -> None:
    with closing(open_executor(kind, 1, Tuning())) as executor:
        with pytest.raises(NoWorkersError, match="No space left"):
            answer(executor, fault_jobs.fill_disk)
        assert answer(executor, fault_jobs.echo, b"next") == b"next"


def test_an_unknown_executor_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="processes, inline or dask"):
        open_executor("cluster", 1, Tuning())


def test_a_lambda_cannot_be_submitted() -> None:
    for kind in ("inline", "processes"):
        with (
            closing(open_executor(kind, 1, Tuning())) as executor,
            pytest.raises(ValueError),
        ):
            executor.submit(lambda job: job, b"")
    assert resolve_name(name_of(fault_jobs.echo)) is fault_jobs.echo


def test_a_worker_with_another_file_that_decides_a_result_has_another_version(
    tmp_path: Path,
) -> None:
    package = shutil.copytree(Path(aggregator.__file__).parent, tmp_path / "aggregator")
    hashes = [hash_of_code(package)]
    for name in ("grouping/copies", "extract", "text", "sources/parse", "web"):
        (package / name / "__init__.py").write_text("changed = True", encoding="utf-8")
        hashes.append(hash_of_code(package))
    assert len(set(hashes)) == 5
    assert hashes[-1] == hashes[-2]
