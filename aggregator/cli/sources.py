"""The commands below `sources`: where articles come from, and how that goes."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings, missing_database
from aggregator.cli.filters import complete_source
from aggregator.config.logging import one_line
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.admin.manage_sources import AddedSource, ListedSource, SourceOptions
    from aggregator.config.settings import Config
    from aggregator.store.engine.database import Database
    from aggregator.store.intake.sources import Source

sources = typer.Typer(help="Where articles come from, and how that goes.", no_args_is_help=True)

_ROOM_FOR_IDS = 110  # columns of a terminal; below, the cause needs the room more
_SHOWN_OTHERS = 5
_Named = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="Its name, id or address.", autocompletion=complete_source),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(sources, name="sources")


# --- list --------------------------------------------------------------------------------------------------


@sources.command(name="list")
def list_(
    context: typer.Context,
    failing: Annotated[bool, typer.Option("--failing", help="Only those that are in trouble.")] = False,
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv"], typer.Option("--format", metavar="table|json|jsonl|csv")
    ] = "table",
) -> None:
    """Every source: how it does, and what its texts became.

    Shows last success, next due, articles a day, health with its cause in words.

    \b
    Examples:
      aggregator sources list --failing
      aggregator sources list --format csv > sources.csv
    """
    import msgspec

    from aggregator.admin.manage_sources import listed
    from aggregator.model.core import utc_now

    settings: Settings = context.obj
    with settings.reading() as (config, database), database.read() as connection:
        everything = listed(connection, utc_now(), config.effective_tuning)
        is_there = missing_database(config) is None
    shown = [one for one in everything if one.is_in_trouble or not failing]
    if format_ == "json":
        output.out(msgspec.json.encode({"sources": shown}) + b"\n")
    elif format_ == "jsonl":
        output.out(b"".join(msgspec.json.encode(one) + b"\n" for one in shown))
    elif format_ == "csv":
        output.write_csv(_COLUMNS_CSV, (_csv_row(one) for one in shown))
    elif shown:
        _table(shown)
        _summary(everything, failing=failing)
    elif everything:
        output.say(f"{counted(len(everything), 'source')}, none in trouble")
    elif is_there:
        output.say("no sources yet; name some in config.yaml, or type: aggregator sources add URL")


_COLUMNS_CSV = (
    "id", "name", "kind", "url", "folder", "outlet", "language", "origin", "state", "cause", "problem",
    "articles", "per_day", "texts", "pages", "last_success", "next_due", "interval_seconds",
)  # fmt: skip


@sources.command(name="show")
def show_(
    context: typer.Context,
    source: _Named,
    limit: Annotated[int, typer.Option(min=1, help="So many texts.")] = 20,
    format_: Annotated[Literal["table", "jsonl"], typer.Option("--format", metavar="table|jsonl")] = "table",
) -> None:
    """One source, and why texts of it were not simply taken.

    Refused ones, headlines without a text, and pages that failed, newest first.

    \b
    Examples:
      aggregator sources show SOURCE
      aggregator sources show SOURCE --limit 100 --format jsonl
    """
    import msgspec

    from aggregator.admin.manage_sources import listed
    from aggregator.model.core import utc_now
    from aggregator.store.read.verdict_stats import problem_texts

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        wanted = _the_one(database, source)
        with database.read() as connection:
            judged = problem_texts(connection, wanted.entry_source, limit)
            (found,) = (
                one for one in listed(connection, utc_now(), config.effective_tuning) if one.id == wanted.id
            )
    if format_ == "jsonl":
        output.out(b"".join(msgspec.json.encode(one) + b"\n" for one in judged))
        return
    _table([found])
    if not judged:
        output.say("every text of it was taken as it is")
        return
    columns = ("came", "verdict", "page", "what", "reason")
    rows = [[one.at, one.verdict, one.page_verdict, one.title or one.url, one.reason] for one in judged]
    output.table(columns, rows, wide=("what", "reason"))


def _csv_row(one: "ListedSource") -> Sequence[object]:
    return (
        one.id, one.name, one.kind, one.url, one.folder, one.outlet, one.language, one.origin, one.state,
        one.cause, one.problem, one.article_count, one.per_day, _describe_counts(one.texts),
        _describe_counts(one.pages),
        one.last_success, one.next_due, one.interval_seconds,
    )  # fmt: skip


def _table(shown: Sequence["ListedSource"]) -> None:
    width = output.terminal_width()
    columns = ["source", "health", "a day", "last success", "next due", "texts", "cause"]
    rows = [
        [
            one.name,
            one.state,
            _rate(one.per_day),
            one.last_success,
            one.next_due,
            _texts(one) or None,
            _cause(one),
        ]
        for one in shown
    ]
    if not any(one.problem for one in shown):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    if width is None or width >= _ROOM_FOR_IDS:
        columns, rows = ["id", *columns], [[one.id, *row] for one, row in zip(shown, rows, strict=True)]
    output.table(columns, rows, wide=("source", "texts", "cause"))


def _cause(one: "ListedSource") -> str:
    moved = f"moved to {one.asked_at}" if one.asked_at != one.url else ""
    return "; ".join(words for words in (one.problem or "", moved) if words)


def _texts(one: "ListedSource") -> str:
    return "; pages: ".join(
        words for words in (_describe_counts(one.texts), _describe_counts(one.pages)) if words
    )


def _describe_counts(texts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in texts.items())


def _rate(per_day: float | None) -> str:
    """A number that says no more than is known: 0.3, 4.2, 120."""
    return "-" if per_day is None else f"{per_day:.0f}" if per_day >= 10 else f"{per_day:.1f}"


def _summary(everything: Sequence["ListedSource"], *, failing: bool) -> None:
    states = Counter(one.state for one in everything).most_common()
    troubled = sum(one.is_in_trouble for one in everything)
    hint = "; those in trouble alone: aggregator sources list --failing" if troubled and not failing else ""
    shown = ", ".join(f"{n} {state}" for state, n in states)
    output.say(f"{counted(len(everything), 'source')}: {shown}{hint}")


# --- add, remove, pause, resume ----------------------------------------------------------------------------


@sources.command()
def add(
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A feed's address, or a site's: its feed is found.")
    ],
    name: Annotated[
        str,
        typer.Option("--name", metavar="NAME", help="What it is called here; kept when its address changes."),
    ] = "",
    outlet: Annotated[str, typer.Option("--outlet", metavar="NAME", help="Who publishes it.")] = "",
    folder: Annotated[
        str, typer.Option("--folder", metavar="NAME", help="The group of sources it is filed under.")
    ] = "",
    interval: Annotated[
        str, typer.Option("--interval", metavar="15m", help="How often it is asked; else fetch.interval.")
    ] = "",
    language: Annotated[
        str, typer.Option("--language", metavar="en", help="Of its articles, where they do not say.")
    ] = "",
) -> None:
    """Add a feed; the feed behind a site's address is found.

    Nothing is stored of it yet: a running daemon asks it within seconds.

    \b
    Examples:
      aggregator sources add URL
      aggregator sources add URL --name Courier --folder Europe --interval 30m
    """
    from aggregator.admin.manage_sources import add as run

    settings: Settings = context.obj
    wanted = _wanted(name=name, outlet=outlet, folder=folder, interval=interval, language=language)
    with settings.writing() as (config, database):
        added = run(config, database, url, wanted)
    for line in _added_in_words(added):
        output.say(line)


def _wanted(*, name: str, outlet: str, folder: str, interval: str, language: str) -> "SourceOptions":
    from aggregator.admin.manage_sources import SourceOptions
    from aggregator.config.settings import LONGEST_INTERVAL_DAYS, bounded_seconds
    from aggregator.sources.parse.entry_builder import primary_language

    try:
        every = bounded_seconds(interval, LONGEST_INTERVAL_DAYS) if interval else None
    except ValueError as error:
        raise UsageError(f"--interval {interval}: {error}") from error
    tag = primary_language(language)
    if language and tag is None:
        raise UsageError(f"--language {language}: give a tag of two or three letters, like en or pt")
    texts = (text.strip() or None for text in (name, outlet, folder))
    called, by, group = texts
    return SourceOptions(name=called, outlet=by, folder=group, language=tag, interval_seconds=every)


_HOW = {
    "declared": "the page names it",
    "linked": "the page links to it",
    "usual": "where sites usually have it",
    "index": "a sitemap of the site's news",
}


def _added_in_words(added: "AddedSource") -> list[str]:
    """What was found, what else there is, and when it is asked."""
    source, found = added.source, added.found
    how = f" ({_HOW[found.origin]})" if found.origin in _HOW else ""
    entries = counted(found.feed.entry_count, "entry", "entries")
    lines = [
        f"added {source.shown_name} ({source.id})",
        f"  {source.address}{how}: {found.feed.format}, {entries}{_newest(added)}",
    ]
    others = [one_line(f"    {one.url} {one.title}").rstrip() for one in found.others[:_SHOWN_OTHERS]]
    lines += ["  the page names others too:", *others] if others else []
    every = source.interval_seconds
    often = (
        f"{every // 3600}h" if every % 3600 == 0 else f"{every // 60}m" if every % 60 == 0 else f"{every}s"
    )
    lines.append(f"  a running daemon asks it within seconds, then about every {often}")
    return lines


def _newest(added: "AddedSource") -> str:
    times = [entry.published.time for entry in added.found.feed.entries if entry.published]
    return f", the newest of {max(times):%Y-%m-%d %H:%M} UTC" if times else ""


@sources.command()
def remove(context: typer.Context, source: _Named) -> None:
    """Take a source out; the articles that came from it stay.

    \b
    Examples:
      aggregator sources remove SOURCE
    """
    from aggregator.store.intake.rejected import clear_source
    from aggregator.store.intake.sources import remove as drop

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        found = _the_one(database, source)
        _refuse_of_config(config, found, "delete its lines there")
        with database.write() as connection:
            drop(connection, found.id)
            clear_source(connection, found.entry_source)
    output.say(f"removed {found.shown_name} ({found.asked_at}); its articles stay")


@sources.command()
def pause(context: typer.Context, source: _Named) -> None:
    """Ask a source no more, until it is resumed; its history stays.

    \b
    Examples:
      aggregator sources pause SOURCE
    """
    from aggregator.store.intake.sources import set_paused

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        found = _the_one(database, source)
        _refuse_of_config(config, found, "delete its lines there, or put # before them")
        with database.write() as connection:
            set_paused(connection, found.id, True)
    output.say(f"paused {found.shown_name}; type: aggregator sources resume {found.id}")


@sources.command()
def resume(context: typer.Context, source: _Named) -> None:
    """Ask a source again, at once.

    One that was paused, that is gone, or that waits after failures.

    \b
    Examples:
      aggregator sources resume SOURCE
    """
    from aggregator.model.core import utc_now
    from aggregator.store.intake.sources import choose, revive

    settings: Settings = context.obj
    with settings.writing() as (_, database):
        found = _the_one(database, source)
        with database.write() as connection:
            if found.paused and found.origin == "config":
                choose(connection, found.id, origin="user")  # the file dropped it: it is the person's now
            revive(connection, found.id, utc_now())
    output.say(f"resumed {found.shown_name}; a running daemon asks it within seconds")


def _the_one(database: "Database", words: str) -> "Source":
    from aggregator.store.intake.sources import sources_named

    with database.read() as connection:
        found = sources_named(connection, words)
    if not found:
        raise UsageError(f"there is no source {words}; `aggregator sources list` shows all")
    if len(found) > 1:
        which = "; ".join(f"{one.id} {one.address}" for one in found[:_SHOWN_OTHERS])
        raise UsageError(f"{words} means {len(found)} sources: give the id of one: {which}")
    return found[0]


def _refuse_of_config(config: "Config", found: "Source", advice: str) -> None:
    """A source of the file would come back at the next start."""
    from aggregator.admin.manage_sources import place_in_config

    if found.origin == "config" and not found.paused:
        raise UsageError(f"{found.address} stands in {place_in_config(config, found)}: {advice}")


# --- check, import, export ---------------------------------------------------------------------------------


@sources.command()
def check(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="WHAT...", help="Feeds: files or addresses.")],
    format_: Annotated[Literal["text", "jsonl"], typer.Option("--format", metavar="text|jsonl")] = "text",
) -> None:
    """Read feeds without storing anything.

    Says their format, title and how many entries they have; ends with 3 where one could not be read.

    \b
    Examples:
      aggregator sources check URL
      aggregator sources check feed.xml --format jsonl
    """
    import msgspec

    from aggregator.admin.manage_sources import check as run

    settings: Settings = context.obj
    config = settings.load()
    bad = False
    for one in run(config, what):
        bad = bad or one.problem is not None
        if format_ == "jsonl":
            output.out(msgspec.json.encode(one) + b"\n")
        else:
            words = one.problem or f"{one.format}, {counted(one.entries, 'entry', 'entries')}, {one.title!r}"
            output.out(f"{one.what}: {words}\n")
    if bad:
        raise typer.Exit(3)


@sources.command(name="import")
def import_(context: typer.Context, opml: Annotated[str, typer.Argument(metavar="FILE.opml")]) -> None:
    """Add all feeds of an OPML file, with its folders.

    What is known already stays as it is; only what had no folder goes into the list's.

    \b
    Examples:
      aggregator sources import subscriptions.opml
    """
    from aggregator.admin.manage_sources import import_opml

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        done = import_opml(config, database, Path(opml))
    filed = f"; {done.filed} of them have a folder now" if done.filed else ""
    output.say(
        f"added {counted(done.added, 'feed')}, {counted(done.known, 'was', 'were')} known already{filed}"
    )
    if done.refused:
        feeds, shown = counted(len(done.refused), "feed"), ", ".join(done.refused[:_SHOWN_OTHERS])
        more = ", ..." if len(done.refused) > _SHOWN_OTHERS else ""
        output.say(f"left out {feeds} with a name or password in the address: {shown}{more}")
    if done.added:
        minutes = math.ceil(done.spread_seconds / 60)
        output.say(f"a running daemon asks them within {f'{minutes} minutes' if minutes > 1 else 'a minute'}")


@sources.command()
def export(context: typer.Context) -> None:
    """All feeds as OPML, to standard output.

    \b
    Examples:
      aggregator sources export > subscriptions.opml
    """
    from aggregator.admin.manage_sources import export_opml

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        output.out(export_opml(config, database))
