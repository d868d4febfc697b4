"""The commands of `db`: upgrade, statistics, backup, check, retention."""

import os
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from aggregator.cli import output as show
from aggregator.cli.command_context import Context, bring_up, missing_database
from aggregator.cli.output import argument, flag, option, progress_bar
from aggregator.cli.writer_session import WriterSession, make_pipeline, written_before
from aggregator.config.messages import pluralise
from aggregator.model.errors import DamagedFileError, UsageError

db = typer.Typer(
    name="db",
    help="Upgrade, check, back up and restore the database.",
    no_args_is_help=True,
)


@db.command()
def upgrade(context: Context) -> None:
    """Upgrade the tables of the database to this version.

    Creates the database if it does not exist. Changes nothing if it is up to date.

    \b
    Examples:
      aggregator db upgrade
      aggregator db upgrade --database postgresql://me@localhost/news
    """
    from aggregator.store.engine.database import Database, shown_url
    from aggregator.store.stories.rendered_stories import count_unrendered

    loaded = context.obj.load()
    database = Database(loaded.database_url)
    before, after = bring_up(database, loaded, create_again=True)
    with database.read() as connection:
        unrendered = count_unrendered(connection)
    database.close()
    former = "" if before == after else f" (was {before or 'empty'})"
    show.say(f"{shown_url(loaded.database_url)} is at {after}{former}")
    if before not in (None, after) and unrendered:
        show.say(
            f"{pluralise(unrendered, 'story', 'stories')} will be rendered again, the newest first: "
            "by the daemon in the background"
        )


@db.command()
def stats(context: Context) -> None:
    """Show how many rows the database holds, and its size.

    \b
    Examples:
      aggregator db stats
    """
    from aggregator.store.read.health.row_counts import statistics

    with context.obj.reading() as (config, database):
        if missing_database(config) is None:
            for name, value in statistics(database):
                show.out(f"{name:22}{value}\n")


@db.command()
def backup(
    context: Context,
    to: Annotated[
        str,
        option(
            "--to",
            "FOLDER|FILE",
            "Write the backup to this folder or file (.db.zst), where it is never deleted.",
        ),
    ] = "",
) -> None:
    """Back up a SQLite database.

    The backup is consistent, includes tokens and webhooks, and is verified by reading it back. A daemon may
    run meanwhile. Addresses of sources may contain passwords: protect the file. For PostgreSQL it prints the
    command to type.

    \b
    Examples:
      aggregator db backup
      aggregator db backup --to /mnt/elsewhere/news.db.zst
    """
    from aggregator.admin.backup import back_up
    from aggregator.admin.backup_folder import (
        back_up_as_configured,
        backup_name,
        describe_backup,
    )
    from aggregator.model.clock import utc_now

    with context.obj.reading(must_exist=True) as (config, database):
        if to:
            file = Path(to)
            if os.path.isdir(to) or not file.suffix:  # noqa: PTH112 - Path raises below an unreadable folder
                file /= backup_name(config, utc_now())
            back_up(database, file, progress_bar)
        else:
            file = back_up_as_configured(config, database, utc_now(), progress_bar)
    show.say(f"wrote and verified {describe_backup(file)}")


@db.command()
def restore(
    context: Context,
    file: Annotated[
        str, argument("FILE", "Restore this file, written by `aggregator db backup`.")
    ],
    replace: Annotated[
        bool, flag("--replace", "Delete the present content of the database first.")
    ] = False,
) -> None:
    """Restore a backup into a SQLite database.

    The database must be empty, unless you use --replace, and no daemon may use it. The backup is checked
    first, and upgraded if an older version made it. Either all of it is restored or nothing. A damaged SQLite
    file that is replaced is kept in a new folder beside it. For PostgreSQL it prints the command to type.

    \b
    Examples:
      aggregator db restore backups/aggregator-20261120T030000Z.db.zst --replace
      aggregator db restore news.db.zst --database sqlite:///new.db
    """
    from aggregator.admin.restore import restore as run
    from aggregator.store.engine.database import Database, shown_url

    database = Database(context.obj.load().database_url)
    try:
        articles, moved_to = run(Path(file), database, progress_bar, replace=replace)
    finally:
        database.close()
    if moved_to is not None:
        show.say(f"moved the damaged database to {moved_to}")
    show.say(
        f"restored {file} to {shown_url(database.url)}: {pluralise(articles, 'article')}"
    )


