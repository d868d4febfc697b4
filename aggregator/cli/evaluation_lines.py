"""The figures of `eval` in lines of text and tables."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from aggregator.config.logging import one_line
from aggregator.config.messages import counted

if TYPE_CHECKING:
    from aggregator.admin.bcubed import (
        GroupingMetrics,
        SagaMetrics,
        Score,
        WrongGroup,
    )
    from aggregator.admin.evaluation import CorrectionsEvaluation, Evaluation


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


# The names in `GroupingMetrics.intervals` of the columns from "precision" on
_INTERVALS = ("precision", "recall", "f1", "alone", "over_merge", "split")


def table_lines(
    rows: Sequence[str], columns: Sequence[str] = _COLUMNS, name: str = ""
) -> list[str]:
    if not rows:
        return []
    head = f"{name:22}" + "".join(f"{column:>12}" for column in columns)
    return ["", *(f"  {row}" for row in (head, *rows))]


def row(name: str, *values: float | None) -> str:
    """Return a row of a table: counts, shares with three decimals, and blanks for None."""
    cells = f"{name[:22]:22}"
    for value in values:
        if value is None:
            cells += f"{'':12}"
        elif isinstance(value, int):
            cells += f"{value:12,}"
        else:
            cells += f"{value:12.3f}"
    return cells


def _report_row(name: str, report: "GroupingMetrics") -> str:
    return row(
        name,
        report.articles,
        report.clusters,
        report.bcubed.precision,
        report.bcubed.recall,
        report.bcubed.f1,
        report.alone.f1,
        report.over_merge,
        report.split,
    )


def report_rows(report: "GroupingMetrics") -> list[str]:
    """Return the rows of BCubed, of its intervals, and of pairs."""
    rows = [_report_row("BCubed", report)]
    for name, end in (("  from", 0), ("  to", 1)):
        if report.intervals:
            limits = {figure: both[end] for figure, both in report.intervals.items()}
            rows.append(row(name, None, None, *map(limits.get, _INTERVALS)))
    rows.append(
        score_row("pairs", report.pairs, float(report.clusters == report.articles))
    )
    return rows


def score_row(name: str, score: "Score", alone: float) -> str:
    return row(name, None, None, score.precision, score.recall, score.f1, alone)


def summary(results: "Sequence[Evaluation]") -> list[str]:
    """Return one line per dataset."""
    named = [(result.dataset.split(".jsonl")[0], result.labelled) for result in results]
    rows = [_report_row(one_line(name), report) for name, report in named if report]
    return ["", "BCubed of all", *table_lines(rows)[1:]]


_REASONS_SHOWN = 8

# So many stories that mix events, and as many split events, are shown; JSON has all.
_WRONG_SHOWN = 20

# The records shown of one event in one story
_RECORDS_SHOWN = 5


def report_lines(result: "Evaluation") -> list[str]:
    lines = [
        f"{one_line(result.dataset)}: {counted(result.articles, 'article')} in "
        f"{counted(result.stories, 'story', 'stories')}"
    ]
    lines += _warnings(result)
    copies = [score_row("copies", result.copies, 0.0)] if result.copies else []
    if result.labelled is None:
        lines.append("no record has a `cluster`, so the grouping cannot be measured")
        lines += table_lines(copies)
    else:
        lines += _quality_lines(result, result.labelled, copies)
    return [
        *lines,
        "",
        f"{counted(result.copies_found, 'copy or excerpt', 'copies or excerpts')} found",
        f"{result.seconds:.1f} s, {result.articles_per_second:.0f} articles per second "
        f"({result.articles_per_cpu_second:.0f} per second of CPU time, including workers), "
        f"{result.peak_memory_mib:.0f} MiB in the largest process, rules {result.rules_version}",
    ]


def _quality_lines(
    result: "Evaluation", report: "GroupingMetrics", copies: list[str]
) -> list[str]:
    """Return the lines of a dataset with labels; `copies`: the row of copies, if they are labelled."""
    lines = []
    if report.articles < result.articles:
        lines.append(f"{report.articles:,} of them are labelled and measured")
    lines += _month_lines("by month", {m.month: m.metrics for m in result.months})
    sure = {month.month: month.sure_reports for month in result.months}
    lines += _month_lines("sure reports", sure)
    lines += table_lines([*report_rows(report), *copies])
    if by_outlets := result.by_outlets:
        lines += [
            f"of {by_outlets.stories} stories of several outlets {by_outlets.pure} are pure",
            f"of {by_outlets.events} events of several outlets {by_outlets.whole} are in one story",
            f"of {by_outlets.one_outlet} stories of one outlet {by_outlets.one_outlet_impure} are impure",
        ]
    metrics = result.storylines
    lines += [
        f"{counted(metrics.several, 'storyline')} of several stories, the largest has {metrics.largest}",
        f"of {metrics.events} events of several outlets {metrics.in_one_place} are in one storyline",
    ]
    for name, score in (("pairs of", metrics.pairs), ("BCubed of", metrics.bcubed)):
        if score is not None:
            lines.append(
                f"{name} stories of one affair: precision {score.precision:.3f}, recall {score.recall:.3f}"
            )
    if metrics.pairs is not None:
        few, many = metrics.repeats
        lines.append(
            f"an affair again among the first 30 places: {few}, 60 places: {many}"
        )
    lines += _wrong_lines("stories that mix events", result.mixed_stories)
    return lines + _wrong_lines("events in several stories", result.split_events)


def _month_lines(name: str, months: "Mapping[str, SagaMetrics]") -> list[str]:
    """Return a table of months: F1 beside every article alone, pure stories, whole events, wrong pairs."""
    rows = []
    for month, metrics in months.items():
        rows.append(
            row(
                month,
                metrics.report.articles,
                metrics.report.bcubed.f1,
                metrics.report.alone.f1,
                metrics.several,
                metrics.pure / max(metrics.several, 1),
                metrics.events,
                metrics.whole / max(metrics.events, 1),
                metrics.wrong_in_saga,
                metrics.wrong_pairs - metrics.wrong_in_saga,
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
    return table_lines(rows, names, name)


def corrections_lines(result: "CorrectionsEvaluation") -> list[str]:
    report = result.labelled
    if report is None or not report.articles:
        return ["there is no corrected article to measure on"]
    lines = [f"{report.articles:,} corrected articles, grouped without the corrections"]
    if result.gone:
        lines.append(f"{result.gone:,} more have no story now and are not measured")
    return [*lines, *table_lines(report_rows(report))]


def _wrong_lines(heading: str, groups: "Sequence[WrongGroup]") -> list[str]:
    """Return the groups with their parts, and the id and title of each record."""
    lines = ["", f"{heading}: {len(groups):,}"]
    for group in groups[:_WRONG_SHOWN]:
        lines.append(f"  {one_line(group.name)}")
        for part, titles in group.parts.items():
            lines.append(f"    {one_line(part)}: {len(titles):,}")
            for record, title in islice(titles.items(), _RECORDS_SHOWN):
                lines.append(f"      {one_line(f'{record}  {title}')}")
    if len(groups) > _WRONG_SHOWN:
        lines.append(f"  {len(groups) - _WRONG_SHOWN:,} more; --format json has all")
    return lines


def _warnings(result: "Evaluation") -> list[str]:
    """Return the lines about records that change the meaning of the figures."""
    lines = []
    if result.failed_jobs:
        lines += [
            f"!!! {result.failed_jobs:,} of {counted(result.articles, 'article')} were NOT READ: a job failed",
            "!!! Each counts as a separate story, so the figures below are not those of the program.",
        ]
    if result.not_read:
        more = sum(result.not_read.values())
        lines.append(
            f"without a fingerprint, each a separate story: {counted(more, 'article')}"
        )
        for reason, articles in islice(result.not_read.items(), _REASONS_SHOWN):
            lines.append(f"  {articles:6,}  {one_line(reason)}")
            more -= articles
        if more:
            lines.append(f"  {more:6,}  for other reasons")
    if result.repeated_ids:
        lines.append(
            f"{counted(result.repeated_ids, 'record repeats', 'records repeat')} the id of another; "
            "each is measured separately"
        )
    return lines
