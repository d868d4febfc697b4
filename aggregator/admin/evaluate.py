"""`aggregator eval`: runs the pipeline on labelled articles in a temporary database, and measures the result.

Records are placed in the order of their times (an undated record follows the record before it in the file),
and their times are the clock of the run. Each record is a separate article, whatever its text or identity,
and none is rejected: a bad record is a story of its own.

Corrections are a second source of labels: a person who corrected a story has read it, so the articles that
active corrections name are labelled with their present story.
"""

import datetime as dt
import itertools
import os
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from aggregator.admin.bcubed import (
    GroupingMetrics,
    OutletMetrics,
    SagaMetrics,
    Score,
    WrongGroup,
    measure,
    measure_copies,
    measure_outlets,
    measure_sagas,
    wrong_groups,
)
from aggregator.config.tuning import Tuning
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.shown_text import first_sentences
from aggregator.intake.jobs import PARSER_FAILED
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.factory import open_executor
from aggregator.model.core import SCORED_STAGES, FrozenStruct, utc_now
from aggregator.model.errors import ReadError, UsageError
from aggregator.sources.parse.records.jsonl import LabelledRecord, read_labelled
from aggregator.sources.parse.records.record_keys import Field
from aggregator.sources.parse.records.table_file import Row, read_rows
from aggregator.sources.parse.streams.file_stream import (
    Progress,
    bounded_lines,
    opened,
    unzipped,
)
from aggregator.sources.parse.streams.folder_scan import suffix_of
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox
from aggregator.store.migrate import upgrade
from aggregator.store.stories import article_views, articles, corrections
from aggregator.text.sentences import paragraphs


def labels(database: Database) -> dict[str, str]:
    """Return the story of each article that an active correction names, by article id."""
    with database.read() as connection:
        constrained = {one.article for one in corrections.all_constraints(connection)}
        return articles.assigned_stories(connection, constrained)


def labelled_records(database: Database) -> Iterator[bytes]:
    """Yield one line of a dataset for each labelled article, with its text, in the order of the ids."""
    assigned_stories = labels(database)
    with database.read() as connection:
        for view in article_views.views_with_text(connection, assigned_stories):
            record = {
                "id": view.id,
                "lang": view.language,
                "source": view.outlet,
                "url": view.url,
                "published": view.published,
                "title": view.title,
                "text": view.text,
                "cluster": assigned_stories[view.id],
            }
            yield msgspec.json.encode(record) + b"\n"


STANDARD_INPUT = "-"

_LINE_BYTES = 10 * 1024 * 1024
_ENTRIES_A_TRANSACTION = 400
_REASON_CHARS = 160  # reasons with the same beginning are counted together
# Verdicts of texts whose job failed
_WORKER_VERDICTS = frozenset({"timeout", "memory"})


class Assignment(FrozenStruct, omit_defaults=False):
    """The story of one record of the dataset: a line of `--assignments`."""

    id: str
    story: str  # a name within this run
    copy_of: str | None  # the id of the record that it is a copy of
    # In logits, with which it joined its story; None of its first record and of copies
    score: float | None


class MonthEvaluation(FrozenStruct, omit_defaults=False):
    """The quality of the grouping of one month of news whose sagas are labelled, measured by itself."""

    month: str  # "2012-06"
    metrics: SagaMetrics
    # Without comments (columns, analyses, lists), and without what readers may label otherwise: where a
    # comment stands is no fault of a story, and half of the events of a month hold some.
    sure_reports: SagaMetrics


class Evaluation(FrozenStruct, omit_defaults=False):
    """What `aggregator eval DATASET` prints."""

    labelled: GroupingMetrics | None  # None: no article has a label
    dataset: str
    articles: int
    stories: int
    by_outlets: OutletMetrics | None  # None: no record has a cluster and an outlet
    months: tuple[MonthEvaluation, ...]  # () if no record has a saga
    mixed_stories: list[WrongGroup]  # stories whose records are of several clusters
    split_events: list[WrongGroup]  # clusters whose records are in several stories
    copies: Score | None  # None: no record has `copy_of`
    copies_found: int
    # Articles without a fingerprint, each a story of its own, by reason
    not_read: dict[str, int]
    failed_jobs: int  # articles that were not read because the job of a worker failed
    # Records with the id of an earlier record; each is measured separately
    repeated_ids: int
    seconds: float
    articles_per_second: float
    articles_per_cpu_second: float  # of this process and its workers
    peak_memory_mib: float  # of the largest process, since the start of the command
    rules_version: str


