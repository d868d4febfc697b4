"""Marks of merged stories: read only if all parts were, starred and labelled as any of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, literal_column, select, update

from aggregator.store.read.marks.mark_rows import (
    PLACE,
    UNREAD,
    Changed,
    Reader,
    store_marks,
    with_marks,
)
from aggregator.store.tables import change, read_mark, reader, rows_with, story

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
    merges = merges_since(connection, who, _MOST_MERGES)[::-1]
    ids = {row.story for row in merges}.union(
        *(row.others.split(",") for row in merges if row.others)
    )
    rows = rows_with(connection, select(*PLACE), story.c.id, ids)
    items = {marked.story: marked for marked in with_marks(connection, who, rows)}
    of_reader = select(read_mark.c.story, read_mark.c.read_to).where(
        read_mark.c.reader == who.reader_no
    )
    read_to = {
        row.story: row.read_to
        for row in rows_with(
            connection,
            of_reader,
            read_mark.c.story,
            (marked.number for marked in items.values()),
        )
        if row.read_to is not None
    }
    changed: Changed = {}
    for row in merges:
        target = items.get(row.story)
        merged = [items[id_] for id_ in (row.others or "").split(",") if id_ in items]
        if target is None or not merged:
            continue
        was_read_to = read_to.get(target.number, who.read_before)
        before = select(func.max(change.c.bumped_at)).where(
            change.c.story == row.story, change.c.change_no < row.change_no
        )
        bumped_before = (
            connection.scalar(before)
            if all(marked.is_read for marked in merged)
            else None
        )
        is_read = (
            bumped_before is not None
            and bumped_before.replace(microsecond=0) <= was_read_to
        )
        # The fractions of the two times are different serial numbers.
        is_last = target.updated.replace(microsecond=0) <= row.bumped_at
        end = target.updated if is_last else row.bumped_at.replace(microsecond=999_999)
        is_starred = target.is_starred or any(marked.is_starred for marked in merged)
        labels = target.labels.union(*(marked.labels for marked in merged))
        target = target._replace(is_read=is_read, is_starred=is_starred, labels=labels)
        items[row.story] = target._replace(is_read=is_read and is_last)
        read_to[target.number] = end if is_read else UNREAD
        changed[target.number] = (target, end)
    store_marks(connection, who, changed)
    own_row = update(reader).where(reader.c.reader_no == who.reader_no)
    connection.execute(
        own_row.values(
            last_change_no=merges[-1].change_no if merges else who.last_change_no
        )
    )
