"""How the daemon does: asking the database, and saying in words what is wrong.

Asking may take as long as the database likes, so it is apart from saying, which takes memory alone: a probe
waits for the first within a bound (web/health.py) and does the second in any case.
"""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable

import msgspec

from aggregator import __version__
from aggregator.admin.backup import Standing, standing
from aggregator.config.messages import counted
from aggregator.config.settings import Config
from aggregator.daemon.process_memory import ProcessTree, process_tree, why_few_files
from aggregator.model.counters import Tally
from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import BackupState, Condition, Look, Process, WatchRules
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.retention import progress
from aggregator.store.migrate import newest_revision
from aggregator.store.read import health_gauges

_HOUR_SECONDS = 3600.0


class Vitals:
    """One daemon's state. `look` may hang with the database; everything else answers at once."""

    def __init__(
        self,
        config: Config,
        database: Database,
        tally: Tally,
        process: Callable[[], Process],
        now: Callable[[], dt.datetime],
    ) -> None:
        """`process` tells what only the daemon knows; it must not wait for anything."""
        self._config = config
        self._database = database
        self._now = now
        self.tally = tally
        self.process = process
        book = config.rule_book
        self.rules = book.section("watch", WatchRules)
        self.rules_version = book.version
        self._recovered_after: int = book.values("hooks")["recovered_after"]
        self._events: Counter[str] = Counter()  # lines of the stories' log since the start, by kind
        self._log_read_to: int | None = None
        self._counting = threading.Lock()

    @property
    def probe_seconds(self) -> float:
        """How long a probe waits for `look`."""
        return self.rules.probe_seconds

    @property
    def fresh_seconds(self) -> float:
        """How long what `look` found may be shown again."""
        return self.rules.fresh_seconds

    def look(self) -> Look:
        """Ask the database how it goes. Raises AggregatorError where it does not answer."""
        now = self._now()
        before = self._log_read_to
        with self._database.read() as connection:
            end = health_gauges.log_end(connection)
            lines = {} if before is None else health_gauges.log_kinds(connection, before, end)
            found = Look(
                at=now,
                stored=health_gauges.stored(connection, now, self._recovered_after),
                place=health_gauges.place(self._database, connection),
                sources=tuple(health_gauges.sources(connection, self.rules.sources_labelled)),
                why_not_writable=self._database.why_not_writable(connection),
                revision=health_gauges.revision(connection),
                retention=progress(connection),
            )
        return msgspec.structs.replace(found, events=self._counted(before, end, lines))

    def backups(self) -> BackupState:
        """How it stands with the backups. Their folder may be on a disk that does not answer."""
        return _backup(standing(self._config, self._database, self._now()))

    def _counted(self, before: int | None, end: int, lines: dict[str, int]) -> dict[str, int]:
        """All events since the first look; of two looks at once one counts."""
        with self._counting:
            if self._log_read_to == before:
                self._events.update(lines)
                self._log_read_to = end
            return dict(self._events)

    def metrics(self, look: Look | None, accept: str) -> tuple[bytes, str]:
        """All of it as Prometheus reads it, in the form that the header `accept` asks for; and its type."""
        from aggregator.daemon.metrics import Now, exposition  # 0.1 s that only who is scraped pays

        now = Now(self.process(), self.condition(look), self.memory())
        return exposition(now, look, self.tally, self.rules_version, accept)

    def memory(self) -> ProcessTree:
        """What this process and its workers take."""
        return process_tree()

    def condition(self, look: Look | None) -> Condition:
        """How everything does; `look` is None where the database did not answer."""
        process, now = self.process(), self._now()
        own = tuple(self._of_the_process(process, look))
        problems = (*own, *(self._of_the_database(look) if look else ()))
        writable = look is not None and look.why_not_writable is None
        right_tables = look is not None and look.revision == newest_revision()
        return Condition(
            status="down" if look is None or not writable else "degraded" if problems else "ok",
            role=process.role,
            version=__version__,
            rules_version=self.rules_version,
            uptime_seconds=max(0.0, (now - process.began_at).total_seconds()),
            writable=writable,
            ready=right_tables
            and not process.stalled
            and (process.role == "standby" or process.placing_began),
            problems=problems,
            process_problems=own,
            stored=None if look is None else look.stored,
            place=None if look is None else look.place,
            backup=None if look is None else look.backup,
            retention=None if look is None else look.retention,
            last_reload=process.last_reload,
        )

    def _of_the_process(self, process: Process, look: Look | None) -> list[str]:
        found = []
        if look is None:
            found.append(f"the database did not answer within {self.rules.probe_seconds:g} s")
        if process.role == "starting":
            found.append("the daemon is starting")
        if process.trouble is not None:
            found.append(f"placing rests: {process.trouble}")
        if process.workers is not None:
            found.append(process.workers)
        if process.stalled:
            found.append(f"no progress in: {', '.join(process.stalled)}")
        if process.last_reload is not None and process.reload_failed:
            found.append(f"config.yaml was not taken up: {process.last_reload.words}")
        if (few_files := why_few_files()) is not None:
            found.append(few_files)
        return [*found, *process.chores]

    def _of_the_database(self, look: Look) -> list[str]:
        found = [] if look.why_not_writable is None else [look.why_not_writable]
        if look.revision != newest_revision():
            found.append(
                "the database was changed by another version of this program; start the daemon again"
            )
        waits = look.stored.oldest_seconds / _HOUR_SECONDS
        if waits >= self.rules.waiting_hours:
            found.append(f"an article has waited for its place for {counted(round(waits), 'hour')}")
        free = look.place.free_disk_bytes
        if free is not None and free < self.rules.free_disk_bytes:
            found.append(f"only {free >> 20} MiB are free where the database is")
        if look.place.log_bytes is not None and look.place.log_bytes > self.rules.log_bytes:
            found.append(
                f"the log of the database has {look.place.log_bytes >> 20} MiB: something reads for long"
            )
        if look.stored.all_fail is not None:
            found.append(look.stored.all_fail)
        if look.backup is not None and (words := look.backup.words):
            found.append(words)
        return [*found, *look.stored.problems]


def _backup(found: Standing) -> BackupState:
    words = found.problem
    if words is None and found.is_late:
        words = (
            "there is no backup yet"
            if found.last is None
            else f"the last backup is of {found.last.made_at:%Y-%m-%d}"
        )
    return BackupState(
        every_seconds=found.every_seconds,
        last=None if found.last is None else found.last.made_at,
        size_bytes=None if found.last is None else found.last.size_bytes,
        words=words,
    )


def asked(look: Callable[[], Look]) -> Look | None:
    """What was found; None where the database does not answer."""
    try:
        return look()
    except AggregatorError:
        return None
