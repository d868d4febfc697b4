"""Quiet polls, which bring nothing new: their times stay in memory and are written at most once an hour.

Most polls are quiet. Writing each would change pages of a table and of an index, and every other thread would read
what has changed. A daemon that is killed loses the times, so the next one polls these sources again.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from aggregator.model.errors import AggregatorError
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import (
    DueSource,
    Source,
    save,
    sources_with_ids,
)
from aggregator.text.lines import word_list

_OF_ANY_POLL = word_list("""
    next_due_at last_polled_at last_success_at adaptive_interval_seconds etag last_modified
""")


class _QuietPoll(NamedTuple):
    stored: Source  # its row
    latest: Source


class QuietPolls:
    """The states of sources whose last polls brought nothing. Thread-safe."""

    def __init__(self, unwritten: timedelta = timedelta(0)) -> None:
        """A state is written once the poll in its row is `unwritten` ago; by default, every state is written."""
        self._unwritten = unwritten
        self._polls: dict[str, _QuietPoll] = {}

    def latest(self, stored: Source) -> Source:
        """Return the state of a source after its last poll; `stored` is its row.

        If a command or another process has changed the row meanwhile, return the row.
        """
        quiet = self._polls.get(stored.id)
        if quiet is None or quiet.stored != stored:
            return stored
        return quiet.latest

    def due_at(self, source: DueSource) -> datetime:
        """Return when a source is due, by its row or by its last poll."""
        quiet = self._polls.get(source.id)
        if quiet is None or quiet.stored.next_due_at != source.next_due_at:
            return source.next_due_at
        return quiet.latest.next_due_at

    def keep(self, stored: Source, after: Source, now: datetime) -> bool:
        """Keep the state `after` a poll in memory; return False if it must be written instead.

        `stored` is the row of the source. The state must be written if the poll changed more than its times, or if the
        row would seem to be overdue for too long.
        """
        times = {name: getattr(after, name) for name in _OF_ANY_POLL}
        if (
            replace(stored, **times) != after
            or stored.last_polled_at is None
            or now - stored.last_polled_at >= self._unwritten
            or after.next_due_at - stored.next_due_at >= self._unwritten
        ):
            return False
        self._polls[after.id] = _QuietPoll(stored, after)
        return True

    def forget(self) -> None:
        """Forget all states, so that the rows count: the clock was set back."""
        self._polls.clear()

    def write(self, database: Database) -> None:
        """Write all states, at the end of a daemon, so that the next one does not poll all sources at once.

        A state is lost if its row has changed. All are lost if the database cannot be written at once.
        """
        polls = dict(self._polls)
        self._polls.clear()
        if not polls:
            return
        with suppress(AggregatorError), database.write() as connection:
            for row in sources_with_ids(connection, polls):
                if row == polls[row.id].stored:
                    save(connection, polls[row.id].latest)
