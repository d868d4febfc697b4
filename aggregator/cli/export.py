"""The commands export and import: all that is stored, as JSON lines."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from aggregator.cli import output as show
from aggregator.cli.context import Settings, missing_database
from aggregator.cli.progress import progress_bar
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(export)
    app.command(name="import")(import_)


def export(
    context: typer.Context,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Written whole or not at all; packed where it ends in .gz or .zst.",
        ),
    ] = "",
    salvage: Annotated[
        bool,
        typer.Option("--salvage", help="Of a damaged SQLite file: leave out what cannot be read."),
    ] = False,
) -> None:
    """Everything that is stored, as JSON lines.

    Articles, stories, evidence, log, corrections, sources. Left out are tokens, webhooks and what waits for
    them: they belong to one installation. The addresses of sources may hold passwords: keep the file safe.

    \b
    Examples:
      aggregator export --output everything.jsonl.zst
      aggregator export > everything.jsonl
      aggregator export --salvage --output what-is-left.jsonl.zst
    """
    from aggregator.admin.export import exported, row_count, salvaged, written

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        if missing_database(config) is not None:
            raise typer.Exit(1)
        if salvage and not database.is_sqlite:
            raise UsageError("--salvage is for a damaged SQLite file; Postgres has tools of its own")
        lost: Counter[str] = Counter()
        rows = None if salvage else row_count(database)
        with progress_bar("rows", rows, lines=settings.verbose > 0) as advance:
            lines = salvaged(database, advance, lost) if salvage else exported(database, advance)
            if output:
                with written(Path(output)) as file:
                    _write(lines, file.write)
            else:
                _write(lines, sys.stdout.buffer.write)
    if output:
        show.say(f"wrote {output}")
    if lost:
        show.say(f"what cannot be read was left out, rows at the least: {_by_table(lost)}")


def _by_table(lost: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(lost.items()))


def _write(lines: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    for line in lines:
        write(line)


def import_(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="As `aggregator export` wrote it; - is standard input.")
    ],
) -> None:
    """Put an export into an empty database.

    Of either kind, by a program of the same version. All of it is imported, or nothing. Of an export that was
    made with --salvage what refers to lost rows is left out; type `aggregator db check --repair` afterwards.

    \b
    Examples:
      aggregator import everything.jsonl.zst --database sqlite:///new.db
      aggregator import - --database postgresql://me@localhost/news < everything.jsonl
    """
    from aggregator.admin.export import import_into, opened

    settings: Settings = context.obj
    with (
        opened(file) as lines,  # first: what is no export makes no database
        settings.writing() as (_, database),
        progress_bar("rows", None, lines=settings.verbose > 0) as advance,
    ):
        left_out: Counter[str] = Counter()
        count = import_into(database, lines, advance, left_out)
    show.say(f"imported {counted(count, 'row')}")
    if left_out:
        show.say(f"what refers to lost rows, or is damaged, was left out: {_by_table(left_out)}")
