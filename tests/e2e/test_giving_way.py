"""A command that places what it reads, because no daemon was there, gives way to one that starts."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from aggregator.store.engine.database import Database
from aggregator.store.tables import entry
from tests.conftest import Postgres
from tests.support.daemon_process import WORKER, DaemonProcess
from tests.support.kill_records import records
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.later

AT_ONCE = 100  # enough for a chunk of the command
SLOWLY = 2  # records in a tenth of a second, while the daemon starts


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.torture)])
def test_a_daemon_that_starts_places_what_an_ingest_began(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    postgres: Postgres | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    address = f"sqlite:///{tmp_path / 'stories.db'}" if postgres is None else postgres.make()
    at_once = {"placing": {"batch_articles": 10}, "watchdog": {"searchable_seconds": 0.0}}
    daemon = DaemonProcess(tmp_path, {"database": address, "work": WORKER}, tuning=at_once)
    given = [json.dumps(one) + "\n" for one in records(30 * AT_ONCE)]
    with (tmp_path / "ingest.log").open("wb") as log:
        ingest = subprocess.Popen(
            [*daemon.program(), "ingest", "-"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            bufsize=1,
        )
        assert ingest.stdin is not None
        database = Database(address)
        try:
            read = AT_ONCE + AT_ONCE // 2
            ingest.stdin.writelines(given[:read])
            daemon.wait_for(lambda: accepted(database), "the command to read")
            daemon.launch()
            writes = "listening on" if postgres is None else "became the writer:"
            while not daemon.lines(writes):
                ingest.stdin.writelines(given[read : read + SLOWLY])
                read += SLOWLY
                assert read <= len(given), daemon.log()
                time.sleep(0.1)
            daemon.wait_until_listening()
            ingest.stdin.writelines(given[read : read + AT_ONCE // 2])
            ingest.stdin.close()
            assert ingest.wait(PATIENCE_SECONDS) in (0, 3), (tmp_path / "ingest.log").read_text()
            assert len(daemon.lines("placed ")) > 1, "the daemon did the rest, and showed it on the way"
            assert daemon.waiting() == 0
            assert daemon.faults() == []
        finally:
            ingest.kill()
            ingest.wait()
            daemon.kill()
            database.close()


def accepted(database: Database) -> int:
    if not (database.file is None or database.file.exists()):
        return 0
    with database.read() as connection:
        if not connection.dialect.has_table(connection, "entry"):
            return 0
        return int(connection.execute(select(func.count()).select_from(entry)).scalar_one())
