"""The first reading: from the first poll of a new database until every source was asked once.

The first poll of many new sources begins a first reading, too. Meanwhile entries gather without inbox numbers, and
pages list them as they are. Then all of them are placed in order of time, recent ones first (intake/pipeline.py).
The state of a first reading is two counters and the rows of sources and entries, so a kill loses nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from aggregator.model.entry import Entry
from aggregator.store import codecs
from aggregator.store.intake.source_rows import IS_ASKED
from aggregator.store.tables import (
    counter_value,
    has_rows,
    read_rows,
    read_value,
    set_counter,
    write_sql,
)

_BEGAN = "first_reading"  # counter: when it began, in seconds since 1970
# counter: the last inbox number of the first batch that was placed before its end
_EARLY = "first_reading_early"
# Entries are placed after this time even if some sources were not asked yet (chosen: the patience of a reader)
_PATIENCE_SECONDS = 60
# A first reading does not wait for a source that is due later than this, such as a feed whose host asked us to wait,
# and it waits for no source longer than this (chosen: the last of 117 feeds was asked after some minutes).
_LONGEST_WAIT = timedelta(minutes=10)
_MANY_SOURCES = (
    20  # new sources that begin a first reading in an older database (chosen)
)
# At most this many gathered entries, the newest, are examined for the list.
_MOST_EXAMINED = 10_000

# Pages that are due now. A first reading does not wait for a page that is requested again later. The page is late then,
# and revises its article.
_PAGES = "SELECT 1 FROM entry WHERE state = 'page' AND page_due_at <= :now AND NOT bump_by_clock LIMIT 1"
_LISTED = """
    SELECT payload, accepted_at, source.name, source.title
    FROM entry LEFT JOIN source ON source.id = entry.source
    WHERE entry.state IN ('ready', 'page') AND inbox_no IS NULL ORDER BY entry_no DESC LIMIT :most
    """

Turn = Literal["wait", "gather", "whole"]
"""What becomes of gathered entries.

"wait": they wait for further sources; "gather": they gather for some seconds; "whole": all are here.
"""


class ReadEntry(NamedTuple):
    """An entry that was read and is not placed yet."""

    title: str
    url: str | None
    outlet: str | None
    # Its time of publication, but not later than its acceptance; without a date, its acceptance
    time: datetime
    is_dated: bool


class FirstReading(NamedTuple):
    """The progress of a first reading, in sources, and the newest entries that it has read."""

    asked: int
    sources: int
    entries: tuple[ReadEntry, ...]


def lasts(connection: Connection) -> bool:
    """Return whether a first reading lasts."""
    return counter_value(connection, _BEGAN) > 0


def begin_if_first(connection: Connection, now: datetime) -> None:
    """Begin a first reading with a first poll, if nothing was placed before or many sources are new."""
    if not lasts(connection) and (
        counter_value(connection, "inbox") == 0
        or _count_unasked(connection, now) >= _MANY_SOURCES
    ):
        set_counter(connection, _BEGAN, int(now.timestamp()))


def turn(connection: Connection, now: datetime) -> Turn:
    """Return what becomes of the entries that gather."""
    began = counter_value(connection, _BEGAN)
    if not began:
        return "gather"
    if _count_unasked(connection, now):
        # A clock that was set back ends the waiting, too.
        is_early = 0 <= now.timestamp() - began < _PATIENCE_SECONDS
        return "wait" if is_early else "gather"
    return "gather" if read_rows(connection, _PAGES, now=now) else "whole"


def is_undivided(connection: Connection, now: datetime) -> bool:
    """Return whether all entries of a first reading have arrived, and none of them was placed early."""
    return (
        lasts(connection)
        and not counter_value(connection, _EARLY)
        and turn(connection, now) == "whole"
    )


def note_early(connection: Connection, now: datetime, *, are_left: bool) -> None:
    """After entries were numbered, store that they are the early batch of a first reading that is not complete.

    `are_left`: whether entries still gather. Only the first such batch is stored, by its last inbox number.
    """
    if (
        lasts(connection)
        and not counter_value(connection, _EARLY)
        and (are_left or turn(connection, now) != "whole")
    ):
        set_counter(connection, _EARLY, counter_value(connection, "inbox"))


def is_over(connection: Connection, now: datetime) -> bool:
    """Return whether a first reading that lasted until now can end.

    Every entry must be placed. Every source must have been asked, and no page be due, unless the reading has taken
    `_LONGEST_WAIT`.
    """
    began = counter_value(connection, _BEGAN)
    if not began:
        return False
    if abs(now.timestamp() - began) < _LONGEST_WAIT.total_seconds() and (
        _count_unasked(connection, now) or read_rows(connection, _PAGES, now=now)
    ):
        return False
    return not has_rows(
        connection,
        "SELECT 1 FROM entry WHERE state = 'ready' AND NOT bump_by_clock LIMIT 1",
    )


def end(connection: Connection) -> tuple[datetime, int]:
    """End the first reading. Let the webhooks skip its changes, so that they send nothing about its stories.

    Return when it began, and the last inbox number of the first batch that was placed early; 0 without one.
    """
    began = datetime.fromtimestamp(counter_value(connection, _BEGAN), UTC)
    early = counter_value(connection, _EARLY)
    write_sql(
        connection, "DELETE FROM counter WHERE name IN :names", names=(_BEGAN, _EARLY)
    )
    write_sql(
        connection,
        """
        UPDATE webhook SET last_change_no = (SELECT coalesce(max(change_no), 0) FROM change)
        WHERE name NOT LIKE 'digest:%'
        """,
    )
    return began, early


def first_reading(
    connection: Connection, now: datetime, listed: int
) -> FirstReading | None:
    """Return the progress of the first reading, with at most `listed` entries; None if none lasts."""
    if not lasts(connection):
        return None
    entries = []
    most = _MOST_EXAMINED if listed else 0
    for row in read_rows(connection, _LISTED, most=most):
        try:
            declared = codecs.decompress_struct(row.payload, Entry)
        except codecs.UNREADABLE:  # the entry will be refused when it is placed
            continue
        published = declared.published
        time = row.accepted_at if published is None else published.time
        outlet = declared.resolved_outlet
        entries.append(
            ReadEntry(
                title=declared.title,
                url=declared.url,
                outlet=outlet.name
                if outlet
                else declared.outlet or row.name or row.title,
                time=min(time, row.accepted_at),
                is_dated=published is not None,
            )
        )
    # Undated entries, such as an "About" page that a site lists, come last.
    entries.sort(key=lambda read: (read.is_dated, read.time), reverse=True)
    asked = read_value(connection, f"{_SOURCES} AND last_polled_at IS NOT NULL")
    return FirstReading(
        asked, asked + _count_unasked(connection, now), tuple(entries[:listed])
    )


def _count_unasked(connection: Connection, now: datetime) -> int:
    return read_value(
        connection,
        f"{_SOURCES} AND last_polled_at IS NULL AND next_due_at <= :soon",
        soon=now + _LONGEST_WAIT,
    )


_SOURCES = f"SELECT count(*) FROM source WHERE {IS_ASKED}"  # noqa: S608
