"""A first reading of feeds whose polls a test makes one by one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import update

from aggregator.model.entry import Entry
from aggregator.store.intake import source_rows
from aggregator.store.intake.identity.identify import PollContext
from tests.support.articles import Clock, Rig
from tests.support.polling import feed_source
from tests.support.rows import written_by

FIRST_POLL = PollContext(outlet=None)


class SlowClock(Clock):
    """A clock of which a first reading takes less than a minute."""

    def __call__(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time


class Reading:
    """A first reading of feeds, each of which is a source that is due."""

    def __init__(self, rig: Rig, feeds: Sequence[list[Entry]]) -> None:
        self.rig = rig
        self._feeds = [*feeds]
        self._sources = [
            feed_source(f"https://feed{number}.example/rss", next_due_at=rig.clock())
            for number in range(len(feeds))
        ]
        written_by(rig.database, source_rows.add, *self._sources)
        self._asked = 0

    def poll(self, number: int = 1) -> None:
        """Ask so many further sources, of which the entries are accepted."""
        for _ in range(number):
            items = self._feeds[self._asked]
            self.rig.accept(*items, gathers=True, poll=FIRST_POLL)
            source = source_rows.source
            asked = update(source).where(source.c.id == self._sources[self._asked].id)
            with self.rig.database.write() as connection:
                connection.execute(asked.values(last_polled_at=self.rig.clock()))
            self._asked += 1