class CorrectionsEvaluation(FrozenStruct, omit_defaults=False):
    """What `aggregator eval --from-corrections` prints."""

    labelled: GroupingMetrics | None  # None: no article has a label
    articles: int  # with a cluster from corrections
    # Of these, without a story now, for example after retention; they are not measured
    gone: int


LoosePairs = frozenset[frozenset[str]]  # of ids that may be in one story or not


def read_loose(name: str) -> LoosePairs:
    """Read a file of loose groups, of which a line is {"ids": [...]}; "" for none.

    Raises UsageError for another format or a file that cannot be read.
    """
    if not name:
        return frozenset()
    try:
        lines = Path(name).read_bytes().splitlines()
        groups = [
            msgspec.json.decode(line, type=_LooseGroup).ids
            for line in lines
            if line.strip()
        ]
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{name}: {error}") from error
    return frozenset(
        frozenset(pair) for ids in groups for pair in itertools.combinations(ids, 2)
    )


class _LooseGroup(msgspec.Struct):
    ids: list[str]


# --- reading a dataset -------------------------------------------------------------------------------------


def read_dataset(
    path: Path | str,
    stdin: BinaryIO | None = None,
    chosen: Mapping[Field, str] | None = None,
) -> list[LabelledRecord]:
    """Read a JSONL file or a table (also .gz, .zst; "-" is standard input).

    Returns the records in placing order. `chosen`: keys that `--map` names, by field. Raises UsageError if
    the file does not exist, is damaged, or has no record that can be read.
    """
    name, chosen = dataset_name(path), chosen or {}
    records: list[LabelledRecord] = []
    try:
        is_stdin = str(path) == STANDARD_INPUT
        source = (
            unzipped(stdin or sys.stdin.buffer, Progress())
            if is_stdin
            else opened(path, Progress())
        )
        with source as stream:
            rows: Iterator[tuple[int, bytes | Row | str | None]] = bounded_lines(
                stream, _LINE_BYTES
            )
            if suffix_of(name) in (".csv", ".tsv"):
                rows = read_rows(stream, _LINE_BYTES, chosen)
            for number, row in rows:
                given = row if isinstance(row, bytes | dict) else b""
                record = read_labelled(
                    given, file_name=name, line_number=number, chosen=chosen
                )
                if not given:
                    problem = (
                        row or f"the line is longer than {_LINE_BYTES // 2**20} MiB"
                    )
                    record = replace(record, problem=problem)
                records.append(record)
    except ReadError as error:
        raise UsageError(f"{name}: {error}") from error
    if not records:
        raise UsageError(f"{name}: no records; write one JSON object per line")
    if all(record.problem for record in records):
        raise UsageError(
            f"{name}: none of its records can be read; the first: {records[0].problem}"
        )
    return in_order_of_time(records)


def dataset_name(path: Path | str) -> str:
    """Return the name of the dataset, which is the name of its file. Raises UsageError if there is none."""
    if str(path) == STANDARD_INPUT:
        return "stdin"
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for impossible names
        raise UsageError(f"{path}: there is no such file")
    if Path(path).is_dir():
        raise UsageError(f"{path}: this is a folder; eval reads files")
    return Path(path).name


def in_order_of_time(records: Sequence[LabelledRecord]) -> list[LabelledRecord]:
    """Return the records in the order in which they are placed."""
    times, last = [], dt.datetime.min.replace(tzinfo=dt.UTC)
    for record in records:
        last = record.entry.published.time if record.entry.published else last
        times.append(last)
    return [
        records[number] for number in sorted(range(len(records)), key=times.__getitem__)
    ]


# --- running -----------------------------------------------------------------------------------------------


class _EvaluatedRecord(FrozenStruct):
    """One record and its result. `key` is its number in placing order, because ids may repeat."""

    key: str
    record: LabelledRecord
    result: inbox.EntryResult
    score: float | None

    @property
    def story(self) -> str:
        # It got no fingerprint; `result` has the reason
        return self.result.story or f"alone-{self.key}"


