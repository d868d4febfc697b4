"""Entries that wait for their pages."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, select, update

from aggregator.model.core import FrozenStruct, Verdict
from aggregator.store import codecs
from aggregator.store.intake.inbox import take_numbers
from aggregator.store.tables import entry, in_parts, source


class PendingPage(FrozenStruct, frozen=True, kw_only=True):
    """An entry that waits for its page."""

    entry_no: int
    url: str
    attempts: int
    feed: str | None = None  # URL of the feed that links to it; None: unknown


def due_pages(connection: Connection, now: dt.datetime, limit: int) -> list[PendingPage]:
    """Return entries whose page is due, the longest waiting first."""
    statement = (
        select(
            entry.c.entry_no,
            entry.c.url,
            entry.c.page_attempts,
            func.coalesce(source.c.redirected_url, source.c.address).label("feed"),
        )
        .outerjoin(source, source.c.id == entry.c.source)
        .where(entry.c.state == "page", entry.c.page_due_at <= now)
        .order_by(entry.c.page_due_at, entry.c.entry_no)
        .limit(limit)
    )
    return [
        PendingPage(entry_no=row.entry_no, url=row.url, attempts=row.page_attempts, feed=row.feed)
        for row in connection.execute(statement)
    ]


def unfetched_pages(connection: Connection, articles: Iterable[str]) -> list[PendingPage]:
    """Return the entries of `articles` whose page is not fetched yet, in the order of acceptance."""
    found: list[PendingPage] = []
    for chunk in in_parts(sorted(set(articles))):
        statement = select(entry.c.entry_no, entry.c.url, entry.c.page_attempts).where(
            entry.c.state == "page", entry.c.article.in_(chunk)
        )
        found += [
            PendingPage(entry_no=row.entry_no, url=row.url, attempts=row.page_attempts)
            for row in connection.execute(statement)
        ]
    return sorted(found, key=lambda one: one.entry_no)


def store_page(
    connection: Connection,
    n: int,
    *,
    page: bytes | None,
    url: str | None,
    charset: str | None,
    robots: str = "",
) -> None:
    """Store the page of entry `n` (None: it is another article's page) and give the entry an inbox number.

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


def give_up(connection: Connection, n: int, *, verdict: Verdict | None, reason: str) -> None:
    """Let entry `n` be placed without its page; `verdict`: of the response, if there was one."""
    _settled(connection, n, page_verdict=verdict, reason=reason)


def _settled(connection: Connection, n: int, **values: Any) -> None:
    connection.execute(
        update(entry)
        .where(entry.c.entry_no == n, entry.c.state == "page")
        .values(
            state="ready",
            inbox_no=take_numbers(connection, "inbox", 1) + 1,
            page_due_at=None,
            **values,
        )
    )


def later(connection: Connection, n: int, due: dt.datetime, *, counts: bool = True) -> None:
    """Postpone the page of entry `n` to `due`. `counts`: whether there was an attempt."""
    connection.execute(
        update(entry)
        .where(entry.c.entry_no == n, entry.c.state == "page")
        .values(page_due_at=due, page_attempts=entry.c.page_attempts + int(counts))
    )


def cap_due_times(connection: Connection, latest: dt.datetime) -> None:
    """Make waiting pages due by `latest`, after the clock was set back."""
    connection.execute(
        update(entry).where(entry.c.state == "page", entry.c.page_due_at > latest).values(page_due_at=latest)
    )
