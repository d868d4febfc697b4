"""Archives read by the program: ended on the way, read again, read with little memory.

test_kill.py kills the program while it reads one.
"""

import base64
import gzip
import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import func, literal, select, text

from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.tables import article, entry
from tests.conftest import REPOSITORY
from tests.support.daemon_process import PROGRAM
from tests.support.deep_checks import faults
from tests.support.kill_records import invented
from tests.support.kills import HONEST, assert_same, left_in
from tests.support.programs import run_program
from tests.support.rows import queried
from tests.support.warc import answer, warc_record

pytestmark = pytest.mark.later

RECORDS, PAGES = 120, 4  # more than one transaction takes


def page_of(one: dict[str, Any], junk: str = "") -> bytes:
    paragraphs = "".join(f"<p>{sentence}.</p>" for sentence in one["text"].split(". "))
    script = f"<script>var x = '{junk}'</script>" if junk else ""
    head = f"<html><head><title>{one['title']}</title>{script}</head>"
    return f"{head}<body><article><h1>{one['title']}</h1>{paragraphs}</article></body></html>".encode()


def warc_of(
    records: list[dict[str, Any]], junk: Callable[[], str] = str
) -> Iterator[bytes]:
    """A gzip member a record."""
    for number, one in enumerate(records):
        block = answer(page_of(one, junk()), kind="text/html; charset=utf-8")
        yield gzip.compress(
            warc_record("response", block, f"https://o{number % 9}.example/{number}"), 1
        )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of records and one of pages, both of one gzip member or more."""
    folder = tmp_path_factory.mktemp("archive") / "dump"
    folder.mkdir()
    records = invented(RECORDS + PAGES)
    lines = [json.dumps(one).encode() + b"\n" for one in records[:RECORDS]]
    members = [
        gzip.compress(b"".join(lines[start : start + 30]))
        for start in range(0, RECORDS, 30)
    ]
    (folder / "a.jsonl.gz").write_bytes(b"".join(members))
    (folder / "b.warc.gz").write_bytes(b"".join(warc_of(records[RECORDS:])))
    return folder


def assert_each_record_once(url: str, records: int) -> None:
    with closing(Database(url)) as database, database.read() as connection:
        ids = connection.execute(select(entry.c.article)).scalars().all()
        waiting = connection.execute(
            select(entry.c.entry_no).where(entry.c.outcome.is_(None))
        ).all()
        refused = connection.execute(
            select(entry.c.reason).where(entry.c.outcome == "refused")
        ).all()
        held = connection.execute(
            select(func.count()).select_from(article)
        ).scalar_one()
    assert (len(ids), len(set(ids))) == (records, records)
    assert (waiting, refused, held) == ([], [], records)


@pytest.mark.timeout(240)
def test_an_ingest_that_a_server_ended_goes_on_when_it_is_repeated(
    archive: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """All connections are ended while it accepts and places, that of its lock included."""
    url = request.getfixturevalue("postgres").make()
    with closing(Database(url)) as database:
        upgrade(database)
    config = tmp_path / "config.yaml"
    config.write_text("work:\n  executor: inline\n", encoding="utf-8")
    command = [*PROGRAM, "--config", str(config), "--database", url]
    reading = subprocess.Popen(
        [*command, "ingest", str(archive), "--format", "json"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    statement = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    progress, ended = [0], 0
    with (
        closing(Database(url)) as database,
        database.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection,
    ):
        while reading.poll() is None:
            rows = (
                select(func.count()).select_from(table).scalar_subquery()
                for table in (entry, article)
            )
            now: int = connection.execute(
                select(sum(rows, start=literal(0)))
            ).scalar_one()
            if now > progress[-1]:
                progress.append(now)
                ended += len(connection.execute(statement).all())
            time.sleep(0.02)
    out, errors = reading.communicate(timeout=60)
    assert (out, ended > 0) == ("", True), errors
    # 6: it finds first that its lock has ended
    assert reading.returncode in (1, 6), errors
    again = run_program([*command, "ingest", str(archive), "--format", "json"], cwd=REPOSITORY, check=True)  # fmt: skip
    reported = json.loads(again.stdout)
    assert reported["read"] == RECORDS + PAGES
    assert (reported["waiting"], reported["rejected_count"]) == (0, 0)
    assert_each_record_once(url, RECORDS + PAGES)
    with closing(Database(url)) as database:
        assert faults(database) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_pages_that_wait_when_an_archive_is_killed_make_the_same_stories(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The command is killed between accepting and placing, and a second run ends its work."""
    urls = []
    members = list(warc_of(invented(40)))
    for name, data in {
        "left": b"".join(members),
        # No record can be read alone
        "read": gzip.compress(b"".join(map(gzip.decompress, members)), 1),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "pages.warc.gz").write_bytes(data)
        made = (
            request.getfixturevalue("postgres").make() if kind == "postgres" else None
        )
        urls.append(made or f"sqlite:///{tmp_path / name}.db")
        with closing(Database(urls[-1])) as database:
            upgrade(database)
    (tmp_path / "config.yaml").write_text("work: {executor: processes, workers: 2}\n")
    command = [*HONEST, "--config", "config.yaml", "ingest"]
    running = subprocess.Popen(
        [*command, "left/pages.warc.gz", "--database", urls[0]], cwd=tmp_path
    )
    waiting = 0
    with closing(Database(urls[0])) as database:
        while not waiting and running.poll() is None:
            ready = select(entry.c.entry_no).where(entry.c.state == "ready")
            waiting = len(queried(database, ready).all())
    running.kill()
    running.wait()
    assert waiting
    for name, url in zip(("left", "read"), urls, strict=True):
        subprocess.run(
            [*command, f"{name}/pages.warc.gz", "--database", url],
            cwd=tmp_path,
            check=True,
        )
    left, read = (left_in(url) for url in urls)
    assert_same(left, read)


