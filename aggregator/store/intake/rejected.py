"""Stores rejected inputs, muted entries, and entries in quarantine, which did not become articles.

A rejected input could not become an entry. Its item names a file, a place in a file (like "/news/a.jsonl, line 3"), or
an item of a feed. When a corrected file is read, all its rejections are deleted.

An entry in quarantine is stored, but placing it failed. A muted entry is stored, but not wanted. Both keep their text
and can be queued again. An entry is in quarantine if its verdict is `not_article`, which other entries have, too, and
its reason begins with REASON.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aggregator.extract.language.unicode import clean
from aggregator.store.intake.inbox import MUTED
from aggregator.store.intake.source_rows import all_sources
from aggregator.store.tables import (
    read_rows,
    read_values,
    write_sql,
)

REASON = "placing it failed"
_VERDICT = "not_article"
_SOURCE_REMOVED = "its source was removed before it was placed"

IS_QUARANTINED = (
    f"state = 'refused' AND verdict = '{_VERDICT}' AND reason LIKE '{REASON}%'"
)
"""SQL text for the condition of an entry in quarantine."""
_IS_MUTED = f"state = 'refused' AND verdict = '{MUTED}'"
_REFUSE = """
    UPDATE entry SET state = 'refused', outcome = 'refused', verdict = :verdict, reason = :reason, done_at = :at
    WHERE state IN ('ready', 'page') AND
    """
_REFUSE_ENTRY = f"{_REFUSE} entry_no = :n"
_UNMUTED_AT_ONCE = 2000


def quarantine(connection: Connection, n: int, *, at: datetime, reason: str) -> None:
    """Refuse entry `n`, which cannot be placed.

    The entry can be queued again if `reason` begins with REASON.
    """
    write_sql(connection, _REFUSE_ENTRY, at=at, reason=reason, verdict=_VERDICT, n=n)


def mute_entry(connection: Connection, n: int, *, at: datetime, reason: str) -> None:
    """Refuse entry `n`, which is muted. Its `page_due_at` stays, so that `unmute` can restore its state."""
    write_sql(connection, _REFUSE_ENTRY, at=at, reason=reason, verdict=MUTED, n=n)


def mute_of_removed_source(
    connection: Connection, source: str, *, at: datetime
) -> None:
    """Mute the waiting entries of a removed source; `unmute` queues them again if the source is added again."""
    write_sql(
        connection,
        f"{_REFUSE} source = :source",
        at=at,
        reason=_SOURCE_REMOVED,
        verdict=MUTED,
        source=source,
    )


def unmute(connection: Connection, holds: Callable[[str | None, str], bool]) -> int:
    """Queue some entries again that are no longer muted; return how many.

    One call queues only entries of one source that were muted for one reason, so call it until it returns 0.
    `holds` returns whether the present mutes still mute the entries of a source, given by its id, for a reason. The
    entries bump their stories at their own times, because they are not news.
    """
    ids = {source.entry_source: source.id for source in all_sources(connection)}
    muted = f"FROM entry WHERE {_IS_MUTED}"
    ended = []
    for source, reason in read_rows(
        connection, f"SELECT DISTINCT source, reason {muted}"
    ):
        is_muted = source not in ids
        if reason != _SOURCE_REMOVED:
            is_muted = holds(ids.get(source), reason)
        if not is_muted:
            ended.append((source, reason))
    if not ended:
        return 0
    source, reason = ended[0]
    numbers = read_values(
        connection,
        f"""
        SELECT entry_no {muted} AND source = :source AND reason = :reason
        ORDER BY entry_no LIMIT :most
        """,
        source=source,
        reason=reason,
        most=_UNMUTED_AT_ONCE,
    )
    return requeue(connection, numbers)


def requeue(connection: Connection, numbers: Sequence[int]) -> int:
    """Queue entries from quarantine, or muted entries, at the end of the inbox. Return how many were queued.

    An entry whose article was placed meanwhile loses its page, so that its older text does not become a revision.
    """
    return write_sql(
        connection,
        f"""
        UPDATE entry SET outcome = NULL, verdict = NULL, reason = NULL, done_at = NULL, inbox_no = NULL,
          state = CASE WHEN page_due_at IS NULL THEN 'ready' ELSE 'page' END,
          bump_by_clock = bump_by_clock AND verdict <> '{MUTED}',
          page = CASE WHEN EXISTS (SELECT 1 FROM article WHERE root_article = entry.article) THEN NULL ELSE page END
        WHERE entry_no IN :numbers AND ({IS_QUARANTINED} OR {_IS_MUTED})
        """,  # noqa: S608
        numbers=numbers,
    )


def latest(connection: Connection, limit: int) -> list[Any]:
    """Return the newest `limit` rejected inputs, the newest first."""
    return read_rows(
        connection,
        "SELECT * FROM rejected_input ORDER BY at DESC, item LIMIT :limit",
        limit=limit,
    )


def note(
    connection: Connection,
    *,
    source: str,
    item: str,
    verdict: str,
    reason: str,
    at: datetime,
) -> None:
    """Store a rejected input, in place of an earlier rejection of the same item."""
    write_sql(
        connection,
        """
        INSERT INTO rejected_input (source, item, verdict, reason, at)
        VALUES (:source, :item, :verdict, :reason, :at) ON CONFLICT (source, item)
        DO UPDATE SET verdict = excluded.verdict, reason = excluded.reason, at = excluded.at
        """,
        source=source,
        item=clean(item),
        verdict=verdict,
        reason=reason,
        at=at,
    )


def clear_files(connection: Connection, files: Collection[str]) -> None:
    """Delete all rejected inputs of these files, whatever their source."""
    of_file = """
        DELETE FROM rejected_input WHERE item = :name OR substr(item, 1, length(:begin)) = :begin
        """
    for name in map(clean, files):  # file names need not be valid Unicode
        write_sql(connection, of_file, name=name, begin=f"{name}, ")


def clear_source(connection: Connection, source: str) -> None:
    """Delete all rejected inputs of a source."""
    write_sql(
        connection, "DELETE FROM rejected_input WHERE source = :source", source=source
    )


def in_words(connection: Connection, source: str) -> str | None:
    """Return a message about the newest rejected input of a source, with the number of others; None without any."""
    rows = read_rows(
        connection,
        "SELECT item, reason FROM rejected_input WHERE source = :source ORDER BY at, item",
        source=source,
    )
    if not rows:
        return None
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    return f"{rows[-1].item}: {rows[-1].reason}{more}"
