"""Entries that wait for their pages: which are due, and what became of them."""

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

    n: int
    url: str
    tries: int
    feed: str | None = None  # the address at which the feed that linked to it is asked; None: not known


def due_pages(connection: Connection, now: dt.datetime, limit: int) -> list[PendingPage]:
    """Entries whose page is due to be fetched, the longest waiting first."""
    statement = (
        select(
            entry.c.n,
            entry.c.url,
            entry.c.page_tries,
            func.coalesce(source.c.adopted, source.c.address).label("feed"),
        )
        .outerjoin(source, source.c.id == entry.c.source)
        .where(entry.c.state == "page", entry.c.page_due_at <= now)
        .order_by(entry.c.page_due_at, entry.c.n)
        .limit(limit)
    )
    return [
        PendingPage(n=row.n, url=row.url, tries=row.page_tries, feed=row.feed)
        for row in connection.execute(statement)
    ]


def unfetched_pages(connection: Connection, articles: Iterable[str]) -> list[PendingPage]:
    """Entries of `articles` whose page was not fetched yet, in the order they were accepted."""
    found: list[PendingPage] = []
    for chunk in in_parts(sorted(set(articles))):
        statement = select(entry.c.n, entry.c.url, entry.c.page_tries).where(
            entry.c.state == "page", entry.c.article.in_(chunk)
        )
        found += [
            PendingPage(n=row.n, url=row.url, tries=row.page_tries) for row in connection.execute(statement)
        ]
    return sorted(found, key=lambda one: one.n)


def store_page(
    connection: Connection,
    n: int,
    *,
    page: bytes | None,
    url: str | None,
    charset: str | None,
    robots: str = "",
) -> None:
    """Store the page of entry `n` (None: it is not the entry's) and let it take its place in the order.

    `robots`: what its headers forbid.
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
    """Do without the page of entry `n`; `verdict` where the site answered with something that has one."""
    _settled(connection, n, page_verdict=verdict, reason=reason)


def _settled(connection: Connection, n: int, **values: Any) -> None:
    connection.execute(
        update(entry)
        .where(entry.c.n == n, entry.c.state == "page")
        .values(
            state="ready",
            inbox_no=take_numbers(connection, "inbox", 1) + 1,
            page_due_at=None,
            **values,
        )
    )


def later(connection: Connection, n: int, due: dt.datetime, *, counts: bool = True) -> None:
    """The page of entry `n` could not be had; ask again at `due`. `counts`: it was tried."""
    connection.execute(
        update(entry)
        .where(entry.c.n == n, entry.c.state == "page")
        .values(page_due_at=due, page_tries=entry.c.page_tries + int(counts))
    )


def cap_due_times(connection: Connection, latest: dt.datetime) -> None:
    """After the clock went back: no page is due later than `latest`."""
    connection.execute(
        update(entry).where(entry.c.state == "page", entry.c.page_due_at > latest).values(page_due_at=latest)
    )
