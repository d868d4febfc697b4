"""`aggregator eval`: runs the pipeline on labelled articles in a temporary database, and measures the result.

Records are placed in the order of their times (an undated record follows the record before it in the file),
and are accepted at these times. Each record is a separate article, even if another has its text or address,
and none is rejected: a record that cannot be read is a story of its own.

Corrections are another source of labels. A person who corrected a story has read it, so the articles that
active corrections name are labelled with their present story.
"""

import tempfile
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from aggregator.admin.bcubed import (
    Groups,
    measure,
)
from aggregator.admin.evaluation import (
    Assignment,
    CorrectionsEvaluation,
    EvaluatedRecord,
    Evaluation,
    assignments,
    evaluation,
)
from aggregator.admin.labelled_data import LoosePairs
from aggregator.admin.storyline_measures import read_affairs
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.shown_text import first_sentences
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.factory import open_executor
from aggregator.model.clock import utc_now
from aggregator.sources.parse.records.jsonl import LabelledRecord
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance, inbox
from aggregator.store.migrate import upgrade
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import stored_articles, storyline_rows
from aggregator.text.sentences import paragraphs

_ENTRIES_A_TRANSACTION = 400


def evaluate(
    records: Sequence[LabelledRecord],
    all_tuning: Tuning,
    *,
    executor: str,
    workers: int,
    progress: Callable[[int], None] = lambda _: None,
    dataset: str = "",
    loose: LoosePairs = frozenset(),
    affairs: str = "",
    pages_late: bool = False,
) -> tuple[Evaluation, list[Assignment]]:
    """Run the pipeline on `records`; return the figures, and the assignments in the order of `records`.

    `affairs` is the file of labelled affairs; if it is "", the sagas of the records are used. `pages_late` places all
    leads first and all texts afterwards. Raises UsageError for a file that cannot be read.
    """
    labels, loose_affairs = read_affairs(affairs) if affairs else (None, frozenset())
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
            with database.read() as connection:
                results = inbox.results(connection, numbers)
                lines = storyline_rows.lines_of_articles(
                    connection, {result.article for result in results}
                )
                evaluated = []
                seen = set()
                for number, (result, record) in enumerate(
                    zip(results, records, strict=True)
                ):
                    score = None
                    if result.story is not None:
                        score = stored_articles.read_evidence(
                            connection, result.article
                        ).score
                    evaluated.append(
                        EvaluatedRecord(
                            key=f"{record.id} {number}"
                            if record.id in seen
                            else record.id,
                            record=record,
                            result=result,
                            score=score,
                            storyline=lines.get(result.article),
                        )
                    )
                    seen.add(record.id)
            ranked = StoryReader(database, all_tuning).rank_front_page(StoryFilter())
        finally:
            work.close()
            database.close()
    return evaluation(
        evaluated,
        all_tuning,
        dataset,
        loose=loose,
        ranked=[story.id for story in ranked],
        affairs=labels,
        loose_affairs=loose_affairs,
    ), assignments(evaluated)


def place_records(
    records: Sequence[LabelledRecord],
    database: Database,
    pipeline: Pipeline,
    progress: Callable[[int], None],
    *,
    leads: Sequence[LabelledRecord] | None = None,
    first: int = 0,
) -> list[int]:
    """Place all records at their times; return their entry numbers.

    `first` is the number of the first record in the file, for a file that is placed in several calls. `leads` are the
    same records as they were placed before; records that differ from them are placed as late pages.
    """
    numbers: list[int] = []
    seen = min(
        (
            record.entry.published.time
            for record in records
            if record.entry.published is not None
        ),
        default=utc_now(),
    )
    for start in range(0, len(records), _ENTRIES_A_TRANSACTION):
        entries = []
        times = []
        chunk = records[start : start + _ENTRIES_A_TRANSACTION]
        for number, record in enumerate(chunk, start):
            if leads is not None and record.entry == leads[number].entry:
                continue
            if record.entry.published:
                seen = record.entry.published.time
            times.append(seen)
            # The number of a record in the file is its identity, so that no record counts as known. Each outlet is a
            # source, as if it had one feed, and so is each record without an outlet.
            entries.append(
                replace(
                    record.entry,
                    source=record.entry.outlet or f"eval {number}",
                    guid=str(first + number),
                    authority="foreign",
                )
            )
        with database.write() as connection:
            batch = acceptance.accept(
                connection,
                entries,
                seen=times,
                always_new=True,
                is_late_page=leads is not None,
            )
        numbers += [
            result.entry_no for result in batch.accepted if result.entry_no is not None
        ]
        for placed in pipeline.place_waiting():
            progress(len(placed))
    return numbers


def leads_of(
    records: Sequence[LabelledRecord], all_tuning: Tuning
) -> list[LabelledRecord]:
    """Return the records with only the first sentences of their texts, as feeds have them."""
    words = all_tuning.section("text", ExtractTuning).lead_words
    leads = []
    for record in records:
        lead = record.entry.text and first_sentences(
            paragraphs(record.entry.text), words
        )
        leads.append(replace(record, entry=replace(record.entry, text=lead)))
    return leads


def evaluate_corrections(assigned: Groups, clusters: Groups) -> CorrectionsEvaluation:
    """Measure the grouping without corrections against the corrected one.

    `assigned` has the story of each article without corrections, `clusters` its story with them.
    """
    return CorrectionsEvaluation(
        labelled=measure(assigned, clusters) if clusters else None,
        articles=len(clusters),
        gone=len(clusters.keys() - assigned.keys()),
    )
