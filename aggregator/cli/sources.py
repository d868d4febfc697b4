"""The commands of `sources`: the feeds and folders that articles come from."""

import math
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context, missing_database
from aggregator.cli.correct import erase_articles
from aggregator.cli.output import argument, flag, option
from aggregator.config.logging import one_line
from aggregator.config.messages import NO_SOURCES, counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.intake.manage_sources import AddedSource
    from aggregator.model.read_model import SourceView
    from aggregator.store.engine.database import Database
    from aggregator.store.intake.sources import Source

sources = typer.Typer(
    name="sources",
    help="Manage the feeds and folders that articles come from.",
    no_args_is_help=True,
)

_SHOWN_OTHERS = 5
_SHOWN_SKIPPED = 50  # entries of a list
_Source = Annotated[
    str, argument("SOURCE", "Use the source with this name, id or address.")
]


# --- list --------------------------------------------------------------------------------------------------


@sources.command(name="list")
def list_(
    context: Context,
    failing: Annotated[
        bool, flag("--failing", "List only sources with problems.")
    ] = False,
    format_: output.ListFormat = "table",
) -> None:
    """List all sources with their health.

    The list has the last success, new entries per day, the verdicts of the texts, and the cause of a problem.

    \b
    Examples:
      aggregator sources list --failing
      aggregator sources list --format csv > sources.csv
    """
    from aggregator.model.core import utc_now
    from aggregator.store.read.statistics import listed

    with context.obj.reading() as (config, database), database.read() as connection:
        all_listed = listed(connection, utc_now())
        has_database = missing_database(config) is None
    shown = [one for one in all_listed if one.is_in_trouble or not failing]
    if format_ == "json":
        output.json_line({"sources": shown})
    elif format_ == "jsonl":
        for one in shown:
            output.json_line(one)
    elif format_ == "csv":
        names = (
            "article_count" if name == "articles" else name for name in _COLUMNS_CSV
        )
        output.write_csv(_COLUMNS_CSV, map(attrgetter(*names), shown))
    elif shown:
        _table(shown)
        states = ", ".join(
            f"{n} {state}"
            for state, n in Counter(one.state for one in all_listed).most_common()
        )
        has_more = not failing and any(one.is_in_trouble for one in all_listed)
        hint = (
            "; list those with problems with `aggregator sources list --failing`"
            if has_more
            else ""
        )
        output.say(f"{counted(len(all_listed), 'source')}: {states}{hint}")
    elif all_listed:
        output.say(f"{counted(len(all_listed), 'source')}, none with problems")
    elif has_database:
        output.say(NO_SOURCES)


_COLUMNS_CSV = (
    "id", "name", "kind", "url", "folder", "outlet", "language", "origin", "state", "cause", "problem",
    "articles", "per_day", "last_success", "next_due", "interval_seconds",
)  # fmt: skip


@sources.command(name="show")
def show_(
    context: Context,
    source: _Source,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Show at most this many texts.")
    ] = 20,
    format_: output.TableOrJsonl = "table",
) -> None:
    """Show a source and its texts with problems.

    These are rejected texts, headlines without a text, and failed pages, the newest first, each with its
    reason.

    \b
    Examples:
      aggregator sources show SOURCE
      aggregator sources show SOURCE --limit 100 --format jsonl
    """
    from aggregator.model.core import utc_now
    from aggregator.store.read.statistics import listed, problem_texts

    with context.obj.reading() as (_, database):
        found = _find(database, source)
        with database.read() as connection:
            texts = problem_texts(connection, found.entry_source, limit)
            (row,) = (
                one for one in listed(connection, utc_now()) if one.id == found.id
            )
    if format_ == "jsonl":
        for text in texts:
            output.json_line(text)
        return
    _table([row])
    if not texts:
        output.say("no text of this source has a problem")
        return
    columns = ("received", "verdict", "page", "title", "reason")
    rows = [
        [one.at, one.verdict, one.page_verdict, one.title or one.url, one.reason]
        for one in texts
    ]
    output.table(columns, rows, wide=("title", "reason"))


def _table(shown: Sequence["SourceView"]) -> None:
    """Print the sources; on a terminal the causes of problems follow, as a column would break addresses."""
    columns = ["id", "source", "health", "a day", "last success", "articles", "cause"]
    rows = [
        (
            one.id,
            one.name,
            one.state,
            _rate(one),
            one.last_success,
            one.article_count,
            _cause(one),
        )
        for one in shown
    ]
    if output.terminal_width() is None:
        output.table(columns, rows)
        return
    output.table(columns[:-1], [row[:-1] for row in rows], wide=("source",))
    if notes := [f"{one.name}: {cause}" for one in shown if (cause := _cause(one))]:
        # Not wrapped: an address stays whole
        output.out("\n".join(["", *map(one_line, notes), ""]))


