"""The command eval: measures the quality of the grouping."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from aggregator.cli import output
from aggregator.cli.context import Context, Settings
from aggregator.cli.correct import workers
from aggregator.cli.output import argument, as_steps, flag, option, progress_bar
from aggregator.config.logging import one_line
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt

    from aggregator.admin import evaluate as found
    from aggregator.cluster.bcubed import GroupingMetrics, Score

_PARTS_SHOWN = 5  # of a fault; --format json has all parts
_ARTICLES_SHOWN = 3  # of a part; --format json has all articles
_REASONS_SHOWN = 8
_OUTLET_CHARS = 18
_TITLE_CHARS = 74


def evaluate(
    context: Context,
    datasets: Annotated[
        list[str] | None,
        argument(
            "DATASET", "Read labelled articles from this JSONL file, also .gz or .zst; - is standard input."
        ),
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", min=0, help="List at most this many false merges and as many misses.")
    ] = 10,
    assignments: Annotated[
        str, option("--assignments", "OUT", "Write the story of each record to this file, as JSON lines.")
    ] = "",
    loose: Annotated[
        str, option("--loose", "FILE", 'Read groups whose pairs count neither way, as lines of {"ids"}.')
    ] = "",
    from_corrections: Annotated[
        bool, flag("--from-corrections", "Measure on your corrections instead of a dataset.")
    ] = False,
    pages_late: Annotated[
        bool, flag("--pages-late", "Measure texts that come after the leads, and compare both ways.")
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
    belong to the same story.

    \b
    Examples:
      aggregator eval labelled.jsonl.gz
      aggregator eval labelled.jsonl --worst 0 --format json
      aggregator eval --from-corrections
    """
    from aggregator.admin import evaluate as measure

    if from_corrections:
        if datasets or assignments or loose or pages_late:
            raise UsageError("--from-corrections measures on your database: omit DATASET and its options")
        result = _evaluate_corrections(context.obj, worst)
        _print(result, format_, _corrections_lines(result))
        return
    datasets = datasets or []
    if not datasets:
        raise UsageError("give a DATASET (a JSONL file; - for standard input) or --from-corrections")
    if len(datasets) > 1 and assignments:
        raise UsageError("--assignments accepts only one DATASET")
    if datasets.count("-") > 1:
        raise UsageError("standard input can be read only once")
    loose_pairs = measure.read_loose(loose)
    names = [measure.dataset_name(one) for one in datasets]  # a wrong name is reported now
    if assignments:
        _write(assignments, b"", "ab")  # reports that it cannot be written now, not after half an hour
    config = context.obj.load()
    results: list[found.Evaluation] = []
    for dataset, name in zip(datasets, names, strict=True):
        records = measure.read_dataset(dataset)
        total = len(records) * (3 if pages_late else 1)
        with context.obj.progress("articles", total) as advance:
            evaluated, assigned = measure.evaluate(
                records,
                config.effective_tuning,
                executor=config.work.executor,
                workers=config.work.worker_count,
                progress=advance,
                dataset=name,
                worst=worst,
                loose=loose_pairs,
                pages_late=pages_late,
            )
        _print(evaluated, format_, ["", *_lines(evaluated)] if results else _lines(evaluated))
        results.append(evaluated)
        if assignments:
            _write(assignments, b"".join(msgspec.json.encode(one) + b"\n" for one in assigned), "wb")
    if len(results) > 1 and format_ == "text":
        output.out("\n".join(_summary(results)) + "\n")


def _evaluate_corrections(settings: Settings, worst: int) -> "found.CorrectionsEvaluation":
    """Group all articles again without the corrections, in a temporary database, and compare."""
    from aggregator.admin.evaluate import evaluate_corrections, labels, shown_view
    from aggregator.model.core import utc_now
    from aggregator.pipeline.placement.recluster import Reclusterer
    from aggregator.pipeline.placement.story_options import StoryOptions
    from aggregator.store.stories import article_views

    with settings.reading() as (config, database):
        clusters = labels(database)
        if not clusters:
            raise UsageError("there are no corrections to measure on; make some with `aggregator correct`")
        with database.read() as connection:
            views = article_views.views_of(connection, clusters)
        options = StoryOptions(summary_words=config.publish.excerpt_words)
        with workers(config) as executor, progress_bar("articles", None) as advance:
            run = Reclusterer(database, executor, config.effective_tuning, options, now=utc_now)
            assigned = run.assignments(as_steps(advance), corrected=False)
    shown = {view.id: shown_view(view, assigned.get(view.id)) for view in views}
    return evaluate_corrections(assigned, clusters, shown=shown, worst=worst)


