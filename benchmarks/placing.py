"""What each step of placing an article costs, if 10,000, 100,000 or 1,000,000 articles are stored.

    python -m benchmarks.placing 10000 100000 1000000 --cache FOLDER [--articles 1600] [--keep] [--hash]

The stored articles come from benchmarks/corpus.py. They are made once and kept in FOLDER; a million takes a quarter of
an hour and 12 GB. The articles that follow in the same stream are placed. Times are the CPU of the thread, then the
clock; other programs on the machine affect both. `shingles` does not depend on the stored articles, so runs are best
compared by their ratio to it.

    shingles     shingles, signature, sketch: what a worker does for the search for copies
    copy         candidates by sketch, exact checks
    event        the decision which of the stories nearby it joins
    placing      these three; the target is 1.2 ms, 99th percentile 4 ms
    story        sums, counts, headline and summary of the story; with the rows of story and article
    look         the second look, per placed article (and the longest one)
    transaction  the whole transaction, per placed article: all but `shingles`, with BEGIN, log and COMMIT
"""

import argparse
import collections
import gc
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import select

from aggregator.admin.export_file import export_lines
from aggregator.admin.import_rows import import_into
from aggregator.config.tuning import Tuning
from aggregator.grouping.fingerprint import fingerprinter
from aggregator.grouping.place import Placer
from aggregator.grouping.placing.decide import Decider
from aggregator.grouping.second_look.second_look import SecondLook
from aggregator.grouping.write.story_writer import StoryWriter
from aggregator.intake.jobs import PrepareJob, PrepareResult, prepare
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.prepare import TEXTS_A_JOB
from aggregator.intake.workers.factory import open_executor
from aggregator.model.entry import Entry, EntryInput
from aggregator.model.prepared import Prepared
from aggregator.store import tables
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance, inbox
from aggregator.store.migrate import upgrade
from benchmarks.corpus import Clock, Made, continuation, data_folder, database_of
from benchmarks.throughput import own_database

ACCEPTED_AT_ONCE = 100
PROGRAM = Path(sys.executable).with_name("aggregator")