def _rate(one: "SourceView") -> str:
    """Return the new entries a day, rounded to their precision: 0.3, 4.2, 120."""
    rate = one.per_day
    return "-" if rate is None else f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def _cause(one: "SourceView") -> str:
    moved = f"moved to {one.polled_url}" if one.polled_url != one.url else ""
    return "; ".join(part for part in (one.problem or "", moved) if part)


# --- add, remove, pause, resume ----------------------------------------------------------------------------


@sources.command()
def add(
    context: Context,
    url: Annotated[
        str,
        argument("URL", "Add the feed with this address, or the feed of this site."),
    ],
    name: Annotated[
        str,
        option(
            "--name",
            "NAME",
            "Give the source this name, which stays when its address changes.",
        ),
    ] = "",
    outlet: Annotated[
        str, option("--outlet", "NAME", "Use this name of the publisher.")
    ] = "",
    folder: Annotated[
        str, option("--folder", "NAME", "Put the source in this folder.")
    ] = "",
    interval: Annotated[
        str,
        option(
            "--interval", "15m", "Poll it at this interval (default: fetch.interval)."
        ),
    ] = "",
    language: Annotated[
        str,
        option(
            "--language",
            "en",
            "Use this language for articles that do not state theirs.",
        ),
    ] = "",
) -> None:
    """Add a feed by its address or the address of its site.

    A running daemon polls it within seconds.

    \b
    Examples:
      aggregator sources add URL
      aggregator sources add URL --name Courier --folder Europe --interval 30m
    """
    from aggregator.intake.manage_sources import SourceOptions, given, interval_of
    from aggregator.intake.manage_sources import add as run
    from aggregator.sources.parse.entry_builder import primary_language

    tag = primary_language(language)
    if language and tag is None:
        raise UsageError(
            f"--language {language}: use a tag of two or three letters, such as en or pt"
        )
    options = SourceOptions(
        name=given(name),
        outlet=given(outlet),
        folder=given(folder),
        language=tag,
        interval_seconds=interval_of(interval),
    )
    with context.obj.writing() as (config, database):
        added = run(config, database, url, options)
    for line in _added_lines(added):
        output.say(line)


_HOW = {
    "declared": "declared by the page",
    "linked": "linked from the page",
    "usual": "at a usual address",
}


def _added_lines(added: "AddedSource") -> list[str]:
    """Return the lines about an added source: the feed, the alternatives, and the interval."""
    from aggregator.config.settings import duration_as_typed

    source, found = added.source, added.found
    how = f" ({_HOW[found.origin]})" if found.origin in _HOW else ""
    entries = counted(found.feed.entry_count, "entry", "entries")
    times = [entry.published.time for entry in found.feed.entries if entry.published]
    newest = f", the newest of {max(times):%Y-%m-%d %H:%M} UTC" if times else ""
    lines = [
        f"added {source.shown_name} ({source.id})",
        f"  {source.address}{how}: {found.feed.format}, {entries}{newest}",
    ]
    others = [
        one_line(f"    {one.url} {one.title}").rstrip()
        for one in found.others[:_SHOWN_OTHERS]
    ]
    lines += ["  the page also declares:", *others] if others else []
    interval = duration_as_typed(source.interval_seconds, "hms")
    lines.append(
        f"  a running daemon polls it within seconds, then every {interval}, less often if it is quiet"
    )
    return lines


