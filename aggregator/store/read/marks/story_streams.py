"""Pages of the stories of one reader: all, unread, starred, labelled, or of one source."""

from collections.abc import Collection
from datetime import datetime, timedelta
from operator import attrgetter

from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.model.structs import FrozenStruct
from aggregator.store.read import cursors, story_filter, story_list
from aggregator.store.read.marks.mark_rows import (
    UNREAD,
    Reader,
    ReaderItem,
    live_places,
    with_marks,
)
from aggregator.store.tables import JOIN_SOURCE, Values, read_map, read_values

_A_STEP = 1000  # stories read by one query
_STEPS = 20  # most queries for one page


class StoryStream(FrozenStruct):
    """A list of stories. `founded_by`: the id of the source that founded them; "" for stories without a source."""

    filters: StoryFilter = StoryFilter()
    founded_by: str | None = None
    is_starred: bool = False
    # A label of the reader
    label: str | None = None
    # None: read and unread stories
    is_read: bool | None = None
    # Earliest bump, inclusive
    since: datetime | None = None
    # Latest bump, exclusive
    until: datetime | None = None
    after: str | None = None  # cursor of the previous page

    @property
    def is_kept(self) -> bool:
        """Whether the stream has only stories that the reader has starred or labelled."""
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
    """Return the newest stories of a stream, the cursor after them, and whether enough stories were read."""
    oldest = stream.since or UNREAD
    if stream.is_read is False:
        oldest = max(oldest, who.read_before + timedelta(microseconds=1))
    listed = []
    for _ in range(_STEPS):
        filters = stream.filters.model_copy(update={"after": after})
        rows, after = story_list.places(connection, filters, _A_STEP)
        ids = {row.id for row in rows if row.bumped_at >= oldest}
        fits = _of_origin(connection, stream.founded_by, ids)
        marked = with_marks(connection, who, [row for row in rows if row.id in fits])
        if stream.is_read is not None:
            marked = [place for place in marked if place.is_read == stream.is_read]
        listed += marked
        is_over = after is None or cursors.read_cursor(after)[0] < oldest
        if is_over or len(listed) > limit:
            return listed, after, True
        if len(rows) < _A_STEP:  # `places` stops after some stories, too
            break
    return listed, after, False


def _by_marks(
    connection: Connection, who: Reader, stream: StoryStream
) -> list[ReaderItem]:
    """Return the kept stories of a stream, or stories before `read_before` that were marked as unread."""
    marks = "SELECT story FROM read_mark WHERE reader = :reader AND"
    bounds: Values = {"reader": who.reader_no}
    if stream.label is not None:
        marks += " labels IS NOT NULL"
    elif stream.is_starred:
        marks += " is_starred"
    elif stream.is_read is False:
        marks += " read_to = :unread"
        bounds["unread"] = UNREAD
    else:
        return []
    places = live_places(connection, read_values(connection, marks, **bounds))
    stories = {}
    # A merged story keeps its marks, so that the merge can be undone, but only the marks of its successor count.
    for marked in with_marks(connection, who, places):
        if (
            (stream.label is None or stream.label in marked.labels)
            and (marked.is_starred or not stream.is_starred)
            and (stream.since is None or marked.updated >= stream.since)
            and (stream.is_kept or marked.updated <= who.read_before)
        ):
            stories[marked.story] = marked
    if not stories:
        return []
    filters = stream.filters
    # Starred stories stay even if they are muted, because the reader chose them.
    if stream.is_starred:
        filters = filters.model_copy(update={"mutes": ()})
    fits = story_filter.matching_stories(connection, filters, stories)
    fits = _of_origin(connection, stream.founded_by, fits)
    return sorted(
        (stories[id_] for id_ in fits),
        key=attrgetter("updated", "number"),
        reverse=True,
    )


def founded_by_source(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return the id of the source that founded each story. Stories without a source are left out."""
    return read_map(
        connection,
        f"""
        SELECT story.id, source.id AS source FROM story
        JOIN article ON article.id = story.founding_article {JOIN_SOURCE} WHERE story.id IN :ids
        """,  # noqa: S608
        ids=ids,
    )


def _of_origin(
    connection: Connection, source_id: str | None, ids: set[str]
) -> set[str]:
    if source_id is None:
        return ids
    founded = founded_by_source(connection, ids)
    return {story_id for story_id in ids if founded.get(story_id, "") == source_id}
