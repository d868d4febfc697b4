"""Marks of merged stories: read only if all parts were, starred and labelled as any of them."""

import datetime as dt
from collections.abc import Iterable, Sequence
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
    """Write the marks of the stories into which others were merged since the reader's last visit."""
    merges = merges_since(connection, who, _MOST_MERGES)[::-1]
    if not merges:
        return
    ids: set[str] = set()
    for merge in merges:
        ids |= {merge.story, *_merged_by(merge)}
    rows = rows_with(connection, select(*PLACE), story.c.id, ids)
    items = {marked.story: marked for marked in with_marks(connection, who, rows)}
    read_to = _read_to(connection, who, [marked.number for marked in items.values()])
    changed: Changed = {}
    for merge in merges:
        target = items.get(merge.story)
        merged = [items[id_] for id_ in _merged_by(merge) if id_ in items]
        if target is None or not merged:
            continue
        is_read = False
        if all(marked.is_read for marked in merged):
            bumped = _bump_before(connection, merge)
            was_read_to = read_to.get(target.number, who.read_before)
            is_read = bumped is not None and bumped <= was_read_to
        # The fractions of the two times are different serial numbers.
        is_last = target.updated.replace(microsecond=0) <= merge.bumped_at
        end = (
            target.updated if is_last else merge.bumped_at.replace(microsecond=999_999)
        )
        both = target._replace(
            is_read=is_read,
            is_starred=any(marked.is_starred for marked in (target, *merged)),
            labels=target.labels.union(*(marked.labels for marked in merged)),
        )
        items[merge.story] = both._replace(is_read=is_read and is_last)
        read_to[target.number] = end if is_read else UNREAD
        changed[target.number] = (both, end)
    store_marks(connection, who, changed)
    last = merges[-1].change_no
    row_of_reader = update(reader).where(reader.c.reader_no == who.reader_no)
    connection.execute(row_of_reader.values(last_change_no=last))


def _merged_by(merge: Row[Any]) -> list[str]:
    return merge.others.split(",") if merge.others else []


def _read_to(
    connection: Connection, who: Reader, numbers: Iterable[int]
) -> dict[int, dt.datetime]:
    """Return up to when stories are read, for those whose marks say it."""
    marks = select(read_mark.c.story, read_mark.c.read_to).where(
        read_mark.c.reader == who.reader_no, read_mark.c.read_to.is_not(None)
    )
    rows = rows_with(connection, marks, read_mark.c.story, numbers)
    return {row.story: row.read_to for row in rows}


def _bump_before(connection: Connection, merge: Row[Any]) -> dt.datetime | None:
    """Return the last bump of a story before a merge, to the second."""
    before = select(func.max(change.c.bumped_at)).where(
        change.c.story == merge.story, change.c.change_no < merge.change_no
    )
    bumped: dt.datetime | None = connection.scalar(before)
    return None if bumped is None else bumped.replace(microsecond=0)
