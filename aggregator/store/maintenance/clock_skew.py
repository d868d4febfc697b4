"""Stories that a wrong clock put first for ever: pulled back once the clock is right again."""

import datetime as dt
import time

import msgspec
from sqlalchemy import Connection, func, select, update

from aggregator.store.engine.database import Database
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.tables import story


class ClockRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `clock` of config/tuning.yaml; units stand there."""

    ahead_seconds: float
    ahead_share: float
    ahead_least: int
    look_seconds: float


def pull_back(connection: Connection, now: dt.datetime, rules: ClockRules) -> int:
    """Give stories whose last bump is in the future the time `now`, in the order that they have; how many.

    None where they are too many: then the clock is wrong now, and was not before.
    """
    live = story.c.redirect_to.is_(None)
    ahead = (live, story.c.updated > now + dt.timedelta(seconds=rules.ahead_seconds))
    newest = select(story.c.updated).where(live).order_by(story.c.updated.desc()).limit(1)
    last: dt.datetime | None = connection.execute(newest).scalar()
    if last is None or last <= now + dt.timedelta(seconds=rules.ahead_seconds):
        return 0
    count = connection.execute(select(func.count()).select_from(story).where(*ahead)).scalar_one()
    all_live = connection.execute(select(func.count()).select_from(story).where(live)).scalar_one()
    if count > max(rules.ahead_least, rules.ahead_share * all_live):
        return 0
    order = select(story.c.n).where(*ahead).order_by(story.c.updated, story.c.n)
    ledger = Ledger(connection)
    for n in connection.execute(order).scalars().all():
        # As every bump: to the second, and told apart by the fraction.
        moment = now.replace(microsecond=ledger.number("bump") % 1_000_000)
        connection.execute(update(story).where(story.c.n == n).values(updated=moment))
    ledger.close()
    return count


class Bumps:
    """Looks for such stories now and then. For the writer of stories alone."""

    def __init__(self, database: Database, rules: ClockRules) -> None:
        self._database = database
        self._rules = rules
        self._look_at = 0.0

    def look(self, now: dt.datetime) -> int:
        """Pull back what is ahead of `now`; how many stories that were. Looks every `look_seconds` only."""
        if time.monotonic() < self._look_at:
            return 0
        self._look_at = time.monotonic() + self._rules.look_seconds
        return self._database.transact(lambda connection: pull_back(connection, now, self._rules))
