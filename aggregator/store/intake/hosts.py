"""The back-off of hosts (429, Retry-After), stored over restarts."""

import datetime as dt
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, delete, or_, select

from aggregator.model.core import FrozenStruct
from aggregator.store.tables import host as host_table
from aggregator.store.tables import upsert


class HostBackoff(FrozenStruct, frozen=True, kw_only=True):
    """A host that gets no request before `backoff_until`, then with gaps `gap_factor` times longer."""

    name: str
    backoff_until: dt.datetime | None = None
    gap_factor: float = 1.0


def save_host_backoffs(connection: Connection, hosts: Iterable[HostBackoff]) -> None:
    """Insert or update these hosts."""
    for one in hosts:
        upsert(connection, host_table, msgspec.structs.asdict(one))


def active_host_backoffs(connection: Connection, now: dt.datetime) -> list[HostBackoff]:
    """Return the hosts with a back-off or a longer gap at `now`; delete the others."""
    over = or_(host_table.c.backoff_until.is_(None), host_table.c.backoff_until <= now)
    connection.execute(delete(host_table).where(over, host_table.c.gap_factor <= 1))
    return [
        HostBackoff(**row._mapping)
        for row in connection.execute(select(host_table).order_by(host_table.c.name))
    ]


def backing_off_hosts(connection: Connection, now: dt.datetime) -> dict[str, dt.datetime]:
    """Return the hosts that get no request at `now`, each with the end of its back-off."""
    statement = select(host_table.c.name, host_table.c.backoff_until).where(host_table.c.backoff_until > now)
    return {row.name: row.backoff_until for row in connection.execute(statement)}
