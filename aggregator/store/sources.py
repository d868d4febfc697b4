"""Source rows: where articles come from, when each is due, and how it does."""

import datetime as dt
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from aggregator.dedup.identity import short_id
from aggregator.model import Noun
from aggregator.store.tables import source


class Source(Noun, frozen=True, kw_only=True):
    """One source. `id` is made of its name, else of its address: keep the name when the address changes."""

    id: str
    kind: Literal["feed", "folder"]
    address: str
    name: str | None = None
    known_as: str | None = None
    outlet: str | None = None
    folder: str | None = None
    language: str | None = None
    timezone: str | None = None
    interval_seconds: int
    rhythm_seconds: float = 0.0
    pages: Literal["auto", "always", "never"] = "auto"
    origin: Literal["config", "user"] = "user"
    paused: bool = False
    title: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    body_hash: bytes | None = None
    stamps: bytes | None = None
    first_poll_done: bool = False
    next_due_at: dt.datetime
    last_polled_at: dt.datetime | None = None
    last_success_at: dt.datetime | None = None
    failures: int = 0
    health: Literal["new", "ok", "failing", "gone"] = "new"
    health_cause: str | None = None
    entries_new: int = 0
    entries_known: int = 0
    entries_refused: int = 0

    @property
    def shown_name(self) -> str:
        return self.name or self.outlet or self.title or self.address

    @property
    def entry_source(self) -> str:
        """What its entries call their source: a folder's own name, so that `ingest` knows them too."""
        return (self.known_as or PurePath(self.address).name) if self.kind == "folder" else self.id


_CHOSEN = (
    "kind",
    "address",
    "name",
    "outlet",
    "folder",
    "language",
    "timezone",
    "interval_seconds",
    "pages",
    "origin",
)


def source_id(kind: str, name: str | None, address: str) -> str:
    """The id of a source: of its name where it has one, so that a new address keeps its history."""
    return short_id(b"source", kind.encode(), (name or address).encode())


_ELSEWHERE: dict[str, Any] = {
    "etag": None,
    "last_modified": None,
    "body_hash": None,
    "failures": 0,
    "health": "new",
    "health_cause": None,
}  # what is no longer known of a source whose address changed


_OURS = ("refused", "address")  # causes that a changed configuration may have mended


def follow_config(connection: Connection, wanted: Iterable[Source]) -> None:
    """Make the sources of the configuration file what the file says; those it dropped are paused.

    A source with a new address or a shorter interval is due as early as a new one would be, and so is one
    that failed for a cause of ours.
    """
    before = {row.id: row for row in connection.execute(select(source))}
    named = set()
    for item in wanted:
        named.add(item.id)
        if item.id in before:
            values = {name: getattr(item, name) for name in _CHOSEN} | {"paused": False}
            old = before[item.id]
            if old.address != item.address:
                values |= _ELSEWHERE
            if old.address != item.address or old.interval_seconds > item.interval_seconds:
                values["next_due_at"] = min(old.next_due_at, item.next_due_at)
            if (old.health_cause or "").startswith(_OURS):
                values["next_due_at"] = item.next_due_at
            connection.execute(update(source).where(source.c.id == item.id).values(**values))
        else:
            add(connection, item)
    for id_, row in before.items():
        if row.origin == "config" and id_ not in named:
            connection.execute(update(source).where(source.c.id == id_).values(paused=True))


def add(connection: Connection, item: Source) -> None:
    """Write a new source."""
    connection.execute(insert(source), [{name: getattr(item, name) for name in Source.__struct_fields__}])


def remove(connection: Connection, id: str) -> None:  # noqa: A002
    """Take a source out; what came from it stays."""
    connection.execute(source.delete().where(source.c.id == id))


def save(connection: Connection, item: Source) -> None:
    """Write a source's state after a poll; stamps of None (they can be megabytes) leave those in the row."""
    kept = {"id", "paused", *_CHOSEN} | ({"stamps"} if item.stamps is None else set())
    values = {name: getattr(item, name) for name in Source.__struct_fields__ if name not in kept}
    connection.execute(update(source).where(source.c.id == item.id).values(**values))


def pull_in(connection: Connection, latest: dt.datetime) -> None:
    """After the clock went back: no source is due later than `latest`."""
    connection.execute(update(source).where(source.c.next_due_at > latest).values(next_due_at=latest))


def all_sources(connection: Connection) -> list[Source]:
    """Every source, in the order of folders and names."""
    rows = [_source(row) for row in connection.execute(select(source))]
    return sorted(rows, key=lambda item: (item.folder or "", item.shown_name.casefold(), item.id))


def feed_at(connection: Connection, address: str) -> Source | None:
    """The feed with this address, where it is a source."""
    statement = select(source).where(source.c.kind == "feed", source.c.address == address)
    row = connection.execute(statement.order_by(source.c.id)).first()
    return None if row is None else _source(row)


def due(connection: Connection, kind: str, now: dt.datetime, limit: int) -> list[Source]:
    """Sources that are due, the longest waiting first."""
    statement = (
        select(source)
        .where(source.c.kind == kind, source.c.paused.is_(False), source.c.next_due_at <= now)
        .order_by(source.c.next_due_at, source.c.id)
        .limit(limit)
    )
    return [_source(row) for row in connection.execute(statement)]


def _source(row: Row[Any]) -> Source:
    return Source(**row._mapping)
