"""Reads an archive, killed five times on the way.

    python -m tests.support.killed_ingest ARCHIVE SEED URL...

One process that forks, so that the program is loaded once. For each database: five children that are killed
with SIGKILL after a random number of texts was prepared, then one that ends, then one that reads all again.
Prints a line of JSON a database: how many texts the last two prepared, and how many were placed before.
"""

import json
import os
import random
import signal
import sys
from concurrent.futures import Future

import msgspec

from aggregator.admin.ingest.ingest_files import Ingest
from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import PrepareItem, PrepareJob, prepare
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.workers.executor import InlineExecutor, JobFunction
from aggregator.model.clock import utc_now
from aggregator.model.entry import Entry
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.tables import entry
from tests.support.rows import counted

KILLS = 5


class Counting(InlineExecutor):
    """Tells how many texts it was given to prepare, a byte each, before it prepares them."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        if function is prepare:
            os.write(
                self._pipe,
                b"x" * len(msgspec.msgpack.decode(job, type=PrepareJob).items),
            )
        return super().submit(function, job)


def read(archive: str, url: str, pipe: int) -> None:
    """What `aggregator ingest` does."""
    database, all_tuning = Database(url), Tuning()
    executor = Counting(pipe)
    client = Client(ClientSettings(), all_tuning)
    lock = open_process_lock(database)

    def become_writer() -> Pipeline | None:
        return (
            Pipeline(database, executor, all_tuning, utc_now)
            if lock.acquire()
            else None
        )

    run = Ingest(
        Poller(
            PollServices(database, client, executor, all_tuning, utc_now),
            robots=False,
            pages="never",
        ),
        become_writer=become_writer,
    )
    assert run.is_writer, "the lock of a killed process is free"
    for _ in run.run([archive]):
        pass
    assert run.summary().waiting == 0


def forked(archive: str, url: str, kill_after: int | None) -> int:
    """A child that reads; how many texts it was seen to prepare before it was killed, or had ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            read(archive, url, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    seen = 0
    while kill_after is None or seen < kill_after:
        more = len(os.read(reading, 64))
        if not more:
            break
        seen += more
    if kill_after is not None:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    assert kill_after is not None or status == 0, f"it ended with {status}"
    return seen


def placed(url: str) -> int:
    return counted(url, entry, entry.c.outcome.is_not(None))


def warmed_up() -> None:
    """Have loaded here what each child would load: parsers, tables of words."""
    text = "Dock workers in Sennick walked out over a roster on Monday. " * 12
    page = f"<html><body><article><h1>Strike</h1><p>{text}</p></article></body></html>"
    entries = (
        Entry(source="s", text=text, title="Strike"),
        Entry(source="s", html=page, is_page=True),
    )
    items = tuple(PrepareItem(entry=one, seen=utc_now()) for one in entries)
    InlineExecutor().submit(
        prepare, msgspec.msgpack.encode(PrepareJob(items=items))
    ).result()


def main() -> None:
    warmed_up()
    archive, seed, urls = sys.argv[1], sys.argv[2], sys.argv[3:]
    for url in urls:
        rng = random.Random(f"{seed} {url.partition(':')[0]}")
        for _ in range(KILLS):
            forked(archive, url, rng.randint(1, 32))
        before = placed(url)
        last, again = forked(archive, url, None), forked(archive, url, None)
        print(
            json.dumps({"placed_before": before, "last": last, "again": again}),
            flush=True,
        )


if __name__ == "__main__":
    main()
