"""The order of placing, stored in `entry.inbox_no`.

An entry whose input is complete (at once, or when its page is fetched or given up) waits for `put_in_order`, the
writer's first step: it numbers all waiting entries in the order of their times. The numbers are stored before
anything is placed, so neither a kill nor a replay changes them. In a first reading that took long, the days
that late sources touch are numbered again by `order_of_time`, once.
"""

import datetime as dt
import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    func,
    select,
    update,
)

from aggregator.model.entry import Entry
from aggregator.store import codecs
from aggregator.store.tables import counter, entry, has_row

_TAKE = (
    update(counter)
    .where(counter.c.name == bindparam("counter_name"))
    .values(value=counter.c.value + bindparam("count", type_=BigInteger))
    .returning(counter.c.value)
)


def take_numbers(connection: Connection, name: str, count: int) -> int:
    """Take `count` serial numbers and lock the row until the end. Return the number before the first."""
    last: int = connection.execute(
        _TAKE, {"counter_name": name, "count": count}
    ).scalar_one()
    return last - count


_IS_GATHERED = (entry.c.state == "ready") & entry.c.inbox_no.is_(None)
_GATHERED = select(entry.c.entry_no).where(_IS_GATHERED).limit(1)


def has_gathered(connection: Connection) -> bool:
    """Return whether entries wait for `put_in_order`."""
    return has_row(connection, _GATHERED)


# Pages of one source that are placed in a turn. Pages that each take workers half a second then delay another
# source by five seconds (chosen).
_PAGES_A_TURN = 10

_PAGES = (
    select(
        entry.c.article,
        entry.c.entry_no,
        func.row_number()
        .over(partition_by=entry.c.source, order_by=entry.c.entry_no)
        .label("place"),
    )
    .where(_IS_GATHERED, entry.c.page.is_not(None))
    .subquery()
)

_LATER_TURNS = (
    select(_PAGES.c.article, func.min(_PAGES.c.entry_no).label("entry_no"))
    .where(_PAGES.c.place > _PAGES_A_TURN)
    .group_by(_PAGES.c.article)
)


def put_in_order(
    connection: Connection,
    articles: Collection[str] | None = None,
) -> int:
    """Number the entries that wait for it in the order of their times; return how many there are.

    Only so many pages of each source have their turn: pages that workers take long to read delay only their own
    source. `articles`: number only the entries of these articles.
    """
    last = take_numbers(connection, "inbox", 0)  # locks: nobody else numbers them
    later = dict(connection.execute(_LATER_TURNS).all())
    by_time = _by_time(connection, _IS_GATHERED, later)
    if articles is not None:
        by_time = [read for read in by_time if read.article in articles]
    entries = [read.entry_no for read in by_time]
    if not entries:
        return 0
    take_numbers(connection, "inbox", len(entries))
    numbered = [
        {"n": n, "number": number} for number, n in enumerate(entries, start=last + 1)
    ]
    connection.execute(_NUMBERED, numbered)
    return len(entries)


def order_of_time(connection: Connection, first: int) -> dict[int, int]:
    """Return inbox numbers in order of time, by the present numbers of placed and refused entries from `first` on."""
    condition = _IS_PLACED & (entry.c.inbox_no >= first)
    by_time = [read.inbox_no for read in _by_time(connection, condition, {})]
    return dict(zip(by_time, sorted(by_time), strict=True))


def first_out_of_order(
    connection: Connection, began: dt.datetime, early: int
) -> int | None:
    """Return the first inbox number to decide again after a first reading; None: all were in order of time.

    These are the days that entries after number `early` touch, at most three.
    """
    condition = _IS_PLACED & (entry.c.accepted_at >= began)
    by_time = _by_time(connection, condition, {})
    late = [read.time for read in by_time if read.inbox_no > early]
    if not late:
        return None
    since = max(min(late), by_time[-1].time - _LONGEST_TOUCHED)
    touched = [read.inbox_no for read in by_time if read.time >= since]
    first = min(touched)
    numbers = [read.inbox_no for read in by_time if read.inbox_no >= first]
    return None if numbers == sorted(numbers) else first


_IS_PLACED = entry.c.state.in_(("done", "refused")) & entry.c.inbox_no.is_not(None)
# A first reading is decided again over this time at most
_LONGEST_TOUCHED = dt.timedelta(hours=72)


class _TimedEntry(NamedTuple):
    time: dt.datetime
    entry_no: int
    inbox_no: int
    article: str


def _by_time(
    connection: Connection,
    condition: ColumnElement[bool],
    later: Mapping[str, int],
) -> list[_TimedEntry]:
    """Return these entries in the order of their times.

    `later`: for some articles, the first entry to leave out. An entry's time is its time of publication, but not
    later than its acceptance and not before an earlier entry of its article.
    """
    names = ("entry_no", "inbox_no", "article", "payload", "accepted_at")
    chosen = select(*(entry.c[name] for name in names))
    chosen = chosen.where(condition).order_by(entry.c.entry_no)
    times = []
    by_article: dict[str, dt.datetime] = {}
    # A mute that ended may have queued many thousands of entries, too many to hold their payloads in memory.
    for row in connection.execute(
        chosen.execution_options(yield_per=_PAYLOADS_AT_ONCE)
    ):
        if row.entry_no >= later.get(row.article, math.inf):
            continue
        time = max(_time_of(row), by_article.get(row.article, _EARLIEST))
        by_article[row.article] = time
        times.append(_TimedEntry(time, row.entry_no, row.inbox_no or 0, row.article))
    return sorted(times)


_PAYLOADS_AT_ONCE = 500
_EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)

_NUMBERED = (
    update(entry)
    .where(entry.c.entry_no == bindparam("n"))
    .values(inbox_no=bindparam("number"))
)


def _time_of(row: Any) -> dt.datetime:
    try:
        published = codecs.decompress_struct(row.payload, Entry).published
    except codecs.UNREADABLE:  # found when it is to be placed
        published = None
    accepted_at: dt.datetime = row.accepted_at
    return accepted_at if published is None else min(published.time, accepted_at)
