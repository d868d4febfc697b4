"""Pages that stay in an archive until a worker prepares them, though it cannot read there, or nobody can."""

import datetime as dt
import gzip
import json
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import fsspec
import msgspec
import pytest
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.grouping.placing.place_entry import PlacementResult
from aggregator.intake import prepare
from aggregator.intake.jobs import PrepareJob
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.recluster.rebuild import rebuild
from aggregator.intake.workers.executor import InlineExecutor, JobFunction, WorkerTuning
from aggregator.intake.workers.process_pool import ProcessExecutor
from aggregator.model.entry import Entry
from aggregator.model.errors import WorkError
from aggregator.sources.parse.files.input_items import InputEntry, ReadOptions
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.parse.files.page_list import list_pages
from aggregator.sources.parse.streams import remote_files
from aggregator.sources.source_limits import source_tuning
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake.rejected import REASON
from aggregator.store.tables import article, entry
from tests.support.articles import FLOOD, NOON, STRIKE, Rig
from tests.support.deep_checks import faults
from tests.support.loopback import LoopbackServer, Ranged, Response
from tests.support.rows import queried
from tests.support.warc import answer, warc_record

TEXTS = {"Levee breaks": FLOOD, "Dock workers strike": STRIKE}


@pytest.fixture
def rig(database: Database) -> Iterator[Rig]:
    """With a worker, and a clock that stands."""
    executor = ProcessExecutor(1, Tuning().section("work", WorkerTuning))
    rig = Rig(database)
    rig.pipeline = Pipeline(database, executor, rig.all_tuning, rig.clock)
    yield rig
    executor.close()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "pages.warc.gz"
    with path.open("wb") as file:
        for number, (title, text) in enumerate(TEXTS.items()):
            page = f"<html><head><title>{title}</title></head><article><h1>{title}</h1><p>{text}</p></article>"
            record = warc_record(
                "response", answer(page.encode()), f"https://n.example/{number}"
            )
            file.write(gzip.compress(record))
    return path


def left_in(archive: Path | str) -> list[Entry]:
    found = open_source(
        archive, ReadOptions(tuning=source_tuning(Tuning()), list_pages=list_pages)
    )
    entries = [one.entry for one in found if isinstance(one, InputEntry)]
    assert all(one.record is not None for one in entries)
    return entries


def texts(database: Database) -> list[str]:
    return list(
        queried(database, select(article.c.text).order_by(article.c.inbox_no)).scalars()
    )


def outcomes(placed: list[PlacementResult]) -> list[str]:
    return [one.outcome for one in placed]


@pytest.mark.later
def test_a_worker_reads_the_pages_of_an_archive_itself(rig: Rig, archive: Path) -> None:
    accepted = rig.accept(*left_in(archive))
    whole = open_source(archive, ReadOptions(tuning=source_tuning(Tuning())))
    assert [one.outcome for one in accepted] == ["new", "new"]
    assert outcomes(rig.place()) == ["founded", "founded"]
    assert [text.split()[:4] for text in texts(rig.database)] == [
        one.split()[:4] for one in TEXTS.values()
    ]
    stored = [
        codecs.decompress_struct(one, Entry)
        for one in queried(rig.database, select(entry.c.payload)).scalars()
    ]
    assert [one.record for one in stored] == [None, None], (
        "no path of this machine stays"
    )
    known = rig.accept(*(one.entry for one in whole if isinstance(one, InputEntry)))
    assert [one.outcome for one in known] == ["known", "known"]


