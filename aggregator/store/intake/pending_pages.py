"""Entries that wait for their pages.

A new entry waits for one attempt, for a short time. Then a second row, without a page, gets an inbox
number, and the first row keeps waiting for its late page: its `page_attempts` are not 0.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, or_, select

from aggregator.model.entry import Entry
from aggregator.model.prepared import Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.intake.acceptance import count_received
from aggregator.store.intake.inbox_order import take_numbers
from aggregator.store.tables import (
    entry,
    has_row,
    rows_with,
    source,
    structs_of,
    update_rows,
)


class PendingPage(FrozenStruct):
    """An entry that waits for its page."""

    entry_no: int
    url: str
    attempts: int
    feed: str | None = None  # URL of the feed that links to it; None: unknown
    source_id: str | None = None  # None: a push, or a feed that was removed
    # The address of the source as configured
    source_address: str | None = None


def due_pages(
    connection: Connection, now: dt.datetime, limit: int
) -> list[PendingPage]:
    """Return entries whose page is due, the longest waiting first; those of a first poll come last."""
    rows = connection.execute(_DUE, {"now": now, "limit": limit})
    return structs_of(PendingPage, rows)


_PAGE = (entry.c.entry_no, entry.c.url, entry.c.page_attempts.label("attempts"))
_DUE = (
    select(
        *_PAGE,
        func.coalesce(source.c.redirected_url, source.c.address).label("feed"),
        source.c.id.label("source_id"),
        source.c.address.label("source_address"),
    )
    .outerjoin(source, source.c.id == entry.c.source)
    .where(entry.c.state == "page", entry.c.page_due_at <= bindparam("now"))
    .order_by(entry.c.bump_by_clock.desc(), entry.c.page_due_at, entry.c.entry_no)
    .limit(bindparam("limit"))
)


def unfetched_pages(
    connection: Connection, articles: Iterable[str]
) -> list[PendingPage]:
    """Return the entries of `articles` whose page is not fetched yet, in the order of acceptance."""
    rows = rows_with(
        connection,
        select(*_PAGE).where(entry.c.state == "page"),
        entry.c.article,
        articles,
    )
    return sorted(structs_of(PendingPage, rows), key=attrgetter("entry_no"))


def store_page(
    connection: Connection,
    n: int,
    *,
    page: bytes | None,
    url: str | None,
    charset: str | None,
    robots: str = "",
) -> None:
    """Store the page of entry `n` (None: it is another article's page) and let the entry be placed.

    `robots`: restrictions from the response headers.
    """
    _settled(
        connection,
        n,
        page=None if page is None else codecs.compress_bytes(page),
        page_url=url,
        page_charset=charset,
        page_robots=robots or None,
    )


def give_up(
    connection: Connection, n: int, *, verdict: Verdict | None, reason: str
) -> None:
    """Let entry `n` be placed without its page; `verdict` is the verdict on the response, if there was one."""
    _settled(connection, n, page_verdict=verdict, reason=reason)


def _settled(connection: Connection, n: int, **values: Any) -> None:
    update_rows(
        connection,
        entry,
        entry.c.entry_no == n,
        entry.c.state == "page",
        state="ready",
        page_due_at=None,
        **values,
    )


def later(
    connection: Connection, n: int, due: dt.datetime, *, attempts: int = 0
) -> None:
    """Postpone the page of entry `n` to `due`, after so many attempts."""
    known = entry.c.page_attempts
    update_rows(
        connection,
        entry,
        entry.c.entry_no == n,
        entry.c.state == "page",
        page_due_at=due,
        page_attempts=case((known < attempts, attempts), else_=known),
    )


def next_due(connection: Connection, now: dt.datetime) -> dt.datetime | None:
    """Return when the first page is due, `now` while a new entry waits for its page; None without pages."""
    if has_row(connection, select(entry.c.entry_no).where(_WAITS_FIRST)):
        return now
    first = select(func.min(entry.c.page_due_at)).where(entry.c.state == "page")
    return connection.execute(first).scalar()


def overdue(connection: Connection, now: dt.datetime, wait: dt.timedelta) -> list[int]:
    """Return new entries that have waited so long for their pages, at most some hundred."""
    bounds = {"before": now - wait, "after": now + wait}
    return list(connection.scalars(_OVERDUE, bounds))


def place_without(connection: Connection, numbers: Sequence[int]) -> int:
    """Queue these new entries with their own words for placing; their pages are late from now on.

    Return how many are queued: an entry that has only an address keeps waiting.
    """
    waiting = entry.c.entry_no.in_(numbers), _WAITS_FIRST
    # The lock keeps their pages from being stored now.
    statement = select(*_COPIED).where(*waiting).order_by(entry.c.entry_no)
    rows = connection.execute(statement.with_for_update()).all()
    update_rows(connection, entry, *waiting, page_attempts=1)
    rows = [row for row in rows if _has_words(row.payload)]
    if not rows:
        return 0
    first = take_numbers(connection, "entry", len(rows)) + 1
    values = [
        {**row._mapping, "entry_no": number, "state": "ready"}
        for number, row in enumerate(rows, start=first)
    ]
    connection.execute(insert(entry), values)
    count_received(connection, ((row.source, "new") for row in rows))
    return len(rows)


_RELEASED_AT_ONCE = 500
# Columns copied from an entry into its second row
_COPIED = (
    entry.c.source,
    entry.c.article,
    entry.c.url,
    entry.c.payload,
    entry.c.bump_by_clock,
    entry.c.accepted_at,
)
_WAITS_FIRST = (
    (entry.c.state == "page") & (entry.c.page_attempts == 0) & ~entry.c.is_revision
)
_OVERDUE = (
    select(entry.c.entry_no)
    .where(
        _WAITS_FIRST,
        or_(
            entry.c.accepted_at <= bindparam("before"),
            entry.c.accepted_at > bindparam("after"),  # the clock was ahead
        ),
    )
    .order_by(entry.c.entry_no)
    .limit(_RELEASED_AT_ONCE)
)


def _has_words(payload: bytes) -> bool:
    try:
        declared = codecs.decompress_struct(payload, Entry)
    except codecs.UNREADABLE:
        return False
    return bool(declared.title or declared.text or declared.html)


def cap_due_times(connection: Connection, latest: dt.datetime) -> None:
    """Make waiting pages due by `latest`, after the clock was set back."""
    update_rows(
        connection,
        entry,
        entry.c.state == "page",
        entry.c.page_due_at > latest,
        page_due_at=latest,
    )
