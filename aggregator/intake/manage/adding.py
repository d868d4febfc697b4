"""Adds a source, for the command line and the web."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from aggregator.config.messages import pluralise
from aggregator.config.settings import Config
from aggregator.config.values import LONGEST_INTERVAL_DAYS, bounded_seconds
from aggregator.extract.language.unicode import clean
from aggregator.extract.urls import address_key
from aggregator.intake.manage.feed_check import FeedReader
from aggregator.intake.manage.feed_search import ResolvedFeed, addresses_typed, find
from aggregator.model.clock import utc_now
from aggregator.model.errors import (
    ConflictError,
    UsageError,
)
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.poll_schedule import first_due
from aggregator.store import tables
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import source_rows as rows
from aggregator.store.intake.source_access_rows import save_access
from aggregator.store.intake.source_rows import (
    Source,
    all_sources,
    source_id,
    update_source,
)


class SourceOptions(FrozenStruct):
    """The options of a source that the user may give; None: not given."""

    name: str | None = None
    outlet: str | None = None
    folder: str | None = None
    language: str | None = None
    interval_seconds: int | None = None


def clean_name(typed: str) -> str | None:
    """Return a typed name in the form that is stored; None for an empty name."""
    return " ".join(clean(typed).split()) or None


def interval_of(typed: str) -> int | None:
    """Return the seconds of an interval such as `15m`; None for "" and 0, which mean the configured interval.

    Raises UsageError.
    """
    if not typed:
        return None
    try:
        return bounded_seconds(typed, LONGEST_INTERVAL_DAYS) or None
    except ValueError as error:
        raise UsageError(f"interval {typed[:40]}: {error}") from error


class AddedSource(FrozenStruct):
    """A new source, and the feed that was found for the typed address."""

    source: Source
    resolved: ResolvedFeed


def add(
    config: Config,
    database: Database,
    typed: str,
    options: SourceOptions,
    reader: FeedReader | None = None,
    *,
    access: Mapping[str, str] | None = None,
) -> AddedSource:
    """Add the feed at the address `typed`, or the feed of that site, without polling it.

    `access` has the fields of `access_of_form`; the access is stored with the source.

    If the feed was imported but never read, its source becomes one that the user typed, so it may be in a private
    network. Raises ConflictError if the feed is a source already, UsageError if no feed is found, ReadError if the
    address cannot be read.
    """
    with database.read() as connection:
        _refuse_known(connection, addresses_typed(typed)[0])
    resolved = find(config, typed, reader, access)
    source = new_source(
        config,
        resolved.address,
        resolved.feed.title or None,
        options,
        kind="page" if resolved.asked_with.selectors else "feed",
        spread_seconds=0.0,
    )
    with database.write() as connection:
        unread = _refuse_known(connection, resolved.address, source.id)
        unread = _refuse_known(connection, resolved.final) or unread
        if unread is not None:
            asked: dict[str, Any] = {
                name: value
                for name, value in msgspec.structs.asdict(options).items()
                if value is not None
            }
            if options.interval_seconds is not None:
                asked["has_own_interval"] = True
            permit_private(connection, unread, **asked)
            source = replace(unread, origin="user", **asked)
        else:
            refuse_too_many(config, tables.count_rows(connection, tables.source), 1)
            rows.add(connection, source)
        save_access(connection, source.id, resolved.asked_with)
    return AddedSource(source=source, resolved=resolved)


def _refuse_known(connection: Connection, address: str, id_: str = "") -> Source | None:
    """Return the source at this address if it was imported and never read; None without a source.

    Raises ConflictError if another source has this address, or if a source has the id `id_`, which comes from its name.
    """
    key = address_key(address)
    for source in all_sources(connection):
        is_same_address = key in map(address_key, (source.address, source.polled_url))
        if is_same_address and is_unread_import(source):
            return source
        if is_same_address or source.id == id_:
            what = "is a source already" if is_same_address else "has that name already"
            hint = f" ({source.id})"
            if source.paused:
                hint = f"; it is paused: resume it with `aggregator sources resume {source.id}`"
            raise ConflictError(f"{source.address} {what}{hint}")
    return None


def is_unread_import(known: Source) -> bool:
    return (
        known.origin == "import" and known.last_success_at is None and not known.paused
    )


def permit_private(
    connection: Connection, imported: Source, **asked: str | int | bool
) -> None:
    """Treat an imported source as if the user had typed it, with the options `asked`, and make it due now."""
    update_source(connection, imported.id, origin="user", **asked)
    rows.revive(connection, imported.id, utc_now())


def refuse_too_many(config: Config, present: int, new: int) -> None:
    """Raise UsageError if there would be more sources than allowed."""
    most = config.server.max_sources
    if present + new > most:
        raise UsageError(
            f"nothing was added: with {pluralise(new, 'new source')} there would be {present + new:,}, and "
            f"server.max_sources in config.yaml allows {most:,}"
        )


def new_source(
    config: Config,
    address: str,
    title: str | None,
    options: SourceOptions,
    *,
    kind: str = "feed",
    spread_seconds: float,
) -> Source:
    id_ = source_id(kind, options.name, address)
    return Source(
        id=id_,
        kind=kind,
        address=address,
        name=options.name,
        title=title,
        outlet=options.outlet,
        folder=options.folder,
        language=options.language,
        interval_seconds=options.interval_seconds or config.fetch.interval,
        has_own_interval=options.interval_seconds is not None,
        origin="user",
        next_due_at=first_due(id_, utc_now(), spread_seconds=spread_seconds),
    )
