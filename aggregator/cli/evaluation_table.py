"""The figures of `eval` as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aggregator.config.logging import one_line

if TYPE_CHECKING:
    from aggregator.admin.bcubed import GroupingMetrics, Score
    from aggregator.admin.evaluation import Evaluation


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
            scores = map(limits.get, _INTERVALS)
            rows.append(row(name, None, None, *scores))
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
