"""The command db prune: applies retention immediately."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.admin import db
from aggregator.cli.context import Settings
from aggregator.cli.correct import PATIENCE_SECONDS, WriterSession, make_placer, written_before
from aggregator.cli.progress import progress_bar
from aggregator.model.errors import AnotherDaemonError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.config.settings import Config
    from aggregator.pipeline.placement.retention import RetentionBacklog, RetentionPlan
    from aggregator.store.engine.database import Database

_LINES = (
    ("packed", "texts to be compressed (compress_after)"),
    ("unrendered", "stories whose merged text will be rendered on request (compress_after)"),
    ("unlinked", "articles too old for the search for copies"),
    ("stripped", "stories that accept no more articles"),
    ("texts", "stories whose texts will be deleted (text_after)"),
    ("stories", "stories that will be deleted (stories_after)"),
    ("bytes_over", "bytes above `size`"),
    ("bytes_free", "unused bytes in the database file"),
)


def register(_app: typer.Typer) -> None:
    """Add the commands of this module."""
    db.command()(prune)


def prune(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is due without changing anything.")
    ] = False,
    vacuum: Annotated[
        bool,
        typer.Option(
            "--vacuum", help="Shrink the SQLite file afterwards, which needs free space of the file's size."
        ),
    ] = False,
    format_: output.TextOrJson = "text",
) -> None:
    """Apply the retention of config.yaml now.

    A daemon does the same as a maintenance task, in small steps; a running daemon does the work. After Ctrl-C
    the steps that are done stay done, and the rest is done the next time.

    \b
    Examples:
      aggregator db prune --dry-run
      aggregator db prune
      aggregator db prune --vacuum
    """
    from aggregator.pipeline.placement.retention import retention_plan

    settings: Settings = context.obj
    with written_before(settings) as (config, database):
        plan = retention_plan(config)

        def due() -> "RetentionBacklog":
            return make_placer(config, database).retention_job(plan, config.effective_tuning).due()

        _print_backlog(due(), format_)
        if dry_run:
            return
        with progress_bar("steps", None, lines=settings.verbose > 0) as advance:
            _prune(config, database, plan, advance)
        bytes_over = due().bytes_over
        if vacuum:
            _vacuum(config, database)
    output.say("done")
    if bytes_over:
        output.say(f"{bytes_over:,} bytes above `size` remain: articles of the last days are not deleted")


def _print_backlog(due: "RetentionBacklog", format_: str) -> None:
    if format_ == "json":
        output.json_line(due)
        return
    output.out("".join(f"{getattr(due, name):15,}  {text}\n" for name, text in _LINES))


def _prune(
    config: "Config", database: "Database", plan: "RetentionPlan", advance: "Callable[[int], None]"
) -> None:
    import msgspec

    from aggregator.pipeline.placement.retention import PruneResult

    with WriterSession(config, database) as writer:
        retention_job = None
        while True:
            if writer.is_writer:
                retention_job = retention_job or writer.retention_job(plan)
                more = retention_job.step()
            else:
                number = writer.enqueue("prune", msgspec.json.encode(plan))
                answer = writer.wait_for_answer(number, PATIENCE_SECONDS)
                if answer is None:
                    raise UsageError(
                        "the process that is the writer does not answer; it continues the work later"
                    )
                more = not msgspec.json.decode(answer, type=PruneResult).is_done
            advance(1)
            if not more:
                return


def _vacuum(config: "Config", database: "Database") -> None:
    with WriterSession(config, database) as writer:
        if not writer.is_writer:
            raise AnotherDaemonError("stop the daemon first: --vacuum needs the database for itself")
        before, after = database.vacuum()
    output.say(f"the file had {before / 2**20:,.1f} MiB and now has {after / 2**20:,.1f} MiB")
