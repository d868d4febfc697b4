"""Bumps of stories that were written under a wrong clock."""

import datetime as dt

from sqlalchemy import Connection, select

from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.tables import IS_LIVE, count_rows, story, update_rows

# By which a story's last bump may be ahead of the clock (chosen)
_AHEAD = dt.timedelta(minutes=1)
# Of the stories that are pulled back at most; if more are ahead, the clock is wrong now
_AHEAD_SHARE = 0.05


_LAST_BUMP = (
    select(story.c.bumped_at).where(IS_LIVE).order_by(story.c.bumped_at.desc()).limit(1)
)


def pull_back(connection: Connection, now: dt.datetime, few: int) -> int:
    """Set bumps that are in the future to `now`, in the same order. Return the number of stories.

    Such bumps were written under a wrong clock. With too many of them, more than `few` at least, the present
    clock is assumed wrong, and nothing changes.
    """
    last: dt.datetime | None = connection.scalar(_LAST_BUMP)
    if last is None or last <= now + _AHEAD:
        return 0
    in_future = IS_LIVE, story.c.bumped_at > now + _AHEAD
    count = count_rows(connection, story, *in_future)
    if count > max(few, _AHEAD_SHARE * count_rows(connection, story, IS_LIVE)):
        return 0
    order = (
        select(story.c.story_no)
        .where(*in_future)
        .order_by(story.c.bumped_at, story.c.story_no)
    )
    ledger = Ledger(connection)
    for n in connection.scalars(order).all():
        # Like every bump: to the second, with a serial number as microseconds.
        moment = now.replace(microsecond=ledger.number("bump") % 1_000_000)
        update_rows(connection, story, story.c.story_no == n, bumped_at=moment)
    ledger.close()
    return count
