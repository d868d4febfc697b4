"""Host leases: of several daemons on one Postgres, at most one sends requests to a host.

So the gaps between requests to a host hold over all daemons, and no source or page is fetched twice. A lease
is renewed while its host is polled and released after the remaining gap. If its daemon was killed, the server
has ended its sessions and the host is free at once, so that a restarted daemon need not wait; if its machine
is unreachable, the lease expires. Times are those of the server's clock.
"""

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec
from sqlalchemy import Connection, delete, or_, select, text

from aggregator.model.core import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import LeaseTuning
from aggregator.store.tables import host as host_table
from aggregator.store.tables import upsert


class HostLeases:
    """The host leases of this daemon, for one thread. On SQLite the one daemon has all hosts."""

    def __init__(self, database: Database, tuning: LeaseTuning) -> None:
        self._database = database
        self._tuning = tuning
        self._ours: dict[str, float] = {}  # host to the end of its lease, monotonic
        self._is_alone = database.is_sqlite

    def of_others(self, connection: Connection) -> frozenset[str]:
        """Return the hosts that other daemons have."""
        if self._is_alone:
            return frozenset()
        others = frozenset(connection.execute(_OF_OTHERS, {"me": self._me}).scalars())
        for host in others & self._ours.keys():  # taken while the server had none of our sessions
            del self._ours[host]
        return others

    def missing(self, hosts: Collection[str]) -> set[str]:
        """Return those of the hosts that this daemon has no lease of."""
        if self._is_alone:
            return set()
        return {host for host in hosts if host not in self._ours}

    def take(self, hosts: Collection[str]) -> set[str]:
        """Lease hosts. Return those that no other daemon has; rows about them must be read again."""
        ends = time.monotonic() + self._tuning.host_lease_seconds
        values = {"hosts": sorted(hosts), "me": self._me, "seconds": self._tuning.host_lease_seconds}
        with self._database.write() as connection:
            connection.execute(_ADD, values)
            taken = set(connection.execute(_TAKE, values).scalars())
        self._ours.update(dict.fromkeys(taken, ends))
        return taken

    def keep(self, hosts: Collection[str]) -> None:
        """Renew the leases of hosts that are being polled. A lease that was lost is dropped."""
        soon = time.monotonic() + self._tuning.host_renew_seconds
        ending = {host for host in hosts if self._ours.get(host, soon) < soon}
        for host in ending - (self.take(ending) if ending else set()):
            del self._ours[host]

    def give_back(self, rest_seconds: Callable[[str], float], *, but: Collection[str]) -> None:
        """Release all hosts `but` these; each is free for others after `rest_seconds(host)`."""
        released: Mapping[str, float] = {
            host: min(rest_seconds(host), self._tuning.host_lease_seconds)
            for host in self._ours
            if host not in but
        }
        if released:
            values = {"hosts": list(released), "seconds": list(released.values()), "me": self._me}
            with self._database.write() as connection:
                connection.execute(_GIVE_BACK, values)
            for host in released:
                del self._ours[host]

    @property
    def _me(self) -> str:
        return self._database.session_name


# A released host has no holder until its gap is over. A holder without a session has ended.
_OF_OTHERS = text(
    "SELECT host FROM host_lease WHERE holder <> :me AND expires_at > clock_timestamp() AND (holder = '' "
    "OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name = holder))"
)
_ADD = text(
    "INSERT INTO host_lease (host, holder, expires_at) "
    "SELECT host, '', clock_timestamp() FROM unnest(CAST(:hosts AS text[])) AS hosts (host) ORDER BY host "
    "ON CONFLICT DO NOTHING"
)
# A row that another daemon has locked is skipped, so that no daemon waits for another one.
_TAKE = text(
    "UPDATE host_lease SET holder = :me, expires_at = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE host IN (SELECT host FROM host_lease WHERE host = ANY(CAST(:hosts AS text[])) "
    "AND (holder = :me OR expires_at <= clock_timestamp() OR holder <> '' "
    "AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = holder)) "
    "FOR UPDATE SKIP LOCKED) RETURNING host"
)
_GIVE_BACK = text(
    "UPDATE host_lease SET holder = '', "
    "expires_at = clock_timestamp() + make_interval(secs => given.seconds) "
    "FROM unnest(CAST(:hosts AS text[]), CAST(:seconds AS float8[])) AS given (host, seconds) "
    "WHERE host_lease.host = given.host AND host_lease.host IN (SELECT host FROM host_lease "
    "WHERE host = ANY(CAST(:hosts AS text[])) AND holder = :me FOR UPDATE SKIP LOCKED)"
)


# --- back-off of hosts (429, Retry-After), stored over restarts --------------------------------------------


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


def host_backoffs(connection: Connection, names: Collection[str]) -> list[HostBackoff]:
    """Return those of these hosts that have a row."""
    rows = connection.execute(
        select(host_table).where(host_table.c.name.in_(names)).order_by(host_table.c.name)
    )
    return [HostBackoff(**row._mapping) for row in rows]


def backing_off_hosts(connection: Connection, now: dt.datetime) -> dict[str, dt.datetime]:
    """Return the hosts that get no request at `now`, each with the end of its back-off."""
    statement = select(host_table.c.name, host_table.c.backoff_until).where(host_table.c.backoff_until > now)
    return {row.name: row.backoff_until for row in connection.execute(statement)}