@sources.command()
def remove(
    context: Context,
    source: _Source,
    articles: Annotated[
        bool,
        flag("--articles", "Erase its articles, too, as `aggregator forget` does."),
    ] = False,
    yes: Annotated[bool, flag("--yes", "Skip the confirmation.")] = False,
) -> None:
    """Remove a source but keep its articles.

    With --articles they are erased permanently and refused in the future. This works also for a folder that
    was read once, with `ingest`.

    \b
    Examples:
      aggregator sources remove SOURCE
      aggregator sources remove SOURCE --articles
    """
    from aggregator.grouping.deletion.forget import ForgetCommand
    from aggregator.intake.manage_sources import remove as run
    from aggregator.store.intake.sources import sources_named
    from aggregator.store.maintenance.erase_target import resolve_target

    with context.obj.writing() as (config, database):
        with database.read() as connection:
            is_read_once = articles and not sources_named(connection, source)
        found = None if is_read_once else _find(database, source)

        def remove_row() -> None:
            if found is not None:
                run(config, database, found)

        command = ForgetCommand(
            name=found.entry_source if found else source, is_source=True
        )
        has_articles = found is None
        if articles and found is not None:
            with database.read() as connection:
                has_articles = bool(
                    resolve_target(connection, command.name, is_source=True).articles
                )
        if articles and has_articles:
            erase_articles(
                config, database, command, yes=yes, once_confirmed=remove_row
            )
        else:
            remove_row()
    if found is not None:
        kept = "" if articles else "; its articles remain"
        output.say(f"removed {found.shown_name} ({found.polled_url}){kept}")


@sources.command()
def pause(context: Context, source: _Source) -> None:
    """Stop polling a source; its history remains.

    \b
    Examples:
      aggregator sources pause SOURCE
    """
    from aggregator.intake.manage_sources import pause as run

    with context.obj.writing() as (config, database):
        found = _find(database, source)
        run(config, database, found)
    output.say(
        f"paused {found.shown_name}; resume it with `aggregator sources resume {found.id}`"
    )


@sources.command()
def resume(context: Context, source: _Source) -> None:
    """Resume a source and poll it immediately.

    Use this for a source that is paused, gone, or in back-off after failures.

    \b
    Examples:
      aggregator sources resume SOURCE
    """
    from aggregator.intake.manage_sources import resume as run

    with context.obj.writing() as (_, database):
        found = _find(database, source)
        run(database, found)
    output.say(f"resumed {found.shown_name}; a running daemon polls it within seconds")


def _find(database: "Database", typed: str) -> "Source":
    """Return the source with this name, id or address. Raises UsageError if there is none or several."""
    from aggregator.store.intake.sources import sources_named

    with database.read() as connection:
        found = sources_named(connection, typed)
    if not found:
        raise UsageError(
            f"there is no source {typed}; `aggregator sources list` lists all"
        )
    if len(found) > 1:
        which = "; ".join(f"{one.id} {one.address}" for one in found[:_SHOWN_OTHERS])
        raise UsageError(
            f"{typed} matches {len(found)} sources; give the id of one: {which}"
        )
    return found[0]


# --- check, import, export ---------------------------------------------------------------------------------


@sources.command()
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
    from aggregator.intake.manage_sources import check as run

    config = context.obj.load()
    has_problem = False
    for one in run(config, what):
        has_problem = has_problem or one.problem is not None
        if format_ == "jsonl":
            output.json_line(one)
        else:
            text = (
                one.problem
                or f"{one.format}, {counted(one.entries, 'entry', 'entries')}, {one.title!r}"
            )
            output.out(
                "\n  ".join((f"{one.what}: {text}", *map(one_line, one.newest))) + "\n"
            )
    if has_problem:
        raise typer.Exit(3)


@sources.command(name="import")
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
    from aggregator.intake.manage_sources import import_opml

    with context.obj.writing() as (config, database):
        result = import_opml(config, database, Path(opml), allow_private=allow_private)
    filed = f"; {result.filed} of them have a folder now" if result.filed else ""
    filed += (
        f"; {result.permitted} of them may be in private networks now"
        if result.permitted
        else ""
    )
    output.say(
        f"added {counted(result.added, 'feed')}, {counted(result.known, 'was', 'were')} already known{filed}"
    )
    if result.skipped:
        output.say(f"skipped {counted(len(result.skipped), 'entry', 'entries')}:")
        for outline in result.skipped[:_SHOWN_SKIPPED]:
            output.say(one_line(f"  {outline.name}: {outline.reason}"))
        if len(result.skipped) > _SHOWN_SKIPPED:
            output.say(f"  ... and {len(result.skipped) - _SHOWN_SKIPPED:,} more")
    if result.added:
        minutes = math.ceil(result.spread_seconds / 60)
        span = f"{minutes} minutes" if minutes > 1 else "a minute"
        output.say(f"a running daemon polls them within {span}")


@sources.command()
def export(context: Context) -> None:
    """Write all feeds as OPML to standard output.

    \b
    Examples:
      aggregator sources export > subscriptions.opml
    """
    from aggregator.intake.manage_sources import export_opml

    with context.obj.reading() as (config, database):
        output.out(export_opml(config, database))
