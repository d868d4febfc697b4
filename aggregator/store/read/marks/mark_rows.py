"""The rows of readers and their marks. A merged story gets its mark from the marks of its parts."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from aggregator.extract.language.declared_dates import EARLIEST
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    Row,
    insert_rows,
    read_map,
    read_mark,
    read_rows,
    read_struct,
    read_value,
    read_values,
    write_sql,
)

# Newest stories that a new reader has not read (chosen, as clients fetch at once)
FIRST_UNREAD = 1000

# Most marks of one reader on stories that are neither starred nor labelled. Beyond this number, older stories count as
# read, until half of the marks are left (chosen).
MOST_MARKS = 20_000

MOST_KEPT = 10_000  # starred or labelled stories of one reader (chosen)
UNREAD = EARLIEST  # `read_to` of a story that was marked as unread


class Reader(FrozenStruct):
    """A row of `reader`."""

    reader_no: int
    name: str
    read_before: datetime
    last_change_no: int


class ReaderItem(NamedTuple):
    """A story with the marks of one reader. `number` is `story.story_no`, which is permanent."""

    number: int
    story: str
    updated: datetime
    is_read: bool
    is_starred: bool
    labels: frozenset[str]


# Marks of stories by number, each with the last bump that the mark applies to
Changed = dict[int, tuple[ReaderItem, datetime]]


def first_read_before(connection: Connection) -> datetime:
    """Return the last bump that counts as read for a new reader."""
    newest = "SELECT bumped_at FROM story WHERE redirect_to IS NULL ORDER BY bumped_at DESC LIMIT 1 OFFSET :first"
    return read_value(connection, newest, first=FIRST_UNREAD) or UNREAD


def reader_named(connection: Connection, name: str) -> Reader | None:
    return read_struct(
        connection,
        Reader,
        "SELECT reader_no, name, read_before, last_change_no FROM reader WHERE name = :name",
        name=name,
    )


def with_marks(
    connection: Connection, who: Reader, rows: Sequence[Row]
) -> list[ReaderItem]:
    """Return the stories of rows from `story_list.places` with their marks, in the same order."""
    numbers = [row.story_no for row in rows]
    marked = read_rows(
        connection,
        "SELECT * FROM read_mark WHERE reader = :reader AND story IN :numbers",
        reader=who.reader_no,
        numbers=numbers,
    )
    marks = {row.story: row for row in marked}
    items = []
    for row in rows:
        mark = marks.get(row.story_no)
        is_read = row.bumped_at <= ((mark and mark.read_to) or who.read_before)
        is_starred = mark is not None and mark.is_starred
        items.append(
            ReaderItem(
                row.story_no,
                row.id,
                row.bumped_at,
                is_read,
                is_starred,
                read_labels(mark and mark.labels),
            )
        )
    return items


def labels_of(connection: Connection, who: Reader) -> frozenset[str]:
    """Return the labels of a reader, except labels that only closed and merged stories have."""
    written = read_values(
        connection,
        """
        SELECT DISTINCT labels FROM read_mark JOIN story ON story.story_no = read_mark.story
        WHERE redirect_to IS NULL AND reader = :reader AND labels IS NOT NULL
        """,
        reader=who.reader_no,
    )
    return frozenset().union(*map(read_labels, written))


def read_labels(written: str | None) -> frozenset[str]:
    return frozenset(written.split("\n")) if written else frozenset()


def written_labels(labels: Iterable[str]) -> str | None:
    return "\n".join(sorted(labels)) or None


def places_of(connection: Connection, ids: Collection[str]) -> list[Row]:
    """Return rows like those of `story_list.places` for these stories, in any order."""
    return read_rows(
        connection,
        "SELECT story_no, id, bumped_at FROM story WHERE id IN :ids",
        ids=ids,
    )


def live_places(connection: Connection, numbers: Iterable[int]) -> list[Row]:
    """Return such rows for the live stories with these numbers, and for the successors of the others, each once."""
    places = "SELECT story_no, id, bumped_at, redirect_to FROM story"
    rows = read_rows(
        connection, f"{places} WHERE story_no IN :numbers", numbers=numbers
    )
    live = {row.id: row for row in rows if row.redirect_to is None}
    successors = {row.redirect_to for row in rows if row.redirect_to} - live.keys()
    still = f"{places} WHERE redirect_to IS NULL AND id IN :successors"
    return [*live.values(), *read_rows(connection, still, successors=successors)]


def keep_within(connection: Connection, who: Reader, *, may_refuse: bool) -> None:
    """Mark older stories as read if there are more than MOST_MARKS marks of other than kept stories.

    Kept stories are starred or labelled. With `may_refuse`, raises UsageError if there are more than MOST_KEPT.
    """
    counted = "SELECT count(*) FROM read_mark WHERE reader = :reader"
    count = read_value(connection, counted, reader=who.reader_no)
    kept = 0
    if count > MOST_KEPT:
        kept = read_value(
            connection,
            f"{counted} AND (is_starred OR labels IS NOT NULL)",
            reader=who.reader_no,
        )
    if may_refuse and kept > MOST_KEPT:
        raise UsageError(
            f"{MOST_KEPT:,} stories are starred or labelled; remove some stars or labels first"
        )
    if count - kept > MOST_MARKS:
        end = read_value(
            connection,
            """
            SELECT bumped_at FROM story JOIN read_mark ON read_mark.story = story.story_no
            WHERE reader = :reader AND NOT is_starred AND labels IS NULL
            ORDER BY bumped_at DESC LIMIT 1 OFFSET :half
            """,
            reader=who.reader_no,
            half=MOST_MARKS // 2,
        )
        mark_read_before(connection, who, end)


def store_marks(connection: Connection, who: Reader, items: Changed) -> None:
    """Write the marks of stories; each mark comes with the last bump that it applies to."""
    write_sql(
        connection,
        "DELETE FROM read_mark WHERE reader = :reader AND story IN :numbers",
        reader=who.reader_no,
        numbers=items,
    )
    rows = []
    for number, (marked, until) in items.items():
        read_to: datetime | None = until if marked.is_read else UNREAD
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
    insert_rows(connection, read_mark, rows)


def mark_read_before(connection: Connection, who: Reader, end: datetime) -> None:
    """Mark all stories as read whose last bump was at `end` or earlier."""
    write_sql(
        connection,
        """
        UPDATE read_mark SET read_to = NULL WHERE reader = :reader
        AND EXISTS (SELECT 1 FROM story WHERE story_no = read_mark.story AND bumped_at <= :end)
        """,
        reader=who.reader_no,
        end=end,
    )
    drop_empty_marks(connection, who)
    write_sql(
        connection,
        "UPDATE reader SET read_before = :end WHERE reader_no = :reader AND read_before < :end",
        end=end,
        reader=who.reader_no,
    )


def drop_empty_marks(connection: Connection, who: Reader) -> None:
    """Delete the marks that have no effect any more."""
    write_sql(
        connection,
        """
        DELETE FROM read_mark
        WHERE reader = :reader AND read_to IS NULL AND NOT is_starred AND labels IS NULL
        """,
        reader=who.reader_no,
    )


# At most this many merges, the newest, are followed: about a week of them at 50,000 articles a day.
_MOST_MERGES = 5000


def merges_since(connection: Connection, who: Reader, limit: int) -> Sequence[Row]:
    """Return the newest merges since the reader's last visit, the newest first."""
    return read_rows(
        connection,
        """
        SELECT change_no, story, coalesce(others, '') AS others, bumped_at FROM change
        WHERE kind = 'merged' AND change_no > :last
        ORDER BY change_no DESC LIMIT :limit
        """,
        last=who.last_change_no,
        limit=limit,
    )


