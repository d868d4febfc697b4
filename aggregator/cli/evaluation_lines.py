"""The figures of `eval` as text: each under its name in the JSON, months as a table, wrong stories as lists."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from aggregator.cli import output
from aggregator.config.logging import one_line
from aggregator.config.messages import pluralise

if TYPE_CHECKING:
    from aggregator.admin.bcubed import WrongGroup
    from aggregator.admin.evaluation import CorrectionsEvaluation, Evaluation

# So many stories that mix events, and as many split events, are shown; JSON has all.
_WRONG_SHOWN = 20
# The records shown of one event in one story
_RECORDS_SHOWN = 5
_REASONS_SHOWN = 8
# They are printed by `print_lists`.
_LISTED = frozenset({"months", "mixed_stories", "split_events", "not_read"})
_MONTH_COLUMNS = (
    "month",
    "records",
    "articles",
    "F1",
    "alone F1",
    "stories",
    "pure",
    "events",
    "whole",
    "wrong pairs",
)


def print_evaluation(result: "Evaluation | CorrectionsEvaluation") -> None:
    """Print all figures of a result."""
    figures = msgspec.to_builtins(result)
    output.out(f"{one_line(figures.pop('dataset', 'corrections'))}\n")
    if failed := figures.get("failed_jobs"):
        output.out(
            f"!!! {failed:,} of {pluralise(result.articles, 'article')} were NOT READ: a job failed. Each counts as a "
            "separate story, so the figures are not those of the program.\n"
        )
    for name, value in figures.items():
        if name not in _LISTED:
            output.out("".join(f"  {line}\n" for line in _figures(value, name)))


def print_lists(result: "Evaluation") -> None:
    """Print the months of a result, the records that were not read, and the wrong stories."""
    rows = []
    for month in result.months:
        for records, of in (
            ("all", month.metrics),
            ("sure reports", month.sure_reports),
        ):
            report = of.report
            rows.append(
                (
                    month.month,
                    records,
                    report.articles,
                    f"{report.bcubed.f1:.3f}",
                    f"{report.alone.f1:.3f}",
                    of.several,
                    of.pure,
                    of.events,
                    of.whole,
                    of.wrong_pairs,
                )
            )
    if rows:
        output.table(_MONTH_COLUMNS, rows)
    for reason, number in islice(result.not_read.items(), _REASONS_SHOWN):
        output.out(f"not read, each a separate story: {number:,}: {one_line(reason)}\n")
    if result.labelled is not None:
        _print_wrong("stories that mix events", result.mixed_stories)
        _print_wrong("events in several stories", result.split_events)


def _figures(value: Any, name: str) -> Iterator[str]:
    """Yield a line for each number, with the path to it in the JSON."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _figures(inner, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        yield f"{name:36}" + " to ".join(map(_format_value, value))
    elif value is not None:
        yield f"{name:36}{_format_value(value)}"


def _format_value(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _print_wrong(heading: str, groups: "Sequence[WrongGroup]") -> None:
    """Print groups with their parts, and the id and title of each record."""
    lines = [f"{heading}: {len(groups):,}"]
    for group in groups[:_WRONG_SHOWN]:
        lines.append(f"  {group.name}")
        for part, titles in group.parts.items():
            lines.append(f"    {part}: {len(titles):,}")
            for record, title in islice(titles.items(), _RECORDS_SHOWN):
                lines.append(f"      {record}  {title}")
    output.out("".join(f"{one_line(line)}\n" for line in lines))
