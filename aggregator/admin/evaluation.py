"""The figures of one run of `aggregator eval`: how well the stories of the program agree with the labels."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from aggregator.admin.bcubed import (
    GroupingMetrics,
    Groups,
    MonthMetrics,
    OutletMetrics,
    Score,
    WrongGroup,
    measure,
    measure_copies,
    measure_month,
    measure_outlets,
    wrong_groups,
)
from aggregator.admin.labelled_data import LoosePairs
from aggregator.admin.storyline_measures import StorylineMetrics, measure_storylines
from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import PARSER_FAILED
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.records.jsonl import LabelledRecord
from aggregator.store.intake import inbox

_REASON_CHARS = 160  # reasons with the same beginning are counted together
# The verdicts of texts whose worker ran out of time or memory
_WORKER_VERDICTS = frozenset({"timeout", "memory"})


class Assignment(FrozenStruct, omit_defaults=False):
    """The story of one record of the dataset: a line of `--assignments`."""

    id: str
    # The name of the story within this run
    story: str
    # The id of the copied record
    copy_of: str | None
    # The score of joining the story, in logits; None for the first record of the story, for copies, and for
    # records brought by a merge
    score: float | None


class MonthEvaluation(FrozenStruct, omit_defaults=False):
    """The quality of the grouping of one month, for a dataset with labelled sagas."""

    month: str  # "2012-06"
    metrics: MonthMetrics
    # The same, without comments (columns, analyses, lists) and arguable labels. A misplaced comment is not a fault of a
    # story, and half of the events of a month contain comments.
    sure_reports: MonthMetrics


class Evaluation(FrozenStruct, omit_defaults=False):
    """What `aggregator eval DATASET` prints."""

    labelled: GroupingMetrics | None  # None: no article has a label
    dataset: str
    articles: int
    stories: int
    by_outlets: OutletMetrics | None  # None: no record has a cluster and an outlet
    storylines: StorylineMetrics
    months: tuple[MonthEvaluation, ...]  # () if no record has a saga
    mixed_stories: list[WrongGroup]  # stories whose records are of several clusters
    split_events: list[WrongGroup]  # clusters whose records are in several stories
    copies: Score | None  # None: no record has `copy_of`
    # Articles without a fingerprint, each a story of its own, by reason
    not_read: dict[str, int]
    failed_jobs: int  # articles that were not read because the job of a worker failed
    rules_version: str


class CorrectionsEvaluation(FrozenStruct, omit_defaults=False):
    """What `aggregator eval --from-corrections` prints."""

    # None if no article has a label
    labelled: GroupingMetrics | None
    # Articles with a cluster from corrections
    articles: int
    # How many of these articles have no story now, for example after retention, and are not measured
    gone: int


class EvaluatedRecord(FrozenStruct):
    """One record and its result.

    `key` is the id of the record. If an earlier record has the same id, its number in placing order is appended.
    """

    key: str
    record: LabelledRecord
    result: inbox.EntryResult
    score: float | None
    storyline: str | None = None

    @property
    def story(self) -> str:
        # Without a fingerprint, the record is a story of its own. `result` has the reason.
        return self.result.story or f"alone-{self.key}"


def evaluation(
    records: Sequence[EvaluatedRecord],
    all_tuning: Tuning,
    dataset: str,
    *,
    loose: LoosePairs,
    ranked: Sequence[str],
    affairs: Groups | None,
    loose_affairs: LoosePairs,
) -> Evaluation:
    """Return the quality of a grouping.

    Pairs of ids in `loose` (events) and `loose_affairs` count neither way. `ranked` are the ids of the stories of the
    front page, in order. If `affairs` is None, the sagas of the records are used.
    """
    stories, lines, clusters, sagas = {}, {}, {}, {}
    titles, outlets, times = {}, {}, {}
    labelled_copies: dict[str, str | None] = {}
    # The records of each event, and the outlets that report the event
    events = defaultdict(set)
    reporters = defaultdict(set)
    not_read = Counter[str]()
    failed_jobs = 0
    for one in records:
        key, record, result = one.key, one.record, one.result
        outlet = record.entry.outlet
        stories[key] = one.story
        lines[key] = one.storyline or one.story
        titles[key] = record.entry.title
        labelled_copies[key] = record.copy_of
        if outlet:
            outlets[key] = outlet
        if record.entry.published is not None:
            times[key] = record.entry.published.time
        if record.saga is not None:
            sagas[key] = record.saga
        if record.cluster is not None:
            clusters[key] = record.cluster
            events[record.cluster].add(key)
            reporters[record.cluster].add(outlet or key)
        if result.story is None:
            why = record.problem or result.reason or result.verdict
            not_read[(why or "it was not placed")[:_REASON_CHARS]] += 1
            has_died = (result.reason or "").startswith(PARSER_FAILED)
            failed_jobs += has_died or result.verdict in _WORKER_VERDICTS
    return Evaluation(
        labelled=measure(stories, clusters) if clusters else None,
        dataset=dataset,
        articles=len(records),
        stories=len(set(stories.values())),
        by_outlets=measure_outlets(stories, clusters, outlets, loose)
        if outlets and clusters
        else None,
        storylines=measure_storylines(
            lines,
            stories,
            times=times,
            wanted=[ids for event, ids in events.items() if len(reporters[event]) > 1],
            affairs=sagas if affairs is None else affairs,
            ranked=ranked,
            loose=loose_affairs,
        ),
        months=_months(records, stories, clusters) if sagas else (),
        mixed_stories=wrong_groups(stories, clusters, titles, loose),
        split_events=wrong_groups(clusters, stories, titles, loose),
        copies=measure_copies(_copies_of(records), labelled_copies)
        if any(labelled_copies.values())
        else None,
        not_read=dict(not_read.most_common()),
        failed_jobs=failed_jobs,
        rules_version=all_tuning.version,
    )


def _months(
    records: Sequence[EvaluatedRecord], stories: Groups, clusters: Groups
) -> tuple[MonthEvaluation, ...]:
    """Return the measures of each month, in order."""
    by_month = defaultdict(list)
    for one in records:
        published = one.record.entry.published
        if published is not None and one.key in clusters:
            by_month[published.time.strftime("%Y-%m")].append(one)
    months = []
    for month, of_month in sorted(by_month.items()):
        labelled = {one.key: clusters[one.key] for one in of_month}
        sure = {
            one.key: clusters[one.key] for one in of_month if one.record.is_sure_report
        }
        months.append(
            MonthEvaluation(
                month=month,
                metrics=measure_month(stories, labelled),
                sure_reports=measure_month(stories, sure),
            )
        )
    return tuple(months)


def _copies_of(records: Sequence[EvaluatedRecord]) -> dict[str, str | None]:
    """Return the key of the original that the program found for each record; None if the record is not a copy."""
    key_of = {evaluated.result.article: evaluated.key for evaluated in records}
    return {
        evaluated.key: key_of.get(evaluated.result.copy_of or "")
        for evaluated in records
    }


def assignments(records: Sequence[EvaluatedRecord]) -> list[Assignment]:
    id_of = {evaluated.key: evaluated.record.id for evaluated in records}
    copy_links = _copies_of(records)
    # A copy of a copy is assigned to the original, which came earlier.
    for key, original in copy_links.items():
        copy_links[key] = copy_links.get(original or "") or original
    return [
        Assignment(
            id=evaluated.record.id,
            story=evaluated.story,
            copy_of=id_of.get(copy_links[evaluated.key] or ""),
            score=evaluated.score,
        )
        for evaluated in records
    ]
