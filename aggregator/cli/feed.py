"""The command `feed`."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

import typer

from aggregator.cli import filters
from aggregator.cli import output as show
from aggregator.cli.context import Settings
from aggregator.cli.output import write_atomically


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(feed)


def feed(
    context: typer.Context,
    saved: filters.Saved = "",
    query: filters.Query = "",
    since: filters.Since = "",
    until: filters.Until = "",
    min_outlets: filters.MinOutlets = 1,
    min_reports: filters.MinReports = 1,
    outlet: filters.Outlet = "",
    folder: filters.Folder = "",
    language: filters.Language = "",
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="At most so many (default: feeds.items)."),
    ] = None,
    updates: Annotated[
        bool, typer.Option("--updates", help="What is new about stories: an item a change.")
    ] = False,
    format_: Annotated[
        Literal["rss", "atom", "jsonfeed"], typer.Option("--format", metavar="rss|atom|jsonfeed")
    ] = "rss",
    output: Annotated[
        str,
        typer.Option("--output", metavar="FILE", help="Written whole or not at all, and only if it changed."),
    ] = "",
) -> None:
    """The feed of merged stories, to standard output or a file.

    \b
    Examples:
      aggregator feed --min-reports 2 --output stories.rss
      aggregator feed --format jsonfeed --since 7d
      aggregator feed --updates --format atom
    """
    import msgspec

    from aggregator.store.read.reader import DatabaseStoryReader
    from aggregator.web.feeds import formats, load_items
    from aggregator.web.filters import parse_filter
    from aggregator.web.settings import publish_settings

    settings: Settings = context.obj
    typed = {
        "query": query,
        "since": since,
        "until": until,
        "min_outlets": "" if min_outlets == 1 else str(min_outlets),
        "min_reports": "" if min_reports == 1 else str(min_reports),
        "outlet": outlet,
        "folder": folder,
        "language": language,
    }
    with settings.reading() as (config, database):
        query_of = config.saved_query(saved) if saved else None
        now = dt.datetime.now(dt.UTC)
        wanted = parse_filter(typed.items(), now, default_limit=config.feeds.items, saved=query_of)
        if limit is not None:
            wanted = msgspec.structs.replace(
                wanted, filter=msgspec.structs.replace(wanted.filter, limit=limit)
            )
        publish = publish_settings(config)
        which = formats.FeedSelection(updates=updates, saved=query_of)
        reader = DatabaseStoryReader(database, config.effective_tuning)
        items = load_items.gather(reader, which, wanted, publish, patient=True).items
        address = publish.base_url + formats.address(which, format_)
        whole = formats.channel(
            which,
            wanted,
            items,
            publish,
            self_url=address + (f"?{wanted.query_string}" if wanted.query_string else ""),
            css_url=f"{publish.base_url}/static/feed.css",
        )
        data = formats.written(whole, format_)
    if output:
        write_atomically(Path(output), data)
    else:
        show.out(data)
