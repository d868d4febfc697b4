"""Pages of the stories of one reader: all, unread, starred, labelled, or of one source."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from aggregator.model.core import FrozenStruct
from aggregator.model.read_model import StoryFilter
from aggregator.store.read import cursors, story_filter, story_list
from aggregator.store.read.marks.mark_rows import (
    UNREAD,
    Reader,
    ReaderItem,
    live_places,
    with_marks,
)
from aggregator.store.tables import article, read_mark, rows_with, source, story

_A_STEP = 1000  # stories of one query, and ...
_STEPS = 20  # ... queries for one page


class StoryStream(FrozenStruct):
    """A list of stories. `founded_by`: the id of the source of their first article, "" without a source."""

    wanted: StoryFilter = StoryFilter()
    founded_by: str | None = None
    is_starred: bool = False
    label: str | None = None  # of the reader
    is_read: bool | None = None  # None: both
    since: dt.datetime | None = None  # of the bump, inclusive
    until: dt.datetime | None = None  # of the bump, exclusive
    after: str | None = None  # cursor of the previous page

    @property
    def is_kept(self) -> bool:
        """Whether it has only stories that the reader has starred or labelled."""
        return self.is_starred or self.label is not None


def stream_page(
    connection: Connection, who: Reader, stream: StoryStream, limit: int
) -> tuple[list[ReaderItem], str | None]:
    after = stream.after or (
        cursors.cursor_at(stream.until, 0) if stream.until else None
    )
    begin = cursors.read_cursor(after) if after is not None else None
    oldest = stream.since or UNREAD
    if stream.is_read is False and not stream.is_kept:
        oldest = max(oldest, who.read_before + dt.timedelta(microseconds=1))
    listed: list[ReaderItem] = []
    for _ in () if stream.is_kept else range(_STEPS):
        wanted = replace(stream.wanted, after=after)
        rows, after = story_list.places(connection, wanted, _A_STEP)
        fits = _of_origin(
            connection,
            stream.founded_by,
            {row.id for row in rows if row.bumped_at >= oldest},
        )
        marked = with_marks(connection, who, [row for row in rows if row.id in fits])
        listed += [item_ for item_ in marked if stream.is_read in (None, item_.is_read)]
        is_over = after is None or cursors.read_cursor(after)[0] < oldest
        if len(listed) > limit or is_over:
            break
        if len(rows) < _A_STEP:  # `places` is bounded, too
            return listed, after
    else:
        if not stream.is_kept:
            return listed, after
    if len(listed) <= limit:
        listed += [
            item_
            for item_ in _by_marks(connection, who, stream)
            if stream.is_read in (None, item_.is_read)
            and (begin is None or (item_.updated, item_.number) < begin)
        ]
    last = listed[limit - 1] if len(listed) > limit else None
    return listed[:limit], last and cursors.cursor_at(last.updated, last.number)


def _by_marks(
    connection: Connection, who: Reader, stream: StoryStream
) -> list[ReaderItem]:
    """Return the kept stories of a stream, or those that were marked as unread before `read_before`."""
    chosen: ColumnElement[bool]
    if stream.label is not None:
        chosen = read_mark.c.labels.is_not(None)
    elif stream.is_starred:
        chosen = read_mark.c.is_starred.is_(True)
    elif stream.is_read is False:
        chosen = read_mark.c.read_to == UNREAD
    else:
        return []
    numbers = select(read_mark.c.story).where(
        read_mark.c.reader == who.reader_no, chosen
    )
    items = with_marks(
        connection, who, live_places(connection, connection.scalars(numbers).all())
    )
    # A story that was merged keeps its marks, so that the merge can be undone; those of the other one count.
    if stream.label is not None:
        items = [item for item in items if stream.label in item.labels]
    if stream.is_starred:
        items = [item for item in items if item.is_starred]
    newest = (
        dt.datetime.max.replace(tzinfo=dt.UTC) if stream.is_kept else who.read_before
    )
    items = [
        marked
        for marked in items
        if (stream.since or UNREAD) <= marked.updated <= newest
    ]
    ids = [marked.story for marked in items]
    # Starred stories stay where others are muted: the reader chose them.
    wanted = replace(stream.wanted, mutes=()) if stream.is_starred else stream.wanted
    fits = (
        story_filter.StoryMatcher(connection, wanted).matching(connection, ids)
        if items
        else set()
    )
    fits = _of_origin(connection, stream.founded_by, fits)
    items.sort(key=lambda marked: (marked.updated, marked.number), reverse=True)
    return [marked for marked in items if marked.story in fits]


def source_rows(connection: Connection) -> dict[str, Row[Any]]:
    """Return the id and the folder of each source, by `article.source`."""
    named = func.coalesce(source.c.folder_name, source.c.id).label("named")
    chosen: Select[Any] = select(named, source.c.id, source.c.folder)
    return {row.named: row for row in connection.execute(chosen)}


def founded_by_source(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return the id of the source that founded each story, for those that have one."""
    sources = source_rows(connection)
    founder = select(story.c.id, article.c.source).join(
        article, article.c.id == story.c.founding_article
    )
    rows = rows_with(connection, founder, story.c.id, ids) if sources else ()
    return {row.id: sources[row.source].id for row in rows if row.source in sources}


def _of_origin(
    connection: Connection, source_id: str | None, ids: set[str]
) -> set[str]:
    if source_id is None or not ids:
        return ids
    founded = founded_by_source(connection, ids)
    return {story_id for story_id in ids if founded.get(story_id, "") == source_id}
