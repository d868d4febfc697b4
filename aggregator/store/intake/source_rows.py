"""Reads and writes sources: their settings, when they are due, and their health."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection

from aggregator.extract.entry_identity import short_id
from aggregator.model.errors import AggregatorError
from aggregator.store.intake.source_access_rows import forget_access
from aggregator.store.tables import (
    Row,
    Values,
    insert_rows,
    lock_rows,
    read_row,
    read_rows,
    read_struct,
    read_structs,
    source,
    update_rows,
    write_each,
    write_sql,
)
from aggregator.store.tables.source_tables import SourceRow
from aggregator.text.lines import word_list

# The states of sources that are not polled any more, because they answered 410 or have the address of another source
NOT_ASKED = ("gone", "merged")


class Source(SourceRow):
    """A source: its row, and properties that follow from it."""

    @property
    def polled_url(self) -> str:
        """The URL that is polled: the target of a confirmed permanent redirect, or the address."""
        return self.redirected_url or self.address

    @property
    def is_polled(self) -> bool:
        return not self.paused and self.health not in NOT_ASKED

    @property
    def is_answering(self) -> bool:
        """Whether it is polled, and its last poll did not fail."""
        return self.is_polled and self.health != "failing"

    @property
    def shown_name(self) -> str:
        return self.name or self.outlet or self.title or self.address

    @property
    def entry_source(self) -> str:
        """The value of `entry.source` in its entries: the id, or the name of a folder, which `ingest` uses, too."""
        return self.folder_name or (
            self.id if host_of(self.address) else PurePath(self.address).name
        )


_SOURCES = f"SELECT {', '.join(Source.__struct_fields__)} FROM source"  # noqa: S608
IS_ASKED = "NOT paused AND health NOT IN ('gone', 'merged')"
# Times of polls that brought nothing may stay unwritten this long (intake/polling/quiet_polls.py).
UNWRITTEN = timedelta(hours=1)
# The columns that a person or config.yaml sets; a poll does not write them
CHOSEN = word_list("""
    kind address name outlet folder language timezone interval_seconds has_own_interval pages origin
""")


_HEALTH = word_list("""
    failures failing_since health health_cause gone_count gone_since merged_into
""")
_ADDRESS_STATE = word_list("""
    etag last_modified body_hash redirected_url moved_to moved_count moved_since move_confirmed
    self_url
""")
_AS_NEW: Values = {
    field.name: field.default for field in msgspec.structs.fields(Source)
}
# The values that make a source forget its failures
NO_FAILURES = {name: _AS_NEW[name] for name in _HEALTH}
# The values that a source gets with a new address. They also make it forget the state of the former address.
NEW_ADDRESS = NO_FAILURES | {name: _AS_NEW[name] for name in _ADDRESS_STATE}


def source_id(kind: str, name: str | None, address: str) -> str:
    """Return the id of a source. It is made from the name, if there is one, so that a new address keeps the history."""
    return short_id(b"source", kind.encode(), (name or address).encode())


def restart_merged_sources(connection: Connection) -> None:
    """Restart merged sources whose successor is not polled any more."""
    update_rows(
        connection,
        "source",
        f"health = 'merged' AND merged_into NOT IN (SELECT id FROM source WHERE {IS_ASKED})",  # noqa: S608
        NO_FAILURES,
    )


def host_of(address: str) -> str | None:
    """Return host and port of an address in lower case; None for a path and for an invalid address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.netloc.rpartition("@")[2].lower() or None if parts.scheme else None


def add(connection: Connection, *sources: Source) -> None:
    """Insert new sources."""
    values = [
        msgspec.structs.asdict(new) | {"host": host_of(new.polled_url)}
        for new in sources
    ]
    insert_rows(connection, source, values)


def remove(connection: Connection, id: str) -> None:
    """Delete a source. Its entries and articles stay."""
    write_sql(connection, "DELETE FROM source WHERE id = :id", id=id)
    write_sql(connection, "DELETE FROM known_items WHERE source = :id", id=id)
    forget_access(connection, id)
    restart_merged_sources(connection)


def revive(connection: Connection, id: str, now: datetime) -> None:
    """Reset the failures of a source that is gone, merged or failing, and make it due now."""
    update_source(connection, id, **NO_FAILURES, paused=False, next_due_at=now)


def pause(connection: Connection, id: str) -> None:
    """Stop polling a source. Sources that were merged into it are polled again."""
    update_source(connection, id, paused=True)
    restart_merged_sources(connection)


