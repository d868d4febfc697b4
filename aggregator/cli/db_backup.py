"""The commands db backup, db restore and db copy: backing up and moving a whole database."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context, Settings
from aggregator.cli.progress import progress_bar
from aggregator.config.messages import counted

if TYPE_CHECKING:
    from aggregator.admin.backup_file import Progress


def backup(
    context: Context,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FOLDER|FILE",
            help="Write the backup to this folder or file (.db.zst or .db), where it is never deleted.",
        ),
    ] = "",
) -> None:
    """Back up the database.

    The backup is consistent, includes tokens and webhooks, and is verified by reading it back. A daemon may
    run meanwhile. Addresses of sources may contain passwords: protect the file.

    \b
    Examples:
      aggregator db backup
      aggregator db backup --to /mnt/elsewhere/news.db.zst
    """
    from aggregator.admin.backup import back_up_as_configured, backup_file, described
    from aggregator.admin.backup_file import back_up
    from aggregator.model.core import utc_now

    with context.obj.reading(must_exist=True) as (config, database):
        if to:
            file = backup_file(Path(to), config, utc_now())
            back_up(database, file, _progress(context.obj))
        else:
            file = back_up_as_configured(config, database, utc_now(), _progress(context.obj))
    output.say(f"wrote and verified {described(file)}")


def restore(
    context: Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Restore this file, written by `aggregator db backup`.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete the present content of the database first.")
    ] = False,
) -> None:
    """Restore a backup into a SQLite or PostgreSQL database.

    The database must be empty, unless you use --replace, and no daemon may use it. The backup is checked
    first, and upgraded if an older version made it. Either all of it is restored or nothing.

    \b
    Examples:
      aggregator db restore backups/aggregator-20261120T030000Z.db.zst --replace
      aggregator db restore news.db.zst --database postgresql://me@localhost/news
    """
    from aggregator.admin.restore import restore as run
    from aggregator.store.engine.database import Database, shown_url

    database = Database(context.obj.load().database_url)
    try:
        restored = run(Path(file), database, _progress(context.obj), replace=replace)
    finally:
        database.close()
    output.say(f"restored {file} to {shown_url(database.url)}: {counted(restored.articles, 'article')}")


def copy(
    context: Context,
    from_: Annotated[
        str,
        typer.Argument(metavar="FROM", help="Copy this database: a file or postgresql://USER@HOST/NAME."),
    ],
    to: Annotated[
        str, typer.Argument(metavar="TO", help="Write to this empty database: a file or an address as above.")
    ],
) -> None:
    """Copy a database into an empty one, SQLite or PostgreSQL.

    Everything is copied, including tokens and webhooks, so a daemon can continue with the copy. Stop the
    daemon first: what it stores during the copy is missing in the copy.

    \b
    Examples:
      aggregator db copy aggregator.db postgresql://me@localhost/news
      aggregator db copy postgresql://me@localhost/news sqlite:///news.db
    """
    from aggregator.admin.restore import copy as run
    from aggregator.config.settings import absolute_database_url
    from aggregator.model.errors import UsageError
    from aggregator.store.engine.database import Database, shown_url

    context.obj.load()
    source, target = (Database(absolute_database_url(one, Path.cwd())) for one in (from_, to))
    if source.url == target.url:
        raise UsageError("FROM and TO are the same database")
    if source.file is not None and not source.file.exists():
        raise UsageError(f"there is no database at {source.file}")
    try:
        is_complete = run(source, target, _progress(context.obj))
    finally:
        source.close()
        target.close()
    output.say(f"copied {shown_url(source.url)} to {shown_url(target.url)}")
    if not is_complete:
        output.say(
            "Another process uses FROM: what it stores from now on is not in the copy. To move the database, "
            "stop that process and copy again, into a new database."
        )


def _progress(settings: Settings) -> "Progress":
    return partial(progress_bar, lines=settings.verbose > 0)
