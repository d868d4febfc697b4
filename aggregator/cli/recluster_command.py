"""The command `recluster`."""

from typing import TYPE_CHECKING, Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context
from aggregator.cli.output import flag, option, progress_bar

if TYPE_CHECKING:
    from aggregator.intake.recluster.regrouping import GroupingDifference
from aggregator.cli.correct_command import NoWait
from aggregator.cli.writer_session import WriterSession, written_before

RECLUSTER_PATIENCE_SECONDS = 24 * 3600.0


def recluster(
    context: Context,
    since: Annotated[
        str,
        option(
            "--since",
            "TIME",
            "Regroup only articles received since then: 7d, 2026-05-01.",
        ),
    ] = "",
    dry_run: Annotated[
        bool, flag("--dry-run", "Show the differences without writing anything.")
    ] = False,
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Group all articles into stories again.

    This applies the present rules. Corrections are respected, and unchanged stories keep their ids and times.
    The new grouping is computed in a temporary database, which needs as much disk space as the database. An
    interrupted run changes nothing.

    \b
    Examples:
      aggregator recluster --dry-run
      aggregator recluster --since 7d
    """
    from aggregator.config.story_query import StoryQuery
    from aggregator.intake.configured import story_options
    from aggregator.intake.recluster.recluster_job import Reclusterer
    from aggregator.intake.recluster.regrouping import ReclusterCommand
    from aggregator.intake.workers.factory import workers
    from aggregator.model.clock import utc_now

    regrouped: GroupingDifference | None
    with (
        written_before(context.obj) as (config, database),
        progress_bar("articles", None) as advance,
    ):
        start = StoryQuery.read({"since": since}).story_filter(utc_now(), 1).since
        if dry_run:
            with workers(config) as executor:
                regrouped = Reclusterer(
                    database,
                    executor,
                    config.effective_tuning,
                    story_options(config),
                    now=utc_now,
                ).difference(start, advance)
        else:
            with WriterSession(config, database) as writer:
                if not (no_wait or writer.is_writer):
                    show.say(
                        "another process is the writer; waiting until it has regrouped (skip with --no-wait)"
                    )
                regrouped = writer.carry_out(
                    "recluster",
                    ReclusterCommand(since=start),
                    no_wait=no_wait,
                    patience_seconds=RECLUSTER_PATIENCE_SECONDS,
                    advance=advance,
                )
    if regrouped is None:
        show.say(
            "queued for the process that is the writer; the log of the daemon reports when it is done"
        )
    elif format_ == "json":
        show.json_line(regrouped)
    else:
        show.out(show.fill_template("recluster.txt", regrouped=regrouped) + "\n")
