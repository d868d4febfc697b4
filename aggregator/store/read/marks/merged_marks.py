"""Marks of merged stories: read only if all parts were, starred and labelled as any of them."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, literal_column, select

from aggregator.store.read.marks.mark_rows import (
    PLACE,
    UNREAD,
    Reader,
    ReaderItem,
    is_mark_of,
    store_marks,
    with_marks,
)
from aggregator.store.tables import (
    change,
    pairs_with,
    read_mark,
    reader,
    rows_with,
    story,
    update_rows,
)

# That are followed at once, the newest; about a week at 50,000 articles a day
_MOST_MERGES = 5000


def merges_since(connection: Connection, who: Reader, limit: int) -> Sequence[Row[Any]]:
    """Return the newest merges since the reader's last visit, the newest first."""
    is_merge = change.c.kind == literal_column("'merged'")  # as the index says it
    columns = (change.c.change_no, change.c.story, change.c.others, change.c.bumped_at)
    since: Select[Any] = select(*columns).where(
        is_merge, change.c.change_no > who.last_change_no
    )
    return connection.execute(
        since.order_by(change.c.change_no.desc()).limit(limit)
    ).all()


def follow_merges(connection: Connection, who: Reader) -> None:
    """Write the marks of the stories into which others were merged since the reader's last visit."""
    merges = merges_since(connection, who, _MOST_MERGES)[::-1]
    if not merges:
        return
    ids = set()
    for merge in merges:
        ids |= {merge.story, *_merged_by(merge)}
    rows = rows_with(connection, select(*PLACE), story.c.id, ids)
    items = {marked.story: marked for marked in with_marks(connection, who, rows)}
    read_to = _read_to(connection, who, [marked.number for marked in items.values()])
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
        both = _united(target, merged)._replace(is_read=is_read)
        items[merge.story] = both._replace(is_read=is_read and is_last)
        read_to[target.number] = end if is_read else UNREAD
        changed[target.number] = (both, end)
    store_marks(connection, who, changed)
    update_rows(
        connection,
        reader,
        reader.c.reader_no == who.reader_no,
        last_change_no=merges[-1].change_no,
    )


def _united(target: ReaderItem, merged: Sequence[ReaderItem]) -> ReaderItem:
    """Return a story with the stars and labels of those that were merged into it."""
    return target._replace(
        is_starred=any(marked.is_starred for marked in (target, *merged)),
        labels=target.labels.union(*(marked.labels for marked in merged)),
    )


def _merged_by(merge: Row[Any]) -> list[str]:
    return merge.others.split(",") if merge.others else []


def _read_to(
    connection: Connection, who: Reader, numbers: Iterable[int]
) -> dict[int, dt.datetime]:
    """Return up to when stories are read, for those whose marks say it."""
    marks = select(read_mark.c.story, read_mark.c.read_to).where(
        is_mark_of(who), read_mark.c.read_to.is_not(None)
    )
    return pairs_with(connection, marks, read_mark.c.story, numbers)


def _was_read(connection: Connection, merge: Row[Any], read_to: dt.datetime) -> bool:
    """Return whether a story that is read up to a time was read before a merge: to the second of its bump."""
    before = select(func.max(change.c.bumped_at)).where(
        change.c.story == merge.story, change.c.change_no < merge.change_no
    )
    bumped: dt.datetime | None = connection.scalar(before)
    return bumped is not None and bumped.replace(microsecond=0) <= read_to
