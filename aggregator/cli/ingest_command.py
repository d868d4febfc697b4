"""The command `ingest`, which reads files, feeds and pages."""

import functools
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument, flag, progress_bar
from aggregator.cli.writer_session import make_pipeline
from aggregator.config.messages import pluralise
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.admin.ingest.ingest_results import IngestSummary
    from aggregator.config.settings import Config
    from aggregator.intake.pipeline import Pipeline
    from aggregator.sources.parse.records.record_keys import Field
    from aggregator.store.engine.database import Database


_FILES = "files may be .txt .html .json .jsonl .csv .tsv .xml .warc .eml .mbox .mhtml, each also .gz or .zst"

WHAT = argument(
    "WHAT",
    f"Read files, folders, - (standard input), or the address of a feed, an article or an archive; {_FILES}.",
    show_default=False,
)


def ingest(
    context: Context,
    what: Annotated[list[str] | None, WHAT] = None,
    map_: output.KeyMap = None,
    samples: Annotated[
        bool, flag("--samples", "Read the sample articles that come with the program.")
    ] = False,
    bulk: Annotated[
        bool,
        flag(
            "--bulk",
            "Read all inputs as one archive, sorted by time; without a daemon.",
        ),
    ] = False,
    saved: Annotated[
        bool,
        flag(
            "--saved",
            "Save their stories for the owner: for the starred items of a feed reader.",
        ),
    ] = False,
    no_wait: Annotated[
        bool,
        flag("--no-wait", "Exit without waiting for a running daemon to place them."),
    ] = False,
    format_: output.TextOrJson = "text",
) -> None:
    """Read articles and group them into stories.

    Articles that are already stored are skipped, so an interrupted run can be repeated. The exit code is 3 if
    something was rejected; each rejected item is listed with its reason.

    \b
    Examples:
      aggregator ingest --samples
      aggregator ingest FOLDER
      aggregator ingest dump.jsonl.gz --format json
      aggregator ingest table.csv --map title=headline,text=story
      aggregator ingest --bulk FOLDER dump.jsonl.gz
      aggregator ingest --saved starred.json
      aggregator ingest - < records.jsonl
    """
    from aggregator.sources.parse.records.record_entry import parse_mapping
    from aggregator.store.stories.samples import samples_folder

    inputs = list(what or ())
    if samples:
        inputs.append(str(samples_folder()))
    if not inputs:
        raise UsageError(
            "give a file, folder or address, or type: aggregator ingest --samples"
        )
    if saved and no_wait:
        raise UsageError("stories are saved once they are placed: leave out --no-wait")
    with context.obj.writing() as (config, database):
        summary, unplaced = _ingest(
            config,
            database,
            inputs,
            parse_mapping(map_ or ()),
            bulk=bulk,
            wait=not no_wait,
            saves=saved,
        )
    if format_ == "json":
        output.json_line(summary)
    else:
        _print(summary)
    if samples:
        output.say(
            f"remove them with `aggregator sources remove {samples_folder().name} --articles`"
        )
    if unplaced:
        output.say(
            f"{pluralise(unplaced, 'article waits', 'articles wait')} to be placed: type this command again later"
        )
        raise typer.Exit(1)
    if summary.waiting and not no_wait:
        output.say(
            "they are stored and will be placed; `aggregator doctor` shows how many are waiting"
        )
        raise typer.Exit(1)
    if summary.rejected_count:
        raise typer.Exit(3)


def _ingest(
    config: "Config",
    database: "Database",
    what: list[str],
    chosen: "dict[Field, str]",
    *,
    bulk: bool,
    wait: bool,
    saves: bool,
) -> tuple["IngestSummary", int]:
    """Read the inputs; return the counts, and the number of articles that still wait to be placed.

    This number is 0 unless `saves` is set: the stories of these articles could not be saved for the owner yet.
    """
    from aggregator.admin.ingest.ingest_files import Ingest
    from aggregator.admin.ingest.inputs import IngestServices
    from aggregator.config.memory import collect_garbage_seldom
    from aggregator.intake.polling.page_fetch import PageFetcher, PollServices
    from aggregator.intake.workers.factory import workers
    from aggregator.model.clock import utc_now
    from aggregator.sources.fetch.client import client_of
    from aggregator.store.engine.writer_lease import WriterLease

    lock = WriterLease(database)
    try:
        with workers(config) as executor, ExitStack() as opened:
            tuning = config.effective_tuning

            @functools.cache
            def fetcher() -> PageFetcher:
                """Open the HTTP client when the first address or page is fetched."""
                client = opened.enter_context(closing(client_of(config)))
                return PageFetcher(
                    PollServices(database, client, executor, tuning, utc_now),
                    robots=config.fetch.robots,
                    pages=config.fetch.pages,
                )

            def become_writer() -> "Pipeline | None":
                if not lock.become_writer():
                    return None
                pipeline = make_pipeline(
                    config,
                    lock.fenced,
                    executor,
                    texts_here=config.work.executor == "processes",
                )
                # Commands may be queued for a daemon that has ended.
                pipeline.run_commands()
                return pipeline

            run = Ingest(
                IngestServices(database, executor, tuning, utc_now, fetcher),
                become_writer=become_writer,
                holds_back=wait,
                chosen=chosen,
            )
            if bulk and not run.is_writer:
                raise UsageError(
                    "--bulk needs the database for itself: stop the daemon first, or leave it out"
                )
            collect_garbage_seldom()
            with output.bar("{:,} read, {:,.0f}/s") as show:
                for read, read_bytes, total in run.run(what, as_one=bulk):
                    show(read, read_bytes, total if read_bytes else None)
            if wait and not run.is_writer and run.results.waiting:
                output.say(
                    "another process is the writer; waiting until it has placed these articles (skip with --no-wait)"
                )
                with progress_bar("placed", run.results.waiting) as advance:
                    for count in run.wait():
                        advance(count)
            with progress_bar("stories rendered", run.count_unrendered()) as advance:
                for count in run.render():
                    advance(count)
            summary = run.results.summary()
            unplaced = 0
            if saves:
                count, unplaced = run.save_stories()
                words = f"saved {pluralise(count, 'story', 'stories')} for the owner"
                if left := len(run.results.unstarred - run.results.articles):
                    words += f"; without a star: {pluralise(left, 'article')}"
                output.say(words)
            return summary, unplaced
    finally:
        lock.release()


def _print(summary: "IngestSummary") -> None:
    """Print the counts. Indented counts add up to the count above them."""
    if summary.read == 0:
        output.say(f"there was nothing to read; {_FILES}")
    output.out(output.fill_template("ingested.txt", summary=summary) + "\n")
    for note in summary.notes:
        output.say(note)
    for rejected in summary.rejected:
        output.say(f"rejected {rejected.where}: {rejected.reason}")
    if more := summary.rejected_count - len(summary.rejected):
        output.say(f"and {more:,} more")