def test_progress_on_a_terminal_has_rate_and_time_left(
    archive: Path, tmp_path: Path
) -> None:
    mine, theirs = pty.openpty()
    (tmp_path / "few.jsonl").write_bytes(
        gzip.decompress((archive / "a.jsonl.gz").read_bytes())[:4000]
    )
    command = [*HONEST, "ingest", "few.jsonl", "--database", str(tmp_path / "t.db")]
    (tmp_path / "config.yaml").write_text("work: {executor: inline}\n")
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    running = subprocess.Popen(
        command, cwd=tmp_path, stderr=theirs, stdout=subprocess.DEVNULL, env=environment
    )
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # the terminal is gone with the program
        while more := os.read(mine, 4096):
            seen += more
    os.close(mine)
    assert running.wait() == 3, "the last line is cut"
    assert re.search(rb"\d+%.* read, [\d,]+/s.*\d+:\d\d:\d\d", seen), seen


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_memory_is_flat_over_a_long_web_archive(tmp_path: Path) -> None:
    """200 MB of pages: the process that reads them grows by no more than what a few of them take."""
    rng = Random(7)
    records = invented(1000)
    with (tmp_path / "long.warc.gz").open("wb") as file:
        for member in warc_of(
            records, lambda: base64.b64encode(rng.randbytes(200_000)).decode()
        ):
            file.write(member)
    assert (tmp_path / "long.warc.gz").stat().st_size > 200_000_000
    command = [
        *HONEST,
        "ingest",
        "long.warc.gz",
        "--database",
        str(tmp_path / "long.db"),
    ]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    sizes: list[int] = []

    def watch() -> None:
        while running.poll() is None:
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{running.pid}/status").read_text().splitlines()
                sizes.append(
                    int(
                        next(
                            line for line in lines if line.startswith("VmRSS")
                        ).split()[1]
                    )
                )
            time.sleep(0.5)

    watching = Thread(target=watch)
    watching.start()
    said, _ = running.communicate()
    watching.join()
    assert running.returncode == 0, said.decode()
    early, late = max(sizes[: len(sizes) // 4]), max(sizes)
    print(
        f"RSS of the main process: {early // 1024} MiB in the first quarter, {late // 1024} at most"
    )
    assert late - early < 64 * 1024
    assert late < 300 * 1024
