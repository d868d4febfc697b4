"""The command eval."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings
from aggregator.cli.progress import as_steps, progress_bar
from aggregator.config.logging import one_line
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt

    from aggregator.admin.evaluate import (
        ArticleDecision,
        Assignment,
        CorrectionsEvaluation,
        Evaluation,
        FaultPart,
        GroupingEvaluation,
        ListedFault,
        ShownArticle,
        UnreadArticles,
    )
    from aggregator.cluster.bcubed import GroupingMetrics, Score
    from aggregator.config.settings import Config
    from aggregator.model.core import ArticleView
    from aggregator.store.engine.database import Database

_PARTS_SHOWN = 5  # of a fault, ...
_ARTICLES_SHOWN = 3  # ... and articles of a part: who wants all of them takes --format json
_REASONS_SHOWN = 8
_OUTLET_CHARS = 18
_TITLE_CHARS = 74


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(name="eval")(evaluate)


def evaluate(
    context: typer.Context,
    datasets: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATASET", help="Labelled articles: JSONL, also .gz or .zst; - is stdin."),
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", min=0, help="How many false merges and how many misses to list.")
    ] = 10,
    assignments: Annotated[
        str, typer.Option("--assignments", metavar="OUT", help="Where each record went, as JSON lines.")
    ] = "",
    from_corrections: Annotated[
        bool,
        typer.Option("--from-corrections", help="Measure on your own corrections instead of a dataset."),
    ] = False,
    format_: Annotated[
        Literal["text", "json"],
        typer.Option("--format", metavar="text|json", help="JSON has all; one line a dataset."),
    ] = "text",
) -> None:
    """How good the grouping is, on labelled articles.

    They go through the daemon's own pipeline, in a scratch database.

    A record is {"id", "title", "text", "published", "cluster"?, "copy_of"?}; records of one `cluster` belong
    into one story.

    \b
    Examples:
      aggregator eval labelled.jsonl.gz
      aggregator eval labelled.jsonl --worst 0 --format json
      aggregator eval --from-corrections
    """
    settings: Settings = context.obj
    if from_corrections:
        if datasets or assignments:
            raise UsageError("--from-corrections measures on your database; give it no DATASET or OUT")
        result = _of_corrections(settings, worst)
        _print(result, format_, _corrections_lines(result))
    else:
        _evaluate_all(settings, datasets or [], worst, assignments, format_)


def _evaluate_all(settings: Settings, datasets: Sequence[str], worst: int, out: str, format_: str) -> None:
    from aggregator.admin.evaluate import dataset_name

    if not datasets:
        raise UsageError("give a DATASET (a JSONL file; - for standard input) or --from-corrections")
    if len(datasets) > 1 and out:
        raise UsageError("--assignments takes the records of one DATASET")
    if datasets.count("-") > 1:
        raise UsageError("standard input can be read only once")
    for dataset in datasets:
        dataset_name(dataset)  # a name that is wrong is said now, not after half an hour
    if out:
        _check_writable(out)
    config = settings.load()
    results = []
    for number, dataset in enumerate(datasets):
        result, assigned = _evaluate_one(config, dataset, worst, lines=settings.verbose > 0)
        _print(result, format_, ["", *_lines(result)] if number else _lines(result))
        results.append(result)
        if out:
            _write(out, assigned)
    if len(results) > 1 and format_ == "text":
        output.out("\n".join(_summary(results)) + "\n")


def _evaluate_one(
    config: "Config", dataset: str, worst: int, *, lines: bool
) -> "tuple[Evaluation, list[Assignment]]":
    from aggregator.admin.evaluate import dataset_name, evaluate, read_dataset

    records = read_dataset(dataset)
    with progress_bar("articles", len(records), lines=lines) as advance:
        return evaluate(
            records,
            config.effective_tuning,
            executor=config.work.executor,
            workers=config.work.worker_count,
            progress=advance,
            dataset=dataset_name(dataset),
            worst=worst,
        )


def _of_corrections(settings: Settings, worst: int) -> "CorrectionsEvaluation":
    from aggregator.admin.evaluate import evaluate_corrections, shown_view

    with settings.reading() as (config, database):
        known = _corrected(config, database)
    shown = {view.id: shown_view(view, known.assigned.get(view.id)) for view in known.views}
    return evaluate_corrections(known.assigned, known.clusters, shown=shown, worst=worst)


class _CorrectedGrouping(NamedTuple):
    """What a person's corrections say and what the program would do without them, by article id."""

    clusters: "Mapping[str, str]"
    assigned: "Mapping[str, str]"
    views: "Sequence[ArticleView]"  # of the corrected articles, oldest first


