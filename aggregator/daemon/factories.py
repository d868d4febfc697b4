"""What the rooms need of config.yaml, as the nouns that they take."""

import datetime as dt
import os.path
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from aggregator.admin.backup import backup_folder
from aggregator.config.loader import lines_of, located
from aggregator.config.settings import Config, SourceConfig
from aggregator.config.tuning import rule_book
from aggregator.extract.urls import address_key
from aggregator.model.counters import Tally
from aggregator.model.errors import ConfigError, FetchError, UsageError
from aggregator.pipeline.placement.retention import Plan
from aggregator.pipeline.workers.executor import refuse_missing_library
from aggregator.sources.fetch.client import Client, ClientSettings, user_agent
from aggregator.sources.fetch.poll_schedule import first_due
from aggregator.sources.fetch.transport import parsed
from aggregator.sources.limits import net_rules
from aggregator.sources.parse.entry_builder import primary_language
from aggregator.store.intake.sources import Source, source_id
from aggregator.store.search.query_syntax import parse_query
from aggregator.web.settings import PublishSettings


def utc_now() -> dt.datetime:
    """The clock of the program."""
    return dt.datetime.now(dt.UTC)


def check(config: Config) -> None:
    """Raises ConfigError for what cannot be put into practice: a line for each mistake, with its line.

    Only what the configuration itself decides: not whether a port is free, or a host answers.
    """
    from aggregator.web.webhooks.from_config import hooks_of  # slow, and most commands check nothing

    cap = net_rules(config.rule_book).url_cap_chars
    mistakes = [*_source_mistakes(config, cap), *_query_mistakes(config)]
    if config.public_url:
        mistakes += _address_mistakes("public_url", config.public_url, cap)
    for number, hook in enumerate(config.webhooks):
        if any(_address_mistakes("", hook.url.get_secret_value(), cap)):  # the address is a secret
            mistakes.append(f"webhooks.{number}.url: this is no http or https address")
    looks: tuple[Callable[[], object], ...] = (
        lambda: user_agent(config.fetch.contact),
        lambda: config.backup.folder is not None and backup_folder(config),
        lambda: refuse_missing_library(config.work.executor),
        lambda: retention_plan(config),
        lambda: hooks_of(config),
    )
    for look in looks:
        try:
            look()
        except ConfigError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        name = config.file.name if config.file else ""
        raise located(ConfigError("\n".join(mistakes)), lines_of(config), name)


def _source_mistakes(config: Config, cap_chars: int) -> Iterator[str]:
    lines, now = lines_of(config), utc_now()
    first: dict[tuple[str, str], int] = {}  # what no two may have in common → the number of the first
    for number, one in enumerate(config.sources):
        at = f"sources.{number}"
        if one.feed is not None:
            yield from _address_mistakes(f"{at}.feed", one.feed, cap_chars)
        if one.language is not None and primary_language(one.language) is None:
            yield f"{at}.language: give a tag of two or three letters, like en or pt"
        try:
            source = _source_of(number, one, config, now)
        except ConfigError as error:
            yield str(error)
            continue
        # The id is of the name, or of the address where there is no name: one may be the other's.
        place = address_key(source.address) if one.feed is not None else os.path.normpath(source.address)
        unique = [(source.kind, place), ("name", one.name), ("name", source.id)]
        for what, value in unique:
            before = number if value is None else first.setdefault((what, value), number)
            if before != number:
                line = lines.get(("sources", before))
                where = f"source {before + 1}" if line is None else f"line {line}"
                yield f"{at}.{what}: this is the {what} of the source in {where}, too"
                break


def _query_mistakes(config: Config) -> Iterator[str]:
    for name, query in config.queries.items():
        try:
            if query.query:
                parse_query(query.query)
        except UsageError as error:
            yield f"queries.{name}.query: {error}"


def _address_mistakes(key: str, address: str, cap_chars: int) -> Iterator[str]:
    """Why this address would not be asked, or could not stand in links."""
    try:
        parsed(address, cap_chars)
        _ = urlsplit(address).port
    except FetchError as error:
        yield f"{key}: {error.detail}"
    except ValueError as error:
        yield f"{key}: {error}"


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
            "retention.size: it is for SQLite; Postgres does not say what is free of its files: use ages"
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
    return [_source_of(number, item, config, now) for number, item in enumerate(config.sources)]


def _source_of(number: int, item: SourceConfig, config: Config, now: dt.datetime) -> Source:
    kind = "feed" if item.feed is not None else "folder"
    try:
        address = item.feed if item.feed is not None else str(config.path(item.folder or ""))
    except ConfigError as error:
        raise ConfigError(f"sources.{number}.folder: {error}") from error
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
