"""One long ingestion, killed again and again: first `ingest` of an archive, then the daemon on a folder.

A kill is due when so many articles are placed; then it comes some milliseconds later, so that it falls
anywhere in the work on a batch. Every fifth comes at any time after a start instead: while tables are looked
at, memory is built, or what is known is read again. Every fourth hits a worker.
"""

import gzip
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from aggregator.store.engine.database import Database
from aggregator.store.tables import article, entry, source
from tests.conftest import REPOSITORY
from tests.support.articles import DAY, render_all
from tests.support.daemon_process import DaemonProcess
from tests.support.kills import HONEST, Settled, children_of, left_in
from tests.support.rows import unindexed_count, value
from tests.support.waiting import wait_until

PATIENCE_SECONDS = 3600.0
# Seconds between a kill's being due and the kill: a batch takes about as long
LONGEST_WAIT = 0.25
_FILES = 8  # in the watched folder
# What is undated is of today, and sorts by the clock of the run to the second.
YESTERDAY = str(datetime.now(UTC).date() - DAY)


class Material(NamedTuple):
    """What is read: an archive of several gzip members, and a folder of some more."""

    archive: Path
    folder: Path
    size: int  # records in the archive

    @classmethod
    def of(cls, place: Path, records: Sequence[dict[str, Any]]) -> "Material":
        """Three fifths of the records become the archive, the rest a folder of some files."""
        first = len(records) * 3 // 5
        archive, folder = place / "archive.jsonl.gz", place / "watched"
        folder.mkdir()
        lines = [json.dumps(one).encode() + b"\n" for one in records[:first]]
        members = (lines[at : at + 30] for at in range(0, first, 30))
        archive.write_bytes(b"".join(gzip.compress(b"".join(one)) for one in members))
        rest = records[first:]
        each = -(-len(rest) // _FILES)
        for number in range(_FILES):
            _write(
                folder / f"{number}.jsonl", rest[number * each : (number + 1) * each]
            )
        return cls(archive, folder, first)


class Outcome(NamedTuple):
    """What a run left."""

    rows: Settled
    feeds: tuple[bytes, ...]  # without the times of the clock
    kills: dict[str, int]  # by whom they hit


class LongIngest:
    """A run on one database. `place` is a folder of its own."""

    def __init__(
        self,
        place: Path,
        material: Material,
        url: str,
        work: dict[str, Any],
        command: Sequence[str] = HONEST,
    ) -> None:
        self._material = material
        self._url = url
        self._command = [*command]
        watched = {"folder": str(material.folder), "name": "watched"}
        settings = {"database": url, "work": work, "sources": [watched]}
        # A look that ends after some seconds continues with the next file: the order of the inbox, and with
        # it the stories, would depend on the speed of the machine.
        in_one_look = {"net": {"fetch_deadline_seconds": PATIENCE_SECONDS}}
        self._daemon = DaemonProcess(place, settings, tuning=in_one_look)
        self._kills: dict[str, int] = {"ingest": 0, "daemon": 0, "worker": 0}

    def undisturbed(self) -> Outcome:
        """Read all of it, disturbed by nobody."""
        return self.killed(Random(0), 0, end=0)

    def killed(self, rng: Random, kills: int, *, end: int) -> Outcome:
        """Read all of it and be killed so often, on the way to article number `end`."""
        of_archive = max(min(self._material.size, end) * 19 // 20, 2)
        of_folder = max(end * 19 // 20, of_archive + 1)
        early = (
            [1] if kills > 1 else []
        )  # a later one may find the archive read: articles are placed in batches
        first = early + sorted(
            rng.randrange(1, of_archive) for _ in range(kills * 3 // 5 - len(early))
        )
        rest = sorted(
            rng.randrange(of_archive, of_folder) for _ in range(kills - len(first))
        )
        left_over = self._ingested(rng, first)
        self._watched(rng, [*left_over, *rest])
        return self._left()

    # --- the two halves -----------------------------------------------------------------------------------

    def _ingested(self, rng: Random, due: Sequence[int]) -> list[int]:
        """Returns the kills that it was too quick for."""
        left = list(due)
        while True:
            running = self._start()
            try:
                self._disturb(rng, left, running, "ingest", self._is_nearly_read)
                if running.poll() is None and not left:
                    running.wait(PATIENCE_SECONDS)
            finally:
                _end(running)
            if running.returncode != -signal.SIGKILL:
                assert running.returncode in (0, 3), (
                    f"it ended with {running.returncode}"
                )
                return left

    def _watched(self, rng: Random, due: Sequence[int]) -> None:
        left = list(due)
        while True:
            self._daemon.launch()
            running = self._daemon.process
            try:
                self._disturb(rng, left, running, "daemon", self._is_done)
                if running.poll() is None:
                    wait_until(
                        lambda ended=running: (
                            self._is_done() or ended.poll() is not None
                        ),
                        "the end of the folder",
                        PATIENCE_SECONDS,
                    )
                    # SIGTERM means something to it only then
                    self._daemon.wait_until_listening()
                    assert self._daemon.stop() == 0, self._daemon.log()[-4000:]
                    return
            finally:
                self._daemon.kill()
            assert running.returncode == -signal.SIGKILL, self._daemon.log()[-4000:]

    def _start(self) -> subprocess.Popen[bytes]:
        config = self._daemon.folder / "config.yaml"
        arguments = ["ingest", str(self._material.archive), "--config", str(config)]
        with (self._daemon.folder / "ingest.log").open("ab") as log:
            return subprocess.Popen(
                [*self._command, *arguments], cwd=REPOSITORY, stdout=log, stderr=log
            )

    def _disturb(
        self,
        rng: Random,
        left: list[int],
        running: subprocess.Popen[bytes],
        what: str,
        is_done: Callable[[], bool],
    ) -> None:
        """Kill workers when that is due, and at last the process itself; or nothing where no kill is left.

        The first and the last kill of each half hit the process, the first as soon as its article is placed.
        """
        while left and running.poll() is None:
            at = left[0]
            is_first = not self._kills[what]
            chosen = 0.5 if is_first else rng.random()
            if chosen < 0.2:
                deadline = time.monotonic() + rng.uniform(0.05, 3.0)
                while (
                    time.monotonic() < deadline
                    and running.poll() is None
                    and not is_done()
                ):
                    time.sleep(0.05)
            else:
                while (
                    running.poll() is None and placed(self._url) < at and not is_done()
                ):
                    time.sleep(0.02)
                time.sleep(0.0 if is_first else rng.uniform(0.0, LONGEST_WAIT))
            workers = children_of(running.pid)
            if running.poll() is not None:
                return
            left.pop(0)
            if chosen > 0.75 and workers and left:
                os.kill(rng.choice(workers), signal.SIGKILL)
                self._kills["worker"] += 1
                continue
            running.kill()
            running.wait()
            self._kills[what] += 1
            done = sum(self._kills.values())
            if done % 20 == 0:
                print(f"{done} kills, {placed(self._url):,} placed", flush=True)

    # --- looking ------------------------------------------------------------------------------------------

    def _is_nearly_read(self) -> bool:
        """Whether so much of the archive is placed that `ingest` might end before it is killed."""
        return placed(self._url) >= self._material.size * 19 // 20

    def _is_done(self) -> bool:
        """Whether the folder was read, and all that came is placed and can be found."""
        with closing(Database(self._url)) as database, database.read() as connection:
            is_read = select(source.c.id).where(
                source.c.name == "watched", source.c.folder_state.is_not(None)
            )
            waiting = select(func.count()).where(entry.c.state.in_(("page", "ready")))
            return (
                connection.execute(is_read).first() is not None
                and not connection.execute(waiting).scalar_one()
                and not unindexed_count(connection)
            )

    def _left(self) -> Outcome:
        with closing(Database(self._url)) as database:
            # The daemon does it later and by the way: here all of it is compared
            render_all(database)
        feeds = tuple(self._feed(*options) for options in ((), ("--min-reports", "2")))
        return Outcome(left_in(self._url), feeds, dict(self._kills))

    def _feed(self, *options: str) -> bytes:
        written = self._daemon.command(
            "feed", "--limit", "500", "--until", YESTERDAY, *options
        )
        assert written.returncode == 0, written.stderr
        return without_clock(written.stdout).encode()


def without_clock(feed: str) -> str:
    """A feed without the time at which it was made, and without times of today: they are our clock's."""
    today = datetime.now(UTC)
    for day in (today, today - DAY):
        feed = re.sub(f"{day:%a, %d %b %Y} [0-9:]+ (GMT|[+-][0-9]{{4}})", "TODAY", feed)
        feed = re.sub(f"{day:%Y-%m-%d}[T ][0-9:.]+(Z|[+]00:00)?", "TODAY", feed)
    return feed


def placed(url: str) -> int:
    """The number of the article that was placed last. Opens the database for this one look.

    On SQLite the log must be the killed process' own business: a second one that holds the file open would
    keep it from being read back at the next start.
    """
    name = make_url(url).database
    if url.startswith("sqlite"):
        try:
            with closing(
                sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=5)
            ) as connection:
                return (
                    connection.execute("SELECT max(inbox_no) FROM article").fetchone()[
                        0
                    ]
                    or 0
                )
        except sqlite3.OperationalError:
            return 0  # no tables yet
    try:
        return value(url, func.max(article.c.inbox_no)) or 0
    except Exception as error:
        if "has no tables" in str(error):
            return 0
        raise


def _end(running: subprocess.Popen[bytes]) -> None:
    if running.poll() is None:
        running.kill()
        running.wait()


def _write(file: Path, records: Sequence[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
