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

_SHOWN_SKIPPED = 50  # entries of a list


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
    from aggregator.intake.manage.feed_check import check as run

    config = context.obj.load()
    has_problem = False
    for result in run(config, what):
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
    changes = ""
    if result.filed:
        changes += f"; {result.filed} of them have a folder now"
    if result.permitted:
        changes += f"; {result.permitted} of them may be in private networks now"
    output.say(
        f"added {pluralise(result.added, 'feed')}, {pluralise(result.known, 'was', 'were')} already known{changes}"
    )
    if result.private:
        output.say(
            f"{pluralise(result.private, 'feed is', 'feeds are')} at private addresses, which are not asked: "
            "name their networks under fetch.allow_private, and import the list again with --allow-private"
        )
    if result.skipped:
        skipped = result.skipped
        output.say(f"skipped {pluralise(len(skipped), 'entry', 'entries')}:")
        for outline in skipped[:_SHOWN_SKIPPED]:
            output.say(one_line(f"  {outline.name}: {outline.reason}"))
        if len(skipped) > _SHOWN_SKIPPED:
            output.say(f"  ... and {len(skipped) - _SHOWN_SKIPPED:,} more")
    if result.added:
        minutes = math.ceil(result.spread_seconds / 60)
        span = f"{minutes} minutes" if minutes > 1 else "a minute"
        output.say(f"a running daemon polls them within {span}")


def export(context: Context) -> None:
    """Write all feeds as OPML to standard output.

    \b
    Examples:
      aggregator sources export > subscriptions.opml
    """
    from aggregator.intake.manage.feed_lists import export_opml

    with context.obj.reading() as (config, database):
        output.out(export_opml(config, database))
