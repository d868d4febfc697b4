"""Entries that wait for their pages, which often have the text that a feed lacks.

An entry that waits has the state "page". Once its page is stored or given up, the entry is released: it gets the
state "ready", and can be placed. A new entry waits for one attempt, and only for a short time. Then it is overdue, and
a copy of its row is released with the words of the feed. The first row keeps waiting for the late page, which revises
the article. Since its `page_attempts` are not 0, it is not copied again.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection

from aggregator.model.entry import Entry
from aggregator.model.prepared import Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.intake.acceptance import count_received
from aggregator.store.intake.inbox import take_numbers
from aggregator.store.tables import (
    entry,
    insert_rows,
    read_rows,
    read_structs,
    read_value,
    read_values,
    update_rows,
    write_sql,
)

_RELEASED_AT_ONCE = 500
# A new entry, which may become overdue
_IS_NEW = "state = 'page' AND page_attempts = 0 AND NOT is_revision"


class PendingPage(FrozenStruct):
    """An entry that waits for its page."""

    entry_no: int
    url: str
    attempts: int
    feed: str | None = None  # URL of the feed that links to it; None: unknown
    source_id: str | None = None  # None: a push, or a feed that was removed
    # The address of the source as configured
    source_address: str | None = None


def load_due_pages(
    connection: Connection, now: datetime, limit: int
) -> list[PendingPage]:
    """Return entries whose page is due, the longest due first. Entries of first polls come last."""
    return read_structs(
        connection,
        PendingPage,
        """
        SELECT entry_no, entry.url, page_attempts AS attempts, source.id AS source_id,
          coalesce(source.redirected_url, source.address) AS feed, source.address AS source_address
        FROM entry LEFT JOIN source ON source.id = entry.source
        WHERE entry.state = 'page' AND page_due_at <= :now
        ORDER BY bump_by_clock DESC, page_due_at, entry_no LIMIT :limit
        """,
        now=now,
        limit=limit,
    )


def load_unfetched_pages(
    connection: Connection, articles: Iterable[str]
) -> list[PendingPage]:
    """Return the entries of `articles` whose page is not fetched yet, in the order of acceptance."""
    pages = read_structs(
        connection,
        PendingPage,
        """
        SELECT entry_no, url, page_attempts AS attempts FROM entry
        WHERE state = 'page' AND article IN :articles
        """,
        articles=articles,
    )
    return sorted(pages, key=attrgetter("entry_no"))


def store_page(
    connection: Connection,
    n: int,
    *,
    page: bytes | None,
    url: str | None,
    charset: str | None,
    robots: str = "",
) -> None:
    """Store the page of entry `n`, and release the entry.

    `page` is None if the address led to another site. `robots` are the restrictions in the response headers.
    """
    _release(
        connection,
        n,
        page=None if page is None else codecs.compress_bytes(page),
        page_url=url,
        page_charset=charset,
        page_robots=robots or None,
    )


def release_without_page(
    connection: Connection, n: int, *, verdict: Verdict | None, reason: str
) -> None:
    """Release entry `n` without its page; `verdict` is the verdict on the response, if there was one."""
    _release(connection, n, page_verdict=verdict, reason=reason)


def _release(connection: Connection, n: int, **values: Any) -> None:
    values = {"state": "ready", "page_due_at": None, **values}
    update_rows(connection, "entry", "entry_no = :n AND state = 'page'", values, n=n)


def postpone_page(
    connection: Connection, n: int, due: datetime, *, attempts: int = 0
) -> None:
    """Fetch the page of entry `n` again at `due`; `attempts` is the number of attempts so far."""
    write_sql(
        connection,
        """
        UPDATE entry SET page_due_at = :due,
          page_attempts = CASE WHEN page_attempts < :attempts THEN :attempts ELSE page_attempts END
        WHERE entry_no = :n AND state = 'page'
        """,
        due=due,
        attempts=attempts,
        n=n,
    )


def find_next_due_time(connection: Connection, now: datetime) -> datetime | None:
    """Return when the next page is due: `now` if a new entry waits, None if no entry waits."""
    if read_rows(
        connection,
        f"SELECT 1 FROM entry WHERE {_IS_NEW} LIMIT 1",  # noqa: S608
    ):
        return now
    return read_value(
        connection,
        "SELECT min(page_due_at) AS page_due_at FROM entry WHERE state = 'page'",
    )


def list_overdue_entries(
    connection: Connection, now: datetime, wait: timedelta
) -> list[int]:
    """Return the numbers of the first new entries that have waited for their pages longer than `wait`."""
    # An entry with an acceptance in the future was accepted while the clock was ahead.
    return read_values(
        connection,
        f"""
        SELECT entry_no FROM entry WHERE {_IS_NEW} AND (accepted_at <= :before OR accepted_at > :after)
        ORDER BY entry_no LIMIT :most
        """,  # noqa: S608
        before=now - wait,
        after=now + wait,
        most=_RELEASED_AT_ONCE,
    )


def release_copies(connection: Connection, numbers: Sequence[int]) -> int:
    """Release copies of these new entries, with the words of their feeds; their pages are late from now on.

    Return how many are released: an entry that has only an address keeps waiting.
    """
    mark_late = f"""
        UPDATE entry SET page_attempts = 1 WHERE {_IS_NEW} AND entry_no IN :numbers
        RETURNING entry_no, source, article, url, payload, bump_by_clock, accepted_at
        """  # noqa: S608
    rows = []
    for row in sorted(read_rows(connection, mark_late, numbers=numbers)):
        with suppress(*codecs.UNREADABLE):
            declared = codecs.decompress_struct(row.payload, Entry)
            if declared.title or declared.text or declared.html:
                rows.append(row)
    if not rows:
        return 0
    first_number = take_numbers(connection, "entry", len(rows)) + 1
    copies = [
        {**row._mapping, "entry_no": number, "state": "ready"}
        for number, row in enumerate(rows, start=first_number)
    ]
    insert_rows(connection, entry, copies)
    count_received(connection, ((row.source, "new") for row in rows))
    return len(rows)


def cap_due_times(connection: Connection, latest: datetime) -> None:
    """Make waiting pages due by `latest`, after the clock was set back."""
    write_sql(
        connection,
        "UPDATE entry SET page_due_at = :latest WHERE state = 'page' AND page_due_at > :latest",
        latest=latest,
    )
