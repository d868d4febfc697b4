"""The command forget: erases an article or all articles of an outlet permanently."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context, Settings, missing_database
from aggregator.cli.correct import PATIENCE_SECONDS, NoWait, WriterSession, written_before
from aggregator.cli.options import argument, flag
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.pipeline.placement.erase import ForgetResult
    from aggregator.store.engine.database import Database
    from aggregator.store.maintenance.erase import EraseSummary

_LISTED = 1_000


def forget(
    context: Context,
    name: Annotated[
        str,
        argument(
            "[URL|ARTICLE|OUTLET]",
            "Erase the article with this address or id, or all articles of this outlet.",
        ),
    ] = "",
    yes: Annotated[bool, flag("--yes", "Skip the confirmation.")] = False,
    dry_run: Annotated[
        bool, flag("--dry-run", "Show what would be erased without changing anything.")
    ] = False,
    list_: Annotated[bool, flag("--list", "List forgotten articles, the newest first.")] = False,
    no_wait: NoWait = False,
    format_: output.TextOrJson = "text",
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
    from aggregator.admin.backup import backups
    from aggregator.pipeline.placement.erase import to_forget

    if list_:
        _list(context.obj, format_)
        return
    if not name:
        raise UsageError("give the address or id of an article, or the name of an outlet")
    with written_before(context.obj) as (config, database):
        with database.read() as connection:
            target, summary = to_forget(connection, name)
        if dry_run:
            _print_summary(summary, format_, "would be forgotten")
            return
        if not yes:
            _print_summary(summary, "text", f"will be forgotten, for the {target.kind} {name}")
            _confirm()
        forgotten = _forget(config, database, name, wait=not no_wait)
    if forgotten is None:
        return
    _print_summary(forgotten.summary, format_, "forgotten")
    if not forgotten.log_folded:
        output.say("another process was reading: SQLite's log contains the text until the next checkpoint")
    for backup in backups(config):  # the user decides which ones to delete
        output.say(f"the backup {backup.path} still contains it")
    if target.kind == "outlet":
        output.say("new articles of this outlet are still accepted; `aggregator sources remove` stops that")


def _confirm() -> None:
    """Ask for confirmation. Raises UsageError if it is refused, or if standard input is no terminal."""
    if not sys.stdin.isatty():
        raise UsageError(
            "standard input is not a terminal, so the command cannot ask for confirmation: add --yes"
        )
    if not typer.confirm("Erase permanently?", err=True):
        raise UsageError("nothing was changed")


def _forget(config: "Config", database: "Database", name: str, *, wait: bool) -> "ForgetResult | None":
    from aggregator.pipeline.placement.erase import ForgetCommand, ForgetResult

    command = ForgetCommand(name=name)
    with WriterSession(config, database) as writer:
        forgotten = writer.carry_out(
            "forget",
            command,
            lambda: writer.forget(command),
            ForgetResult,
            patience_seconds=PATIENCE_SECONDS if wait else 0.0,
        )
    if forgotten is None:
        output.say(f"queued as command {writer.queued_as} for the process that is the writer")
    return forgotten


def _print_summary(summary: "EraseSummary", format_: str, what: str) -> None:
    if format_ == "json":
        output.json_line(summary)
        return
    lines = [
        (summary.articles, "articles", what),
        (summary.entries, "entries of them", ""),
        (summary.revisions, "revisions", ""),
        (summary.stories, "stories lose articles", f"{summary.emptied:,} of them are deleted"),
        (summary.copies, "copies of them", "remain: they are separate articles"),
    ]
    output.out("".join(f"{count:9,}  {name:24}{more}".rstrip() + "\n" for count, name, more in lines))


def _list(settings: Settings, format_: str) -> None:
    from aggregator.store.intake.tombstones import newest_tombstones

    with settings.reading() as (config, database):
        if missing_database(config) is not None:
            return
        with database.read() as connection:
            tombstones = newest_tombstones(connection, _LISTED)
    if format_ == "json":
        output.json_line(tombstones)
        return
    if not tombstones:
        output.say("No articles have been forgotten.")
    for one in tombstones:
        refused = f"refused {counted(one.rejected_count, 'time')}" if one.rejected_count else ""
        output.out(f"{one.article}  {one.at:%Y-%m-%d %H:%M}  {refused}".rstrip() + "\n")
