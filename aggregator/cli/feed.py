"""The command feed: writes stories as RSS, Atom or JSON Feed."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

import typer

from aggregator.cli import filters
from aggregator.cli import output as show
from aggregator.cli.context import Context
from aggregator.cli.output import write_atomically


def feed(
    context: Context,
    saved: filters.Saved = "",
    query: filters.Query = "",
    since: filters.Since = "",
    until: filters.Until = "",
    min_outlets: filters.MinOutlets = 1,
    min_reports: filters.MinReports = 1,
    outlet: filters.Outlet = "",
    folder: filters.Folder = "",
    language: filters.Language = "",
    name: filters.Name = "",
    topic: filters.Topic = "",
    kind: filters.Kind = "",
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Write at most N items (default: feeds.items)."),
    ] = None,
    updates: Annotated[bool, typer.Option("--updates", help="Write one item per change of a story.")] = False,
    format_: Annotated[
        Literal["rss", "atom", "jsonfeed"],
        typer.Option("--format", metavar="rss|atom|jsonfeed", help="Write the feed in this format."),
    ] = "rss",
    output: Annotated[
        str,
        typer.Option("--output", metavar="FILE", help="Write to this file, if its content changes."),
    ] = "",
) -> None:
    """Write a feed of stories to standard output or a file.

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

    typed = {
        "query": query,
        "since": since,
        "until": until,
        "min_outlets": "" if min_outlets == 1 else str(min_outlets),
        "min_reports": "" if min_reports == 1 else str(min_reports),
        "outlet": outlet,
        "folder": folder,
        "language": language,
        "name": name,
        "topic": topic,
        "kind": kind,
    }
    with context.obj.reading() as (config, database):
        query_of = config.saved_query(saved) if saved else None
        now = dt.datetime.now(dt.UTC)
        parsed = parse_filter(typed.items(), now, default_limit=config.feeds.items, saved=query_of)
        if limit is not None:
            parsed = msgspec.structs.replace(
                parsed, filter=msgspec.structs.replace(parsed.filter, limit=limit)
            )
        publish = publish_settings(config)
        selection = formats.FeedSelection(updates=updates, saved=query_of)
        reader = DatabaseStoryReader(database, config.effective_tuning)
        items = load_items.gather(reader, selection, parsed, publish, patient=True).items
        address = publish.base_url + formats.address(selection, format_)
        channel = formats.channel(
            selection,
            parsed,
            items,
            publish,
            self_url=address + (f"?{parsed.query_string}" if parsed.query_string else ""),
            css_url=f"{publish.base_url}/static/feed.css",
        )
        data = formats.written(channel, format_)
    if output:
        write_atomically(Path(output), data)
    else:
        show.out(data)
