"""The stories that the owner on pages and readers of the Google Reader API have read, starred and labelled.

A story is read until its next bump. `reader.read_before` marks all older stories as read at once. `read_mark` has
the exceptions, and the stories that are kept, which means starred or labelled. A merged story is read only if all of
its parts were read. The writer does not write marks, so merges are followed when a reader comes back.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, get_args

from msgspec.structs import replace

from aggregator.config.story_query import StoryFilter
from aggregator.model.clock import Clock
from aggregator.model.errors import DatabaseBusyError, NotWritableError, UsageError
from aggregator.model.read_model import SourceView
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import all_sources
from aggregator.store.read import story_filter
from aggregator.store.read.marks.mark_rows import (
    MOST_MARKS,
    Reader,
    ReaderItem,
    drop_empty_marks,
    first_read_before,
    follow_merges,
    keep_within,
    labels_of,
    live_places,
    mark_read_before,
    merges_since,
    places_of,
    read_labels,
    reader_named,
    store_marks,
    with_marks,
    written_labels,
)
from aggregator.store.read.marks.story_streams import (
    StoryStream,
    founded_by_source,
    stream_page,
)
from aggregator.store.tables import (
    JOIN_SOURCE,
    Values,
    count_rows,
    counter_value,
    read_lists,
    read_rows,
    read_value,
    reader,
    write_sql,
)

OWNER = "owner"  # the reader whose marks the pages show and set
MOST_READERS = 1000  # (chosen; limits the table)
# Each token adds at most this many readers, so that its holder keeps nobody else out (chosen: a large family)
MOST_READERS_OF_TOKEN = 50
# Labels of one reader (chosen)
MOST_LABELS = 200
MOST_LABELS_OF_STORY = 20  # (chosen)
# A stream is marked as read in at most this many pages.
_MARKED_PAGES = 5
_NAME_CHARS = 100
NO_LABELS: Mapping[str, bool] = MappingProxyType({})
# The two lists of a reader's stories
View = Literal["unread", "saved"]
VIEWS: tuple[str, ...] = get_args(View)


class ReadMarks:
    """The readers of a database. Thread-safe, because it has no state."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def sign_in(self, name: str, token_id: str | None = None) -> Reader:
        """Return the reader with this name, who is added if there is none. Raises UsageError.

        `token_id`: the token that the reader is added with; None for the owner.
        """
        name = reader_name(name)
        known = self.reader(name)
        if known is not None:
            return known
        with self._database.write() as connection:
            if count_rows(connection, reader) >= MOST_READERS:
                raise UsageError(f"there are {MOST_READERS} readers already")
            added = read_value(
                connection,
                "SELECT count(*) FROM reader WHERE added_with = :token",
                token=token_id,
            )
            if added >= MOST_READERS_OF_TOKEN:
                raise UsageError(
                    f"{MOST_READERS_OF_TOKEN} readers were added with this token already"
                )
            # Another request may have added the reader meanwhile.
            write_sql(
                connection,
                """
                INSERT INTO reader (name, created_at, read_before, last_change_no, added_with)
                VALUES (:name, :now, :read_before, :last, :token) ON CONFLICT DO NOTHING
                """,
                name=name,
                token=token_id,
                now=self._now(),
                read_before=first_read_before(connection),
                last=counter_value(connection, "change"),
            )
            reader_added = reader_named(connection, name)
        assert reader_added is not None, "it was added"
        return reader_added

    def reader(self, name: str) -> Reader | None:
        """Return a reader, after following the merges since the last call; None if no reader has the name."""
        with self._database.read() as connection:
            known = reader_named(connection, name) if name.isprintable() else None
            if known is None or not merges_since(connection, known, 1):
                return known
        with (
            suppress(DatabaseBusyError, NotWritableError),
            self._database.write() as connection,
        ):
            if (known := reader_named(connection, name)) is not None:
                follow_merges(connection, known)
        return known

    def owner(self) -> Reader:
        """Return the reader of the pages, without adding it or following merges: a GET changes nothing."""
        with self._database.read() as connection:
            stored = reader_named(connection, OWNER)
            if stored is not None:
                return stored
            read_before = first_read_before(connection)
        return Reader(
            reader_no=0, name=OWNER, read_before=read_before, last_change_no=0
        )

    def of_stories(self, who: Reader, ids: Collection[str]) -> dict[str, ReaderItem]:
        """Return the stories with these ids, with the marks of the reader."""
        with self._database.read() as connection:
            items = with_marks(connection, who, places_of(connection, ids))
            return {marked.story: marked for marked in items}

    def items(
        self, who: Reader, stream: StoryStream, limit: int
    ) -> tuple[list[ReaderItem], str | None]:
        """Return a page of a stream, the newest bump first, and the cursor of the next page; None at the end.

        A page may be short if few stories match.
        """
        with self._database.read() as connection:
            return stream_page(connection, who, stream, limit)

    def items_with(self, who: Reader, numbers: Collection[int]) -> list[ReaderItem]:
        """Return the live stories with these numbers, or their live successors."""
        with self._database.read() as connection:
            return with_marks(connection, who, live_places(connection, numbers))

    def edit(
        self,
        who: Reader,
        numbers: Collection[int],
        *,
        read: bool | None = None,
        starred: bool | None = None,
        labels: Mapping[str, bool] = NO_LABELS,
    ) -> None:
        """Mark stories; `labels`: True for labels to add, False for labels to remove.

        Raises UsageError for too many starred or labelled stories, or too many labels.
        """
        added = {label for label, is_added in labels.items() if is_added}
        changes: Values = {}
        if read is not None:
            changes["is_read"] = read
        if starred is not None:
            changes["is_starred"] = starred
        with self._database.write() as connection:
            changed = {}
            for before in with_marks(connection, who, live_places(connection, numbers)):
                labelled = (before.labels - labels.keys()) | added
                if added and len(labelled) > MOST_LABELS_OF_STORY:
                    raise UsageError(
                        f"a story has at most {MOST_LABELS_OF_STORY} labels"
                    )
                after = before._replace(**changes, labels=labelled)
                changed[before.number] = after, before.updated
            store_marks(connection, who, changed)
            if added and len(labels_of(connection, who)) > MOST_LABELS:
                raise UsageError(f"there are {MOST_LABELS} labels; remove some first")
            keep_within(connection, who, may_refuse=bool(starred or added))

    def labels(self, who: Reader) -> list[str]:
        """Return the labels that the reader has given to live stories, by name."""
        with self._database.read() as connection:
            return sorted(labels_of(connection, who))

    def rename_label(self, who: Reader, label: str, name: str | None) -> None:
        """Rename a label. `name` may be the name of another label; None removes the label from all stories."""
        given = set() if name is None else {name}
        renamed = "UPDATE read_mark SET labels = :labels WHERE reader = :reader AND story = :story"
        number = who.reader_no
        with self._database.write() as connection:
            for story_no, written in read_rows(
                connection,
                "SELECT story, labels FROM read_mark WHERE reader = :reader AND labels IS NOT NULL",
                reader=number,
            ):
                labels = read_labels(written)
                if label in labels:
                    write_sql(
                        connection,
                        renamed,
                        labels=written_labels((labels - {label}) | given),
                        reader=number,
                        story=story_no,
                    )
            drop_empty_marks(connection, who)

    def mark_all_read(self, who: Reader, stream: StoryStream, until: datetime) -> None:
        """Mark the stories of a stream as read whose last bump was in the second of `until` or earlier.

        Marking all stories takes one row. In any other stream, at most MOST_MARKS unread stories are marked, among
        about the newest 100,000 stories. The writer does not wait while these are searched.
        """
        end = min(until, self._now()).replace(microsecond=999_999)
        if stream == StoryStream():
            with self._database.write() as connection:
                mark_read_before(connection, who, end)
            return
        unread = replace(stream, is_read=False, until=end + timedelta(microseconds=1))
        for _ in range(_MARKED_PAGES):
            page, after = self.items(who, unread, MOST_MARKS // _MARKED_PAGES)
            self.edit(
                who,
                {marked.number for marked in page if marked.updated <= end},
                read=True,
            )
            if after is None:
                return
            unread = replace(unread, after=after)

    def folders(
        self, ids: Collection[str]
    ) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Return, by story, the id of the source that founded it ("" without one), and the folders of its sources."""
        with self._database.read() as connection:
            founded = dict.fromkeys(ids, "") | founded_by_source(connection, ids)
            folders = f"""
                SELECT DISTINCT story, source.folder FROM article {JOIN_SOURCE}
                WHERE story IN :ids AND source.folder <> ''
                """  # noqa: S608
            return founded, read_lists(connection, folders, ids=ids)

    def sources(self, ids: Collection[str] | None = None) -> list[SourceView]:
        """Return the sources with these ids, or all sources, ordered by folder and name, without their health."""
        with self._database.read() as connection:
            return [
                SourceView(
                    id=known.id,
                    name=known.shown_name,
                    url=known.polled_url,
                    site_url=known.site_url,
                    folder=known.folder,
                )
                for known in all_sources(connection)
                if ids is None or known.id in ids
            ]

    def matching(self, filters: StoryFilter, ids: Collection[str]) -> set[str]:
        """Return those of the live stories that match a filter."""
        with self._database.read() as connection:
            return story_filter.matching_stories(connection, filters, ids)


def reader_name(text: str) -> str:
    """Return the name of a reader in its stored form. Raises UsageError if it is not valid."""
    name = _printable(text.lower())
    if not name:
        raise UsageError(
            f"the name of a reader has 1 to {_NAME_CHARS} printable characters"
        )
    return name


def label_name(text: str) -> str:
    """Return the name of a label in its stored form. Raises UsageError if it is not valid."""
    name = _printable(text)
    if not name or "/" in name:
        raise UsageError(
            f"the name of a label has 1 to {_NAME_CHARS} printable characters, and no slash"
        )
    return name


def _printable(text: str) -> str:
    """Return a text with single spaces between its words; "" if it is too long or not printable."""
    name = " ".join(text.split())
    return name if len(name) <= _NAME_CHARS and name.isprintable() else ""
