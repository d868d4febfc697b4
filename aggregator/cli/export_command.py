"""The commands `export` and `import`."""

from pathlib import Path
from typing import Annotated

from aggregator.cli import output as show
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument, option, progress_bar
from aggregator.config.messages import pluralise


def export(
    context: Context,
    output: Annotated[
        str,
        option(
            "--output",
            "FILE",
            "Write to this file (.gz, .zst: compressed); - is standard output.",
        ),
    ] = "",
) -> None:
    """Export the content of the database as JSON lines.

    This includes articles, stories, evidence, corrections, marks of readers, sources, and names of tokens.
    Secrets of tokens, headers of sources, webhooks and deliveries are not exported: they belong to one
    installation. Addresses of sources may contain passwords: protect the file.

    \b
    Examples:
      aggregator export --output everything.jsonl.zst
      aggregator export > everything.jsonl
    """
    from aggregator.admin.export_file import create_file, export_lines, row_count

    with (
        context.obj.reading(must_exist=True) as (_, database),
        progress_bar("rows", row_count(database)) as advance,
    ):
        lines = export_lines(database, advance)
        if output in ("", "-"):
            for line in lines:
                show.out(line)
            return
        with create_file(Path(output)) as file:
            for line in lines:
                file.write(line)
    show.say(f"wrote {output}")


def import_(
    context: Context,
    file: Annotated[
        str,
        argument(
            "FILE",
            "Read this file, written by `aggregator export`; - is standard input.",
        ),
    ],
) -> None:
    """Import an export into an empty database.

    The database may be SQLite or PostgreSQL, so this is the way from one to the other. Tokens arrive as
    revoked: create each again under its name. The export must be of this version, or of an earlier one from
    0.1.0 on. Either all of it is imported or nothing.

    \b
    Examples:
      aggregator import everything.jsonl.zst --database sqlite:///new.db
      aggregator import - --database postgresql://me@localhost/news < everything.jsonl
    """
    from aggregator.admin.import_rows import import_into, open_lines

    with (
        open_lines(file) as lines,  # first, so that a wrong file creates no database
        context.obj.writing() as (_, database),
        progress_bar("rows", None) as advance,
    ):
        count = import_into(database, lines, advance)
    show.say(f"imported {pluralise(count, 'row')}")
