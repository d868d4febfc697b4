"""Two daemons on one Postgres: the one that stands by prepares texts, and is killed on the way."""

import json
import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from tests.conftest import Postgres
from tests.support.articles import settled
from tests.support.daemon_process import DaemonProcess
from tests.support.kill_records import invented
from tests.support.rows import read_by

ARTICLES = 300


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_a_helper_that_is_killed_loses_nothing(postgres: Postgres, tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_text("".join(json.dumps(one) + "\n" for one in invented(ARTICLES)))
    address = postgres.make()
    settings = {
        "database": address,
        "log": {"level": "debug"},
        "tuning": {"prefetch": {"left_to_writer": 32}},
    }
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with DaemonProcess(folders[0], settings) as writer, DaemonProcess(folders[1], settings) as helper:
        assert writer.command("ingest", str(records), "--no-wait").returncode == 0
        helper.wait_for(
            lambda: "event=texts_prefetched" in helper.log(), "the other daemon to prepare something"
        )
        os.kill(helper.process.pid, signal.SIGKILL)
        database = Database(address)

        def waiting() -> int:
            return read_by(database, inbox.waiting_count)

        while left := waiting():
            writer.wait_for(lambda at=left: waiting() < at, "more to be placed")
        found = settled(database)
        database.close()
    alone = tmp_path / "alone"
    alone.mkdir()
    one = DaemonProcess(alone, {**settings, "database": "stories.db"})
    assert one.command("ingest", str(records)).returncode == 0
    with closing(Database(f"sqlite:///{alone}/stories.db")) as database:
        expected = settled(database)
    for name in ("articles", "keys", "sightings"):
        assert found[name] == expected[name]
    assert [row[:5] for row in found["stories"]] == [row[:5] for row in expected["stories"]]