@pytest.mark.later
@pytest.mark.parametrize("kind", ["http", "s3"])
def test_a_worker_reads_pages_at_an_address_in_parts(
    rig: Rig, archive: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackServer(
        {"/news/pages.warc.gz": Ranged(archive.read_bytes())}
    ) as server:
        address = server.url("/news/pages.warc.gz")
        if kind == "s3":
            address = "s3://news/pages.warc.gz"
            settings = {
                "config": {"skip_signature": True, "endpoint": server.url("")},
                "client_options": {"allow_http": True},
            }
            (tmp_path / ".config" / "fsspec").mkdir(parents=True)
            (tmp_path / ".config" / "fsspec" / "conf.json").write_text(
                json.dumps({"s3": settings})
            )
            monkeypatch.setenv("HOME", str(tmp_path))  # of the worker
            monkeypatch.setitem(fsspec.config.conf, "s3", settings)
        entries = left_in(address)
        assert {one.record.path for one in entries if one.record} == {address}
        assert outcomes(rig.take(*entries)) == ["founded", "founded"]
        assert [one.split()[:4] for one in texts(rig.database)] == [
            one.split()[:4] for one in TEXTS.values()
        ]
        assert {
            one.method for one in server.requests if "range" not in one.headers
        } <= {"HEAD"}


def test_the_writer_reads_an_archive_that_workers_cannot(
    rig: Rig, archive: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with archive.open("rb") as file:
        ours = tmp_path / "ours.warc.gz"
        ours.symlink_to(f"/proc/self/fd/{file.fileno()}")  # a worker has another self
        assert outcomes(rig.take(*left_in(ours))) == ["founded", "founded"]
    assert [len(text) > 500 for text in texts(rig.database)] == [True, True]
    warned = [
        one
        for one in caplog.records
        if getattr(one, "event", "") == "archive_not_readable_by_worker"
    ]
    assert len(warned) == 1


@pytest.mark.later
def test_pages_of_an_archive_that_is_away_wait_in_quarantine(
    rig: Rig, archive: Path, tmp_path: Path
) -> None:
    rig.accept(*left_in(archive))
    away = archive.rename(tmp_path / "away")
    assert rig.place() == []
    reasons = queried(rig.database, select(entry.c.reason)).scalars().all()
    assert (
        reasons
        == [f"{REASON} ({archive} cannot be opened (No such file or directory))"] * 2
    )
    away.rename(archive)
    repair_quarantine(rig.database)
    assert outcomes(rig.place()) == ["founded", "founded"]


def test_an_archive_whose_server_hangs_is_asked_for_one_page(
    rig: Rig, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_files, "_PATIENCE", dt.timedelta(seconds=0.5))
    monkeypatch.setattr(prepare, "_SLOW_READ_SECONDS", 0.1)
    rig.pipeline = Pipeline(rig.database, Late(), rig.all_tuning, rig.clock)
    with LoopbackServer({"/pages.warc.gz": Ranged(archive.read_bytes())}) as server:
        rig.accept(*left_in(server.url("/pages.warc.gz")))
        server.requests.clear()
        server.routes["/pages.warc.gz"] = Response(delay_seconds=30.0)
        assert rig.place() == []
        assert len(server.requests) == 1
    repair_quarantine(rig.database)


def repair_quarantine(database: Database) -> None:
    """Repair a database that has entries in quarantine."""
    assert any("in quarantine" in fault.what for fault in faults(database, now=NOON))
    rebuild(database, Tuning())


class Late(InlineExecutor):
    """A machine on which every job that must read an archive ends at its deadline."""

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        if all(
            item.entry.record is None
            for item in msgspec.msgpack.decode(job, type=PrepareJob).items
        ):
            return super().submit(function, job)
        late: Future[bytes] = Future()
        late.set_exception(WorkError("timeout", "no answer within 10 s"))
        return late


@pytest.mark.later
def test_a_page_of_a_slow_archive_is_read_here_or_waits(
    rig: Rig, archive: Path, tmp_path: Path
) -> None:
    """The time that an archive takes is not the fault of its pages, which would be rejected for good."""
    rig.pipeline = Pipeline(rig.database, Late(), rig.all_tuning, rig.clock)
    first, second = left_in(archive)
    rig.accept(first)
    away = archive.rename(tmp_path / "away")
    assert rig.place() == []
    away.rename(archive)
    assert outcomes(rig.take(second)) == ["founded"]
    repair_quarantine(rig.database)
    assert outcomes(rig.place()) == ["founded"]
