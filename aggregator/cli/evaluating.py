"""The command eval."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import show
from aggregator.cli.context import Settings
from aggregator.cli.progress import progress_bar
from aggregator.errors import UsageError

if TYPE_CHECKING:
    from aggregator.dedup.measures import Fault, Score
    from aggregator.evaluating import Evaluation


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(name="eval")(evaluate)


def evaluate(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Labelled articles: JSONL, also .gz or .zst.")
    ],
    assignments: Annotated[
        str, typer.Option("--assignments", metavar="OUT", help="Where each record went.")
    ] = "",
    format_: Annotated[str, typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """How good the grouping is, on labelled articles.

    They go through the daemon's own pipeline, in a scratch database.

    A record is {"id", "title", "text", "published", "cluster"?, "copy_of"?}; records of one `cluster` belong
    into one story.
    """
    import msgspec

    from aggregator.evaluating import evaluate as run
    from aggregator.evaluating import read_dataset

    if format_ not in ("text", "json"):
        raise UsageError(f"--format {format_}: choose text or json")
    settings: Settings = context.obj
    config = settings.load()
    records = read_dataset(Path(dataset))
    with progress_bar("articles", len(records)) as advance:
        result, assigned = run(
            records,
            config.rule_book,
            executor=config.work.executor,
            workers=config.work.worker_count,
            progress=advance,
        )
    if assignments:
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in assigned)
        try:
            Path(assignments).write_bytes(lines)
        except OSError as error:
            raise UsageError(f"{assignments} cannot be written: {error.strerror}") from error
    show.out(msgspec.json.encode(result) + b"\n" if format_ == "json" else "\n".join(_lines(result)) + "\n")


def _lines(result: "Evaluation") -> list[str]:
    lines = [f"{result.articles} articles in {result.stories} stories"]
    report = result.labelled
    if report is None:
        lines.append("no record has a `cluster`: nothing to measure the grouping against")
    else:
        lines += [
            f"{report.articles} labelled articles, {report.clusters} events",
            "",
            f"  {'':26}precision  recall      F1",
            _score("BCubed", report.bcubed),
            _score("pairs", report.pairs),
            _score("every article alone", report.alone),
            *([_score("copies", result.copies)] if result.copies else []),
            "",
            f"  over-merge {report.over_merge:.3f}  (stories of two or more that hold two events)",
            f"  split      {report.split:.3f}  (events of two or more spread over stories)",
        ]
        lines += _worst("worst false merges", result.worst_merges)
        lines += _worst("worst misses", result.worst_misses)
    lines += [
        "",
        f"{result.copies_found} copies or excerpts found",
        f"{result.seconds:.1f} s, {result.articles_per_second:.0f} articles a second "
        f"({result.articles_per_cpu_second:.0f} a second of CPU, workers included), "
        f"{result.peak_memory_mib:.0f} MiB in the largest process, rules {result.rules_version}",
    ]
    return lines


def _score(name: str, score: "Score") -> str:
    return f"  {name:26}{score.precision:9.3f}{score.recall:8.3f}{score.f1:8.3f}"


def _worst(title: str, faults: "tuple[Fault, ...]") -> list[str]:
    if not faults:
        return []
    return ["", f"{title} (ids; | parts what belongs apart)"] + [
        f"  {fault.wrong_pairs:4} pairs: " + " | ".join(" ".join(part[:4]) for part in fault.parts[:6])
        for fault in faults
    ]
