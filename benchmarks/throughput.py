"""How many articles per second go all the way, from a JSON line or a page to a stored and rendered story.

    python -m benchmarks.throughput [--data ../shared/data] [--database postgresql://...] [--texts-only]

Text: one `aggregator ingest` of `events-fulltext` and `events-stream` into an empty database, which is created on the
server of `--database`, if given. Measured is the CPU of the whole process tree, including its start. Rendering is timed
in the program itself: "placed" is without it, and "rendered" with it. A textbook loop of datasketch (shingles,
`update_batch`, LSH query and insert) reads the same texts in the same run. Only the ratio to this loop is meaningful,
because CPU seconds vary on a shared machine.
Pages: the pipeline in this process reads the HTML of `pages` and `pages-world`, in turns with a bare loop of
`trafilatura.bare_extraction` over the same pages.
"""

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, func, make_url, select, text

from aggregator.config.tuning import Tuning
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance
from aggregator.store.migrate import upgrade
from aggregator.store.tables import story

ENTRIES_A_TRANSACTION = 100
ROUNDS = 3  # the two loops over the pages take turns, so that other work of the machine affects both


def now() -> datetime:
    return datetime.now(UTC)


def place_all(entries: Sequence[Entry]) -> float:
    """Return the CPU seconds from accepting to the last committed story, after a warm-up with the first 32 entries."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/bench.db")
        upgrade(database)
        pipeline = Pipeline(database, InlineExecutor(), Tuning(), now)
        _take(database, pipeline, entries[:32])
        started = time.process_time()
        for start in range(32, len(entries), ENTRIES_A_TRANSACTION):
            _take(database, pipeline, entries[start : start + ENTRIES_A_TRANSACTION])
        spent = time.process_time() - started
        database.close()
    return spent


def _take(database: Database, pipeline: Pipeline, entries: Sequence[Entry]) -> None:
    with database.write() as connection:
        acceptance.accept(connection, entries, seen=[now()] * len(entries))
    for _ in pipeline.place_waiting():
        pass


# The command `ingest`, which prints at its end the CPU seconds of rendering, of its process, and of its workers
INGEST = """
import resource, sys, time
from aggregator.__main__ import main
from aggregator.admin.ingest import ingest_files
spent, render = 0.0, ingest_files.render_next
ingest_files.RENDER_SECONDS = 1e9
def timed(*given, **more):
    global spent
    began = time.thread_time()
    try:
        return render(*given, **more)
    finally:
        spent += time.thread_time() - began
ingest_files.render_next = timed
def cpu(whose):
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime
try:
    main()
finally:
    print(spent, cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN), file=sys.stderr)
"""


def text_in(data: Path, server: str | None) -> None:
    paths = [data / f"events-{name}.jsonl.gz" for name in ("fulltext", "stream")]
    lines = [
        line
        for path in paths
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    texts = [json.loads(line)["text"] for line in lines]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as made:
        url = (
            f"sqlite:///{folder}/bench.db"
            if server is None
            else made.enter_context(own_database(server))
        )
        command = [
            sys.executable,
            "-c",
            INGEST,
            "--database",
            url,
            "ingest",
            *map(str, paths),
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=folder
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        database = Database(url)
        with database.read() as connection:
            several = story.c.redirect_to.is_(None) & (story.c.article_count > 1)
            stories, rendered = connection.execute(
                select(func.count(), func.count(story.c.text)).where(several)
            ).one()
        database.close()
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rendering = float(run.stderr.split()[-3])
    began = time.process_time()
    datasketch_loop(texts)
    bare = time.process_time() - began
    count, placing = len(texts), whole - rendering
    print(
        f"one ingest of {count} texts, CPU of the tree: placed and indexed {count / placing:.0f} a second "
        f"({1e3 * placing / count:.2f} ms), rendered as well {count / whole:.0f} ({rendered} of {stories} "
        f"stories of several articles); datasketch {1e3 * bare / count:.2f} ms a text: placed "
        f"{placing / bare:.1f}, rendered {whole / bare:.1f} times its cost"
    )


def datasketch_loop(texts: Sequence[str]) -> None:
    """Use datasketch as in a textbook: word 3-shingles, MinHash of 128 permutations, LSH query and insert."""
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=0.5, num_perm=128)
    for number, one in enumerate(texts):
        words = one.lower().split()
        sketch = MinHash(num_perm=128)
        sketch.update_batch(
            {
                " ".join(words[at : at + 3]).encode()
                for at in range(max(1, len(words) - 2))
            }
        )
        lsh.query(sketch)
        lsh.insert(str(number), sketch)


@contextmanager
def own_database(server: str) -> Iterator[str]:
    url, name = make_url(server), f"bench_{os.getpid()}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def pages_in(data: Path) -> None:
    pages = [
        gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        for folder in ("pages", "pages-world")
        for path in sorted((data / folder / "html").glob("*.html.gz"))
    ]
    entries = [
        Entry(source="bench", guid=str(number), html=page, is_page=True)
        for number, page in enumerate(pages)
    ]
    whole = bare = 0.0
    for _ in range(ROUNDS):
        whole += place_all(entries)
        bare += bare_loop(pages)
    counted = ROUNDS * (len(pages) - 32)
    print(
        f"pages in, stored story out: {counted / whole:5.1f} a second of CPU, bare extraction "
        f"{counted / bare:5.1f}: ratio {bare / whole:.2f}"
    )


def bare_loop(pages: Sequence[str]) -> float:
    from trafilatura import bare_extraction

    for page in pages[:32]:
        bare_extraction(page, include_comments=False, with_metadata=True)
    started = time.process_time()
    for page in pages[32:]:
        bare_extraction(page, include_comments=False, with_metadata=True)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("AGGREGATOR_DATA", "../shared/data")),
    )
    parser.add_argument(
        "--database", help="of a Postgres server, on which an own database is made"
    )
    parser.add_argument("--texts-only", action="store_true")
    given = parser.parse_args()
    text_in(given.data.resolve(), given.database)
    if not given.texts_only:
        pages_in(given.data)


if __name__ == "__main__":
    main()
