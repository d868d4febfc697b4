"""The command db prune: applies retention immediately."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context
from aggregator.cli.correct import PATIENCE_SECONDS, WriterSession, make_placer, written_before
from aggregator.cli.progress import progress_bar
from aggregator.model.errors import AnotherDaemonError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.config.settings import Config
    from aggregator.pipeline.placement.retention import Retention, RetentionBacklog, RetentionPlan
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


def prune(
    context: Context,
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

    with written_before(context.obj) as (config, database):
        plan = retention_plan(config)

        def due() -> "RetentionBacklog":
            return make_placer(config, database).retention_job(plan, config.effective_tuning).due()

        _print_backlog(due(), format_)
        if dry_run:
            return
        with progress_bar("steps", None, lines=context.obj.verbose > 0) as advance:
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
    from aggregator.pipeline.placement.retention import PruneResult

    with WriterSession(config, database) as writer:
        job: Retention | None = None

        def step() -> PruneResult:
            nonlocal job
            job = job or writer.placer().retention_job(plan, config.effective_tuning, is_asked=True)
            return PruneResult(is_done=not job.step())

        is_done = False
        while not is_done:
            pruned = writer.carry_out("prune", plan, step, PruneResult, patience_seconds=PATIENCE_SECONDS)
            if pruned is None:
                raise UsageError(
                    "the process that is the writer does not answer; it continues the work later"
                )
            is_done = pruned.is_done
            advance(1)


def _vacuum(config: "Config", database: "Database") -> None:
    with WriterSession(config, database) as writer:
        if not writer.is_writer:
            raise AnotherDaemonError("stop the daemon first: --vacuum needs the database for itself")
        before, after = database.vacuum()
    output.say(f"the file had {before / 2**20:,.1f} MiB and now has {after / 2**20:,.1f} MiB")
