"""`aggregator eval`: the daemon's own pipeline on labelled articles, in a scratch database.

Records go in the order of their times (an undated one keeps its place behind the record before it), and the
clock of the run is the records' own. Every record is an article of its own, whatever its text or identity,
and nothing is refused: a bad record is its own story.

What corrections say, as labels: the user's own measure of how good the grouping is.

A person who corrected a story looked at it. So the articles that corrections in force name are labelled with
the story that they are in today.
"""

import datetime as dt
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from aggregator.cluster.bcubed import (
    GroupingFault,
    GroupingMetrics,
    Score,
    measure,
    measure_copies,
    measure_part,
    worst_merges,
    worst_misses,
)
from aggregator.cluster.entry_identity import story_id
from aggregator.cluster.events.weights import EventTuning
from aggregator.config.tuning import Tuning
from aggregator.model.core import ArticleView, FrozenStruct, RunnerUp
from aggregator.model.errors import ReadError, UsageError
from aggregator.pipeline.jobs import PARSER_FAILED
from aggregator.pipeline.pipeline import Pipeline
from aggregator.pipeline.workers.factory import open_executor
from aggregator.sources.parse.jsonl import LabelledRecord, read_labelled
from aggregator.sources.parse.streams import Progress, bounded_lines, opened, unzipped
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox
from aggregator.store.migrate import upgrade
from aggregator.store.read.reader import AssignedEntry, assignments
from aggregator.store.stories import article_views, articles, corrections


def labels(database: Database) -> dict[str, str]:
    """Article to story, for every article that a correction in force names."""
    with database.read() as connection:
        return articles.assigned_stories(connection, corrections.constrained_articles(connection))


def labelled_records(database: Database) -> Iterator[bytes]:
    """One line of an evaluation set for each labelled article, in the order of their ids, with its text."""
    with database.read() as connection:
        assigned_stories = articles.assigned_stories(connection, corrections.constrained_articles(connection))
        for view in article_views.views_with_text(connection, assigned_stories):
            yield _record(view, assigned_stories[view.id])


def _record(view: ArticleView, story: str) -> bytes:
    record = {
        "id": view.id,
        "lang": view.language,
        "source": view.outlet,
        "url": view.url,
        "published": view.published,
        "title": view.title,
        "text": view.text,
        "cluster": story,
    }
    return msgspec.json.encode(record) + b"\n"


STANDARD_INPUT = "-"

_LINE_BYTES = 10 * 1024 * 1024
_ENTRIES_A_TRANSACTION = 400
_STORIES_A_QUERY = 500
_SUMMARY_WORDS = 60
_LEAD_WORDS = (
    100  # a shorter text is a lead: of events-leads 99 % have 91 at most, of events-fulltext all 303
)
_REASON_CHARS = 160  # reasons that begin alike are told together
_NAMED = 5  # ids beside a reason
_WORKER_VERDICTS = frozenset({"timeout", "memory"})  # what the pipeline says of a text that broke its job


