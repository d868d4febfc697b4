"""The command `feed`."""

from pathlib import Path
from typing import Annotated, Literal

from aggregator.cli import output as show
from aggregator.cli.command_context import Context
from aggregator.cli.filter_options import Saved, with_filters
from aggregator.cli.output import option
from aggregator.config.story_query import StoryQuery
from aggregator.model.clock import utc_now
from aggregator.web.list_query import ListQuery, select_stories


@with_filters(StoryQuery, "Select stories")
def feed(
    context: Context,
    asked: ListQuery,
    saved: Saved = "",
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
    from aggregator.publish.output_settings import publish_settings
    from aggregator.store.read.reader import StoryReader
    from aggregator.web.feeds.channel import address, channel
    from aggregator.web.feeds.feed_items import gather
    from aggregator.web.feeds.formats import encode_feed

    with context.obj.reading() as (config, database):
        named = config.saved_query(saved)
        items = limit or (named and named.items) or config.feeds.items
        selected = select_stories(asked, named, utc_now(), items)
        publish = publish_settings(config)
        loaded = gather(
            StoryReader(database, config.effective_tuning),
            selected,
            publish,
            patient=True,  # because there may be no daemon that renders the texts
        )
        self_url = publish.base_url + address(named, format_)
        if asked.query_string:
            self_url += f"?{asked.query_string}"
        data = encode_feed(
            channel(named, selected, loaded.items, publish, self_url=self_url),
            format_,
        )
    if output:
        show.write_atomically(Path(output), data)
    else:
        show.out(data)
