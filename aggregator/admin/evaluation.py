"""The figures of one run of `aggregator eval`: how well the stories it made agree with the labels."""

import resource
from collections import Counter, defaultdict
from collections.abc import Sequence

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
from aggregator.admin.labelled_data import LoosePairs
from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import PARSER_FAILED
from aggregator.model.core import FrozenStruct
from aggregator.sources.parse.jsonl import LabelledRecord
from aggregator.store.intake import inbox

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


class EvaluatedRecord(FrozenStruct):
    """One record and its result. `key` is its number in placing order, because ids may repeat."""

    key: str
    record: LabelledRecord
    result: inbox.EntryResult
    score: float | None

    @property
    def story(self) -> str:
        # It got no fingerprint; `result` has the reason
        return self.result.story or f"alone-{self.key}"


def evaluation(
    records: Sequence[EvaluatedRecord],
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
        peak_memory_mib=max(resource.getrusage(who).ru_maxrss for who in WHO) / 1024,
        rules_version=all_tuning.version,
    )


def _months(records: Sequence[EvaluatedRecord]) -> tuple[MonthEvaluation, ...]:
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


def _saga_metrics(records: Sequence[EvaluatedRecord]) -> SagaMetrics:
    return measure_sagas(
        {one.key: one.story for one in records},
        {
            one.key: one.record.cluster
            for one in records
            if one.record.cluster is not None
        },
        {one.key: one.record.saga for one in records if one.record.saga is not None},
    )


def _copies_of(records: Sequence[EvaluatedRecord]) -> dict[str, str | None]:
    """Return the key of the original that the program found, by key; None if it is no copy."""
    key_of = {one.result.article: one.key for one in records}
    return {one.key: key_of.get(one.result.copy_of or "") for one in records}


def _labelled_copies(records: Sequence[EvaluatedRecord]) -> dict[str, str | None]:
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


def _reason(one: EvaluatedRecord) -> str:
    """Return why an article got no fingerprint."""
    why = (
        one.record.problem
        or one.result.reason
        or one.result.verdict
        or "it was not placed"
    )
    return why[:_REASON_CHARS]


def _has_failed(one: EvaluatedRecord) -> bool:
    """Whether the job of an article failed in its worker."""
    return one.result.verdict in _WORKER_VERDICTS or (
        one.result.reason or ""
    ).startswith(PARSER_FAILED)


def assignments(records: Sequence[EvaluatedRecord]) -> list[Assignment]:
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


WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