# --- printing ----------------------------------------------------------------------------------------------


def _write(out: str, lines: bytes, mode: Literal["ab", "wb"]) -> None:
    try:
        with Path(out).open(mode) as file:
            file.write(lines)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error


def _print(result: "found.GroupingEvaluation", format_: str, lines: Iterable[str]) -> None:
    if format_ == "json":
        output.json_line(result)
    else:
        output.out("\n".join(lines) + "\n")


def _lines(result: "found.Evaluation") -> list[str]:
    stories = counted(result.stories, "story", "stories")
    lines = [f"{one_line(result.dataset)}: {counted(result.articles, 'article')} in {stories}"]
    lines += _warnings(result)
    report = result.labelled
    if report is None:
        lines.append("no record has a `cluster`, so the grouping cannot be measured")
        lines += _table([_score_row("copies", result.copies, 0.0)] if result.copies else [])
    else:
        if report.articles < result.articles:
            lines.append(f"{report.articles:,} of them are labelled and measured")
        lines += _month_lines(result.months)
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
        lines += _outlet_lines(result)
        lines += _worst_lines(result)
    lines += _late_lines(result)
    return [
        *lines,
        "",
        f"{counted(result.copies_found, 'copy or excerpt', 'copies or excerpts')} found",
        f"{result.seconds:.1f} s, {result.articles_per_second:.0f} articles per second "
        f"({result.articles_per_cpu_second:.0f} per second of CPU time, including workers), "
        f"{result.peak_memory_mib:.0f} MiB in the largest process, rules {result.rules_version}",
    ]


def _month_lines(months: "Sequence[found.MonthEvaluation]") -> list[str]:
    """Return a table of months: F1 beside every article alone, pure stories, whole events, wrong pairs."""
    rows = []
    for one in months:
        metrics, report = one.metrics, one.metrics.report
        pure, whole = metrics.pure / max(metrics.several, 1), metrics.whole / max(metrics.events, 1)
        stories, events = (metrics.several, pure), (metrics.events, whole)
        wrong = metrics.wrong_in_saga, metrics.wrong_pairs - metrics.wrong_in_saga
        rows.append(
            _row(one.month, report.articles, report.bcubed.f1, report.alone.f1, *stories, *events, *wrong)
        )
    names = ("articles", "F1", "alone F1", "stories", "pure", "events", "whole", "one saga", "other wrong")
    return _table(rows, names, "by month")


def _late_lines(result: "found.Evaluation") -> list[str]:
    late = result.pages_late
    if late is None:
        return []
    share = late.retired / max(1, late.stories_before)
    lines = [
        "",
        f"the texts came after the leads; then {late.retired:,} of {late.stories_before:,} stories "
        f"({share:.1%}) were merged into others",
        f"with the texts first {late.texts_first_retired:.1%} of the stories were merged into others",
    ]
    if late.texts_first is not None and result.labelled is not None:
        f1 = result.labelled.bcubed.f1
        lines.append(f"BCubed F1 {f1:.4f}; with the texts first {late.texts_first.f1:.4f}")
    return lines


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
        *([f"{result.gone:,} more have no story now and are not measured"] if result.gone else []),
    ]
    rows = [_report_row("BCubed", report)]
    rows.append(_score_row("pairs", report.pairs, float(report.clusters == report.articles)))
    return [*lines, *_table(rows), *_worst_lines(result)]


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
        total = sum(group.articles for group in result.not_read)
        lines.append(f"without a fingerprint, each a separate story: {counted(total, 'article')}")
        for group in result.not_read[:_REASONS_SHOWN]:
            ids = " ".join(group.ids) + (" ..." if group.articles > len(group.ids) else "")
            cause = f"{_CAUSES[group.cause]}: {one_line(group.reason)} ({one_line(ids)})"
            lines.append(f"  {group.articles:6,}  {cause}")
        more = sum(group.articles for group in result.not_read[_REASONS_SHOWN:])
        lines += [f"  {more:6,}  for other reasons"] if more else []
    if result.repeated_ids:
        repeated = counted(result.repeated_ids, "record repeats", "records repeat")
        lines.append(f"{repeated} the id of another; each is measured separately")
    return lines


