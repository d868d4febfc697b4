"""Commands that read from outside: ingest, extract."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings
from aggregator.cli.progress import reading_progress
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.admin.ingest import Ingest, IngestSummary
    from aggregator.config.settings import Config
    from aggregator.store.engine.database import Database

_WHAT = typer.Argument(
    metavar="WHAT",
    help="Files, folders, - (standard input), a feed's or an article's address. "
    ".txt .html .json .jsonl .xml .warc, each also .gz or .zst.",
    show_default=False,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ingest)
    app.command()(extract)


def ingest(
    context: typer.Context,
    what: Annotated[list[str] | None, _WHAT] = None,
    samples: Annotated[
        bool, typer.Option("--samples", help="Read the sample articles that come with the program.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait where a running daemon does the placing.")
    ] = False,
    format_: Annotated[Literal["text", "json"], typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """Read articles once; what is known changes nothing.

    A stopped run goes on where it was. Ends with 3 where something was not taken, and says what.

    \b
    Examples:
      aggregator ingest --samples
      aggregator ingest FOLDER
      aggregator ingest dump.jsonl.gz --format json
      aggregator ingest - < records.jsonl
    """
    import msgspec

    from aggregator.admin.ingest import samples_folder

    wanted = [*(what or ()), *([str(samples_folder())] if samples else ())]
    if not wanted:
        raise UsageError("name a file, folder or address, or type: aggregator ingest --samples")
    settings: Settings = context.obj
    with settings.writing() as (config, database):
        summary = _ingest(config, database, wanted, wait=not no_wait, lines=settings.verbose > 0)
    if format_ == "json":
        output.out(msgspec.json.encode(summary) + b"\n")
    else:
        _print(summary)
    if summary.waiting and not no_wait:
        output.say("they are accepted and safe; `aggregator doctor` tells how many still wait")
        raise typer.Exit(1)
    if summary.rejected_count:
        raise typer.Exit(3)


def _ingest(
    config: "Config", database: "Database", what: list[str], *, wait: bool, lines: bool
) -> "IngestSummary":
    from aggregator.admin.ingest import Ingest
    from aggregator.extract.wire.agencies import family_table
    from aggregator.model.core import utc_now
    from aggregator.pipeline.pipeline import Pipeline
    from aggregator.pipeline.poll import Poller
    from aggregator.pipeline.workers.factory import open_executor
    from aggregator.sources.fetch.client import client_of
    from aggregator.store.engine.writer_lease import open_writer_lease

    all_tuning = config.effective_tuning
    lock = open_writer_lease(database, all_tuning)
    executor = open_executor(config.work.executor, config.work.worker_count, all_tuning)
    client = client_of(config)
    try:
        poller = Poller(
            database,
            client,
            executor,
            all_tuning,
            utc_now,
            robots=config.fetch.robots,
            pages=config.fetch.pages,
        )

        def become_writer() -> Pipeline | None:
            words = config.publish.excerpt_words
            if not lock.become_writer():
                return None
            families = family_table(config.families)
            pipeline = Pipeline(
                lock.fenced,
                executor,
                all_tuning,
                utc_now,
                summary_words=words,
                families=families,
                bumps=config.feeds.bump,
                prefer=config.publish.prefer,
            )
            pipeline.run_commands()  # what was left for a daemon that ended
            return pipeline

        run = Ingest(
            database,
            become_writer=become_writer,
            poller=poller,
            client=client,
            executor=executor,
            all_tuning=all_tuning,
            now=utc_now,
            holds_back=wait,
            is_awaited=lock.is_awaited,
            give_up=lock.release,
        )
        return _run_with_progress(run, what, wait=wait, lines=lines)
    finally:
        client.close()
        executor.close()
        lock.release()


def _run_with_progress(run: "Ingest", what: list[str], *, wait: bool, lines: bool) -> "IngestSummary":
    with reading_progress(lines=lines) as tell:
        for step in run.run(what):
            tell(step.read, step.read_bytes, step.total_bytes)
    if wait and not run.is_writer:
        output.say(
            "another process is the writer; waiting until it has placed these articles (--no-wait: do not)"
        )
        for _ in run.wait(patience_seconds=3600):
            pass
    return run.summary()


def _print(summary: "IngestSummary") -> None:
    rows = [
        ("read", summary.read),
        ("new", summary.new),
        ("already known", summary.known),
        ("revised", summary.revised),
        ("copies", summary.copies),
        ("stories created", summary.stories_created),
        ("stories extended", summary.stories_extended),
        ("rejected", summary.rejected_count),
    ]
    if summary.waiting:
        rows.append(("waiting", summary.waiting))
    # All that was read is in one of the lines new, known, revised, rejected and waiting.
    copies = counted(summary.copies, "copy", "copies")
    parts = f"{summary.stories_created:,} opened a story, {summary.joined:,} joined one, {copies}"
    said = {"new": f"  ({parts})"} if summary.new else {}
    output.out("".join(f"{name:17}{number:8}{said.get(name, '')}\n" for name, number in rows))
    for one in summary.rejected:
        output.say(f"rejected {one.where}: {one.reason}")
    if more := summary.rejected_count - len(summary.rejected):
        output.say(f"and {more:,} more")


def extract(
    context: typer.Context,
    what: Annotated[list[str], _WHAT],
    format_: Annotated[Literal["text", "jsonl"], typer.Option("--format", metavar="text|jsonl")] = "text",
) -> None:
    """What would be kept of pages or texts; stores nothing.

    \b
    Examples:
      aggregator extract page.html
      aggregator extract FOLDER --format jsonl
    """
    from aggregator.admin.extract_preview import extract as run

    settings: Settings = context.obj
    config = settings.load()
    for one in run(config, what):
        if format_ == "jsonl":
            output.out(one.as_json() + b"\n")
        else:
            output.out(one.as_text() + "\n")
