"""The order of placing, stored in `entry.inbox_no`.

An entry whose input is complete (at once, or when its page is fetched or given up) waits for `put_in_order`, the
writer's first step: it numbers all waiting entries in the order of their times. The numbers are stored before
anything is placed, so neither a kill nor a replay changes them. In a first reading that took long, the days
that late sources touch are numbered again by `order_of_time`, once.
"""

import datetime as dt
import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, update

from aggregator.model.entry import Entry
from aggregator.store import codecs
from aggregator.store.tables import entry, read_rows, read_value, stream_rows


def take_numbers(connection: Connection, name: str, count: int) -> int:
    """Take `count` serial numbers and lock the row until the end. Return the number before the first."""
    take = (
        "UPDATE counter SET value = value + :count WHERE name = :name RETURNING value"
    )
    return int(read_value(connection, take, name=name, count=count)) - count


_IS_GATHERED = "state = 'ready' AND inbox_no IS NULL"


def has_gathered(connection: Connection) -> bool:
    """Return whether entries wait for `put_in_order`."""
    gathered = f"SELECT 1 FROM entry WHERE {_IS_GATHERED} LIMIT 1"  # noqa: S608
    return bool(read_rows(connection, gathered))


# Pages of one source that are placed in a turn. Pages that each take workers half a second then delay another
# source by five seconds (chosen).
_PAGES_A_TURN = 10
# Pages of a source whose last pages were slow: more would hold the others for half a minute.
_SLOW_PAGES_A_TURN = 1
_NO_SOURCE = ""  # an empty list would select nothing
# The first entry of each article that has its turn later
_LATER_TURNS = f"""
    SELECT article, min(entry_no) FROM (
      SELECT article, entry_no, source, row_number() OVER (PARTITION BY source ORDER BY entry_no) AS place
      FROM entry WHERE {_IS_GATHERED} AND page IS NOT NULL
    ) AS pages
    WHERE place > CASE WHEN source IN :slow THEN {_SLOW_PAGES_A_TURN} ELSE {_PAGES_A_TURN} END GROUP BY article
    """  # noqa: S608


def put_in_order(
    connection: Connection,
    articles: Collection[str] | None = None,
    slow: Collection[str] = (),
) -> int:
    """Number the entries that wait for it in the order of their times; return how many there are.

    Only so many pages of each source have their turn: pages that workers take long to read delay only their own
    source. `articles`: number only the entries of these articles. `slow`: the sources whose pages take long.
    """
    last = take_numbers(connection, "inbox", 0)  # locks: nobody else numbers them
    later = dict(read_rows(connection, _LATER_TURNS, slow=[*slow, _NO_SOURCE]))
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
    condition = f"{_IS_PLACED} AND inbox_no >= :first"
    by_time = [read.inbox_no for read in _by_time(connection, condition, first=first)]
    return dict(zip(by_time, sorted(by_time), strict=True))


def first_out_of_order(
    connection: Connection, began: dt.datetime, early: int
) -> int | None:
    """Return the first inbox number to decide again after a first reading; None: all were in order of time.

    These are the days that entries after number `early` touch, at most three.
    """
    condition = f"{_IS_PLACED} AND accepted_at >= :began"
    by_time = _by_time(connection, condition, began=began)
    late = [read.time for read in by_time if read.inbox_no > early]
    if not late:
        return None
    since = max(min(late), by_time[-1].time - _LONGEST_TOUCHED)
    touched = [read.inbox_no for read in by_time if read.time >= since]
    first = min(touched)
    numbers = [read.inbox_no for read in by_time if read.inbox_no >= first]
    return None if numbers == sorted(numbers) else first


_IS_PLACED = "state IN ('done', 'refused') AND inbox_no IS NOT NULL"
# A first reading is decided again over this time at most
_LONGEST_TOUCHED = dt.timedelta(hours=72)


class _TimedEntry(NamedTuple):
    time: dt.datetime
    entry_no: int
    inbox_no: int
    article: str


def _by_time(
    connection: Connection,
    condition: str,
    later: Mapping[str, int] = MappingProxyType({}),
    **values: Any,
) -> list[_TimedEntry]:
    """Return these entries in the order of their times.

    `later`: for some articles, the first entry to leave out. An entry's time is its time of publication, but not
    later than its acceptance and not before an earlier entry of its article.
    """
    chosen = f"""
        SELECT entry_no, inbox_no, article, payload, accepted_at FROM entry WHERE {condition}
        ORDER BY entry_no
        """  # noqa: S608
    times = []
    by_article: dict[str, dt.datetime] = {}
    # A mute that ended may have queued many thousands of entries, too many to hold their payloads in memory.
    for row in stream_rows(connection, chosen, **values):
        if row.entry_no >= later.get(row.article, math.inf):
            continue
        time = row.accepted_at
        with suppress(*codecs.UNREADABLE):  # found when it is to be placed
            published = codecs.decompress_struct(row.payload, Entry).published
            if published is not None:
                time = min(published.time, time)
        time = max(time, by_article.get(row.article, time))
        by_article[row.article] = time
        times.append(_TimedEntry(time, row.entry_no, row.inbox_no or 0, row.article))
    return sorted(times)


_NUMBERED = (
    update(entry)
    .where(entry.c.entry_no == bindparam("n"))
    .values(inbox_no=bindparam("number"))
)
