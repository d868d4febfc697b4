"""The figures of `eval` in lines of text."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from aggregator.config.logging import one_line
from aggregator.config.messages import counted

if TYPE_CHECKING:
    from aggregator.admin.bcubed import GroupingMetrics, SagaMetrics, WrongGroup
    from aggregator.admin.evaluation import CorrectionsEvaluation, Evaluation
from aggregator.cli.evaluation_table import report_rows, row, score_row, table_lines

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
    by_month = {}
    of_sure_reports = {}
    for month in result.months:
        by_month[month.month] = month.metrics
        of_sure_reports[month.month] = month.sure_reports
    return [
        *lines,
        *_month_lines("by month", by_month),
        *_month_lines("sure reports", of_sure_reports),
        *table_lines([*report_rows(report), *copies]),
        *_outlet_lines(result),
        *_storyline_lines(result),
        *_wrong_lines("stories that mix events", result.mixed_stories),
        *_wrong_lines("events in several stories", result.split_events),
    ]


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


def _outlet_lines(result: "Evaluation") -> list[str]:
    by_outlets = result.by_outlets
    if by_outlets is None:
        return []
    return [
        f"of {by_outlets.stories} stories of several outlets {by_outlets.pure} are pure",
        f"of {by_outlets.events} events of several outlets {by_outlets.whole} are in one story",
        f"of {by_outlets.one_outlet} stories of one outlet {by_outlets.one_outlet_impure} are impure",
    ]


def _storyline_lines(result: "Evaluation") -> list[str]:
    metrics = result.storylines
    lines = [
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
    return lines


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