class Watch:
    """Times of calls by name: CPU of this thread and seconds on the clock."""

    def __init__(self) -> None:
        self.cpu: dict[str, list[float]] = collections.defaultdict(list)
        self.wall: dict[str, list[float]] = collections.defaultdict(list)

    def over(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that calls `function` and records the time of each call under `name`."""

        def watched(*given: Any, **named: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return function(*given, **named)
            finally:
                self.cpu[name].append(time.thread_time() - cpu)
                self.wall[name].append(time.perf_counter() - wall)

        return watched

    def clear(self) -> None:
        self.cpu.clear()
        self.wall.clear()

    def line(self, name: str, cpu: Sequence[float], wall: Sequence[float]) -> str:
        shown = [
            (
                1e3 * np.median(values),
                1e3 * np.mean(values),
                1e3 * np.quantile(values, 0.99),
            )
            for values in (cpu, wall)
        ]
        words = [
            f"{median:7.2f} {mean:7.2f} {high:8.2f}" for median, mean, high in shown
        ]
        return f"  {name:12}{words[0]}  |{words[1]}"

    def show(self, articles: int) -> None:
        """Print a line for each part. Times of a batch are divided by its articles."""
        print(
            f"  {'ms':12}{'median':>7} {'mean':>7} {'99 %':>8}  | the same on the clock"
        )
        for name in ("shingles", "copy", "event", "story"):
            print(self.line(name, self.cpu[name], self.wall[name]))
        cpu, wall = (
            [of[name] for name in ("shingles", "copy", "event")]
            for of in (self.cpu, self.wall)
        )
        print(self.line("placing", np.sum(cpu, axis=0), np.sum(wall, axis=0)))
        looks = [value for value in self.cpu["look"] if value > 1e-3]
        print(
            f"  look        {1e3 * sum(self.cpu['look']) / articles:15.2f} an article; {len(looks)} looks, "
            f"the longest {1e3 * max(looks, default=0):.0f} ms"
        )
        batches = self.cpu["batch"]
        print(
            f"  transaction {1e3 * sum(batches) / articles:15.2f} an article; of {TEXTS_A_JOB}: median "
            f"{1e3 * np.median(batches):.1f}, 99 % {1e3 * np.quantile(batches, 0.99):.1f}; on the clock "
            f"{1e3 * np.median(self.wall['batch']):.1f}, {1e3 * np.quantile(self.wall['batch'], 0.99):.1f}"
        )


def rss_mib(process: int | str = "self") -> float:
    """Return the resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def parts(database: Database, made: Sequence[Made], *, profile: Path | None) -> None:
    """Place the articles in this process, and print the times of the parts."""
    all_tuning = Tuning()
    watch = Watch()
    before = rss_mib()
    clock = Clock()
    placing = Placer(database, all_tuning, clock)
    began, cpu = time.perf_counter(), time.process_time()
    with database.read() as connection:
        stories = len(placing.services.window.current(connection).numbers())
        after_stories = rss_mib()
        spent = time.perf_counter() - began
    place_some(database, placing, clock, made[:1], Watch())
    print(
        f"  loading: {stories} stories {spent:.1f} s, +{after_stories - before:.0f} MiB; with the sampled "
        f"shingles {time.perf_counter() - began:.1f} s ({time.process_time() - cpu:.1f} of CPU), "
        f"{rss_mib():.0f} MiB, at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"
    )
    gc.freeze()
    warm = min(200, len(made) // 4)
    place_some(database, placing, clock, made[1:warm], watch)
    watch.clear()
    _watch(placing, watch)
    if profile is not None:
        import cProfile

        profiler = cProfile.Profile()
        profiler.runcall(place_some, database, placing, clock, made[warm:], watch)
        profiler.dump_stats(profile)
    else:
        outcomes = place_some(database, placing, clock, made[warm:], watch)
        print(
            f"  outcomes: {dict(outcomes)}; the stream says {dict(_truth(made[warm:]))}"
        )
    watch.show(len(made) - warm)


def _watch(placing: Placer, watch: Watch) -> None:
    parts: Any = placing.services
    parts.copy_finder.find = watch.over("copy", parts.copy_finder.find)
    decider: Any = Decider
    second_look: Any = SecondLook
    writer: Any = StoryWriter  # instances of these three are made for each batch, so the classes are changed
    for name in ("place", "move", "merge", "revise", "remove"):
        setattr(writer, name, watch.over("story", getattr(writer, name)))
    decider.decide = watch.over("event", decider.decide)
    second_look.before = watch.over("look", second_look.before)


def place_some(
    database: Database,
    placing: Placer,
    clock: Clock,
    made: Sequence[Made],
    watch: Watch,
) -> collections.Counter[str]:
    all_tuning = Tuning()
    maker: Any = fingerprinter(all_tuning.to_json())
    pack = maker._packer.pack
    place = watch.over("batch", placing.place)
    outcomes: collections.Counter[str] = collections.Counter()
    for start in range(0, len(made), ACCEPTED_AT_ONCE):
        accept(database, clock, made[start : start + ACCEPTED_AT_ONCE])
        with database.read() as connection:
            waiting = inbox.ready(connection, ACCEPTED_AT_ONCE)
        prepared = [_clean(one.entry, one.accepted_at) for one in waiting]
        for one in prepared:
            maker._packer.pack = lambda *_given, **_named: (b"", 0)
            watch.over("shingles", maker.fingerprint)(one.article)
            maker._packer.pack = pack
        for at in range(0, len(waiting), TEXTS_A_JOB):
            part = slice(at, at + TEXTS_A_JOB)
            placed = place(list(zip(waiting[part], prepared[part], strict=True)))
            outcomes.update(one.outcome for one in placed)
    return outcomes


def _clean(entry: Entry, seen: datetime) -> Prepared:
    job = PrepareJob(items=(EntryInput(entry=entry, accepted_at=seen),))
    answer = prepare(msgspec.msgpack.encode(job))
    return msgspec.msgpack.decode(answer, type=PrepareResult).prepared[0]


def _truth(made: Sequence[Made]) -> collections.Counter[str]:
    return collections.Counter("copy" if one.copy else "report" for one in made)


def accept(database: Database, clock: Clock, made: Sequence[Made]) -> None:
    clock.time = made[-1].time
    with database.write() as connection:
        acceptance.accept(
            connection, [one.entry() for one in made], seen=[one.time for one in made]
        )


def whole(database: Database, made: Sequence[Made]) -> None:
    """Place the articles with a worker process, as the daemon does, and print the CPU of both processes."""
    all_tuning = Tuning()
    executor = open_executor("processes", 1, all_tuning)
    clock = Clock()
    pipeline = Pipeline(database, executor, all_tuning, clock)
    warm = min(200, len(made) // 4)

    def take(some: Sequence[Made]) -> None:
        for start in range(0, len(some), ACCEPTED_AT_ONCE):
            accept(database, clock, some[start : start + ACCEPTED_AT_ONCE])
            for _ in pipeline.place_waiting():
                pass

    take(made[:warm])
    gc.freeze()
    cpu, wall = tree_cpu(), time.perf_counter()
    take(made[warm:])
    spent, seconds = tree_cpu() - cpu, time.perf_counter() - wall
    count = len(made) - warm
    print(
        f"  text in, stored story out: {count / spent:.0f} articles/s of CPU of the process tree "
        f"({1e3 * spent / count:.2f} ms), {count / seconds:.0f} on the clock; "
        f"main {rss_mib():.0f} MiB, workers {sum(rss_mib(child) for child in children()):.0f}"
    )
    executor.close()


def children() -> list[str]:
    listed = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split()[0] for line in listed.stdout.splitlines() if " ps" not in line]


def tree_cpu() -> float:
    ticks = os.sysconf("SC_CLK_TCK")
    spent = time.process_time()
    for child in children():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        spent += (int(fields[11]) + int(fields[12])) / ticks
    return spent


def one_shot(path: Path, made: Made) -> None:
    """Print the cost of `aggregator ingest` for one article. The first article of a day closes a stream period."""
    with tempfile.TemporaryDirectory() as folder:
        line = Path(folder, "one.jsonl")
        line.write_text(made.line() + "\n", encoding="utf-8")
        began = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [str(PROGRAM), "--database", str(path), "ingest", str(line)]
        run = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        words = " ".join(run.stdout.split())[:80] or run.stderr.strip()[-200:]
        print(
            f"  ingest of one article: {time.perf_counter() - began:.2f} s ({cpu:.2f} of CPU): {words}"
        )


def bytes_an_article(path: Path, count: int) -> None:
    print(
        f"  {path.stat().st_size / count:.0f} bytes an article, without the full-text index"
    )


def work_copy(path: Path, *, keep: bool) -> Iterator[Path]:
    if keep:
        yield path
        return
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        copy = Path(folder, "work.db")
        shutil.copyfile(path, copy)
        yield copy


def hash_of_rows(database: Database) -> str:
    """Return a hash of the rows that placing writes."""
    digest = hashlib.blake2b(digest_size=8)
    written = (
        tables.article,
        tables.story,
        tables.sketch,
        tables.story_log,
        tables.change,
        tables.entry,
    )
    with database.read() as connection:
        for table in written:
            key = next(iter(table.primary_key.columns))
            if table is tables.story_log:  # numbered by the database
                chosen = select(*(one for one in table.columns if one is not key))
            else:
                chosen = select(table)
            for row in connection.execute(
                chosen.order_by(key).execution_options(yield_per=1_000)
            ):
                digest.update(
                    repr(
                        [bytes(v) if isinstance(v, memoryview) else v for v in row]
                    ).encode()
                )
    return digest.hexdigest()


def on_server(path: Path, made: Sequence[Made], given: argparse.Namespace) -> None:
    """Print the times of the parts for the same rows in a new database on a PostgreSQL server."""
    with own_database(given.server) as url:
        source, target = Database(f"sqlite:///{path}"), Database(url)
        upgrade(target)
        import_into(target, export_lines(source, lambda _: None), lambda _: None)
        with target.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        print(f"  on the server, load {os.getloadavg()[0]:.1f}")
        parts(target, made, profile=None)
        if given.hash:
            print(f"  rows: {hash_of_rows(target)}")
        source.close()
        target.close()


def measure(count: int, given: argparse.Namespace) -> None:
    path = database_of(count, given.cache, given.data)
    for file in work_copy(path, keep=given.keep):
        database = Database(f"sqlite:///{file}")
        with database.read() as connection:
            done = connection.exec_driver_sql(
                "SELECT value FROM counter WHERE name = 'inbox'"
            ).scalar_one()
        more = continuation(count, done - count, 2 * given.articles + 2, given.data)
        print(
            f"{count} stored (and {done - count} since), load {os.getloadavg()[0]:.1f}"
        )
        bytes_an_article(file, done)
        if given.server:
            on_server(file, more[: given.articles], given)
        parts(database, more[: given.articles], profile=given.profile)
        if given.hash:
            print(f"  rows: {hash_of_rows(database)}")
        if not given.quick:
            whole(database, more[given.articles : -2])
        database.close()
        if not given.quick:
            one_shot(file, more[-2])
            one_shot(file, more[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counts", type=int, nargs="*", default=[10_000])
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir(), "aggregator-corpus")
    )
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument(
        "--articles",
        type=int,
        default=1_600,
        help="how many are placed, in each of two ways",
    )
    parser.add_argument(
        "--keep", action="store_true", help="work in the database itself, not in a copy"
    )
    parser.add_argument("--quick", action="store_true", help="the parts only")
    parser.add_argument(
        "--hash", action="store_true", help="hash the rows after the parts"
    )
    parser.add_argument(
        "--server", help="URL of a Postgres server, on which an own database is made"
    )
    parser.add_argument(
        "--profile", type=Path, help="file for cProfile's figures of the parts"
    )
    given = parser.parse_args()
    for count in given.counts:
        measure(count, given)


if __name__ == "__main__":
    main()
