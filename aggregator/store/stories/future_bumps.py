"""Corrects bumps of stories that were written while the clock was ahead."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from aggregator.store.intake.inbox import take_numbers
from aggregator.store.tables import read_value, read_values, write_sql

# The last bump of a story may be ahead of the clock by this much (chosen)
_AHEAD = timedelta(minutes=1)
# Largest share of stories that are pulled back. If more are ahead, the present clock must be wrong.
_AHEAD_SHARE = 0.05


def pull_back(connection: Connection, now: datetime, few: int) -> int:
    """Set bumps that are in the future to `now`, in the same order. Return the number of stories.

    Such bumps were written while the clock was ahead. If there are more than `few`, and too large a share of all
    stories, the present clock is assumed to be wrong, and nothing changes.
    """
    live = "FROM story WHERE redirect_to IS NULL"
    ahead = f"{live} AND bumped_at > :latest"
    latest = now + _AHEAD
    count = read_value(connection, f"SELECT count(*) {ahead}", latest=latest)
    if not count:
        return 0
    stories = read_value(connection, f"SELECT count(*) {live}")
    if count > max(few, _AHEAD_SHARE * stories):
        return 0
    first = take_numbers(connection, "bump", count) + 1
    ordered = f"SELECT story_no {ahead} ORDER BY bumped_at, story_no"
    for number, n in enumerate(read_values(connection, ordered, latest=latest), first):
        write_sql(
            connection,
            "UPDATE story SET bumped_at = :moment WHERE story_no = :n",
            # Every bump is exact to the second, and has a serial number as its microseconds.
            moment=now.replace(microsecond=number % 1_000_000),
            n=n,
        )
    return count