def update_source(connection: Connection, id: str, **values: Any) -> None:
    """Change columns of a source."""
    update_rows(connection, "source", "id = :id", values, id=id)


def save(connection: Connection, item: Source, before: Source | None = None) -> None:
    """Write the state of a source after a poll; `folder_state`, which can be megabytes, only if `item` has one.

    `before` is the state at the start of the poll. Raises AggregatorError if another process has polled the source
    since, because this process was suspended; the state of the other process stays.
    """
    unwritten = {"id", "paused", *CHOSEN}
    if item.folder_state is None:
        unwritten.add("folder_state")
    values = msgspec.structs.asdict(item)
    for name in unwritten:
        del values[name]
    if before is not None:
        row = read_row(
            connection,
            lock_rows(connection, "SELECT last_polled_at FROM source WHERE id = :id"),
            id=item.id,
        )
        if row is not None and row.last_polled_at != before.last_polled_at:
            raise AggregatorError(
                "another process polled the source meanwhile; its result is used"
            )
    update_source(connection, item.id, **values)


def all_due(connection: Connection) -> list[Row]:
    """Return the columns from which due times are limited, of all sources, for a clock that was set back."""
    return read_rows(
        connection,
        "SELECT id, next_due_at, failures, gone_count, interval_seconds FROM source",
    )


def set_due(connection: Connection, due_at: Mapping[str, datetime]) -> None:
    """Set the due times of sources."""
    rows = [{"id": id_, "moment": moment} for id_, moment in due_at.items()]
    write_each(
        connection, "UPDATE source SET next_due_at = :moment WHERE id = :id", rows
    )


def all_sources(connection: Connection) -> list[Source]:
    """Return all sources, ordered by folder and name."""
    return sorted(
        read_structs(connection, Source, _SOURCES),
        key=lambda item: (item.folder or "", item.shown_name.casefold(), item.id),
    )


def source_with_id(connection: Connection, id: str) -> Source | None:
    """Return the source with this id; None if there is none."""
    return read_struct(connection, Source, f"{_SOURCES} WHERE id = :id", id=id)


def sources_with_ids(connection: Connection, ids: Collection[str]) -> list[Source]:
    """Return the sources with these ids, in the order of the ids."""
    chosen = read_structs(connection, Source, f"{_SOURCES} WHERE id IN :ids", ids=ids)
    known = {source.id: source for source in chosen}
    return [known[id_] for id_ in ids if id_ in known]


def sources_named(connection: Connection, words: str) -> list[Source]:
    """Return the sources that a person means with `words`.

    These are the sources with this id, address or name. If there are none, the sources with this shown name are
    returned, and if there are none either, the sources whose id begins with `words`.
    """
    exact, by_name, by_prefix = [], [], []
    for known in all_sources(connection):
        if words in (known.id, known.address, known.polled_url, known.name):
            exact.append(known)
        if known.shown_name.casefold() == words.casefold():
            by_name.append(known)
        if len(words) >= 4 and known.id.startswith(words):
            by_prefix.append(known)
    return exact or by_name or by_prefix


def source_at(connection: Connection, address: str) -> Source | None:
    """Return the source with this address or redirected URL; None if there is none."""
    return read_struct(
        connection,
        Source,
        f"""
        {_SOURCES} WHERE address = :address OR redirected_url = :address
        ORDER BY CASE WHEN redirected_url IS NULL THEN 0 ELSE 1 END, id LIMIT 1
        """,
        address=address,
    )


class DueSource(NamedTuple):
    """A source that is polled, and when it is due by its row."""

    id: str
    host: str | None
    next_due_at: datetime


def schedule(connection: Connection) -> list[DueSource]:
    """Return the sources that are polled, the longest waiting first."""
    sql = f"SELECT id, host, next_due_at FROM source WHERE {IS_ASKED} ORDER BY next_due_at, id"  # noqa: S608
    return [DueSource(*row) for row in read_rows(connection, sql)]


def most_sources_fail(connection: Connection) -> bool:
    """Return whether more than half of the polled sources fail, which is a fault of this machine's own network."""
    (row,) = read_rows(
        connection,
        f"""
        SELECT count(*) AS polled, count(CASE WHEN health = 'failing' THEN 1 END) AS failing
        FROM source WHERE {IS_ASKED}
        """,  # noqa: S608
    )
    return 2 * row.failing > row.polled