def _corrected(config: "Config", database: "Database") -> _CorrectedGrouping:
    """Decides again about every article, aside, as if nobody had corrected anything."""
    from aggregator.admin.evaluate import labels
    from aggregator.pipeline.placement.recluster import Reclusterer
    from aggregator.pipeline.workers.factory import open_executor
    from aggregator.store.stories import article_views

    clusters = labels(database)
    if not clusters:
        raise UsageError("there are no corrections to measure on; `aggregator correct` makes them")
    with database.read() as connection:
        views = article_views.views_of(connection, clusters)
    work = open_executor(config.work.executor, config.work.worker_count, config.effective_tuning)
    try:
        again = Reclusterer(
            database, work, config.effective_tuning, summary_words=config.publish.excerpt_words, now=_now
        )
        with progress_bar("articles", None) as advance:
            assigned = again.assignments(as_steps(advance), corrected=False)
    finally:
        work.close()
    return _CorrectedGrouping(clusters, assigned, views)


def _now() -> "dt.datetime":
    import datetime as dt

    return dt.datetime.now(dt.UTC)


# --- printing ----------------------------------------------------------------------------------------------


def _write(out: str, assigned: "Sequence[Assignment]") -> None:
    import msgspec

    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in assigned)
    try:
        Path(out).write_bytes(lines)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error


def _check_writable(out: str) -> None:
    try:
        with Path(out).open("ab"):
            pass
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error


def _print(result: "GroupingEvaluation", format_: str, lines: Iterable[str]) -> None:
    import msgspec

    output.out(msgspec.json.encode(result) + b"\n" if format_ == "json" else "\n".join(lines) + "\n")


def _lines(result: "Evaluation") -> list[str]:
    stories = counted(result.stories, "story", "stories")
    lines = [f"{one_line(result.dataset)}: {_articles(result.articles)} in {stories}"]
    lines += _warnings(result)
    report = result.labelled
    if report is None:
        lines.append("no record has a `cluster`: nothing to measure the grouping against")
        lines += _table([_score_row("copies", result.copies, 0.0)] if result.copies else [])
    else:
        if report.articles < result.articles:
            lines.append(f"{report.articles:,} of them are labelled; only these are measured")
        lines += _table(
            [
                _report_row("BCubed", report),
                _score_row("pairs", report.pairs, float(report.clusters == report.articles)),
                *([_score_row("copies", result.copies, 0.0)] if result.copies else []),
                "by language (BCubed)",
                *(_report_row(f"  {one.name}", one.report) for one in result.languages),
                "by kind (BCubed)",
                *(_report_row(f"  {one.name}", one.report) for one in result.kinds),
            ]
        )
        lines += _worst_lines(result)
    return [
        *lines,
        "",
        f"{counted(result.copies_found, 'copy or excerpt', 'copies or excerpts')} found",
        f"{result.seconds:.1f} s, {result.articles_per_second:.0f} articles a second "
        f"({result.articles_per_cpu_second:.0f} a second of CPU, workers included), "
        f"{result.peak_memory_mib:.0f} MiB in the largest process, rules {result.rules_version}",
    ]


def _corrections_lines(result: "CorrectionsEvaluation") -> list[str]:
    report = result.labelled
    if report is None or not report.articles:
        return ["there is no corrected article to measure on"]
    lines = [
        f"{report.articles:,} corrected articles, as the program decides without the corrections",
        *([f"{result.gone:,} more have no story today and are in no figure"] if result.gone else []),
    ]
    rows = [_report_row("BCubed", report)]
    rows.append(_score_row("pairs", report.pairs, float(report.clusters == report.articles)))
    return [*lines, *_table(rows), *_worst_lines(result)]


def _warnings(result: "Evaluation") -> list[str]:
    """What makes the figures mean something else than they seem to."""
    lines = []
    if result.failed_jobs:
        lines += [
            f"!!! {result.failed_jobs:,} of {_articles(result.articles)} were NOT READ: a job failed",
            "!!! Each counts as a story of its own: the figures below are not those of the program.",
        ]
    if result.not_read:
        total = sum(group.articles for group in result.not_read)
        lines.append(f"without a fingerprint, alone: {_articles(total)}")
        lines += [_not_read_line(group) for group in result.not_read[:_REASONS_SHOWN]]
        more = sum(group.articles for group in result.not_read[_REASONS_SHOWN:])
        lines += [f"  {more:6,}  for other reasons"] if more else []
    if result.repeated_ids:
        again = counted(result.repeated_ids, "record repeats", "records repeat")
        lines.append(f"{again} the id of another; each is measured on its own")
    return lines


_CAUSES = {"worker": "worker's job failed", "record": "bad record", "text": "nothing to read"}


def _not_read_line(group: "UnreadArticles") -> str:
    ids = " ".join(group.ids) + (" ..." if group.articles > len(group.ids) else "")
    return f"  {group.articles:6,}  {_CAUSES[group.cause]}: {one_line(group.reason)} ({one_line(ids)})"


_COLUMNS = ("articles", "events", "precision", "recall", "F1", "alone F1", "over-merge", "split")


