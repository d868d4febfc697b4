"""What the rooms need of config.yaml, as the nouns that they take."""

import datetime as dt
from typing import Any

from aggregator.config import Config, SourceConfig
from aggregator.errors import ConfigError
from aggregator.net.client import Client, ClientSettings
from aggregator.net.due import first_due
from aggregator.publish.settings import PublishSettings
from aggregator.retaining import Plan
from aggregator.rules import rule_book
from aggregator.store.sources import Source, source_id
from aggregator.tally import Tally


def utc_now() -> dt.datetime:
    """The clock of the program."""
    return dt.datetime.now(dt.UTC)


def publish_settings(config: Config) -> PublishSettings:
    """What the output rooms need of the configuration."""
    return PublishSettings(
        host=config.server.host,
        port=config.server.port,
        public_url=config.public_url or "",
        allowed_hosts=config.server.allowed_hosts,
        owner_on_loopback=config.server.owner_on_loopback,
        trusted_proxies=config.server.trusted_proxies,
        requests_a_minute=config.server.requests_a_minute,
        title=config.publish.title,
        excerpt_words=config.publish.excerpt_words,
        full_text=config.publish.full_text,
        index=config.publish.index,
        link=config.feeds.link,
        items=config.feeds.items,
        bump=config.feeds.bump,
        queries=config.saved_queries,
        prefer=config.publish.prefer,
    )


def retention_plan(config: Config) -> Plan:
    """What `retention:` asks for. Raises ConfigError where the database cannot do that."""
    chosen = config.retention
    if chosen.size is not None and not config.database_url.startswith("sqlite"):
        raise ConfigError(
            "retention.size is for SQLite: Postgres does not say how much of its files is free; use ages"
        )
    return Plan(
        compress_after=chosen.compress_after,
        text_after=chosen.text_after,
        stories_after=chosen.stories_after,
        size=chosen.size,
    )


def client_of(config: Config, tally: Tally | None = None) -> Client:
    """The HTTP client as configured; `tally` counts its requests."""
    overrides: dict[str, dict[str, Any]] = {name: dict(values) for name, values in config.rules.items()}
    overrides.setdefault("net", {}).setdefault("host_gap_seconds", float(config.fetch.host_gap))
    settings = ClientSettings(
        contact=config.fetch.contact,
        allow_private=config.fetch.allow_private,
        allow_private_links=config.fetch.allow_private_links,
    )
    return Client(settings, rule_book(overrides), tally=tally)


def configured_sources(config: Config, now: dt.datetime) -> list[Source]:
    """The sources of the configuration file as rows; each feed's first poll at a moment of its own."""
    return [_source_of(item, config, now) for item in config.sources]


def _source_of(item: SourceConfig, config: Config, now: dt.datetime) -> Source:
    kind = "feed" if item.feed is not None else "folder"
    address = item.feed if item.feed is not None else str(config.path(item.folder or ""))
    id_ = source_id(kind, item.name, address)
    interval = item.interval or (config.fetch.interval if kind == "feed" else config.folders.interval)
    return Source(
        id=id_,
        kind="feed" if item.feed is not None else "folder",
        address=address,
        name=item.name,
        outlet=item.outlet,
        folder=item.group,
        language=item.language,
        timezone=item.timezone,
        interval_seconds=interval,
        pages=item.pages or "auto",
        origin="config",
        next_due_at=first_due(id_, now, spread_seconds=min(interval, 30) if kind == "feed" else 0),
    )
