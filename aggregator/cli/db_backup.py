"""The commands db backup, restore and copy: a whole database, kept, put back, or taken to another place."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.admin import db
from aggregator.cli.context import Settings, missing_database
from aggregator.cli.progress import progress_bar
from aggregator.config.messages import counted

if TYPE_CHECKING:
    from aggregator.admin.backup_file import Progress


def register(_app: typer.Typer) -> None:
    """Add the commands of this module."""
    db.command()(backup)
    db.command()(restore)
    db.command()(copy)


def backup(
    context: typer.Context,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FOLDER|FILE",
            help="Instead of the folder of backups, and kept until you remove it. A file's name ends in "
            ".db.zst (packed) or .db.",
        ),
    ] = "",
) -> None:
    """Keep a copy of all that is stored, now.

    One state of the database, tokens and webhooks with it; a daemon may go on meanwhile. It is read back from
    the disk before it gets its name. Addresses of sources may hold passwords: keep the file safe.

    \b
    Examples:
      aggregator db backup
      aggregator db backup --to /mnt/elsewhere/news.db.zst
    """
    from aggregator.admin.backup import back_up_as_configured, backup_file, told
    from aggregator.admin.backup_file import back_up
    from aggregator.model.core import utc_now

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        if missing_database(config) is not None:
            raise typer.Exit(1)
        if to:
            file = backup_file(Path(to), config, utc_now())
            back_up(database, file, _progress(settings))
        else:
            file = back_up_as_configured(config, database, utc_now(), _progress(settings))
    output.say(f"wrote {told(file)}, and read it back")


def restore(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="As `aggregator db backup` wrote it.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what the database holds, which is lost.")
    ] = False,
) -> None:
    """Put a backup back, into a database of either kind.

    Into an empty one, unless you say --replace; no daemon may work on it. The backup is proven sound before
    the database is touched, and brought up to date where an older program made it. All of it is put back, or
    nothing.

    \b
    Examples:
      aggregator db restore backups/aggregator-20261120T030000Z.db.zst --replace
      aggregator db restore news.db.zst --database postgresql://me@localhost/news
    """
    from aggregator.admin.restore import restore as run
    from aggregator.store.engine.database import Database, shown_url

    settings: Settings = context.obj
    database = Database(settings.load().database_url)
    try:
        restored = run(Path(file), database, _progress(settings), replace=replace)
    finally:
        database.close()
    output.say(f"{shown_url(database.url)} is what {file} held: {counted(restored.articles, 'article')}")


def copy(
    context: typer.Context,
    from_: Annotated[str, typer.Argument(metavar="FROM", help="A file, or postgresql://USER@HOST/NAME.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="The same; it must be empty.")],
) -> None:
    """Copy a database into another, empty one of either kind.

    Everything, tokens and webhooks with it: a daemon goes on with the copy as if nothing had happened. Stop
    the daemon first, or what comes in meanwhile is in one of both only.

    \b
    Examples:
      aggregator db copy aggregator.db postgresql://me@localhost/news
      aggregator db copy postgresql://me@localhost/news sqlite:///news.db
    """
    from aggregator.admin.restore import copy as run
    from aggregator.config.settings import absolute_database_url
    from aggregator.model.errors import UsageError
    from aggregator.store.engine.database import Database, shown_url

    settings: Settings = context.obj
    settings.load()
    source, target = (Database(absolute_database_url(one, Path.cwd())) for one in (from_, to))
    if source.url == target.url:
        raise UsageError("FROM and TO are the same database")
    if source.file is not None and not source.file.exists():
        raise UsageError(f"there is no database at {source.file}")
    try:
        alone = run(source, target, _progress(settings))
    finally:
        source.close()
        target.close()
    output.say(f"copied {shown_url(source.url)} to {shown_url(target.url)}")
    if not alone:
        output.say(
            "another process works on the first: what it stores from now on is not in the copy. To move for "
            "good, stop it, and copy into a new database again"
        )


def _progress(settings: Settings) -> "Progress":
    return partial(progress_bar, lines=settings.verbose > 0)
