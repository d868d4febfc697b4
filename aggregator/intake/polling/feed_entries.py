"""The entries of a feed with the settings of their source and a time."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from aggregator.extract.sites import is_private_link
from aggregator.model.entry import Entry, ParsedFeed, Published
from aggregator.store.intake.source_rows import (
    Source,
)
from aggregator.text.language import primary_tag

# The assumed age of the entries of a first poll if none has a date (chosen)
_UNDATED_AGE_DAYS = 30.0


def completed_entries(
    feed: ParsedFeed, source: Source, now: datetime, window: timedelta
) -> list[Entry]:
    """Return the entries, the oldest first, with the settings of their source and a time.

    Undated entries get the present time. In a first poll, which brings a backlog and not news, they get the time of
    the oldest dated entry instead.

    After the first poll, entries also get the time of the poll before, since an earlier date is not believed. Dates
    older than `window` are believed, so that an archive that comes at once keeps its dates. They give no advantage,
    because no story has articles further apart than `window`.
    """
    times = [entry.published.time for entry in feed.entries if entry.published]
    assumed_at = min(times, default=now - timedelta(days=_UNDATED_AGE_DAYS))
    entries = []
    for declared in reversed(feed.entries):
        entry = of_source(declared, source, feed.language)
        if source.first_poll_done:
            published = entry.published or Published(time=now, origin="poll")
            entry = replace(entry, published=published)
            if published.time > now - window:
                entry = replace(entry, last_poll=source.last_success_at)
        elif entry.published is None:
            entry = replace(entry, assumed_at=assumed_at)
        entries.append(entry)
    return entries


def of_source(entry: Entry, source: Source, language: str | None = None) -> Entry:
    """Return the entry with the settings of its source.

    `language` is the language of the feed, which an entry without a language gets.
    """
    is_of_internet = source.kind == "imap" or not is_private_link(source.address)
    return replace(
        entry,
        is_of_internet=is_of_internet,
        url=None if is_of_internet and is_private_link(entry.url) else entry.url,
        outlet=source.outlet or entry.outlet,
        resolved_outlet=None if source.outlet else entry.resolved_outlet,
        language=entry.language or language,
        source_language=primary_tag(source.language),
        zone=entry.zone or source.timezone,
    )
