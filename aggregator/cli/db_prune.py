"""The command db prune: retention now."""

from typing import TYPE_CHECKING, Annotated, Literal

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
    ("packed", "texts to be packed (compress_after)"),
    ("untold", "stories whose merged text is told on demand (compress_after)"),
    ("unlinked", "articles too old to be found as the same text"),
    ("stripped", "stories that nothing joins any more"),
    ("texts", "stories whose texts go (text_after)"),
    ("stories", "stories that go for good (stories_after)"),
    ("bytes_over", "bytes above `size`"),
    ("bytes_free", "bytes of the file that hold nothing"),
)


def register(_app: typer.Typer) -> None:
    """Add the commands of this module."""
    db.command()(prune)


def prune(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is due, change nothing.")] = False,
    vacuum: Annotated[
        bool,
        typer.Option("--vacuum", help="SQLite: then write the file anew; needs its size again on the disk."),
    ] = False,
    format_: Annotated[Literal["text", "json"], typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """Do now what `retention:` of config.yaml asks for.

    A daemon does the same by itself, in small steps; where one runs, it is asked to. Stopped with Ctrl-C,
    what was done is done, and the rest follows the next time.

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
            _done(config, database, plan, advance)
        left = due().bytes_over
        if vacuum:
            _written_anew(config, database)
    output.say("done")
    if left:
        output.say(f"{left:,} bytes above `size` are left: the articles of the last days stay")


def _print_backlog(due: "RetentionBacklog", format_: str) -> None:
    import msgspec

    if format_ == "json":
        output.out(msgspec.json.encode(due) + b"\n")
        return
    output.out("".join(f"{getattr(due, name):15,}  {words}\n" for name, words in _LINES))


def _done(
    config: "Config", database: "Database", plan: "RetentionPlan", advance: "Callable[[int], None]"
) -> None:
    import msgspec

    from aggregator.pipeline.placement.retention import PruneResult

    with WriterSession(config, database) as writer:
        retention_job = None
        while True:
            if writer.is_here:
                retention_job = retention_job or writer.retention_job(plan)
                more = retention_job.step()
            else:
                number = writer.enqueue("prune", msgspec.json.encode(plan))
                answer = writer.wait_for_answer(number, PATIENCE_SECONDS)
                if answer is None:
                    raise UsageError(
                        "the process that is the writer now does not answer; it goes on by itself"
                    )
                more = not msgspec.json.decode(answer, type=PruneResult).is_done
            advance(1)
            if not more:
                return


def _written_anew(config: "Config", database: "Database") -> None:
    with WriterSession(config, database) as writer:
        if not writer.is_here:
            raise AnotherDaemonError(
                "stop the daemon first: nobody else may write while the file is written anew"
            )
        before, after = database.vacuum()
    output.say(f"the file had {before / 2**20:,.1f} MiB, and has {after / 2**20:,.1f} now")