class Assignment(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Where one record of the dataset went: a line of `--assignments`."""

    id: str
    story: str
    copy_of: str | None


class ArticleDecision(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """How an article came to its story. `score` and `need` are logits, None where nothing was scored."""

    stage: str  # "founded", "copy", "event", ...: as in Evidence
    moved: bool = False  # it opened another story, and came here with it or out of it later
    score: float | None = None
    need: float | None = None
    resemblance: float | None = None  # of a copy: share of all word triples that are in both texts, ...
    containment: float | None = None  # ... and share of the smaller text's in the larger
    runner_up: RunnerUp | None = None  # the best story that it did not join


class ShownArticle(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """An article as a person knows it again. `came` is None where that is not known."""

    id: str
    title: str
    outlet: str | None = None
    published: dt.datetime | None = None
    story: str | None = None
    came: ArticleDecision | None = None


class FaultPart(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What of a wrong story is one event, or of a torn event one story; the first to arrive comes first.

    In a wrong story, how the first one came is the join that did it; in a torn event it is why it did not go
    to the others.
    """

    name: str  # of the event, or of the story
    articles: tuple[ShownArticle, ...]


class ListedFault(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A story that holds several events, or an event spread over several stories; the largest part first."""

    name: str
    wrong_pairs: int
    parts: tuple[FaultPart, ...]


class EvaluationSlice(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What the grouping did with the articles of one language or kind, measured against all articles."""

    name: str
    report: GroupingMetrics


class UnreadArticles(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Articles that got no fingerprint, for one reason; each counts as a story of its own."""

    cause: Literal["worker", "record", "text"]  # a job failed; the record is broken; there is no text to read
    reason: str
    articles: int
    ids: tuple[str, ...]  # the first few


class GroupingEvaluation(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A grouping against labels. `labelled` is None where no article has a label."""

    labelled: GroupingMetrics | None
    worst_merges: tuple[ListedFault, ...]
    worst_misses: tuple[ListedFault, ...]


class Evaluation(GroupingEvaluation, frozen=True, kw_only=True, omit_defaults=False):
    """What `aggregator eval DATASET` prints."""

    dataset: str
    articles: int
    stories: int
    languages: tuple[EvaluationSlice, ...]
    kinds: tuple[EvaluationSlice, ...]  # an undated article is in "undated" and in the kind of its length
    copies: Score | None  # None: the data carries no `copy_of`
    copies_found: int
    not_read: tuple[UnreadArticles, ...]
    failed_jobs: int  # articles that were not read because a worker's job failed
    repeated_ids: int  # records whose id another record had before; each is measured on its own
    seconds: float
    cpu_seconds: float  # of this process and its workers
    articles_per_second: float
    articles_per_cpu_second: float
    peak_memory_mib: float  # of the largest process, since the command began
    rules_version: str


class CorrectionsEvaluation(GroupingEvaluation, frozen=True, kw_only=True, omit_defaults=False):
    """What `aggregator eval --from-corrections` prints."""

    articles: int  # with a cluster by the person's corrections
    gone: int  # of these, without a story today: pruned, for instance; they are in no figure


# --- reading a dataset -------------------------------------------------------------------------------------


def read_dataset(path: Path | str, stdin: BinaryIO | None = None) -> list[LabelledRecord]:
    """All records of a JSONL file (also .gz, .zst; "-" is standard input), in the order `eval` takes them.

    Raises UsageError where there is no such file, where it is damaged, and where no line is in it.
    """
    name = dataset_name(path)
    records = []
    try:
        with _stream(path, stdin) as stream:
            for number, line in bounded_lines(stream, _LINE_BYTES):
                if line is None or line.strip():
                    records.append(_labelled(line, name, number))
    except ReadError as error:
        raise UsageError(f"{name}: {error}") from error
    if not records:
        raise UsageError(f"{name}: there is no record in it; give one JSON object a line")
    return _in_time(records)


def dataset_name(path: Path | str) -> str:
    """What the dataset is called: the file's own name. Raises UsageError where there is no such file."""
    if str(path) == STANDARD_INPUT:
        return "stdin"
    if not os.path.exists(path):  # noqa: PTH110 - Path's own raises for names that cannot be
        raise UsageError(f"{path}: there is no such file")
    if Path(path).is_dir():
        raise UsageError(f"{path}: this is a folder; eval takes files of records")
    return Path(path).name


def _stream(path: Path | str, stdin: BinaryIO | None) -> AbstractContextManager[BufferedReader]:
    if str(path) == STANDARD_INPUT:
        return unzipped(stdin or sys.stdin.buffer, Progress())
    return opened(path, Progress())


def _labelled(line: bytes | None, name: str, number: int) -> LabelledRecord:
    record = read_labelled(line or b"", file_name=name, line_number=number)
    if line is None:
        too_long = f"the line is longer than {_LINE_BYTES // 2**20} MiB"
        record = msgspec.structs.replace(record, problem=too_long)
    return record


def _in_time(records: Sequence[LabelledRecord]) -> list[LabelledRecord]:
    keyed = []
    last = dt.datetime.min.replace(tzinfo=dt.UTC)
    for number, record in enumerate(records):
        if record.entry.published is not None:
            last = record.entry.published.time
        keyed.append((last, number, record))
    return [record for _, _, record in sorted(keyed, key=lambda item: item[:2])]


# --- running -----------------------------------------------------------------------------------------------


class _EvaluatedRecord(FrozenStruct, frozen=True, kw_only=True):
    """What became of one record. `key` is its place in the order: ids may be the same."""

    key: str
    record: LabelledRecord
    home: AssignedEntry | None = None  # None: it got no fingerprint, ...
    result: inbox.EntryResult | None = None  # ... and this says why
    view: ArticleView | None = None

    @property
    def story(self) -> str:
        return self.home.story if self.home else f"alone-{self.key}"


def evaluate(
    records: Sequence[LabelledRecord],
    all_tuning: Tuning,
    *,
    executor: str,
    workers: int,
    progress: Callable[[int], None] = lambda _: None,
    dataset: str = "",
    worst: int = 10,
) -> tuple[Evaluation, list[Assignment]]:
    """Run the pipeline over `records`; the assignments are in the order of `records`.

    `worst` is how many false merges and how many misses are listed.
    """
    started, cpu_before = time.perf_counter(), _cpu_seconds()
    with tempfile.TemporaryDirectory(prefix="aggregator-eval-") as folder:
        database = Database(f"sqlite:///{folder}/eval.db")
        work = open_executor(executor, workers, all_tuning)
        try:
            upgrade(database)
            numbers = _run(records, database, Pipeline(
                database, work, all_tuning, _clock, summary_words=_SUMMARY_WORDS, keep_all=True
            ), progress)  # fmt: skip
            seconds = time.perf_counter() - started
            with database.read() as connection:
                ran = _what_became(connection, records, numbers)
        finally:
            work.close()
            database.close()
    cost = _Cost(seconds, _cpu_seconds() - cpu_before)
    return _evaluation(ran, all_tuning, dataset, worst, cost), _assignments(ran)


def _clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _run(
    records: Sequence[LabelledRecord],
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


def _what_became(
    connection: Connection, records: Sequence[LabelledRecord], numbers: Sequence[int]
) -> list[_EvaluatedRecord]:
    assigned_stories = {one.n: one for one in assignments(connection)}
    results = {one.n: one for one in inbox.results(connection, numbers)}
    views = _views(connection, {home.story for home in assigned_stories.values()})
    found = []
    for place, (n, record) in enumerate(zip(numbers, records, strict=True)):
        home = assigned_stories.get(n)
        view = views.get(home.article) if home else None
        result = results.get(n)
        found.append(_EvaluatedRecord(key=f"{place:09}", record=record, home=home, result=result, view=view))
    return found


def _views(connection: Connection, stories: Collection[str]) -> dict[str, ArticleView]:
    """By article; without what takes room and is not shown."""
    ids = sorted(stories)
    return {
        view.id: msgspec.structs.replace(view, lead="", timed=())
        for start in range(0, len(ids), _STORIES_A_QUERY)
        for views in article_views.views_of_stories(
            connection, ids[start : start + _STORIES_A_QUERY], "evidence"
        ).values()
        for view in views
    }


# --- measuring ---------------------------------------------------------------------------------------------


class _Cost(msgspec.Struct, frozen=True):
    seconds: float
    cpu: float


def _evaluation(
    ran: Sequence[_EvaluatedRecord], all_tuning: Tuning, dataset: str, worst: int, cost: _Cost
) -> Evaluation:
    stories = {one.key: one.story for one in ran}
    clusters = {one.key: one.record.cluster for one in ran if one.record.cluster is not None}
    bodyless_words = all_tuning.section("events", EventTuning).bodyless_words
    found, labelled_twins = _copies_of(ran), _labelled_copies(ran)
    not_read = _not_read(ran)
    judged = _judged(stories, clusters, {one.key: _shown(one) for one in ran}, worst)
    return Evaluation(
        labelled=judged.labelled,
        worst_merges=judged.worst_merges,
        worst_misses=judged.worst_misses,
        dataset=dataset,
        articles=len(ran),
        stories=len(set(stories.values())),
        languages=_slices(stories, clusters, {one.key: (_language(one),) for one in ran}),
        kinds=_slices(stories, clusters, {one.key: _kinds(one, bodyless_words) for one in ran}, _KINDS),
        copies=measure_copies(found, labelled_twins) if any(labelled_twins.values()) else None,
        copies_found=sum(original is not None for original in found.values()),
        not_read=not_read,
        failed_jobs=sum(group.articles for group in not_read if group.cause == "worker"),
        repeated_ids=len(ran) - len({one.record.id for one in ran}),
        seconds=cost.seconds,
        cpu_seconds=cost.cpu,
        articles_per_second=len(ran) / cost.seconds,
        articles_per_cpu_second=len(ran) / cost.cpu if cost.cpu else 0.0,
        peak_memory_mib=max(resource.getrusage(who).ru_maxrss for who in _WHO) / 1024,
        rules_version=all_tuning.version,
    )


def evaluate_corrections(
    assigned: Mapping[str, str],
    clusters: Mapping[str, str],
    *,
    shown: Mapping[str, ShownArticle] | None = None,
    worst: int = 10,
) -> CorrectionsEvaluation:
    """How far what the program decides by itself is from what a person made of it.

    `assigned` has the story of each article as decided without corrections, `clusters` the cluster that
    corrections put it into. `shown` describes articles for the lists, in the order of their arrival.
    """
    judged = _judged(assigned, clusters, shown or {}, worst)
    return CorrectionsEvaluation(
        labelled=judged.labelled,
        worst_merges=judged.worst_merges,
        worst_misses=judged.worst_misses,
        articles=len(clusters),
        gone=len(clusters.keys() - assigned.keys()),
    )


def shown_view(view: ArticleView, story: str | None) -> ShownArticle:
    """An article of the database as the lists show it, with how it came where `view` carries the evidence."""
    return ShownArticle(
        id=view.id,
        title=view.title,
        outlet=view.outlet,
        published=view.published,
        story=story,
        came=_came(view, story),
    )


def _judged(
    stories: Mapping[str, str], clusters: Mapping[str, str], shown: Mapping[str, ShownArticle], worst: int
) -> GroupingEvaluation:
    arrival = {key: place for place, key in enumerate(shown)}

    def listed(faults: Iterable[GroupingFault], names: Mapping[str, str]) -> tuple[ListedFault, ...]:
        return tuple(_listed(fault, names, shown, arrival) for fault in faults)

    return GroupingEvaluation(
        labelled=measure(stories, clusters) if clusters else None,
        worst_merges=listed(worst_merges(stories, clusters, worst), clusters),
        worst_misses=listed(worst_misses(stories, clusters, worst), stories),
    )


def _listed(
    fault: GroupingFault,
    names: Mapping[str, str],
    shown: Mapping[str, ShownArticle],
    arrival: Mapping[str, int],
) -> ListedFault:
    parts = []
    for keys in fault.parts:
        in_order = sorted(keys, key=lambda key: (arrival.get(key, len(arrival)), key))
        known = tuple(shown.get(key) or ShownArticle(id=key, title="") for key in in_order)
        parts.append(FaultPart(name=names[keys[0]], articles=known))
    return ListedFault(name=fault.name, wrong_pairs=fault.wrong_pairs, parts=tuple(parts))


def _slices(
    stories: Mapping[str, str],
    clusters: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
    order: Sequence[str] = (),
) -> tuple[EvaluationSlice, ...]:
    """One for each group with a labelled article: in the given order, else the largest first."""
    members = defaultdict(list)
    for key in clusters:
        for name in groups[key]:
            members[name].append(key)
    names = [name for name in order if name in members]
    names = names or sorted(members, key=lambda name: (-len(members[name]), name))
    return tuple(
        EvaluationSlice(name=name, report=measure_part(stories, clusters, members[name])) for name in names
    )


_KINDS = ("full text", "title with lead", "title only", "live blog", "not read", "undated")


def _kinds(one: _EvaluatedRecord, bodyless_words: int) -> tuple[str, ...]:
    """What an article is for the grouping, after its text was cleaned."""
    if one.home is None or one.view is None:
        return ("not read",)
    if one.view.role == "container":
        kind = "live blog"
    elif one.home.body_words < bodyless_words:
        kind = "title only"
    else:
        kind = "title with lead" if one.home.body_words <= _LEAD_WORDS else "full text"
    return (kind,) if one.view.published else (kind, "undated")


def _language(one: _EvaluatedRecord) -> str:
    """As the record declares it, else as it was recognised."""
    recognised = one.view.language if one.view else None
    return one.record.entry.language or recognised or "unknown"


def _copies_of(ran: Sequence[_EvaluatedRecord]) -> dict[str, str | None]:
    key_of = {one.home.article: one.key for one in ran if one.home}
    return {one.key: key_of.get(one.home.copy_of) if one.home and one.home.copy_of else None for one in ran}


def _labelled_copies(ran: Sequence[_EvaluatedRecord]) -> dict[str, str | None]:
    """By key; of records with one id the first is meant, and a twin that is no record keeps its name."""
    key_of: dict[str, str] = {}
    for one in ran:
        key_of.setdefault(one.record.id, one.key)
    copy_links = {one.key: one.record.copy_of for one in ran}
    return {
        key: key_of.get(original, f"?{original}") if original else None
        for key, original in copy_links.items()
    }


def _not_read(ran: Sequence[_EvaluatedRecord]) -> tuple[UnreadArticles, ...]:
    """By cause and reason: failed jobs first, then the most frequent."""
    ids: dict[tuple[Literal["worker", "record", "text"], str], list[str]] = defaultdict(list)
    for one in ran:
        if one.home is None:
            ids[_cause(one)].append(one.record.id)
    groups = [
        UnreadArticles(cause=cause, reason=reason, articles=len(members), ids=tuple(members[:_NAMED]))
        for (cause, reason), members in ids.items()
    ]
    return tuple(sorted(groups, key=lambda group: (group.cause != "worker", -group.articles, group.reason)))


def _cause(one: _EvaluatedRecord) -> tuple[Literal["worker", "record", "text"], str]:
    verdict, reason = (one.result.verdict, one.result.reason) if one.result else (None, None)
    if verdict in _WORKER_VERDICTS or (reason or "").startswith(PARSER_FAILED):
        return "worker", (reason or verdict or "")[:_REASON_CHARS]
    if one.record.problem:
        return "record", one.record.problem[:_REASON_CHARS]
    return "text", (reason or verdict or "it was not placed")[:_REASON_CHARS]


def _shown(one: _EvaluatedRecord) -> ShownArticle:
    entry, view = one.record.entry, one.view
    published = view.published if view else entry.published.time if entry.published else None
    return ShownArticle(
        id=one.record.id,
        title=entry.title or (view.title if view else ""),
        outlet=entry.outlet or (view.outlet if view else None),
        published=published,
        story=one.story,
        came=_came(view, one.story) if view else None,
    )


def _came(view: ArticleView, story: str | None) -> ArticleDecision | None:
    evidence = view.evidence
    if evidence is None:
        return None
    return ArticleDecision(
        stage=evidence.stage,
        moved=evidence.stage == "founded" and story_id(view.id, 0) != story,
        score=evidence.score,
        need=evidence.need,
        resemblance=evidence.copy.resemblance if evidence.copy else None,
        containment=evidence.copy.containment if evidence.copy else None,
        runner_up=evidence.runner_up,
    )


def _assignments(ran: Sequence[_EvaluatedRecord]) -> list[Assignment]:
    id_of = {one.key: one.record.id for one in ran}
    copy_links = _copies_of(ran)
    found = []
    for one in ran:
        original = copy_links[one.key]
        found.append(
            Assignment(id=one.record.id, story=one.story, copy_of=id_of[original] if original else None)
        )
    return found


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu_seconds() -> float:
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, _WHO))
