"""The command `feed`."""

from pathlib import Path
from typing import Annotated, Literal

from aggregator.cli import filters
from aggregator.cli import output as show
from aggregator.cli.context import Context
from aggregator.cli.output import option


def feed(
    context: Context,
    saved: filters.Saved = "",
    query: filters.Query = "",
    since: filters.Since = "",
    until: filters.Until = "",
    min_outlets: filters.MinOutlets = None,
    min_reports: filters.MinReports = None,
    outlet: filters.Outlet = "",
    folder: filters.Folder = "",
    language: filters.Language = "",
    name: filters.Name = "",
    topic: filters.Topic = "",
    kind: filters.Kind = "",
    limit: Annotated[
        int | None,
        option("--limit", "N", "Write at most N items (default: feeds.items).", min=1),
    ] = None,
    format_: Annotated[
        Literal["rss", "atom", "jsonfeed"],
        option("--format", "rss|atom|jsonfeed", "Write the feed in this format."),
    ] = "rss",
    output: Annotated[
        str, option("--output", "FILE", "Write to this file, if its content changes.")
    ] = "",
) -> None:
    """Write a feed of stories to standard output or a file.

    \b
    Examples:
      aggregator feed --min-reports 2 --output stories.rss
      aggregator feed --format jsonfeed --since 7d
    """
    from msgspec.structs import replace

    from aggregator.publish.settings import publish_settings
    from aggregator.store.read.reader import StoryReader
    from aggregator.web.feeds.channel import address, channel
    from aggregator.web.feeds.formats import written
    from aggregator.web.feeds.items import gather

    typed = filters.typed(
        query,
        since,
        until,
        min_outlets,
        min_reports,
        outlet,
        folder,
        language,
        name,
        topic,
        kind,
    )
    with context.obj.reading() as (config, database):
        parsed = filters.parsed(config, typed, config.feeds.items, saved, is_feed=True)
        if limit is not None:
            parsed = replace(parsed, filter=replace(parsed.filter, limit=limit))
        publish = publish_settings(config)
        items = gather(
            StoryReader(database, config.effective_tuning),
            parsed,
            publish,
            patient=True,
        ).items
        self_url = publish.base_url + address(parsed.saved, format_)
        if parsed.query_string:
            self_url += f"?{parsed.query_string}"
        data = written(
            channel(parsed.saved, parsed, items, publish, self_url=self_url), format_
        )
    if output:
        show.write_atomically(Path(output), data)
    else:
        show.out(data)
