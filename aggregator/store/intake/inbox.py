"""The inbox: entries that are accepted and not placed yet. An accepted entry is never lost.

acceptance.py adds them, inbox_order.py numbers them, and here they are read.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.entry import Entry
from aggregator.model.errors import UnreadableEntryError
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import (
    count_rows,
    entry,
    identity_key,
    insert_or,
    read_rows,
    read_value,
    read_values,
    structs_of,
    write_sql,
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
    waiting = """
        SELECT * FROM entry WHERE state = 'ready' AND inbox_no > :after ORDER BY inbox_no LIMIT :limit
        """
    for row in read_rows(connection, waiting, after=after, limit=limit):
        try:
            declared = codecs.decompress_struct(row.payload, Entry)
            page = row.page and codecs.decompress_bytes(row.page)
        except codecs.UNREADABLE as error:
            raise UnreadableEntryError(
                f"its stored data cannot be read ({error})", row.entry_no
            ) from error
        if row.page_robots:
            declared = replace(declared, robots=row.page_robots)
        received = InboxEntry(
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
        entries.append(received)
    return entries


def article_of(connection: Connection, waiting: InboxEntry) -> str:
    """Return the article of a waiting entry; it may have changed since the entry was read.

    `recluster` places entries that have no rows.
    """
    present = "SELECT article FROM entry WHERE entry_no = :number"
    return read_value(connection, present, number=waiting.entry_no) or waiting.article


def last_ready(connection: Connection, articles: Iterable[str]) -> int:
    """Return the last inbox number of the entries of `articles` that wait to be placed; 0 without any."""
    waiting = """
        SELECT inbox_no FROM entry WHERE state = 'ready' AND inbox_no IS NOT NULL AND article IN :articles
        """
    return max(read_values(connection, waiting, articles=articles), default=0)


def is_revised_since(connection: Connection, article_id: str, entry_no: int) -> bool:
    """Return whether a revision of the article that was accepted after entry `entry_no` is placed."""
    later = """
        SELECT 1 FROM entry WHERE article = :article AND entry_no > :entry_no AND outcome = 'revised' LIMIT 1
        """
    return bool(read_rows(connection, later, article=article_id, entry_no=entry_no))


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
    article: str | None = read_value(
        connection, "SELECT article FROM identity_key WHERE key = :key", key=key
    )
    return article


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


def results(connection: Connection, numbers: Iterable[int]) -> list[EntryResult]:
    """Return the results of the entries `numbers`, in order."""
    # The address is that of the article once retention has settled the entry
    stored = """
        SELECT entry_no, outcome, entry.verdict, reason, coalesce(entry.url, article.url) AS url,
          entry.article, article.story, article.copy_of
        FROM entry LEFT JOIN article ON article.id = entry.article
        WHERE entry_no IN :numbers ORDER BY entry_no
        """
    return structs_of(EntryResult, read_rows(connection, stored, numbers=numbers))


def waiting_count(connection: Connection) -> int:
    """Return the number of entries that are neither placed nor refused."""
    return count_rows(connection, entry, entry.c.state.in_(("page", "ready")))


def bump_at_own_time(connection: Connection, numbers: Sequence[int]) -> None:
    """Let these waiting entries bump their stories at their effective time, not at the time of placing."""
    own_time = "UPDATE entry SET bump_by_clock = false WHERE entry_no IN :numbers"
    write_sql(connection, own_time, numbers=numbers)