def evaluate(
    records: Sequence[LabelledRecord],
    all_tuning: Tuning,
    *,
    executor: str,
    workers: int,
    progress: Callable[[int], None] = lambda _: None,
    dataset: str = "",
    loose: LoosePairs = frozenset(),
    pages_late: bool = False,
) -> tuple[Evaluation, list[Assignment]]:
    """Run the pipeline over `records`; the assignments are in the order of `records`.

    `pages_late`: place all leads first and all texts afterwards.
    """
    started, cpu_before = time.perf_counter(), _cpu_seconds()
    with tempfile.TemporaryDirectory(prefix="aggregator-eval-") as folder:
        database = Database(f"sqlite:///{folder}/eval.db")
        work = open_executor(executor, workers, all_tuning)
        try:
            upgrade(database)
            pipeline = Pipeline(database, work, all_tuning, utc_now, keep_all=True)
            leads = leads_of(records, all_tuning) if pages_late else records
            numbers = place_records(leads, database, pipeline, progress)
            if pages_late:
                place_records(records, database, pipeline, progress, leads=leads)
            seconds = time.perf_counter() - started
            with database.read() as connection:
                evaluated = _evaluated_records(connection, records, numbers)
        finally:
            work.close()
            database.close()
    cpu = _cpu_seconds() - cpu_before
    result = _evaluation(
        evaluated, all_tuning, dataset, seconds=seconds, cpu=cpu, loose=loose
    )
    return result, _assignments(evaluated)


def place_records(
    records: Sequence[LabelledRecord],
    database: Database,
    pipeline: Pipeline,
    progress: Callable[[int], None],
    *,
    leads: Sequence[LabelledRecord] | None = None,
) -> list[int]:
    """Place all records at their times; return their entry numbers.

    `leads`: the same records as they are placed already; those with another text are placed as late pages.
    """
    numbers: list[int] = []
    dated = (
        record.entry.published.time
        for record in records
        if record.entry.published is not None
    )
    seen = min(dated, default=utc_now())
    for start in range(0, len(records), _ENTRIES_A_TRANSACTION):
        chunk = records[start : start + _ENTRIES_A_TRANSACTION]
        entries, times = [], []
        for offset, record in enumerate(chunk):
            if leads is not None and record.entry == leads[start + offset].entry:
                continue
            seen = record.entry.published.time if record.entry.published else seen
            times.append(seen)
            # The number in the file is the identity, so that no record counts as known.
            # Outlets are sources, as if each had a feed; so is each record of unknown outlet.
            source = record.entry.outlet or f"eval {start + offset}"
            identity = {
                "source": source,
                "guid": str(start + offset),
                "authority": "foreign",
            }
            entries.append(replace(record.entry, **identity))
        with database.write() as connection:
            accepted = inbox.accept(
                connection,
                entries,
                seen=times,
                always_new=True,
                is_late_page=leads is not None,
            )
        numbers += [
            item.entry_no for item in accepted.accepted if item.entry_no is not None
        ]
        for placed in pipeline.place_waiting():
            progress(len(placed))
    return numbers


def leads_of(
    records: Sequence[LabelledRecord], all_tuning: Tuning
) -> list[LabelledRecord]:
    """Return the records with the first sentences of their texts only, as a feed has them."""
    words = all_tuning.section("text", ExtractTuning).lead_words
    leads = []
    for record in records:
        text = record.entry.text
        lead = text and first_sentences(paragraphs(text), words)
        entry = replace(record.entry, text=lead)
        leads.append(replace(record, entry=entry))
    return leads


def _evaluated_records(
    connection: Connection, records: Sequence[LabelledRecord], numbers: Sequence[int]
) -> list[_EvaluatedRecord]:
    results = {one.entry_no: one for one in inbox.results(connection, numbers)}
    evaluated = []
    for number, (entry_no, record) in enumerate(zip(numbers, records, strict=True)):
        result, score = results[entry_no], None
        if result.story is not None:
            evidence = articles.evidence_of(connection, result.article)
            score = evidence.score if evidence.stage in SCORED_STAGES else None
        evaluated.append(
            _EvaluatedRecord(
                key=f"{number:09}", record=record, result=result, score=score
            )
        )
    return evaluated


# --- measuring ---------------------------------------------------------------------------------------------