def follow_merges(connection: Connection, who: Reader) -> None:
    """Write the marks of the stories into which others were merged since the reader's last visit."""
    merges = merges_since(connection, who, _MOST_MERGES)[::-1]
    if not merges:
        return
    ids = set()
    for merge in merges:
        ids |= {merge.story, *merge.others.split(",")}
    rows = places_of(connection, ids)
    items = {marked.story: marked for marked in with_marks(connection, who, rows)}
    read_to = read_map(
        connection,
        "SELECT story, read_to FROM read_mark WHERE reader = :reader AND read_to IS NOT NULL AND story IN :numbers",
        reader=who.reader_no,
        numbers=[row.story_no for row in rows],
    )
    changed = {}
    for merge in merges:
        target = items.get(merge.story)
        merged = [items[id_] for id_ in merge.others.split(",") if id_ in items]
        if target is None or not merged:
            continue
        was_read_to = read_to.get(target.number, who.read_before)
        is_read = all(marked.is_read for marked in merged) and _was_read(
            connection, merge, was_read_to
        )
        # The microseconds of both times are serial numbers, of changes and of bumps, and cannot be compared.
        end = merge.bumped_at.replace(microsecond=999_999)
        is_last = target.updated <= end
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
    write_sql(
        connection,
        "UPDATE reader SET last_change_no = :last WHERE reader_no = :reader",
        last=merges[-1].change_no,
        reader=who.reader_no,
    )


def _was_read(connection: Connection, merge: Row, read_to: datetime) -> bool:
    """Return whether the story that others were merged into was read before the merge.

    `read_to`: the time up to which the reader has read it. Its last bump before the merge is compared, to the second.
    """
    bumped = read_value(
        connection,
        "SELECT max(bumped_at) AS bumped_at FROM change WHERE story = :story AND change_no < :number",
        story=merge.story,
        number=merge.change_no,
    )
    return bumped is not None and bumped.replace(microsecond=0) <= read_to
