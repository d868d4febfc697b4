"""The commands of `sources` that read feeds and lists of feeds: `check`, `import` and `export`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument, flag
from aggregator.config.logging import one_line
from aggregator.config.messages import pluralise


def check(
    context: Context,
    what: Annotated[
        list[str],
        argument("WHAT...", "Read these files, addresses or sources of config.yaml."),
    ],
    format_: output.TextOrJsonl = "text",
) -> None:
    """Check feeds without storing anything.

    Prints the format, title and number of entries of each feed. The exit code is 3 if one could not be read.

    \b
    Examples:
      aggregator sources check URL
      aggregator sources check feed.xml --format jsonl
    """
    from aggregator.intake.manage.feed_check import check_feeds

    config = context.obj.load()
    has_problem = False
    for result in check_feeds(config, what):
        has_problem = has_problem or result.problem is not None
        if format_ == "jsonl":
            output.json_line(result)
            continue
        text = result.problem
        if text is None:
            text = f"{result.format}, {pluralise(result.entries, 'entry', 'entries')}, {result.title!r}"
        lines = f"{result.what}: {text}", *map(one_line, result.newest)
        output.out("\n  ".join(lines) + "\n")
    if has_problem:
        raise typer.Exit(3)


def import_(
    context: Context,
    opml: Annotated[str, argument("FILE.opml", "Read the feeds from this OPML file.")],
    allow_private: Annotated[
        bool,
        flag(
            "--allow-private",
            "Allow its addresses in the networks of fetch.allow_private.",
        ),
    ] = False,
) -> None:
    """Add all feeds of an OPML file, with its folders.

    Existing sources stay unchanged, except that those without a name or a folder get those of the file.

    \b
    Examples:
      aggregator sources import subscriptions.opml
    """
    from aggregator.intake.manage.feed_lists import import_opml

    with context.obj.writing() as (config, database):
        result = import_opml(config, database, Path(opml), allow_private=allow_private)
    minutes = math.ceil(result.spread_seconds / 60)
    output.say(
        output.fill_template("imported_feeds.txt", result=result, minutes=minutes)
    )


def export(context: Context) -> None:
    """Write all feeds as OPML to standard output.

    \b
    Examples:
      aggregator sources export > subscriptions.opml
    """
    from aggregator.intake.manage.feed_lists import export_opml

    with context.obj.reading() as (config, database):
        output.out(export_opml(config, database))