_BUSY = "another process uses this database: stop the daemon, then repeat the command"


@db.command()
def check(
    context: Context,
    repair: Annotated[
        bool, flag("--repair", "Recompute counts, copy keys, indexes; render stories.")
    ] = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Check that the database is sound and no entry was lost.

    Nothing is changed without --repair. It computes counts, copy keys and all indexes again, renders all
    stories, and queues entries in quarantine again. Stop the daemon first. Nothing is written into a damaged
    file. The exit code is 1 if faults remain or the database does not exist.

    \b
    Examples:
      aggregator db check
      aggregator db check --repair
    """
    from aggregator.extract.wire.agencies import family_table
    from aggregator.intake.recluster.rebuild import rebuild
    from aggregator.store.engine.process_lock import exclusively
    from aggregator.store.maintenance.integrity_check import (
        DAMAGED,
        REPAIR,
        RESTORE,
        balance,
        faults,
    )

    try:
        with context.obj.reading(must_exist=True) as (config, database):
            problems = list(faults(database))
            is_repaired = repair and not any(fault.is_damage for fault in problems)
            if is_repaired:
                with (
                    exclusively(database, _BUSY),
                    progress_bar("rows", None) as advance,
                ):
                    rebuild(
                        database,
                        config.effective_tuning,
                        family_table(config.families),
                        advance,
                    )
                problems = list(faults(database))
            if repair:
                problems = [
                    replace(fault, advice=RESTORE) if fault.advice == REPAIR else fault
                    for fault in problems
                ]
            counts = balance(database)
    except DamagedFileError as error:
        raise DamagedFileError(error.what, DAMAGED) from error
    if format_ == "json":
        show.json_line({"balance": counts, "faults": problems, "repaired": is_repaired})
    else:
        lines = show.fill_template("db_check.txt", balance=counts, faults=problems)
        show.out(f"{lines}\n")
        if is_repaired:
            show.say("computed all derived rows again")
        if problems:
            show.say(
                f"{pluralise(len(problems), 'fault')}; make a copy of the database before you change anything"
            )
        else:
            show.say("no faults")
    if problems:
        raise typer.Exit(1)


_LINES = {
    "texts": "stories whose texts will be deleted (text_after)",
    "stories": "stories that will be deleted (stories_after)",
    "bytes_free": "unused bytes in the database file",
}


@db.command()
def prune(
    context: Context,
    dry_run: Annotated[
        bool, flag("--dry-run", "Show what is due without changing anything.")
    ] = False,
    format_: show.TextOrJson = "text",
) -> None:
    """Apply the retention of config.yaml now.

    A daemon does the same as a maintenance task, in small steps; a running daemon does the work. After Ctrl-C
    the steps that are done stay done, and the rest is done the next time.

    \b
    Examples:
      aggregator db prune --dry-run
      aggregator db prune
    """
    from aggregator.grouping.deletion.retention import Retention, retention_plan
    from aggregator.intake.workers.executor import InlineExecutor

    with written_before(context.obj) as (config, database):
        plan = retention_plan(config)
        pipeline = make_pipeline(config, database, InlineExecutor())
        due = Retention(pipeline.placer, plan).due()
        if format_ == "json":
            show.json_line(due)
        else:
            for name, text in _LINES.items():
                show.out(f"{getattr(due, name):15,}  {text}\n")
        if dry_run:
            return
        with (
            progress_bar("steps", None) as advance,
            WriterSession(config, database) as writer,
        ):
            while True:
                pruned = writer.carry_out("prune", plan)
                if pruned is None:
                    raise UsageError(
                        "the process that is the writer does not answer; it continues the work later"
                    )
                advance(1)
                if pruned.is_done:
                    break
    show.say("done")
