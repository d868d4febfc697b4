"""The inbox: entries that are accepted and not placed yet. An accepted entry is never lost.

acceptance.py adds them, inbox_order.py numbers them, and here they are read.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, func, select, update

from aggregator.model.entry import Entry
from aggregator.model.errors import UnreadableEntryError
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import (
    article,
    change_with,
    count_rows,
    entry,
    has_row,
    identity_key,
    insert_or,
    rows_with,
    structs_of,
    values_with,
)

MUTED = "muted"  # verdict of an entry that is not wanted (grouping/mutes.py)


class InboxEntry(FrozenStruct):
    """An entry that is ready to be placed, with all input of its article."""

    entry_no: int
    inbox_no: int
    article: str
    is_revision: bool
    bump_by_clock: bool
    accepted_at: dt.datetime
    entry: Entry
    is_late_page: bool = False  # its article was placed with the words of the entry
    # Kept from the first placing if the article is placed again; None: to be computed
    effective_at: dt.datetime | None = None
    page: bytes | None = None
    page_url: str | None = None
    page_charset: str | None = None
    has_lost_page: bool = False  # it was given up, or is of another site


def ready(connection: Connection, limit: int, after: int = 0) -> list[InboxEntry]:
    """Return the next entries to place, in the order of their inbox numbers.

    Raises UnreadableEntryError for an entry whose payload or page is damaged.
    """
    entries = []
    for row in connection.execute(_READY, {"after": after, "limit": limit}):
        try:
            declared = codecs.decompress_struct(row.payload, Entry)
            page = row.page and codecs.decompress_bytes(row.page)
        except codecs.UNREADABLE as error:
            raise UnreadableEntryError(
                f"its stored data cannot be read ({error})", row.entry_no
            ) from error
        if row.page_robots:
            declared = replace(declared, robots=row.page_robots)
        waiting = InboxEntry(
            entry_no=row.entry_no,
            inbox_no=row.inbox_no,
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
        entries.append(waiting)
    return entries


_READY = (
    select(entry)
    .where(entry.c.state == "ready", entry.c.inbox_no > bindparam("after"))
    .order_by(entry.c.inbox_no)
    .limit(bindparam("limit"))
)


def article_of(connection: Connection, waiting: InboxEntry) -> str:
    """Return the article of a waiting entry; it may have changed since the entry was read.

    `recluster` places entries that have no rows.
    """
    number = {"number": waiting.entry_no}
    return connection.scalar(_ARTICLE, number) or waiting.article


_ARTICLE = select(entry.c.article).where(entry.c.entry_no == bindparam("number"))


def last_ready(connection: Connection, articles: Iterable[str]) -> int:
    """Return the last inbox number of the entries of `articles` that wait to be placed; 0 without any."""
    waiting = select(entry.c.inbox_no).where(
        entry.c.state == "ready", entry.c.inbox_no.is_not(None)
    )
    numbers = values_with(connection, waiting, entry.c.article, articles)
    return max(numbers, default=0)


def is_revised_since(connection: Connection, article_id: str, entry_no: int) -> bool:
    """Return whether a revision of the article that was accepted after entry `entry_no` is placed."""
    later = (
        (entry.c.article == article_id)
        & (entry.c.entry_no > entry_no)
        & (entry.c.outcome == "revised")
    )
    return has_row(connection, select(entry.c.entry_no).where(later))


Outcome = Literal["founded", "joined", "copy", "revised", "unchanged", "refused"]


def claim(connection: Connection, key: bytes, article_id: str) -> str:
    """Store `key` for `article_id` unless another article has it. Return the article that has it now.

    Another process may accept the same address concurrently: the first one wins. A void key stays void; then
    this returns `article_id`.
    """
    statement = insert_or(connection, identity_key).values(key=key, article=article_id)
    connection.execute(statement.on_conflict_do_nothing())
    return owner(connection, key) or article_id  # NOBODY is empty


def owner(connection: Connection, key: bytes) -> str | None:
    """Return the article that has `key`: None if no article has it, NOBODY for a void key."""
    return connection.scalar(
        select(identity_key.c.article).where(identity_key.c.key == key)
    )


class EntryResult(FrozenStruct):
    """The result of an accepted entry. `outcome`: None while it waits; `story`: None unless it is placed."""

    entry_no: int
    outcome: Outcome | None
    verdict: str | None
    reason: str | None
    url: str | None
    article: str
    story: str | None
    copy_of: str | None


# See `retention.settle_entries`
_ADDRESS_OF = func.coalesce(entry.c.url, article.c.url).label("url")


def results(connection: Connection, numbers: Iterable[int]) -> list[EntryResult]:
    """Return the results of the entries `numbers`, in order."""
    columns = [
        entry.c[name]
        for name in ("entry_no", "outcome", "verdict", "reason", "article")
    ]
    statement = select(
        *columns, article.c.story, article.c.copy_of, _ADDRESS_OF
    ).outerjoin(article, article.c.id == entry.c.article)
    rows = rows_with(
        connection, statement.order_by(entry.c.entry_no), entry.c.entry_no, numbers
    )
    return structs_of(EntryResult, rows)


def waiting_count(connection: Connection) -> int:
    """Return the number of entries that are neither placed nor refused."""
    return count_rows(connection, entry, entry.c.state.in_(("page", "ready")))


_BUMP_AT_OWN_TIME = update(entry).values(bump_by_clock=False)


def bump_at_own_time(connection: Connection, numbers: Sequence[int]) -> None:
    """Let these waiting entries bump their stories at their effective time, not at the time of placing."""
    change_with(connection, _BUMP_AT_OWN_TIME, entry.c.entry_no, numbers)
