"""The first reading of a new database: until every source was asked and what first polls brought is placed.

Its entries come source by source and are placed as they come. When it ends, they are decided again in order
of time, once (intake/first_reading.py). It is stored that it lasts, so a database that was upgraded, or that
begins with an archive or a push, has none.
"""

import datetime as dt

from sqlalchemy import Connection, bindparam, func, or_, select

from aggregator.store.intake.sources import IS_ASKED
from aggregator.store.tables import (
    change,
    counter,
    counter_value,
    delete_rows,
    entry,
    set_counter,
    source,
    webhook,
)

_LASTS = "first_reading"  # counter: 1 while it lasts
# A source that is due later is not waited for, such as one of a host that asked to wait (chosen: of 117 feeds
# the last one was asked after some minutes).
_LONGEST_WAIT = dt.timedelta(minutes=10)

_UNASKED = select(source.c.id).where(
    IS_ASKED,
    source.c.last_polled_at.is_(None),
    source.c.next_due_at <= bindparam("soon"),
)
# Of first polls and files. A page that is requested again later is late, and changes its article then.
_WAITING = select(entry.c.entry_no).where(
    or_(
        entry.c.state == "ready",
        (entry.c.state == "page") & (entry.c.page_due_at <= bindparam("now")),
    ),
    entry.c.bump_by_clock.is_(False),
)
_NEWEST_CHANGE = select(
    func.coalesce(func.max(change.c.change_no), 0)
).scalar_subquery()
_UNEXAMINED = select(webhook.c.name).where(
    webhook.c.is_configured,
    webhook.c.name.not_like("digest:%"),
    webhook.c.last_change_no < _NEWEST_CHANGE,
)


def begin(connection: Connection) -> None:
    """Store that the first reading lasts, with the first entry of a database."""
    set_counter(connection, _LASTS, 1)


def is_over(connection: Connection, now: dt.datetime) -> bool:
    """Return whether it lasted until now, and nothing of it is left: no source, entry or news to send."""
    if not counter_value(connection, _LASTS):
        return False
    times = {"now": now, "soon": now + _LONGEST_WAIT}
    left = (
        connection.execute(remaining.limit(1), times).first()
        for remaining in (_UNASKED, _WAITING, _UNEXAMINED)
    )
    return not any(left)


def end(connection: Connection) -> None:
    """Store that the first reading is over, permanently."""
    delete_rows(connection, counter, counter.c.name == _LASTS)
