"""The inbox: entries that are accepted and not placed yet. An accepted entry is never lost.

acceptance.py adds entries; this module numbers and reads them. `entry.inbox_no` is the order of placing. An entry
whose input is complete (at once, or when its page is fetched or given up) waits for `put_in_order`, the writer's first
step, which numbers all waiting entries in the order of their times. The numbers are stored before anything is
placed, so neither a kill nor a replay changes them. After a first reading that took long, the days that late sources
touch are numbered again once, by `order_of_time`.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.entry import Entry, EntryInput
from aggregator.model.errors import UnreadableEntryError
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import (
    Row,
    has_rows,
    read_map,
    read_rows,
    read_structs,
    read_value,
    read_values,
    stream_rows,
    write_each,
    write_sql,
)

Outcome = Literal["founded", "joined", "copy", "revised", "unchanged", "refused"]
# The verdict on an entry that the owner does not want (grouping/mutes.py)
MUTED = "muted"
# At most this many pages of one source are numbered in a turn. If workers need half a second for each page, another
# source waits five seconds (chosen).
_PAGES_A_TURN = 10
# The same for a source whose last pages were slow. More of them would delay other sources by half a minute.
_SLOW_PAGES_A_TURN = 1
# Many entries of a first reading are older than any window: 72 % of the entries of 117 feeds. Entries older than this
# are numbered last (chosen: four windows, so that forms of series and frequencies of words have enough data).
RECENT = timedelta(days=60)
# At most this much of a first reading, the newest part, is decided again.
_LONGEST_TOUCHED = timedelta(hours=72)
# Entries whose input is complete, and which have no inbox number yet
_IS_GATHERED = "state = 'ready' AND inbox_no IS NULL"
_IS_PLACED = "state IN ('done', 'refused') AND inbox_no IS NOT NULL"
# Another process may accept the same address at the same time: the first article keeps it.
CLAIM = """
    INSERT INTO identity_key (key, article) VALUES (:key, :article) ON CONFLICT DO NOTHING
    """


class InboxEntry(EntryInput):
    """An entry that is ready to be placed."""

    entry_no: int
    # 0: it waits for `put_in_order`
    inbox_no: int
    article: str
    # Whether it bumps its story at the time of placing; otherwise it does so at its own time
    bump_by_clock: bool
    # Whether its article was placed before the page came, with the words of the entry
    is_late_page: bool = False
    # Kept from the first placing if the article is placed again; None: to be computed
    effective_at: datetime | None = None
    # Whether its page was given up, or turned out to be on another site
    has_lost_page: bool = False


# SQLAlchemy takes three times as long for `*`, even if no entry waits.
_WAITING = """
    SELECT entry_no, inbox_no, article, is_revision, bump_by_clock, accepted_at, payload, page, page_url, page_charset,
      page_robots, page_attempts, reason FROM entry
    """


def ready(connection: Connection, limit: int, after: int = 0) -> list[InboxEntry]:
    """Return the next entries to place, in the order of their inbox numbers.

    Raises UnreadableEntryError for an entry whose payload or page is damaged.
    """
    rows = read_rows(
        connection,
        f"{_WAITING} WHERE state = 'ready' AND inbox_no > :after ORDER BY inbox_no LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [_inbox_entry(row) for row in rows]


def gathered(connection: Connection, limit: int, after: int) -> list[InboxEntry]:
    """Return entries numbered above `after` that wait for `put_in_order` and have no page, in order of acceptance.

    Their `inbox_no` is 0. Raises UnreadableEntryError as `ready` does.
    """
    rows = read_rows(
        connection,
        f"""
        {_WAITING} WHERE {_IS_GATHERED} AND page IS NULL AND entry_no > :after
        ORDER BY entry_no LIMIT :limit
        """,
        after=after,
        limit=limit,
    )
    return [_inbox_entry(row) for row in rows]


def _inbox_entry(row: Row) -> InboxEntry:
    try:
        declared = codecs.decompress_struct(row.payload, Entry)
        page = row.page and codecs.decompress_bytes(row.page)
    except codecs.UNREADABLE as error:
        raise UnreadableEntryError(
            f"its stored data cannot be read ({error})", row.entry_no
        ) from error
    if row.page_robots:
        declared = replace(declared, robots=row.page_robots)
    return InboxEntry(
        entry_no=row.entry_no,
        inbox_no=row.inbox_no or 0,
        article=row.article,
        is_revision=row.is_revision,
        bump_by_clock=row.bump_by_clock,
        accepted_at=row.accepted_at,
        entry=declared,
        is_late_page=not row.is_revision and row.page_attempts > 0,
        page=page,
        page_url=row.page_url,
        page_charset=row.page_charset,
        has_lost_page=page is None and (row.reason or row.page_url) is not None,
    )


def article_of(connection: Connection, waiting: InboxEntry) -> str:
    """Return the article of a waiting entry, which may have changed since the entry was read.

    An entry without a row, which only `recluster` places, keeps its article.
    """
    present = "SELECT article FROM entry WHERE entry_no = :number"
    return read_value(connection, present, number=waiting.entry_no) or waiting.article


def last_ready(connection: Connection, articles: Iterable[str]) -> int:
    """Return the last inbox number of the entries of `articles` that wait to be placed; 0 without any."""
    waiting = """
        SELECT inbox_no FROM entry WHERE state = 'ready' AND inbox_no IS NOT NULL AND article IN :articles
        """
    return max(read_values(connection, waiting, articles=articles), default=0)


def waiting_articles(connection: Connection, articles: Iterable[str]) -> list[str]:
    """Return those of `articles` that have an entry which is neither placed nor refused."""
    return read_values(
        connection,
        """
        SELECT DISTINCT article FROM entry WHERE state IN ('page', 'ready') AND article IN :articles
        """,
        articles=articles,
    )


def is_revised_since(connection: Connection, article_id: str, entry_no: int) -> bool:
    """Return whether a revision that was accepted after entry `entry_no` has been placed in the article."""
    return has_rows(
        connection,
        """
        SELECT 1 FROM entry WHERE article = :article AND entry_no > :entry_no AND outcome = 'revised' LIMIT 1
        """,
        article=article_id,
        entry_no=entry_no,
    )


def claim(connection: Connection, key: bytes, article_id: str) -> str:
    """Store `key` for `article_id` unless another article has it. Return the article that has it now.

    A void key stays void, and `article_id` is returned.
    """
    write_sql(connection, CLAIM, key=key, article=article_id)
    return owner(connection, key) or article_id  # NOBODY is empty


def owner(connection: Connection, key: bytes) -> str | None:
    """Return the article that has `key`: None if no article has it, NOBODY for a void key."""
    return read_value(
        connection, "SELECT article FROM identity_key WHERE key = :key", key=key
    )


class EntryResult(FrozenStruct):
    """The result of an accepted entry. `outcome` is None while it waits, and `story` is None unless it is placed."""

    entry_no: int
    outcome: Outcome | None
    verdict: str | None
    reason: str | None
    url: str | None
    article: str
    story: str | None
    copy_of: str | None


def results(connection: Connection, numbers: Iterable[int]) -> list[EntryResult]:
    """Return the results of the entries `numbers`, in order."""
    # Retention clears the address of a placed entry if its article has the same address.
    return read_structs(
        connection,
        EntryResult,
        """
        SELECT entry_no, outcome, entry.verdict, reason, coalesce(entry.url, article.url) AS url,
          entry.article, article.story, article.copy_of
        FROM entry LEFT JOIN article ON article.id = entry.article
        WHERE entry_no IN :numbers ORDER BY entry_no
        """,
        numbers=numbers,
    )


def waiting_count(connection: Connection) -> int:
    """Return the number of entries that are neither placed nor refused."""
    return read_value(
        connection, "SELECT count(*) FROM entry WHERE state IN ('page', 'ready')"
    )


def bump_at_own_time(connection: Connection, numbers: Sequence[int]) -> None:
    """Let these waiting entries bump their stories at their effective time, not at the time of placing."""
    write_sql(
        connection,
        "UPDATE entry SET bump_by_clock = false WHERE entry_no IN :numbers",
        numbers=numbers,
    )


def take_numbers(connection: Connection, name: str, count: int) -> int:
    """Take `count` serial numbers, and lock the counter until the transaction ends. Return the number before them."""
    take = (
        "UPDATE counter SET value = value + :count WHERE name = :name RETURNING value"
    )
    return read_value(connection, take, name=name, count=count) - count


def has_gathered(connection: Connection) -> bool:
    """Return whether entries wait for `put_in_order`."""
    return has_rows(
        connection,
        f"SELECT 1 FROM entry WHERE {_IS_GATHERED} LIMIT 1",  # noqa: S608
    )


def put_in_order(
    connection: Connection,
    articles: Collection[str] | None = None,
    slow: Collection[str] = (),
    *,
    recent_first: bool = False,
) -> int:
    """Number the gathered entries in the order of their times; return how many were numbered.

    A call numbers only a few pages of each source, so that a source whose pages take workers long delays only
    itself. `articles`: number only the entries of these articles. `slow`: the sources whose pages take
    long. `recent_first`: number articles older than RECENT after the others, unless pages were left for a later call.
    """
    # This locks the counter, so that nobody else numbers entries meanwhile.
    last = take_numbers(connection, "inbox", 0)
    # The first entry of each article that has its turn later
    later = read_map(
        connection,
        f"""
        SELECT article, min(entry_no) FROM (
          SELECT article, entry_no, source, row_number() OVER (PARTITION BY source ORDER BY entry_no) AS place
          FROM entry WHERE {_IS_GATHERED} AND page IS NOT NULL
        ) AS pages
        WHERE place > CASE WHEN source IN :slow THEN {_SLOW_PAGES_A_TURN} ELSE {_PAGES_A_TURN} END GROUP BY article
        """,  # noqa: S608
        slow=[*slow, ""],  # an empty list would select nothing
    )
    by_time = _by_time(connection, _IS_GATHERED, later)
    if articles is not None:
        by_time = [read for read in by_time if read.article in articles]
    if recent_first and by_time and not later:
        since = by_time[-1].time - RECENT
        newest = {read.article: read.time for read in by_time}
        by_time.sort(key=lambda read: newest[read.article] < since)
    take_numbers(connection, "inbox", len(by_time))
    numbered = [
        {"n": read.entry_no, "number": number}
        for number, read in enumerate(by_time, start=last + 1)
    ]
    write_each(
        connection, "UPDATE entry SET inbox_no = :number WHERE entry_no = :n", numbered
    )
    return len(by_time)


def order_of_time(connection: Connection, first: int) -> dict[int, int]:
    """Return new inbox numbers, in order of time, for the placed and refused entries from number `first` on.

    The new numbers are keyed by the present ones.
    """
    by_time = _by_time(connection, f"{_IS_PLACED} AND inbox_no >= :first", first=first)
    numbers = [read.inbox_no for read in by_time]
    return dict(zip(numbers, sorted(numbers), strict=True))


def first_out_of_order(
    connection: Connection, began: datetime, early: int
) -> int | None:
    """Return the first inbox number to decide again after a first reading; None if all were in order of time.

    The entries after number `early` came late. All entries from the time of the oldest late entry on are decided
    again, but at most the last three days.
    """
    by_time = _by_time(
        connection, f"{_IS_PLACED} AND accepted_at >= :began", began=began
    )
    late = [read.time for read in by_time if read.inbox_no > early]
    if not late:
        return None
    since = max(min(late), by_time[-1].time - _LONGEST_TOUCHED)
    first = min(read.inbox_no for read in by_time if read.time >= since)
    numbers = [read.inbox_no for read in by_time if read.inbox_no >= first]
    return None if numbers == sorted(numbers) else first


class _TimedEntry(NamedTuple):
    time: datetime
    entry_no: int
    inbox_no: int
    article: str


def _by_time(
    connection: Connection,
    condition: str,
    later: Mapping[str, int] = MappingProxyType({}),
    **values: Any,
) -> list[_TimedEntry]:
    """Return the entries that meet a condition, in the order of their times.

    `later`: the first entry to leave out, by article. An entry's time is its time of publication, but not
    later than its acceptance and not before an earlier entry of its article.
    """
    chosen = f"""
        SELECT entry_no, inbox_no, article, payload, accepted_at FROM entry WHERE {condition}
        ORDER BY entry_no
        """  # noqa: S608
    times = []
    by_article: dict[str, datetime] = {}
    # A mute that ended may have queued many thousands of entries, too many to hold their payloads in memory.
    for row in stream_rows(connection, chosen, **values):
        if row.entry_no >= later.get(row.article, math.inf):
            continue
        time = row.accepted_at
        # Damage is noticed when the entry is placed.
        with suppress(*codecs.UNREADABLE):
            published = codecs.decompress_struct(row.payload, Entry).published
            if published is not None:
                time = min(published.time, time)
        time = max(time, by_article.get(row.article, time))
        by_article[row.article] = time
        times.append(_TimedEntry(time, row.entry_no, row.inbox_no or 0, row.article))
    return sorted(times)
