"""The command `extract`."""

from typing import Annotated

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.ingest_command import WHAT


def extract(
    context: Context,
    what: Annotated[list[str], WHAT],
    map_: output.KeyMap = None,
    format_: output.TextOrJsonl = "text",
) -> None:
    """Show what would be stored of pages or texts.

    Each input gets a verdict and its reason. The exit code is 3 if an input could not be read, and 1 if none
    could.

    \b
    Examples:
      aggregator extract page.html
      aggregator extract FOLDER --format jsonl
    """
    from aggregator.admin.extract_preview import extract as run
    from aggregator.sources.parse.records.record_entry import RecordNotes, parse_mapping

    config = context.obj.load()
    chosen = parse_mapping(map_ or ())
    notes = RecordNotes(chosen)
    were_read = set()
    for entry, is_read in run(config, what, chosen, notes):
        were_read.add(is_read)
        if format_ == "jsonl":
            output.json_line(entry)
        else:
            output.out(output.fill_template("extract.txt", preview=entry) + "\n\n")
    for note in notes.notes():
        output.say(note)
    if False in were_read:
        raise typer.Exit(3 if True in were_read else 1)
