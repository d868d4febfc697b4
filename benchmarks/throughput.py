"""How many articles a second go all the way, from a JSON line or a page to a stored story.

    python -m benchmarks.throughput [--data ../shared/data]

Text: `events-fulltext.jsonl.gz` through the pipeline in one process, CPU seconds of that process. Pages: the
HTML of `pages` and `pages-world` through the same pipeline, beside a bare loop of
`trafilatura.bare_extraction` over the same pages, in turns in the same run; the ratio is the figure.
"""

import argparse
import datetime as dt
import gzip
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aggregator.config.tuning import effective_tuning
from aggregator.model.core import Entry
from aggregator.pipeline.pipeline import Pipeline
from aggregator.pipeline.workers.executor import InlineExecutor
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.files import InputEntry, open_source
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.migrate import upgrade

ENTRIES_A_TRANSACTION = 100
ROUNDS = 3  # of the pages, in turns: what else the machine does then counts on both


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def place_all(entries: Sequence[Entry]) -> float:
    """CPU seconds from accepting to the last committed story, imports warmed up on the first 32."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/bench.db")
        upgrade(database)
        pipeline = Pipeline(database, InlineExecutor(), effective_tuning(), now)
        _take(database, pipeline, entries[:32])
        started = time.process_time()
        for start in range(32, len(entries), ENTRIES_A_TRANSACTION):
            _take(database, pipeline, entries[start : start + ENTRIES_A_TRANSACTION])
        spent = time.process_time() - started
        database.close()
    return spent


def _take(database: Database, pipeline: Pipeline, entries: Sequence[Entry]) -> None:
    with database.write() as connection:
        inbox.accept(connection, entries, seen=[now()] * len(entries))
    for _ in pipeline.place_waiting():
        pass


def text_in(data: Path) -> None:
    found = open_source(
        data / "events-fulltext.jsonl.gz", tuning=source_tuning(effective_tuning()), seen=now()
    )
    entries = [item.entry for item in found if isinstance(item, InputEntry)]
    spent = place_all(entries)
    print(f"text in, stored story out: {(len(entries) - 32) / spent:6.0f} articles a second of CPU")


def pages_in(data: Path) -> None:
    pages = [
        gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        for folder in ("pages", "pages-world")
        for path in sorted((data / folder / "html").glob("*.html.gz"))
    ]
    entries = [
        Entry(source="bench", guid=str(number), html=page, is_page=True) for number, page in enumerate(pages)
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
        "--data", type=Path, default=Path(os.environ.get("AGGREGATOR_DATA", "../shared/data"))
    )
    data = parser.parse_args().data
    text_in(data)
    pages_in(data)


if __name__ == "__main__":
    main()
