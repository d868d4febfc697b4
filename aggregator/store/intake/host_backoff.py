"""What hosts asked of us (a 429 and its time), kept over restarts."""

import datetime as dt
from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, or_, select

from aggregator.model.core import FrozenStruct
from aggregator.store.tables import host, insert_or


class HostBackoff(FrozenStruct, frozen=True, kw_only=True):
    """A host that is asked nothing before `held_until`, and then with gaps `gap_factor` times the usual."""

    name: str
    held_until: dt.datetime | None = None
    gap_factor: float = 1.0


def save_host_backoffs(connection: Connection, hosts: Iterable[HostBackoff]) -> None:
    """Write the state of hosts, new or known."""
    for one in hosts:
        values = {"name": one.name, "held_until": one.held_until, "gap_factor": one.gap_factor}
        statement = insert_or(connection, host).values(values)
        connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def active_host_backoffs(connection: Connection, now: dt.datetime) -> list[HostBackoff]:
    """Hosts that asked for something that still holds; the others are forgotten."""
    over = or_(host.c.held_until.is_(None), host.c.held_until <= now)
    connection.execute(delete(host).where(over, host.c.gap_factor <= 1))
    return [HostBackoff(**row._mapping) for row in connection.execute(select(host).order_by(host.c.name))]


def host_backoffs(connection: Connection, names: Collection[str]) -> list[HostBackoff]:
    """Those of these hosts that asked for something."""
    rows = connection.execute(select(host).where(host.c.name.in_(names)).order_by(host.c.name))
    return [HostBackoff(**row._mapping) for row in rows]


def backing_off_hosts(connection: Connection, now: dt.datetime) -> dict[str, dt.datetime]:
    """Hosts that nothing is sent to at present, each with its time; their feeds wait, whatever is due."""
    statement = select(host.c.name, host.c.held_until).where(host.c.held_until > now)
    return {row.name: row.held_until for row in connection.execute(statement)}
