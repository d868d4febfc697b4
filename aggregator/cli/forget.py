"""The command forget: an article or an outlet goes for good."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings, missing_database
from aggregator.cli.correct import PATIENCE_SECONDS, NoWait, WriterSession, written_before
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.pipeline.placement.erase import ForgetResult
    from aggregator.store.engine.database import Database
    from aggregator.store.maintenance.erase import EraseSummary, EraseTarget

_LISTED = 1_000


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(forget)


def forget(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="[URL|ARTICLE|OUTLET]", help="An address, an id, or an outlet's name.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, change nothing.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="What was forgotten, the last first.")] = False,
    no_wait: NoWait = False,
    format_: Annotated[Literal["text", "json"], typer.Option("--format", metavar="text|json")] = "text",
) -> None:
    """Remove articles for good; they do not come back.

    Text, index, outputs and former versions go. Ids and hashes stay, by which the article is refused when it
    comes again. Copies that other outlets printed are articles of their own: forget them too, where they are
    to go. Nothing brings it back.

    \b
    Examples:
      aggregator forget ARTICLE --dry-run
      aggregator forget ARTICLE --yes
      aggregator forget Herald --yes
      aggregator forget --list
    """
    settings: Settings = context.obj
    if list_:
        _listed(settings, format_)
        return
    if not name:
        raise UsageError("name what is to go: aggregator forget URL, an article's id, or an outlet")
    with written_before(settings) as (config, database):
        meant, toll = _resolve_target(database, name)
        if dry_run:
            _print_summary(toll, format_, "would go")
            return
        if not yes:
            _print_summary(toll, "text", f"will go, for the {meant.kind} {name}")
            _confirmed()
        forgotten = _forgotten(config, database, name, wait=not no_wait)
    if forgotten is None:
        return
    _print_summary(forgotten.toll, format_, "forgotten")
    if not forgotten.log_folded:
        output.say("another process was reading: SQLite's log holds the words until it is written back")
    _name_backups(config)
    if meant.kind == "outlet":
        output.say("what it publishes from now on comes in as before: `aggregator sources remove` ends that")


def _name_backups(config: "Config") -> None:
    """Backups were made before and hold the words: which ones to delete is the user's choice."""
    from aggregator.admin.backup import backups

    for one in backups(config):
        output.say(f"the backup {one.path} was made before and still holds it")


def _resolve_target(database: "Database", name: str) -> "tuple[EraseTarget, EraseSummary]":
    from aggregator.pipeline.placement.erase import to_forget

    with database.read() as connection:
        return to_forget(connection, name)


def _confirmed() -> None:
    """Raises UsageError where nobody can be asked, or says no."""
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask: add --yes")
    if not typer.confirm("Forget it?", err=True):
        raise UsageError("nothing was changed")


def _forgotten(config: "Config", database: "Database", name: str, *, wait: bool) -> "ForgetResult | None":
    import msgspec

    from aggregator.pipeline.placement.erase import ForgetCommand, ForgetResult

    command = ForgetCommand(name=name)
    with WriterSession(config, database) as writer:
        if writer.is_here:
            return writer.forget(command)
        number = writer.enqueue("forget", msgspec.json.encode(command))
        answer = writer.wait_for_answer(number, PATIENCE_SECONDS if wait else 0.0)
    if answer is None:
        output.say(f"left as request {number} for the process that is the writer now; it is under way there")
        return None
    return msgspec.json.decode(answer, type=ForgetResult)


def _print_summary(toll: "EraseSummary", format_: str, what: str) -> None:
    import msgspec

    if format_ == "json":
        output.out(msgspec.json.encode(toll) + b"\n")
        return
    lines = [
        (toll.articles, "articles", what),
        (toll.entries, "entries as they came in", ""),
        (toll.revisions, "former texts", ""),
        (toll.stories, "stories lose articles", f"{toll.emptied:,} of them end"),
        (toll.copies, "copies of them", "stay: articles of their own"),
    ]
    output.out("".join(f"{count:9,}  {name:24}{more}".rstrip() + "\n" for count, name, more in lines))


def _listed(settings: Settings, format_: str) -> None:
    import msgspec

    from aggregator.store.intake.tombstones import newest_tombstones

    with settings.reading() as (config, database):
        if missing_database(config) is not None:
            return
        with database.read() as connection:
            found = newest_tombstones(connection, _LISTED)
    if format_ == "json":
        output.out(msgspec.json.encode(found) + b"\n")
        return
    if not found:
        output.say("nothing was forgotten")
    for one in found:
        again = f"came again {counted(one.refused, 'time')}" if one.refused else ""
        output.out(f"{one.article}  {one.at:%Y-%m-%d %H:%M}  {again}".rstrip() + "\n")
