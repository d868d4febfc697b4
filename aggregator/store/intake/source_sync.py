"""Writes the sources of config.yaml into their rows. Other sources with the same address give way to them."""

from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.extract.urls import address_key
from aggregator.store.intake.source_rows import (
    CHOSEN,
    IS_ASKED,
    NEW_ADDRESS,
    Source,
    add,
    host_of,
    restart_merged_sources,
    source_id,
    update_source,
)
from aggregator.store.tables import Row, Values, read_rows, write_sql


def sync_config(connection: Connection, wanted: Iterable[Source]) -> None:
    """Make the stored sources match the configuration file; sources that it dropped are paused.

    A source with a new address or a shorter interval is due as early as a new source would be, and so is a source
    that failed because of our settings. A source keeps its state if its new address is the target of its permanent
    redirect. If a feed was also added by command, only the file's source is polled as long as the file has it. A source
    that was added by command and has the name of a different feed in the file stays beside that feed.
    """
    before = {row.id: row for row in read_rows(connection, "SELECT * FROM source")}
    configured = []
    for new in wanted:
        old = before.get(new.id)
        id_ = new.id
        if (
            old is not None
            and old.origin != "config"
            and address_key(old.address) != address_key(new.address)
        ):  # another feed, added by command, has its name
            id_ = source_id(new.kind, None, new.address)
        configured.append(replace(new, id=id_))
    named = {new.id for new in configured}
    # The sources whose address the configuration file may have without a name
    at: dict[str, Row] = {}
    for id_, row in before.items():
        is_nameless = row.id == source_id(row.kind, None, row.address)
        if id_ not in named and (row.origin == "config" or is_nameless):
            at |= dict.fromkeys(_addresses(row), row)
    for new in configured:
        old = before.get(new.id)
        # Without a name, the address makes the id, so a stored source with the new address is the same feed.
        if old is None and new.name is None:
            old = at.get(new.address)
        if old is None or (old.id != new.id and old.id in named):
            add(connection, new)
            continue
        named.add(old.id)
        update_source(connection, old.id, **_changes(old, new))
    for id_, row in before.items():
        if row.origin == "config" and id_ not in named:
            update_source(connection, id_, paused=True)
    restart_merged_sources(connection)
    _give_way(connection)


def _changes(old: Row, item: Source) -> Values:
    """Return the column values that make a source match the configuration file."""
    values = {name: getattr(item, name) for name in CHOSEN} | {"paused": False}
    is_elsewhere = item.address not in _addresses(old)
    if is_elsewhere:
        values |= NEW_ADDRESS | {"host": host_of(item.address)}
    elif item.address == old.redirected_url:
        values |= {"redirected_url": None, "host": host_of(item.address)}
    if is_elsewhere or old.interval_seconds > item.interval_seconds:
        values["next_due_at"] = min(old.next_due_at, item.next_due_at)
    # A changed configuration may have removed these causes.
    if (old.health_cause or "").startswith(("refused", "address")):
        values["next_due_at"] = item.next_due_at
    return values


def set_default_interval(
    connection: Connection, seconds: int, due: Callable[[str], datetime]
) -> None:
    """Set the interval of the sources that were added without an interval of their own.

    `due` returns the latest time at which the source with an id is polled next.
    """
    others = """
        SELECT id, next_due_at FROM source
        WHERE origin <> 'config' AND NOT has_own_interval AND interval_seconds <> :seconds
        """
    changed = "UPDATE source SET interval_seconds = :seconds, next_due_at = :at WHERE id = :id"
    for id_, next_due_at in read_rows(connection, others, seconds=seconds):
        write_sql(
            connection, changed, seconds=seconds, at=min(next_due_at, due(id_)), id=id_
        )


def _give_way(connection: Connection) -> None:
    """Merge sources that were added by command into those of the configuration file with the same address."""
    asked = read_rows(
        connection,
        f"SELECT * FROM source WHERE host IS NOT NULL AND {IS_ASKED}",  # noqa: S608
    )
    of_file = {
        (row.kind, address_key(row.address)): row.id
        for row in asked
        if row.origin == "config"
    }
    merged = "UPDATE source SET health = 'merged', merged_into = :other WHERE id = :id"
    for row in asked:
        keys = ((row.kind, address_key(address)) for address in _addresses(row))
        other = next((of_file[key] for key in keys if key in of_file), None)
        if row.origin != "config" and other is not None:
            write_sql(connection, merged, other=other, id=row.id)


def _addresses(row: Row) -> list[str]:
    """Return the address of a source, and the target of its permanent redirect."""
    return [
        address for address in (row.address, row.redirected_url) if address is not None
    ]
