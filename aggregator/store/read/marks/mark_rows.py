"""The rows of readers and of their marks."""

import datetime as dt
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    exists,
    insert,
    not_,
    or_,
    select,
)

from aggregator.extract.language.declared_dates import EARLIEST
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    IS_LIVE,
    change_with,
    count_rows,
    delete_rows,
    execute_each,
    fields_of,
    read_mark,
    reader,
    rows_with,
    story,
    struct_of,
    update_rows,
)

# Newest stories that a new reader has not read (chosen, as clients fetch at once)
FIRST_UNREAD = 1000

# Of one reader, not kept; above it, half of them count as read (chosen)
MOST_MARKS = 20_000

MOST_KEPT = 10_000  # starred or labelled stories of one reader (chosen)
UNREAD = EARLIEST  # `read_to` of a story that was marked as unread
_IS_KEPT = or_(read_mark.c.is_starred, read_mark.c.labels.is_not(None))


class Reader(FrozenStruct):
    """A row of `reader`."""

    reader_no: int
    name: str
    read_before: dt.datetime
    last_change_no: int


class ReaderItem(NamedTuple):
    """A story as one reader has it. `number` is `story.story_no`, which is permanent."""

    number: int
    story: str
    updated: dt.datetime
    is_read: bool
    is_starred: bool
    labels: frozenset[str]


Changed = dict[
    int, tuple[ReaderItem, dt.datetime]
]  # by number, with the time up to which they are read or not


def first_read_before(connection: Connection) -> dt.datetime:
    """Return the bump up to which a new reader has read all stories."""
    live = select(story.c.bumped_at).where(IS_LIVE)
    newest = live.order_by(story.c.bumped_at.desc()).offset(FIRST_UNREAD).limit(1)
    return connection.scalar(newest) or UNREAD


def reader_named(connection: Connection, name: str) -> Reader | None:
    columns = fields_of(reader, Reader)
    row = connection.execute(select(*columns).where(reader.c.name == name)).first()
    return struct_of(Reader, row)


def is_mark_of(who: Reader) -> ColumnElement[bool]:
    """Return the condition that a mark is one of this reader."""
    return read_mark.c.reader == who.reader_no


def with_marks(
    connection: Connection, who: Reader, rows: Iterable[Row[Any]]
) -> list[ReaderItem]:
    """Return rows of `story_list.places` with their marks, in the same order."""
    places = list(rows)
    of_reader = select(read_mark).where(is_mark_of(who))
    numbers = (row.story_no for row in places)
    marks = {
        row.story: row
        for row in rows_with(connection, of_reader, read_mark.c.story, numbers)
    }
    items = []
    for row in places:
        mark = marks.get(row.story_no)
        is_read = row.bumped_at <= ((mark and mark.read_to) or who.read_before)
        is_starred = mark is not None and mark.is_starred
        labels = read_labels(mark and mark.labels)
        items.append(
            ReaderItem(row.story_no, row.id, row.bumped_at, is_read, is_starred, labels)
        )
    return items


def labels_of(connection: Connection, who: Reader) -> frozenset[str]:
    """Return the labels of a reader, but for those that only closed and merged stories have."""
    live = (
        select(read_mark.c.labels)
        .join(story, story.c.story_no == read_mark.c.story)
        .where(IS_LIVE, is_mark_of(who), read_mark.c.labels.is_not(None))
    )
    written = connection.scalars(live.distinct())
    return frozenset().union(*map(read_labels, written))


def read_labels(written: str | None) -> frozenset[str]:
    return frozenset(written.split("\n")) if written else frozenset()


def written_labels(labels: Iterable[str]) -> str | None:
    return "\n".join(sorted(labels)) or None


PLACE = (story.c.story_no, story.c.id, story.c.bumped_at)


def live_places(connection: Connection, numbers: Iterable[int]) -> list[Row[Any]]:
    """Return the places of the live stories with these numbers, or of their successors, each once."""
    named = select(*PLACE, story.c.redirect_to)
    rows = list(rows_with(connection, named, story.c.story_no, numbers))
    live = {row.id: row for row in rows if row.redirect_to is None}
    successors = {row.redirect_to for row in rows if row.redirect_to} - live.keys()
    still = select(*PLACE).where(IS_LIVE)
    return [*live.values(), *rows_with(connection, still, story.c.id, successors)]


def keep_within(connection: Connection, who: Reader, *, may_refuse: bool) -> None:
    """Mark all older stories as read above MOST_MARKS marks; refuse more than MOST_KEPT kept stories."""
    count = count_rows(connection, read_mark, is_mark_of(who))
    kept = 0
    if count > MOST_KEPT:
        kept = count_rows(connection, read_mark, is_mark_of(who), _IS_KEPT)
    if may_refuse and kept > MOST_KEPT:
        raise UsageError(
            f"{MOST_KEPT:,} stories are starred or labelled; remove some stars or labels first"
        )
    if count - kept > MOST_MARKS:
        middle = (
            select(story.c.bumped_at)
            .join(read_mark, read_mark.c.story == story.c.story_no)
            .where(is_mark_of(who), not_(_IS_KEPT))
            .order_by(story.c.bumped_at.desc())
            .offset(MOST_MARKS // 2)
            .limit(1)
        )
        mark_read_before(connection, who, connection.execute(middle).scalar_one())


def store_marks(connection: Connection, who: Reader, items: Changed) -> None:
    """Write the marks of stories; `items` are by number, with the time up to which they are read or not."""
    of_reader = delete(read_mark).where(is_mark_of(who))
    change_with(connection, of_reader, read_mark.c.story, items)
    rows = []
    for number, (marked, until) in items.items():
        read_to: dt.datetime | None = until if marked.is_read else UNREAD
        if (until <= who.read_before) == marked.is_read:
            read_to = None
        if read_to is not None or marked.is_starred or marked.labels:
            rows.append(
                {
                    "reader": who.reader_no,
                    "story": number,
                    "read_to": read_to,
                    "is_starred": marked.is_starred,
                    "labels": written_labels(marked.labels),
                }
            )
    execute_each(connection, insert(read_mark), rows)


def mark_read_before(connection: Connection, who: Reader, end: dt.datetime) -> None:
    """Mark all stories as read that were bumped up to `end`."""
    is_past = exists().where(
        story.c.story_no == read_mark.c.story, story.c.bumped_at <= end
    )
    update_rows(connection, read_mark, is_mark_of(who), is_past, read_to=None)
    drop_empty_marks(connection, who)
    is_earlier = reader.c.reader_no == who.reader_no, reader.c.read_before < end
    update_rows(connection, reader, *is_earlier, read_before=end)


def drop_empty_marks(connection: Connection, who: Reader) -> None:
    """Delete the marks that say nothing any more."""
    is_empty = read_mark.c.read_to.is_(None), not_(_IS_KEPT)
    delete_rows(connection, read_mark, is_mark_of(who), *is_empty)
