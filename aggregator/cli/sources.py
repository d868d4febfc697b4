"""The commands below `sources`: where articles come from, and how that goes."""

from pathlib import Path
from typing import Annotated

import typer

from aggregator.cli import show
from aggregator.cli.context import Settings, missing_database
from aggregator.errors import UsageError

sources = typer.Typer(help="Where articles come from, and how that goes.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(sources, name="sources")


@sources.command(name="list")
def list_(
    context: typer.Context,
    format_: Annotated[str, typer.Option("--format", metavar="table|jsonl")] = "table",
) -> None:
    """Every source: its health, its articles, when it is due."""
    import msgspec

    from aggregator.store.reading import Reading

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        listed = Reading(database).sources()
    if format_ == "jsonl":
        for one in listed:
            show.out(msgspec.json.encode(one) + b"\n")
    elif listed:
        rows = (
            (
                one.id,
                one.state,
                one.article_count,
                one.last_success,
                one.next_due,
                one.name,
                one.problem or "",
            )
            for one in listed
        )
        columns = ("id", "health", "articles", "last success", "next due", "source", "cause")
        show.table(columns, rows, wide=("source", "cause"))
    elif missing_database(config) is None:
        show.say("no sources yet; name some in config.yaml, or type: aggregator sources add URL")


@sources.command()
def add(
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A feed's address, or a site's: its feed is found.")
    ],
    outlet: Annotated[str, typer.Option("--outlet", metavar="NAME", help="Who publishes it.")] = "",
    folder: Annotated[
        str, typer.Option("--folder", metavar="NAME", help="The group of sources it is filed under.")
    ] = "",
) -> None:
    """Add a feed; the feed behind a site's address is found."""
    from aggregator.sourcing import add as run

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        added = run(config, database, url, outlet=outlet or None, folder=folder or None)
    show.say(f"added {added.title or added.address} ({added.id}); the daemon asks it within seconds")


@sources.command()
def remove(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Its id or address.")],
) -> None:
    """Take a source out; the articles that came from it stay."""
    from aggregator.store.sources import all_sources
    from aggregator.store.sources import remove as drop

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        with database.read() as connection:
            found = [one for one in all_sources(connection) if source in (one.id, one.address, one.name)]
        if not found:
            raise UsageError(f"there is no source {source}; `aggregator sources list` shows all")
        if found[0].origin == "config" and not found[0].paused:
            raise UsageError(f"{found[0].address} stands in {config.file}: delete its lines there")
        with database.write() as connection:
            drop(connection, found[0].id)
    show.say(f"removed {found[0].shown_name}")


@sources.command()
def check(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="WHAT...", help="Feeds: files or addresses.")],
    format_: Annotated[str, typer.Option("--format", metavar="text|jsonl")] = "text",
) -> None:
    """Read feeds without storing anything.

    Says their format, title and how many entries they have; ends with 3 where one could not be read.
    """
    import msgspec

    from aggregator.sourcing import check as run

    settings: Settings = context.obj
    config = settings.load()
    bad = False
    for one in run(config, what):
        bad = bad or one.problem is not None
        if format_ == "jsonl":
            show.out(msgspec.json.encode(one) + b"\n")
        else:
            words = one.problem or f"{one.format}, {one.entries} entries, {one.title!r}"
            show.out(f"{one.what}: {words}\n")
    if bad:
        raise typer.Exit(3)


@sources.command(name="import")
def import_(context: typer.Context, opml: Annotated[str, typer.Argument(metavar="FILE.opml")]) -> None:
    """Add all feeds of an OPML file, with its folders."""
    from aggregator.sourcing import import_opml

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        added, known = import_opml(config, database, Path(opml))
    show.say(f"added {added} feeds, {known} were known already")


@sources.command()
def export(context: typer.Context) -> None:
    """All feeds as OPML, to standard output."""
    from aggregator.sourcing import export_opml

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        show.out(export_opml(config, database))
