"""Pages of the stories of one reader: all, unread, starred, labelled, or of one source."""

import datetime as dt
from collections.abc import Collection
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from aggregator.config.story_query import StoryFilter
from aggregator.model.structs import FrozenStruct
from aggregator.store.read import cursors, story_filter, story_list
from aggregator.store.read.marks.mark_rows import (
    UNREAD,
    Reader,
    ReaderItem,
    is_mark_of,
    live_places,
    with_marks,
)
from aggregator.store.tables import read_mark, read_rows

_A_STEP = 1000  # stories of one query, and ...
_STEPS = 20  # ... queries for one page


class StoryStream(FrozenStruct):
    """A list of stories. `founded_by`: the id of the source of their first article, "" without a source."""

    wanted: StoryFilter = StoryFilter()
    founded_by: str | None = None
    is_starred: bool = False
    # A label of the reader
    label: str | None = None
    # None: read and unread stories
    is_read: bool | None = None
    # Earliest bump, inclusive
    since: dt.datetime | None = None
    # Latest bump, exclusive
    until: dt.datetime | None = None
    after: str | None = None  # cursor of the previous page

    @property
    def is_kept(self) -> bool:
        """Whether it has only stories that the reader has starred or labelled."""
        return self.is_starred or self.label is not None


def stream_page(
    connection: Connection, who: Reader, stream: StoryStream, limit: int
) -> tuple[list[ReaderItem], str | None]:
    """Return stories of a stream, the newest bump first, and the cursor of the next page; None at the end."""
    after = stream.after or None
    if after is None and stream.until is not None:
        after = cursors.cursor_at(stream.until, 0)
    begin = after and cursors.read_cursor(after)
    listed: list[ReaderItem] = []
    if not stream.is_kept:
        listed, after, is_over = _newest(connection, who, stream, after, limit)
        if not is_over:
            return listed, after
    if len(listed) <= limit:
        for marked in _by_marks(connection, who, stream):
            is_after = begin is None or (marked.updated, marked.number) < begin
            if is_after and stream.is_read in (None, marked.is_read):
                listed.append(marked)
    if len(listed) <= limit:
        return listed, None
    last = listed[limit - 1]
    return listed[:limit], cursors.cursor_at(last.updated, last.number)


def _newest(
    connection: Connection,
    who: Reader,
    stream: StoryStream,
    after: str | None,
    limit: int,
) -> tuple[list[ReaderItem], str | None, bool]:
    """Return the newest stories of a stream, the cursor after them, and whether no more need to be read."""
    oldest = stream.since or UNREAD
    if stream.is_read is False:
        oldest = max(oldest, who.read_before + dt.timedelta(microseconds=1))
    listed = []
    for _ in range(_STEPS):
        wanted = stream.wanted.model_copy(update={"after": after})
        rows, after = story_list.places(connection, wanted, _A_STEP)
        ids = {row.id for row in rows if row.bumped_at >= oldest}
        fits = _of_origin(connection, stream.founded_by, ids)
        marked = with_marks(connection, who, [row for row in rows if row.id in fits])
        if stream.is_read is not None:
            marked = [place for place in marked if place.is_read == stream.is_read]
        listed += marked
        is_over = after is None or cursors.read_cursor(after)[0] < oldest
        if is_over or len(listed) > limit:
            return listed, after, True
        if len(rows) < _A_STEP:  # `places` is bounded, too
            break
    return listed, after, False


def _by_marks(
    connection: Connection, who: Reader, stream: StoryStream
) -> list[ReaderItem]:
    """Return the kept stories of a stream, or stories before `read_before` that were marked as unread."""
    is_chosen: ColumnElement[bool]
    if stream.label is not None:
        is_chosen = read_mark.c.labels.is_not(None)
    elif stream.is_starred:
        is_chosen = read_mark.c.is_starred.is_(True)
    elif stream.is_read is False:
        is_chosen = read_mark.c.read_to == UNREAD
    else:
        return []
    marks = select(read_mark.c.story).where(is_mark_of(who), is_chosen)
    places = live_places(connection, connection.scalars(marks).all())
    stories = {}
    for marked in with_marks(connection, who, places):
        if _is_in(stream, who, marked):
            stories[marked.story] = marked
    if not stories:
        return []
    wanted = stream.wanted
    if stream.is_starred:  # starred stories stay even if muted: the reader chose them
        wanted = wanted.model_copy(update={"mutes": ()})
    matcher = story_filter.StoryMatcher(connection, wanted)
    fits = matcher.matching(connection, stories)
    fits = _of_origin(connection, stream.founded_by, fits)
    return sorted(
        (stories[id_] for id_ in fits),
        key=attrgetter("updated", "number"),
        reverse=True,
    )


def _is_in(stream: StoryStream, who: Reader, marked: ReaderItem) -> bool:
    """Return whether a live story is in a stream by its own marks.

    A story that was merged keeps its marks, so that the merge can be undone; the marks of its successor count.
    """
    if stream.label is not None and stream.label not in marked.labels:
        return False
    if stream.is_starred and not marked.is_starred:
        return False
    if stream.since is not None and marked.updated < stream.since:
        return False
    return stream.is_kept or marked.updated <= who.read_before


def source_rows(connection: Connection) -> dict[str, Row[Any]]:
    """Return the id and the folder of each source, by `article.source`."""
    rows = read_rows(
        connection, "SELECT coalesce(folder_name, id) AS named, id, folder FROM source"
    )
    return {row.named: row for row in rows}


def founded_by_source(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return the id of the source that founded each story, for those that have one."""
    sources = source_rows(connection)
    founder = """
        SELECT story.id, article.source FROM story JOIN article ON article.id = story.founding_article
        WHERE story.id IN :ids
        """
    rows = read_rows(connection, founder, ids=ids) if sources else ()
    return {row.id: sources[row.source].id for row in rows if row.source in sources}


def _of_origin(
    connection: Connection, source_id: str | None, ids: set[str]
) -> set[str]:
    if source_id is None or not ids:
        return ids
    founded = founded_by_source(connection, ids)
    return {story_id for story_id in ids if founded.get(story_id, "") == source_id}
