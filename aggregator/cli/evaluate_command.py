"""The command `eval`, which measures the quality of the grouping.

In text output, each figure has its name in the JSON. Months are a table, and wrong stories are lists.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument, flag, option, progress_bar
from aggregator.config.logging import one_line
from aggregator.config.messages import pluralise
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.admin.evaluation import CorrectionsEvaluation, Evaluation


# The template evaluation_lists.txt prints these fields.
_LISTED = frozenset({"months", "mixed_stories", "split_events", "not_read"})


def _figures(value: Any, name: str) -> Iterator[str]:
    """Yield a line for each number or interval, with its path in the JSON."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _figures(inner, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        yield f"{name:36}" + " to ".join(map(_format_value, value))
    elif value is not None:
        yield f"{name:36}{_format_value(value)}"


def _format_value(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


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
    affairs: Annotated[
        str,
        option(
            "--affairs",
            "FILE",
            "Measure storylines with the affairs of this JSON file instead of the `saga` of records.",
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
    from aggregator.admin.evaluate import evaluate as run
    from aggregator.admin.evaluate import evaluate_corrections
    from aggregator.admin.labelled_data import (
        dataset_name,
        dataset_notes,
        labels,
        read_dataset,
        read_loose,
    )
    from aggregator.sources.parse.records.record_entry import parse_mapping

    if from_corrections:
        if datasets or map_ or assignments or loose or affairs or pages_late:
            raise UsageError(
                "--from-corrections measures on your database: omit DATASET and its options"
            )
        from aggregator.grouping.story_options import StoryOptions
        from aggregator.intake.recluster.recluster_job import Reclusterer
        from aggregator.intake.workers.factory import workers
        from aggregator.model.clock import utc_now

        with context.obj.reading() as (config, database):
            clusters = labels(database)
            if not clusters:
                raise UsageError(
                    "there are no corrections to measure on; make some with `aggregator correct`"
                )
            options = StoryOptions(summary_words=config.publish.excerpt_words)
            with workers(config) as executor, progress_bar("articles", None) as advance:
                uncorrected = Reclusterer(
                    database, executor, config.effective_tuning, options, now=utc_now
                ).assignments(advance, corrected=False)
        _print(evaluate_corrections(uncorrected, clusters), format_)
        return
    if not datasets:
        raise UsageError(
            "give a DATASET (a JSONL file; - for standard input) or --from-corrections"
        )
    if len(datasets) > 1 and assignments:
        raise UsageError("--assignments accepts only one DATASET")
    if datasets.count("-") > 1:
        raise UsageError("standard input can be read only once")
    loose_pairs = read_loose(loose)
    chosen = parse_mapping(map_ or ())
    # A wrong name is reported now, before the long run.
    names = [dataset_name(dataset) for dataset in datasets]
    if assignments:
        # An unwritable file is reported now, not after half an hour.
        _write(assignments, b"", "ab")
    config = context.obj.load()
    for dataset, name in zip(datasets, names, strict=True):
        records = read_dataset(dataset, chosen=chosen)
        for note in dataset_notes(records):
            output.say(f"{one_line(name)}: {note}")
        steps = 2 * len(records) if pages_late else len(records)
        with progress_bar("articles", steps) as advance:
            result, assigned = run(
                records,
                config.effective_tuning,
                executor=config.work.executor,
                workers=config.work.worker_count(),
                progress=advance,
                dataset=name,
                loose=loose_pairs,
                affairs=affairs,
                pages_late=pages_late,
            )
        _print(result, format_)
        if assignments:
            _write(assignments, msgspec.json.Encoder().encode_lines(assigned), "wb")


def _write(out: str, lines: bytes, mode: Literal["ab", "wb"]) -> None:
    try:
        with Path(out).open(mode) as file:
            file.write(lines)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error


def _print(result: "Evaluation | CorrectionsEvaluation", format_: str) -> None:
    """Print all figures of a result."""
    if format_ == "json":
        output.json_line(result)
        return
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
    lists = output.fill_template("evaluation_lists.txt", result=result)
    if lists:
        output.out(f"{lists}\n")
