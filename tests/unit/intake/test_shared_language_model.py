"""The workers of one pool have one language model, whichever of them is killed while it is written."""

import fcntl
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from justext.utils import get_stoplist, get_stoplists

from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import FeedJob, read_feed
from aggregator.intake.workers.factory import open_executor
from aggregator.intake.workers.process_pool import ProcessExecutor
from aggregator.model.entry import ParsedFeed
from aggregator.sources.source_limits import source_tuning
from tests.support.rss import item, rss
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.support.worker_processes import process_ids

pytestmark = pytest.mark.later

FRENCH = "Le ferry a heurté le quai mardi matin, onze personnes ont été blessées selon la préfecture"
POLISH = "Prom uderzył we wtorek rano w nabrzeże, jedenaście osób trafiło do szpitala, podała policja"
TEXTS = Path(__file__).parents[2] / "data" / "languages"
TUNING = Tuning()


def feed_of(text: str) -> bytes:
    """A job that reads a feed without a declared language, whose only entry has that title."""
    seen = datetime.fromisoformat("2026-02-18T00:00Z")
    job = FeedJob(
        data=rss(item(text)).encode(),
        source="feed-1",
        seen=seen,
        tuning=source_tuning(TUNING),
    )
    return msgspec.msgpack.encode(job)


def language_in(parsed: bytes) -> str | None:
    return msgspec.msgpack.decode(parsed, type=ParsedFeed).language


def languages_by(executor: ProcessExecutor, texts: list[str]) -> list[str | None]:
    futures: list[Future[bytes]] = [
        executor.submit(read_feed, feed_of(text)) for text in texts
    ]
    return [language_in(future.result(timeout=PATIENCE_SECONDS)) for future in futures]


@contextmanager
def two_workers(**tuning: float) -> Iterator[ProcessExecutor]:
    work = {"queued_jobs_per_worker": 1000} | tuning
    executor = open_executor("processes", 2, Tuning({"work": work}))
    assert isinstance(executor, ProcessExecutor)
    try:
        yield executor
    finally:
        executor.close()


def mapped_kib(process_id: int) -> dict[str, int]:
    """The figures of smaps (Rss, Pss, Anonymous ...) of the model in a worker; empty without one."""
    smaps = Path(f"/proc/{process_id}/smaps").read_text(encoding="utf-8")
    found = re.search(
        r"^\S+ r--\S .*memfd:language-model.*\n((?:\w+: .*\n)*)", smaps, re.MULTILINE
    )
    return (
        {name: int(kib) for name, kib in re.findall(r"(\w+): +(\d+) kB", found[1])}
        if found
        else {}
    )


def is_complete(executor: ProcessExecutor) -> bool:
    assert executor.language_model is not None
    return bool(
        fcntl.fcntl(executor.language_model, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
    )


def has_opened_it(process_id: int) -> bool:
    """Whether the process has a second descriptor of the model: it writes it, or waits for who does."""
    return sum("memfd:language-model" in one for one in descriptors_of(process_id)) > 1


def descriptors_of(process_id: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{process_id}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(link.readlink()))
    return found


def test_workers_have_one_model_and_its_answers_are_those_of_a_model_of_ones_own() -> (
    None
):
    lines = b"".join(
        path.read_bytes() for path in sorted(TEXTS.glob("*.jsonl"))
    ).splitlines()
    texts = [str(msgspec.json.decode(line)["text"]) for line in lines]
    texts += [
        " ".join(sorted(get_stoplist(name))[::20]) for name in sorted(get_stoplists())
    ]
    with two_workers() as executor:
        found = languages_by(executor, texts)
        assert found == [language_in(read_feed(feed_of(text))) for text in texts]
        assert len(set(found)) > 50

        def is_shared() -> bool:
            assert languages_by(executor, [FRENCH, POLISH] * 20) == ["fr", "pl"] * 20
            mapped = [mapped_kib(process_id) for process_id in process_ids(executor)]
            return len(mapped) == 2 and all(
                one.get("Rss", 0) > 4096 and one["Pss"] < 0.6 * one["Rss"]
                for one in mapped
            )

        wait_until(is_shared, "both workers to map the pages that both have read")
        assert [
            mapped_kib(number)["Anonymous"] for number in process_ids(executor)
        ] == [0, 0]


def test_a_worker_that_is_killed_while_it_writes_leaves_the_model_to_the_next() -> None:
    with two_workers() as executor:
        first = executor.submit(read_feed, feed_of(FRENCH))
        wait_until(lambda: bool(process_ids(executor)), "the worker to start")
        (victim,) = process_ids(executor)
        wait_until(lambda: has_opened_it(victim), "the worker to write the model")
        second = executor.submit(read_feed, feed_of(POLISH))
        os.kill(victim, signal.SIGKILL)
        assert not is_complete(executor)
        assert language_in(first.result(timeout=PATIENCE_SECONDS)) == "fr"
        assert language_in(second.result(timeout=PATIENCE_SECONDS)) == "pl"
        assert is_complete(executor)
        assert victim not in process_ids(executor)


def test_what_a_killed_worker_wrote_is_written_again() -> None:
    with two_workers() as executor:
        executor.submit(read_feed, feed_of("")).result(timeout=PATIENCE_SECONDS)
        # Longer than the whole one
        executor.language_model.write(b"\x93NUMPY half a model" * 5_000_000)
        executor.language_model.flush()
        assert languages_by(executor, [FRENCH, POLISH]) == ["fr", "pl"]
        assert is_complete(executor)
        with pytest.raises(PermissionError):
            os.pwrite(
                executor.language_model.fileno(), b"a worker that was taken over", 0
            )


def test_without_work_the_model_leaves_memory_and_comes_again() -> None:
    with two_workers(idle_seconds=0.5, spare_seconds=0.5) as executor:
        assert languages_by(executor, [FRENCH]) == ["fr"]
        wait_until(lambda: executor.language_model is None, "the workers to end")
        assert not any(
            "memfd:language-model" in one for one in descriptors_of(os.getpid())
        )
        assert languages_by(executor, [POLISH]) == ["pl"]


def test_a_file_that_the_kernel_sealed_against_execution_is_still_to_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # MFD_NOEXEC_SEAL, which vm.memfd_noexec=1 adds
    noexec_seal, create = 0x0008, os.memfd_create

    def hardened(name: str, flags: int) -> int:
        try:
            return create(name, flags | noexec_seal)
        except OSError:
            pytest.skip("this kernel is older than 6.3")

    monkeypatch.setattr(os, "memfd_create", hardened)
    with two_workers() as executor:
        assert languages_by(executor, [FRENCH, POLISH]) == ["fr", "pl"]
        assert is_complete(executor)


def test_without_such_files_each_worker_has_a_model_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create")  # as on other systems than Linux
    with two_workers() as executor:
        assert executor.language_model is None
        assert languages_by(executor, [FRENCH, POLISH]) == ["fr", "pl"]
        assert not any(map(mapped_kib, process_ids(executor)))
