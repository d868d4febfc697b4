"""The sources of the configuration file as rows of the database."""

from datetime import datetime
from functools import partial

from aggregator.config.settings import Config
from aggregator.config.source_settings import SourceConfig
from aggregator.config.values import at_key
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.page_list import compile_selector
from aggregator.sources.fetch.poll_schedule import first_due
from aggregator.store.engine.database import Connection
from aggregator.store.intake.source_rows import Source, source_id
from aggregator.store.intake.source_sync import set_default_interval, sync_config

# The time between two polls of a folder without its own interval (chosen)
_FOLDER_INTERVAL_SECONDS = 10


def follow_config(connection: Connection, config: Config, now: datetime) -> None:
    """Store the configuration's sources, and its interval for the other sources."""
    sync_config(connection, configured_sources(config, now))
    set_default_interval(
        connection,
        config.fetch.interval,
        partial(first_due, now=now, spread_seconds=config.fetch.interval),
    )


def configured_sources(config: Config, now: datetime) -> list[Source]:
    """Return the sources of the configuration file as rows; the first polls are spread over some seconds."""
    return [
        configured_source(number, source, config, now)
        for number, source in enumerate(config.sources)
    ]


def configured_source(
    number: int, source: SourceConfig, config: Config, now: datetime
) -> Source:
    """Return the row of one configured source; `number` is its index. Raises ConfigError."""
    kind = source_kind(source.kind)
    with at_key(f"sources.{number}.{source.kind}"):
        address = kind.address(source, config)
    if source.page:
        for key in ("list", "link", "title", "date"):
            with at_key(f"sources.{number}.{key}"):
                compile_selector(getattr(source, key) or "a")
    id_ = source_id(source.kind, source.name, address)
    interval = source.interval
    if interval is None:
        interval = _FOLDER_INTERVAL_SECONDS if kind.is_local else config.fetch.interval
    return Source(
        id=id_,
        kind=source.kind,
        address=address,
        name=source.name,
        outlet=source.outlet,
        folder=source.group,
        language=source.language,
        timezone=source.timezone,
        interval_seconds=interval,
        pages=source.pages or kind.pages,
        origin="config",
        next_due_at=first_due(
            id_, now, spread_seconds=0 if kind.is_local else min(interval, 30)
        ),
    )
