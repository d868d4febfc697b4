"""`aggregator eval`: the daemon's own pipeline on labelled articles, in a scratch database.

Records go in the order of their times (an undated one keeps its place behind the record before it), and the
clock of the run is the records' own. Every record is an article of its own, whatever its text or identity,
and nothing is refused: a bad record is its own story.
"""

import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from aggregator.dedup.measures import (
    Fault,
    Report,
    Score,
    measure,
    measure_copies,
    worst_merges,
    worst_misses,
)
from aggregator.errors import UsageError
from aggregator.model import Noun
from aggregator.pipeline import Pipeline
from aggregator.rules import RuleBook
from aggregator.sources.opening import Progress, bounded_lines, opened
from aggregator.sources.records import Labelled, read_labelled
from aggregator.store import inbox
from aggregator.store.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.reading import Assigned, assignments
from aggregator.work.executor import open_executor

_LINE_BYTES = 10 * 1024 * 1024
_ENTRIES_A_TRANSACTION = 400
_WORST_LISTED = 10
_SUMMARY_WORDS = 60


class Assignment(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """Where one record of the dataset went: a line of `--assignments`."""

    id: str
    story: str
    copy_of: str | None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What `aggregator eval` prints."""

    articles: int
    stories: int
    labelled: Report | None  # None: no record has a label
    copies: Score | None  # None: the data carries no `copy_of`
    copies_found: int
    worst_merges: tuple[Fault, ...]
    worst_misses: tuple[Fault, ...]
    seconds: float
    cpu_seconds: float  # of this process and its workers
    articles_per_second: float
    articles_per_cpu_second: float
    peak_memory_mib: float  # of the largest process
    rules_version: str


def read_dataset(path: Path) -> list[Labelled]:
    """All records of a JSONL file (also .gz, .zst), in the order `eval` takes them.

    Raises UsageError where there is no such file or no line in it.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    records = []
    with opened(path, Progress()) as stream:
        for number, line in enumerate(bounded_lines(stream, _LINE_BYTES), start=1):
            if line is None or line.strip():
                records.append(read_labelled(line or b"", file_name=path.name, line_number=number))
    if not records:
        raise UsageError(f"{path}: there is no record in it; give one JSON object a line")
    return _in_time(records)


def _in_time(records: Sequence[Labelled]) -> list[Labelled]:
    keyed = []
    last = dt.datetime.min.replace(tzinfo=dt.UTC)
    for number, record in enumerate(records):
        if record.entry.published is not None:
            last = record.entry.published.time
        keyed.append((last, number, record))
    return [record for _, _, record in sorted(keyed, key=lambda item: item[:2])]


def evaluate(
    records: Sequence[Labelled],
    book: RuleBook,
    *,
    executor: str,
    workers: int,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Evaluation, list[Assignment]]:
    """Run the pipeline over `records`; the assignments are in the order of `records`."""
    started, cpu_before = time.perf_counter(), _cpu_seconds()
    with tempfile.TemporaryDirectory(prefix="aggregator-eval-") as folder:
        database = Database(f"sqlite:///{folder}/eval.db")
        work = open_executor(executor, workers, book)
        try:
            upgrade(database)
            numbers = _run(records, database, Pipeline(
                database, work, book, _clock, summary_words=_SUMMARY_WORDS, keep_all=True
            ), progress)  # fmt: skip
            with database.read() as connection:
                placed = assignments(connection)
        finally:
            work.close()
            database.close()
    seconds, cpu = time.perf_counter() - started, _cpu_seconds() - cpu_before
    assigned = _assignments(records, numbers, placed)
    return _evaluation(records, assigned, seconds, cpu, book), assigned


def _clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _run(
    records: Sequence[Labelled],
    database: Database,
    pipeline: Pipeline,
    progress: Callable[[int], None],
) -> list[int]:
    """Place all records; returns the numbers of their entries."""
    numbers: list[int] = []
    seen = _clock()
    dated = [record.entry.published.time for record in records if record.entry.published is not None]
    if dated:
        seen = min(dated)
    for start in range(0, len(records), _ENTRIES_A_TRANSACTION):
        chunk = records[start : start + _ENTRIES_A_TRANSACTION]
        entries, times = [], []
        for offset, record in enumerate(chunk):
            seen = record.entry.published.time if record.entry.published else seen
            times.append(seen)
            # Nothing may be known twice: the place in the file is the identity.
            own = {"source": "eval", "guid": str(start + offset), "authority": "foreign"}
            entries.append(msgspec.structs.replace(record.entry, **own))
        with database.write() as connection:
            accepted = inbox.accept(connection, entries, seen=times, always_new=True)
        numbers += [item.n for item in accepted if item.n is not None]
        for placed in pipeline.place_waiting():
            progress(len(placed))
    return numbers


def _assignments(
    records: Sequence[Labelled], numbers: Sequence[int], placed: Sequence[Assigned]
) -> list[Assignment]:
    by_entry = {one.n: one for one in placed}
    id_of = {
        by_entry[n].article: record.id for n, record in zip(numbers, records, strict=True) if n in by_entry
    }
    found = []
    for n, record in zip(numbers, records, strict=True):
        one = by_entry.get(n)
        twin = id_of.get(one.copy_of) if one is not None and one.copy_of else None
        found.append(Assignment(id=record.id, story=one.story if one else f"alone-{n}", copy_of=twin))
    return found


def _evaluation(
    records: Sequence[Labelled],
    assigned: Sequence[Assignment],
    seconds: float,
    cpu: float,
    book: RuleBook,
) -> Evaluation:
    stories = {one.id: one.story for one in assigned}
    clusters = {record.id: record.cluster for record in records if record.cluster is not None}
    twins = {record.id: record.copy_of for record in records}
    report = measure(stories, clusters) if clusters else None
    return Evaluation(
        articles=len(records),
        stories=len(set(stories.values())),
        labelled=report,
        copies=measure_copies({one.id: one.copy_of for one in assigned}, twins)
        if any(twins.values())
        else None,
        copies_found=sum(one.copy_of is not None for one in assigned),
        worst_merges=tuple(worst_merges(stories, clusters, _WORST_LISTED)),
        worst_misses=tuple(worst_misses(stories, clusters, _WORST_LISTED)),
        seconds=seconds,
        cpu_seconds=cpu,
        articles_per_second=len(records) / seconds,
        articles_per_cpu_second=len(records) / cpu if cpu else 0.0,
        peak_memory_mib=max(resource.getrusage(who).ru_maxrss for who in _WHO) / 1024,
        rules_version=book.version,
    )


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu_seconds() -> float:
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, _WHO))
