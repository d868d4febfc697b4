"""What each stage costs an article, and which of them more machines can share (docs/scale.md).

    python -m benchmarks.scale [--data ../shared/data] [--url postgresql://USER@HOST/EMPTY] [--articles 600]

CPU milliseconds an article: accepting it, preparing its text or page (what workers do, here or elsewhere),
placing it (what the one writer does), indexing it and telling its story. On the clock the writer also waits
for the disk. One process, one job after the other; other programs blur the clock more than the CPU.
"""

import argparse
import datetime as dt
import gzip
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.grouping.place import Placer
from aggregator.intake.jobs import PrepareItem, PrepareJob, PrepareResult, prepare
from aggregator.model.core import Entry
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.files import InputEntry, open_source
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.migrate import upgrade
from aggregator.store.search import index
from aggregator.store.stories.rendered_stories import render_next
from aggregator.stories.tuning import StoryTuning

WARM = 32
AT_ONCE = 32


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Costs:
    """CPU and clock of each stage, in seconds."""

    def __init__(self) -> None:
        self.cpu = defaultdict[str, float](float)
        self.clock = defaultdict[str, float](float)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        began, clock = time.process_time(), time.perf_counter()
        yield
        self.cpu[stage] += time.process_time() - began
        self.clock[stage] += time.perf_counter() - clock


def texts(data: Path, most: int) -> list[Entry]:
    found = open_source(data / "events-fulltext.jsonl.gz", tuning=source_tuning(Tuning()), seen=now())
    return [one.entry for one in found if isinstance(one, InputEntry)][:most]


def pages(data: Path) -> list[Entry]:
    return [
        Entry(source="bench", guid=path.name, is_page=True, html=_text_of(path))
        for folder in ("pages", "pages-world")
        for path in sorted((data / folder / "html").glob("*.html.gz"))
    ]


def _text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode("utf-8", "replace")


def measured(database: Database, entries: Sequence[Entry], kind: str) -> Costs:
    """Everything from accepted to told, a part of `entries` at a time."""
    all_tuning, costs = Tuning(), Costs()
    placing = Placer(database, all_tuning, now)
    for start in range(0, len(entries), AT_ONCE):
        if start == WARM:
            costs = Costs()  # libraries are loaded
        part = entries[start : start + AT_ONCE]
        with costs.of("accept"), database.write() as connection:
            inbox.accept(connection, part, seen=[now()] * len(part))
        with database.read() as connection:
            waiting = inbox.ready(connection, AT_ONCE)
        items = tuple(PrepareItem(entry=one.entry, seen=one.accepted_at) for one in waiting)
        with costs.of(f"prepare, {kind}"):
            answer = prepare(msgspec.msgpack.encode(PrepareJob(items=items)))
        prepared = msgspec.msgpack.decode(answer, type=PrepareResult).prepared
        with costs.of("place"):
            placing.place(list(zip(waiting, prepared, strict=True)))
    with costs.of("index"), database.write() as connection:
        while index.index_next(connection, 200):
            pass
    with costs.of("tell"):
        while render_next(database, 20, all_tuning.section("stories", StoryTuning)):
            pass
    return costs


def show(costs: Costs, articles: int) -> None:
    for stage, seconds in costs.cpu.items():
        clock = costs.clock[stage]
        cpu, waited = 1e3 * seconds / articles, 1e3 * clock / articles
        print(f"{stage:16}{cpu:8.2f} ms of CPU {waited:8.2f} ms on the clock")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("AGGREGATOR_DATA", "../shared/data"))
    )
    parser.add_argument("--url", help="an empty database instead of a SQLite file of its own")
    parser.add_argument("--articles", type=int, default=600)
    chosen = parser.parse_args()
    for kind, entries in (("text", texts(chosen.data, chosen.articles)), ("page", pages(chosen.data))):
        with tempfile.TemporaryDirectory() as folder:
            database = Database(chosen.url or f"sqlite:///{folder}/scale.db")
            upgrade(database)
            costs = measured(database, entries, kind)
            database.close()
        count = len(entries) - WARM
        print(f"{count} articles from {'records' if kind == 'text' else 'pages'}")
        show(costs, count)
        mine = sum(seconds for stage, seconds in costs.cpu.items() if not stage.startswith("prepare"))
        print(f"the one writer: {1e3 * mine / count:.1f} ms, {count / mine:.0f} articles a second at most")
        print(f"beside each CPU second of it: {costs.cpu[f'prepare, {kind}'] / mine:.1f} of workers\n")


if __name__ == "__main__":
    main()
