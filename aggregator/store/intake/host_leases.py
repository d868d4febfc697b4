"""Which daemon may ask which host, where several share one Postgres: at most one at a time.

So the gaps between requests to a host hold over all daemons, and no source or page is asked twice. A claim is
kept while its host is asked, given back for as long as the gap still lasts, and ends by itself where its
daemon died. Moments are those of the server's clock.
"""

import time
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Connection, text

from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import LeaseTuning


class HostLeases:
    """The hosts of this daemon, for one thread. On SQLite there is one daemon, and all hosts are its own."""

    def __init__(
        self, database: Database, tuning: LeaseTuning, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._tuning = tuning
        self._clock = clock
        self._ours: dict[str, float] = {}  # hosts → when the claim ends, by our clock
        self._is_alone = database.is_sqlite

    def of_others(self, connection: Connection) -> frozenset[str]:
        """Hosts that another daemon asks at present."""
        if self._is_alone:
            return frozenset()
        return frozenset(connection.execute(_OF_OTHERS, {"me": self._me}).scalars())

    def missing(self, hosts: Collection[str]) -> set[str]:
        """Those of the hosts that would have to be claimed before they are asked."""
        if self._is_alone:
            return set()
        return {host for host in hosts if host not in self._ours}

    def take(self, hosts: Collection[str]) -> set[str]:
        """Claim hosts; returns those that nobody else has. What was read about them before may be over."""
        ends = self._clock() + self._tuning.claim_seconds
        values = {"hosts": sorted(hosts), "me": self._me, "seconds": self._tuning.claim_seconds}
        with self._database.write() as connection:
            connection.execute(_ADD, values)
            taken = set(connection.execute(_TAKE, values).scalars())
        self._ours.update(dict.fromkeys(taken, ends))
        return taken

    def keep(self, hosts: Collection[str]) -> None:
        """Hold on to hosts that are being asked. One that was lost meanwhile is not ours any more."""
        soon = self._clock() + self._tuning.renew_claim_seconds
        ending = {host for host in hosts if self._ours.get(host, soon) < soon}
        for host in ending - (self.take(ending) if ending else set()):
            del self._ours[host]

    def give_back(self, rest_seconds: Callable[[str], float], *, but: Collection[str]) -> None:
        """Let all hosts go `but` these; each is free for others after so many more seconds."""
        over: Mapping[str, float] = {
            host: min(rest_seconds(host), self._tuning.claim_seconds)
            for host in self._ours
            if host not in but
        }
        if over:
            values = {"hosts": list(over), "seconds": list(over.values()), "me": self._me}
            with self._database.write() as connection:
                connection.execute(_GIVE_BACK, values)
            for host in over:
                del self._ours[host]

    @property
    def _me(self) -> str:
        return self._database.session_name


_OF_OTHERS = text("SELECT host FROM claim WHERE holder <> :me AND until > clock_timestamp()")
_ADD = text(
    "INSERT INTO claim (host, holder, until) "
    "SELECT host, '', clock_timestamp() FROM unnest(CAST(:hosts AS text[])) AS wanted (host) ORDER BY host "
    "ON CONFLICT DO NOTHING"
)
# A row that another daemon has in hand at this very moment is skipped: nobody waits for anybody.
_TAKE = text(
    "UPDATE claim SET holder = :me, until = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE host IN (SELECT host FROM claim WHERE host = ANY(CAST(:hosts AS text[])) "
    "AND (holder = :me OR until <= clock_timestamp()) FOR UPDATE SKIP LOCKED) RETURNING host"
)
_GIVE_BACK = text(
    "UPDATE claim SET until = clock_timestamp() + make_interval(secs => given.seconds) "
    "FROM unnest(CAST(:hosts AS text[]), CAST(:seconds AS float8[])) AS given (host, seconds) "
    "WHERE claim.host = given.host AND claim.host IN (SELECT host FROM claim "
    "WHERE host = ANY(CAST(:hosts AS text[])) AND holder = :me FOR UPDATE SKIP LOCKED)"
)