_CAUSES = {"worker": "job of a worker failed", "record": "bad record", "text": "no text"}


_COLUMNS = ("articles", "events", "precision", "recall", "F1", "alone F1", "over-merge", "split")


def _table(rows: Sequence[str], columns: Sequence[str] = _COLUMNS, name: str = "") -> list[str]:
    head = f"{name:22}" + "".join(f"{column:>12}" for column in columns)
    return ["", *(f"  {row}" for row in (head, *rows))] if rows else []


def _row(name: str, *values: float | None) -> str:
    """Return a row of a table: counts, shares with three decimals, and blanks for None."""
    cells = ("" if one is None else f"{one:,}" if isinstance(one, int) else f"{one:.3f}" for one in values)
    return f"{name[:22]:22}" + "".join(f"{cell:>12}" for cell in cells)


def _report_row(name: str, report: "GroupingMetrics") -> str:
    score, sizes = report.bcubed, (report.articles, report.clusters)
    faults = report.over_merge, report.split
    return _row(name, *sizes, score.precision, score.recall, score.f1, report.alone.f1, *faults)


def _score_row(name: str, score: "Score", alone: float) -> str:
    return _row(name, None, None, score.precision, score.recall, score.f1, alone)


def _worst_lines(result: "found.GroupingEvaluation") -> list[str]:
    lines = []
    for faults, head, whole, part in (
        (result.worst_merges, "worst false merges: stories that hold several events", "story", "event"),
        (result.worst_misses, "worst misses: events spread over several stories", "event", "story"),
    ):
        lines += ["", head] if faults else []
        for rank, fault in enumerate(faults, start=1):
            lines += _fault_lines(rank, fault, whole, part)
    return lines


def _fault_lines(rank: int, fault: "found.ListedFault", whole: str, part: str) -> list[str]:
    pairs = counted(fault.wrong_pairs, "wrong pair")
    lines = ["", f"{rank:3}. {pairs}: {whole} {one_line(fault.name)}"]
    for one in fault.parts[:_PARTS_SHOWN]:
        lines += _part_lines(one, part)
    left = fault.parts[_PARTS_SHOWN:]
    if left:
        articles = sum(len(one.articles) for one in left)
        lines.append(f"     and {len(left):,} more with {counted(articles, 'article')}")
    return lines


def _part_lines(part: "found.FaultPart", word: str) -> list[str]:
    """Return the lines of one part with its first few articles; --format json has the decisions."""
    lines = [f"     {word} {one_line(part.name)}, {counted(len(part.articles), 'article')}"]
    lines += [_article_line(one) for one in part.articles[:_ARTICLES_SHOWN]]
    left = len(part.articles) - _ARTICLES_SHOWN
    return [*lines, f"         and {left:,} more"] if left > 0 else lines


def _article_line(article: "found.ShownArticle") -> str:
    outlet, title = one_line(article.outlet or "-"), one_line(article.title) or "(no title)"
    return (
        f"         {_moment(article.published):16}  {_shortened(outlet, _OUTLET_CHARS):{_OUTLET_CHARS}}  "
        f"{_shortened(title, _TITLE_CHARS):{_TITLE_CHARS}}  {one_line(article.id)}"
    )


def _moment(when: "dt.datetime | None") -> str:
    """Return a time in UTC; midnight is printed as a date."""
    if when is None:
        return "undated"
    return when.strftime("%Y-%m-%d %H:%M" if when.hour or when.minute else "%Y-%m-%d")


def _summary(results: "Sequence[found.Evaluation]") -> list[str]:
    """Return one line per dataset."""
    named = [(one.dataset.split(".jsonl")[0], one.labelled) for one in results]
    rows = [_report_row(one_line(name), report) for name, report in named if report]
    return ["", "BCubed of all", *_table(rows)[1:]]


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
