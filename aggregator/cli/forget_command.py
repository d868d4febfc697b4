"""The command `forget`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context, missing_database
from aggregator.cli.output import argument, flag
from aggregator.config.messages import pluralise
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.grouping.deletion.forget_articles import ForgetCommand, ForgetResult
    from aggregator.store.engine.database import Database
    from aggregator.store.maintenance.erase_target import EraseSummary
from aggregator.cli.correct_command import NoWait
from aggregator.cli.writer_session import WriterSession, written_before

# At most this many forgotten articles are listed.
_LISTED = 1_000

Yes = Annotated[bool, flag("--yes", "Skip the confirmation.")]


def forget(
    context: Context,
    name: Annotated[
        str,
        argument(
            "[URL|ARTICLE|OUTLET]",
            "Erase the article with this address or id, or all articles of this outlet.",
        ),
    ] = "",
    yes: Yes = False,
    dry_run: Annotated[
        bool, flag("--dry-run", "Show what would be erased without changing anything.")
    ] = False,
    list_: Annotated[
        bool, flag("--list", "List forgotten articles, the newest first.")
    ] = False,
    no_wait: NoWait = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Erase articles permanently and refuse them in the future.

    This deletes the text, its earlier versions, its index entries and its output. Ids and hashes remain, so
    that the article is recognised and refused. Copies printed by other outlets are separate articles: forget
    them separately. This cannot be undone.

    \b
    Examples:
      aggregator forget ARTICLE --dry-run
      aggregator forget ARTICLE --yes
      aggregator forget Herald --yes
      aggregator forget --list
    """
    from aggregator.grouping.deletion.forget_articles import ForgetCommand
    from aggregator.store.intake.identity.tombstones import newest_tombstones

    if list_:
        with context.obj.reading() as (config, database):
            if missing_database(config) is not None:
                return
            with database.read() as connection:
                tombstones = newest_tombstones(connection, _LISTED)
        if format_ == "json":
            show.json_line(tombstones)
            return
        if not tombstones:
            show.say("No articles have been forgotten.")
        for tombstone in tombstones:
            line = f"{tombstone.article}  {tombstone.at:%Y-%m-%d %H:%M}"
            if tombstone.rejected_count:
                line += f"  refused {pluralise(tombstone.rejected_count, 'time')}"
            show.out(f"{line}\n")
        return
    if not name:
        raise UsageError(
            "give the address or id of an article, or the name of an outlet"
        )
    with written_before(context.obj) as (config, database):
        kind = erase_articles(
            config,
            database,
            ForgetCommand(name=name),
            yes=yes,
            dry_run=dry_run,
            no_wait=no_wait,
            format_=format_,
        )
    if kind == "outlet" and not dry_run:
        show.say(
            "new articles of this outlet are still accepted; `aggregator sources remove` stops that"
        )


def erase_articles(
    config: "Config",
    database: "Database",
    command: "ForgetCommand",
    *,
    yes: bool,
    dry_run: bool = False,
    no_wait: bool = False,
    format_: str = "text",
    once_confirmed: Callable[[], None] = lambda: None,
) -> str:
    """Ask for confirmation, call `once_confirmed`, erase, and print what was erased; return the kind of the target.

    Raises UsageError if there is nothing to erase, or if the user does not confirm.
    """
    from aggregator.grouping.deletion.forget_articles import to_forget

    with database.read() as connection:
        target, summary = to_forget(connection, command)
    if dry_run:
        _print_summary(summary, format_, "would be forgotten")
        return target.kind
    if not yes:
        _print_summary(
            summary, "text", f"will be forgotten, for the {target.kind} {command.name}"
        )
        show.confirm("Erase permanently?")
    once_confirmed()
    with WriterSession(config, database) as writer:
        forgotten: ForgetResult | None = writer.carry_out(
            "forget", command, no_wait=no_wait
        )
    if forgotten is None:
        show.say(
            f"queued as command {writer.queued_as} for the process that is the writer"
        )
    else:
        _print_summary(forgotten.summary, format_, "forgotten")
        # The user decides which backups to delete.
        from aggregator.admin.backup_folder import backups

        if not forgotten.log_folded:
            show.say(
                "another process was reading: SQLite's log contains the text until the next checkpoint"
            )
        for backup in backups(config):
            show.say(f"the backup {backup.path} still contains it")
    return target.kind


def _print_summary(summary: "EraseSummary", format_: str, what: str) -> None:
    if format_ == "json":
        show.json_line(summary)
        return
    lines = show.fill_template("forgotten.txt", summary=summary, what=what)
    show.out(f"{lines}\n")