def _table(rows: "list[str]") -> list[str]:
    head = f"  {'':22}" + "".join(f"{name:>12}" for name in _COLUMNS)
    return ["", head, *(f"  {row}" for row in rows)] if rows else []


def _report_row(name: str, report: "GroupingMetrics") -> str:
    score = report.bcubed
    return (
        f"{name[:22]:22}{report.articles:12,}{report.clusters:12,}{score.precision:12.3f}{score.recall:12.3f}"
        f"{score.f1:12.3f}{report.alone.f1:12.3f}{report.over_merge:12.3f}{report.split:12.3f}"
    )


def _score_row(name: str, score: "Score", alone: float) -> str:
    return f"{name:22}{'':24}{score.precision:12.3f}{score.recall:12.3f}{score.f1:12.3f}{alone:12.3f}"


def _worst_lines(result: "GroupingEvaluation") -> list[str]:
    lines = []
    if result.worst_merges:
        lines += ["", "worst false merges: stories that hold several events"]
        for place, fault in enumerate(result.worst_merges, start=1):
            lines += _fault_lines(place, fault, "story", "event")
    if result.worst_misses:
        lines += ["", "worst misses: events spread over several stories"]
        for place, fault in enumerate(result.worst_misses, start=1):
            lines += _fault_lines(place, fault, "event", "story")
    return lines


def _fault_lines(place: int, fault: "ListedFault", whole: str, part: str) -> list[str]:
    pairs = counted(fault.wrong_pairs, "wrong pair")
    lines = ["", f"{place:3}. {pairs}: {whole} {one_line(fault.name)}"]
    for one in fault.parts[:_PARTS_SHOWN]:
        lines += _part_lines(one, part, {other.name for other in fault.parts} if part == "story" else set())
    left = fault.parts[_PARTS_SHOWN:]
    if left:
        articles = sum(len(one.articles) for one in left)
        lines.append(f"     and {len(left):,} more with {_articles(articles)}")
    return lines


def _part_lines(part: "FaultPart", word: str, stories: "set[str]") -> list[str]:
    """One part: how its first article came there, and the first few articles."""
    first = part.articles[0]
    came = f"; the first {_came(first.came, stories)}" if first.came else ""
    lines = [f"     {word} {one_line(part.name)}, {_articles(len(part.articles))}{came}"]
    lines += [_article_line(one) for one in part.articles[:_ARTICLES_SHOWN]]
    left = len(part.articles) - _ARTICLES_SHOWN
    return [*lines, f"         and {left:,} more"] if left > 0 else lines


def _articles(count: int) -> str:
    return counted(count, "article")


def _article_line(article: "ShownArticle") -> str:
    outlet, title = one_line(article.outlet or "-"), one_line(article.title) or "(no title)"
    return (
        f"         {_moment(article.published):16}  {_shortened(outlet, _OUTLET_CHARS):{_OUTLET_CHARS}}  "
        f"{_shortened(title, _TITLE_CHARS):{_TITLE_CHARS}}  {one_line(article.id)}"
    )


def _moment(when: "dt.datetime | None") -> str:
    """In UTC; midnight is a day without a time."""
    if when is None:
        return "undated"
    return when.strftime("%Y-%m-%d %H:%M" if when.hour or when.minute else "%Y-%m-%d")


def _came(came: "ArticleDecision", stories: "set[str]") -> str:
    """The join that did it, or why there was none; `stories`: those of a torn event."""
    if came.stage == "copy" and came.resemblance is not None and came.containment is not None:
        return (
            f"came as a copy ({came.resemblance:.0%} of all word triples are in both texts, "
            f"{came.containment:.0%} of the smaller in the larger)"
        )
    if came.stage == "founded":
        opened = "opened another story, which was joined with this one later" if came.moved else "opened it"
        return opened + _runner_up(came, stories)
    by = "joined" if came.stage == "event" else f"came by a {came.stage}"
    if came.score is None or came.need is None:
        return by
    return f"{by} with score {came.score:.2f}, asked {came.need:.2f}" + _runner_up(came, stories)


def _runner_up(came: "ArticleDecision", stories: "set[str]") -> str:
    """What else was near; told only of a torn event, where it says why the article did not go there."""
    if not stories:
        return ""
    rival = came.runner_up
    if rival is None:
        return "; nothing else was near"
    which = f"story {rival.story}" + (" of this event" if rival.story in stories else "")
    return f"; next best: {which}, score {rival.score:.2f}, asked {rival.need:.2f}"


def _summary(results: "Sequence[Evaluation]") -> list[str]:
    """A line a dataset."""
    named = [(one.dataset.split(".jsonl")[0], one.labelled) for one in results]
    rows = [_report_row(one_line(name), report) for name, report in named if report]
    return ["", "BCubed of all", *_table(rows)[1:]]


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
