"""Marks of merged stories: read only if all parts were, starred or labelled if any part was."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from aggregator.store.read.marks.mark_rows import (
    UNREAD,
    Reader,
    places_of,
    store_marks,
    with_marks,
)
from aggregator.store.tables import read_rows, read_value, write_sql

# The newest merges, which are followed at once; about a week at 50,000 articles a day
_MOST_MERGES = 5000


def merges_since(connection: Connection, who: Reader, limit: int) -> Sequence[Row[Any]]:
    """Return the newest merges since the reader's last visit, the newest first."""
    merged = """
        SELECT change_no, story, others, bumped_at FROM change WHERE kind = 'merged' AND change_no > :last
        ORDER BY change_no DESC LIMIT :limit
        """
    return read_rows(connection, merged, last=who.last_change_no, limit=limit)


def follow_merges(connection: Connection, who: Reader) -> None:
    """Write the marks of the stories into which others were merged since the reader's last visit."""
    merges = merges_since(connection, who, _MOST_MERGES)[::-1]
    if not merges:
        return
    ids = set()
    for merge in merges:
        ids |= {merge.story, *_merged_by(merge)}
    rows = places_of(connection, ids)
    items = {marked.story: marked for marked in with_marks(connection, who, rows)}
    marks = "SELECT story, read_to FROM read_mark WHERE reader = :reader AND read_to IS NOT NULL AND story IN :numbers"
    numbers = [marked.number for marked in items.values()]
    read_to = dict(read_rows(connection, marks, reader=who.reader_no, numbers=numbers))
    changed = {}
    for merge in merges:
        target = items.get(merge.story)
        merged = [items[id_] for id_ in _merged_by(merge) if id_ in items]
        if target is None or not merged:
            continue
        was_read_to = read_to.get(target.number, who.read_before)
        is_read = all(marked.is_read for marked in merged) and _was_read(
            connection, merge, was_read_to
        )
        # The fractions of the two times are different serial numbers.
        is_last = target.updated.replace(microsecond=0) <= merge.bumped_at
        end = merge.bumped_at.replace(microsecond=999_999)
        if is_last:
            end = target.updated
        # The story also takes the stars and labels of the stories that were merged into it
        both = target._replace(
            is_read=is_read,
            is_starred=any(marked.is_starred for marked in (target, *merged)),
            labels=target.labels.union(*(marked.labels for marked in merged)),
        )
        items[merge.story] = both._replace(is_read=is_read and is_last)
        read_to[target.number] = end if is_read else UNREAD
        changed[target.number] = (both, end)
    store_marks(connection, who, changed)
    followed = "UPDATE reader SET last_change_no = :last WHERE reader_no = :reader"
    write_sql(connection, followed, last=merges[-1].change_no, reader=who.reader_no)


def _merged_by(merge: Row[Any]) -> list[str]:
    return merge.others.split(",") if merge.others else []


def _was_read(connection: Connection, merge: Row[Any], read_to: dt.datetime) -> bool:
    """Return whether a story that is read up to a time was read before a merge: to the second of its bump."""
    before = "SELECT max(bumped_at) AS bumped_at FROM change WHERE story = :story AND change_no < :number"
    bumped: dt.datetime | None = read_value(
        connection, before, story=merge.story, number=merge.change_no
    )
    return bumped is not None and bumped.replace(microsecond=0) <= read_to
