"""The command eval: measures the quality of the grouping."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from aggregator.cli import output
from aggregator.cli.context import Context, Settings
from aggregator.cli.output import argument, flag, option, progress_bar
from aggregator.config.logging import one_line
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.admin import evaluate as found
    from aggregator.admin.bcubed import GroupingMetrics, SagaMetrics, Score, WrongGroup

_REASONS_SHOWN = 8
# Stories that mix events, and likewise events that are split; JSON has all
_WRONG_SHOWN = 20
_RECORDS_SHOWN = 5  # of one event in one of them


def evaluate(
    context: Context,
    datasets: Annotated[
        list[str] | None,
        argument(
            "DATASET",
            "Read labelled articles from this JSONL or CSV file, also .gz or .zst; - is standard input.",
        ),
    ] = None,
    map_: output.KeyMap = None,
    assignments: Annotated[
        str,
        option(
            "--assignments",
            "OUT",
            "Write the story of each record to this file, as JSON lines.",
        ),
    ] = "",
    loose: Annotated[
        str,
        option(
            "--loose",
            "FILE",
            'Read groups whose pairs count neither way, as lines of {"ids"}.',
        ),
    ] = "",
    from_corrections: Annotated[
        bool,
        flag("--from-corrections", "Measure on your corrections instead of a dataset."),
    ] = False,
    pages_late: Annotated[
        bool, flag("--pages-late", "Measure texts that come after the leads.")
    ] = False,
    format_: Annotated[
        Literal["text", "json"],
        option(
            "--format",
            "text|json",
            "Print the result in this format; JSON has all fields, one line per dataset.",
        ),
    ] = "text",
) -> None:
    """Measure the quality of the grouping on labelled articles.

    The articles pass through the pipeline of the daemon, in a temporary database.

    A record is {"id", "title", "text", "published", "cluster"?, "copy_of"?}; records with the same `cluster`
    belong to the same story. In a table these are columns.

    \b
    Examples:
      aggregator eval labelled.jsonl.gz
      aggregator eval labelled.jsonl --format json
      aggregator eval --from-corrections
    """
    from aggregator.admin import evaluate as measure
    from aggregator.sources.parse.records.record_entry import mapping_of

    if from_corrections:
        if datasets or map_ or assignments or loose or pages_late:
            raise UsageError(
                "--from-corrections measures on your database: omit DATASET and its options"
            )
        result = _evaluate_corrections(context.obj)
        _print(result, format_, _corrections_lines(result))
        return
    datasets = datasets or []
    if not datasets:
        raise UsageError(
            "give a DATASET (a JSONL file; - for standard input) or --from-corrections"
        )
    if len(datasets) > 1 and assignments:
        raise UsageError("--assignments accepts only one DATASET")
    if datasets.count("-") > 1:
        raise UsageError("standard input can be read only once")
    loose_pairs, chosen = measure.read_loose(loose), mapping_of(map_ or ())
    # A wrong name is reported now
    names = [measure.dataset_name(one) for one in datasets]
    if assignments:
        # Reports that it cannot be written now, not after half an hour
        _write(assignments, b"", "ab")
    config = context.obj.load()
    results: list[found.Evaluation] = []
    for dataset, name in zip(datasets, names, strict=True):
        records = measure.read_dataset(dataset, chosen=chosen)
        total = len(records) * (2 if pages_late else 1)
        with progress_bar("articles", total) as advance:
            evaluated, assigned = measure.evaluate(
                records,
                config.effective_tuning,
                executor=config.work.executor,
                workers=config.work.worker_count(),
                progress=advance,
                dataset=name,
                loose=loose_pairs,
                pages_late=pages_late,
            )
        _print(
            evaluated,
            format_,
            ["", *_lines(evaluated)] if results else _lines(evaluated),
        )
        results.append(evaluated)
        if assignments:
            _write(
                assignments,
                b"".join(msgspec.json.encode(one) + b"\n" for one in assigned),
                "wb",
            )
    if len(results) > 1 and format_ == "text":
        output.out("\n".join(_summary(results)) + "\n")


def _evaluate_corrections(settings: Settings) -> "found.CorrectionsEvaluation":
    """Group all articles again without the corrections, in a temporary database, and compare."""
    from aggregator.admin.evaluate import evaluate_corrections, labels
    from aggregator.grouping.story_options import StoryOptions
    from aggregator.intake.recluster.recluster import Reclusterer
    from aggregator.intake.workers.factory import workers
    from aggregator.model.core import utc_now

    with settings.reading() as (config, database):
        clusters = labels(database)
        if not clusters:
            raise UsageError(
                "there are no corrections to measure on; make some with `aggregator correct`"
            )
        options = StoryOptions(summary_words=config.publish.excerpt_words)
        with workers(config) as executor, progress_bar("articles", None) as advance:
            run = Reclusterer(
                database, executor, config.effective_tuning, options, now=utc_now
            )
            assigned = run.assignments(advance, corrected=False)
    return evaluate_corrections(assigned, clusters)


# --- printing ----------------------------------------------------------------------------------------------


def _write(out: str, lines: bytes, mode: Literal["ab", "wb"]) -> None:
    try:
        with Path(out).open(mode) as file:
            file.write(lines)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error


def _print(
    result: "found.Evaluation | found.CorrectionsEvaluation",
    format_: str,
    lines: Iterable[str],
) -> None:
    if format_ == "json":
        output.json_line(result)
    else:
        output.out("\n".join(lines) + "\n")


def _lines(result: "found.Evaluation") -> list[str]:
    stories = counted(result.stories, "story", "stories")
    lines = [
        f"{one_line(result.dataset)}: {counted(result.articles, 'article')} in {stories}"
    ]
    lines += _warnings(result)
    report = result.labelled
    copies = [_score_row("copies", result.copies, 0.0)] if result.copies else []
    if report is None:
        lines.append("no record has a `cluster`, so the grouping cannot be measured")
        lines += _table(copies)
    else:
        if report.articles < result.articles:
            lines.append(f"{report.articles:,} of them are labelled and measured")
        lines += _month_lines(
            "by month", {one.month: one.metrics for one in result.months}
        )
        lines += _month_lines(
            "sure reports", {one.month: one.sure_reports for one in result.months}
        )
        lines += _table([*_report_rows(report), *copies])
        lines += _outlet_lines(result)
        lines += _wrong_lines("stories that mix events", result.mixed_stories)
        lines += _wrong_lines("events in several stories", result.split_events)
    return [
        *lines,
        "",
        f"{counted(result.copies_found, 'copy or excerpt', 'copies or excerpts')} found",
        f"{result.seconds:.1f} s, {result.articles_per_second:.0f} articles per second "
        f"({result.articles_per_cpu_second:.0f} per second of CPU time, including workers), "
        f"{result.peak_memory_mib:.0f} MiB in the largest process, rules {result.rules_version}",
    ]


def _month_lines(name: str, months: "Mapping[str, SagaMetrics]") -> list[str]:
    """Return a table of months: F1 beside every article alone, pure stories, whole events, wrong pairs."""
    rows = []
    for month, metrics in months.items():
        report = metrics.report
        pure, whole = (
            metrics.pure / max(metrics.several, 1),
            metrics.whole / max(metrics.events, 1),
        )
        stories, events = (metrics.several, pure), (metrics.events, whole)
        wrong = metrics.wrong_in_saga, metrics.wrong_pairs - metrics.wrong_in_saga
        rows.append(
            _row(
                month,
                report.articles,
                report.bcubed.f1,
                report.alone.f1,
                *stories,
                *events,
                *wrong,
            )
        )
    names = (
        "articles",
        "F1",
        "alone F1",
        "stories",
        "pure",
        "events",
        "whole",
        "one saga",
        "other wrong",
    )
    return _table(rows, names, name)


def _outlet_lines(result: "found.Evaluation") -> list[str]:
    found = result.by_outlets
    if found is None:
        return []
    return [
        f"of {found.stories} stories of several outlets {found.pure} are pure",
        f"of {found.events} events of several outlets {found.whole} are in one story",
        f"of {found.one_outlet} stories of one outlet {found.one_outlet_impure} are impure",
    ]


def _corrections_lines(result: "found.CorrectionsEvaluation") -> list[str]:
    report = result.labelled
    if report is None or not report.articles:
        return ["there is no corrected article to measure on"]
    lines = [
        f"{report.articles:,} corrected articles, grouped without the corrections",
        *(
            [f"{result.gone:,} more have no story now and are not measured"]
            if result.gone
            else []
        ),
    ]
    return [*lines, *_table(_report_rows(report))]


def _wrong_lines(title: str, groups: "Sequence[WrongGroup]") -> list[str]:
    """Return the groups with their parts, and the id and title of each record."""
    lines = ["", f"{title}: {len(groups):,}"]
    for group in groups[:_WRONG_SHOWN]:
        lines.append(f"  {one_line(group.name)}")
        for part, titles in group.parts.items():
            lines.append(f"    {one_line(part)}: {len(titles):,}")
            shown = islice(titles.items(), _RECORDS_SHOWN)
            lines += [
                f"      {one_line(f'{record}  {title}')}" for record, title in shown
            ]
    if len(groups) > _WRONG_SHOWN:
        lines.append(f"  {len(groups) - _WRONG_SHOWN:,} more; --format json has all")
    return lines


def _warnings(result: "found.Evaluation") -> list[str]:
    """Return the lines about records that change the meaning of the figures."""
    lines = []
    if result.failed_jobs:
        articles = counted(result.articles, "article")
        lines += [
            f"!!! {result.failed_jobs:,} of {articles} were NOT READ: a job failed",
            "!!! Each counts as a separate story, so the figures below are not those of the program.",
        ]
    if result.not_read:
        reasons = [*result.not_read.items()]
        total = counted(sum(result.not_read.values()), "article")
        lines.append(f"without a fingerprint, each a separate story: {total}")
        lines += [
            f"  {articles:6,}  {one_line(reason)}"
            for reason, articles in reasons[:_REASONS_SHOWN]
        ]
        more = sum(articles for _, articles in reasons[_REASONS_SHOWN:])
        lines += [f"  {more:6,}  for other reasons"] if more else []
    if result.repeated_ids:
        repeated = counted(result.repeated_ids, "record repeats", "records repeat")
        lines.append(f"{repeated} the id of another; each is measured separately")
    return lines


_COLUMNS = (
    "articles",
    "events",
    "precision",
    "recall",
    "F1",
    "alone F1",
    "over-merge",
    "split",
)


def _table(
    rows: Sequence[str], columns: Sequence[str] = _COLUMNS, name: str = ""
) -> list[str]:
    head = f"{name:22}" + "".join(f"{column:>12}" for column in columns)
    return ["", *(f"  {row}" for row in (head, *rows))] if rows else []


def _row(name: str, *values: float | None) -> str:
    """Return a row of a table: counts, shares with three decimals, and blanks for None."""
    cells = (
        "" if one is None else f"{one:,}" if isinstance(one, int) else f"{one:.3f}"
        for one in values
    )
    return f"{name[:22]:22}" + "".join(f"{cell:>12}" for cell in cells)


def _report_row(name: str, report: "GroupingMetrics") -> str:
    score, sizes = report.bcubed, (report.articles, report.clusters)
    faults = report.over_merge, report.split
    return _row(
        name, *sizes, score.precision, score.recall, score.f1, report.alone.f1, *faults
    )


def _report_rows(report: "GroupingMetrics") -> list[str]:
    """Return the rows of BCubed, of its intervals, and of pairs."""
    rows = [_report_row("BCubed", report)]
    for name, end in (("  from", 0), ("  to", 1)):
        limits = {figure: limits[end] for figure, limits in report.intervals.items()}
        scores = map(
            limits.get, ("precision", "recall", "f1", "alone", "over_merge", "split")
        )
        rows += [_row(name, None, None, *scores)] if limits else []
    rows.append(
        _score_row("pairs", report.pairs, float(report.clusters == report.articles))
    )
    return rows


def _score_row(name: str, score: "Score", alone: float) -> str:
    return _row(name, None, None, score.precision, score.recall, score.f1, alone)


def _summary(results: "Sequence[found.Evaluation]") -> list[str]:
    """Return one line per dataset."""
    named = [(one.dataset.split(".jsonl")[0], one.labelled) for one in results]
    rows = [_report_row(one_line(name), report) for name, report in named if report]
    return ["", "BCubed of all", *_table(rows)[1:]]