def _evaluation(
    records: Sequence[_EvaluatedRecord],
    all_tuning: Tuning,
    dataset: str,
    *,
    seconds: float,
    cpu: float,
    loose: LoosePairs,
) -> Evaluation:
    stories = {one.key: one.story for one in records}
    clusters = {
        one.key: one.record.cluster for one in records if one.record.cluster is not None
    }
    found_copies, labelled_copies = _copies_of(records), _labelled_copies(records)
    unread = [one for one in records if one.result.story is None]
    story_of_id = {one.record.id: one.story for one in records}
    event_of_id = {
        one.record.id: one.record.cluster
        for one in records
        if one.record.cluster is not None
    }
    outlets = {
        one.record.id: one.record.entry.outlet
        for one in records
        if one.record.entry.outlet
    }
    titles = {one.record.id: one.record.entry.title for one in records}
    return Evaluation(
        labelled=measure(stories, clusters) if clusters else None,
        dataset=dataset,
        articles=len(records),
        stories=len(set(stories.values())),
        by_outlets=measure_outlets(story_of_id, event_of_id, outlets, loose)
        if outlets and event_of_id
        else None,
        months=_months(records),
        mixed_stories=wrong_groups(story_of_id, event_of_id, titles, loose),
        split_events=wrong_groups(event_of_id, story_of_id, titles, loose),
        copies=measure_copies(found_copies, labelled_copies)
        if any(labelled_copies.values())
        else None,
        copies_found=sum(original is not None for original in found_copies.values()),
        not_read=dict(Counter(map(_reason, unread)).most_common()),
        failed_jobs=sum(map(_has_failed, unread)),
        repeated_ids=len(records) - len({one.record.id for one in records}),
        seconds=seconds,
        articles_per_second=len(records) / seconds,
        articles_per_cpu_second=len(records) / cpu if cpu else 0.0,
        peak_memory_mib=max(resource.getrusage(who).ru_maxrss for who in _WHO) / 1024,
        rules_version=all_tuning.version,
    )


def _months(records: Sequence[_EvaluatedRecord]) -> tuple[MonthEvaluation, ...]:
    """Measure each month by itself, if sagas are labelled."""
    if not any(one.record.saga for one in records):
        return ()
    months = defaultdict(list)
    for one in records:
        if one.record.entry.published is not None and one.record.cluster is not None:
            months[one.record.entry.published.time.strftime("%Y-%m")].append(one)
    return tuple(
        MonthEvaluation(
            month=month,
            metrics=_saga_metrics(month_records),
            sure_reports=_saga_metrics(
                [one for one in month_records if one.record.is_sure_report]
            ),
        )
        for month, month_records in sorted(months.items())
    )


def _saga_metrics(records: Sequence[_EvaluatedRecord]) -> SagaMetrics:
    return measure_sagas(
        {one.key: one.story for one in records},
        {
            one.key: one.record.cluster
            for one in records
            if one.record.cluster is not None
        },
        {one.key: one.record.saga for one in records if one.record.saga is not None},
    )


def evaluate_corrections(
    assigned: Mapping[str, str], clusters: Mapping[str, str]
) -> CorrectionsEvaluation:
    """Measure the grouping without corrections against the corrected one.

    `assigned` has the story of each article without corrections, `clusters` its story with them.
    """
    return CorrectionsEvaluation(
        labelled=measure(assigned, clusters) if clusters else None,
        articles=len(clusters),
        gone=len(clusters.keys() - assigned.keys()),
    )


def _copies_of(records: Sequence[_EvaluatedRecord]) -> dict[str, str | None]:
    """Return the key of the original that the program found, by key; None if it is no copy."""
    key_of = {one.result.article: one.key for one in records}
    return {one.key: key_of.get(one.result.copy_of or "") for one in records}


def _labelled_copies(records: Sequence[_EvaluatedRecord]) -> dict[str, str | None]:
    """Return the key of the labelled original, by key; None if it is no copy.

    An id stands for the first record with it; an original that is not in the dataset gets a key of its own.
    """
    key_of: dict[str, str] = {}
    for one in records:
        key_of.setdefault(one.record.id, one.key)
    copy_links = {one.key: one.record.copy_of for one in records}
    return {
        key: key_of.get(original, f"?{original}") if original else None
        for key, original in copy_links.items()
    }


def _reason(one: _EvaluatedRecord) -> str:
    """Return why an article got no fingerprint."""
    why = (
        one.record.problem
        or one.result.reason
        or one.result.verdict
        or "it was not placed"
    )
    return why[:_REASON_CHARS]


def _has_failed(one: _EvaluatedRecord) -> bool:
    """Whether the job of an article failed in its worker."""
    return one.result.verdict in _WORKER_VERDICTS or (
        one.result.reason or ""
    ).startswith(PARSER_FAILED)


def _assignments(records: Sequence[_EvaluatedRecord]) -> list[Assignment]:
    id_of = {one.key: one.record.id for one in records}
    copy_links = _copies_of(records)
    # Of a copy of a copy the original, which came earlier
    for key, original in copy_links.items():
        copy_links[key] = copy_links.get(original or "") or original
    return [
        Assignment(
            id=one.record.id,
            story=one.story,
            copy_of=id_of.get(copy_links[one.key] or ""),
            score=one.score,
        )
        for one in records
    ]


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu_seconds() -> float:
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, _WHO))
