"""What readers of the Google Reader API, and the owner on pages, have read, starred and labelled, by story.

A story is read until its next bump. `reader.read_before` says it for all stories at once; `read_mark` has the
stories for which that is not right, and those that are kept: starred or labelled. A merged story is read only
if all of its parts were. The writer knows no readers, so the merges are followed when a reader comes back.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from aggregator.extract.language.declared_dates import EARLIEST
from aggregator.model.core import Clock, FrozenStruct
from aggregator.model.errors import DatabaseBusyError, NotWritableError, UsageError
from aggregator.model.read_model import SourceView, StoryFilter
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import chosen_sources
from aggregator.store.read import story_list
from aggregator.store.tables import (
    article,
    change,
    change_with,
    count_rows,
    counter_value,
    in_parts,
    insert_or,
    read_mark,
    reader,
    rows_with,
    source,
    story,
)

OWNER = "owner"  # the reader whose marks the pages show and set
MOST_READERS = 1000  # (chosen: every holder of a token can add some)
# Newest stories that a new reader has not read (chosen, as clients fetch at once)
FIRST_UNREAD = 1000
# Of one reader, not kept; above it, half of them count as read (chosen)
MOST_MARKS = 20_000
MOST_KEPT = 10_000  # starred or labelled stories of one reader (chosen)
MOST_LABELS = 200  # of one reader (chosen)
MOST_LABELS_OF_STORY = 20  # (chosen)
# That are followed at once, the newest; about a week at 50,000 articles a day
_MOST_MERGES = 5000
_A_STEP = 1000  # stories of one query, and ...
_STEPS = 20  # ... queries for one page
_MARKED_PAGES = 5  # of a stream that is marked as read
_UNREAD = EARLIEST  # `read_to` of a story that was marked as unread
_NAME_CHARS = 100
NO_LABELS: Mapping[str, bool] = MappingProxyType({})
_IS_KEPT = or_(read_mark.c.is_starred, read_mark.c.labels.is_not(None))

View = Literal["unread", "saved"]  # a list of the stories that a reader has so
VIEWS: tuple[str, ...] = get_args(View)


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


class ReadMarks:
    """The readers of a database. Thread-safe, because it has no state."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def sign_in(self, name: str) -> Reader:
        """Return the reader with this name, who is added if new. Raises UsageError."""
        name = reader_name(name)
        found = self.reader(name)
        if found is not None:
            return found
        with self._database.write() as connection:
            if count_rows(connection, reader) >= MOST_READERS:
                raise UsageError(f"there are {MOST_READERS} readers already")
            values = {
                "name": name,
                "created_at": self._now(),
                "read_before": _first_read_before(connection),
                "last_change_no": counter_value(connection, "change"),
            }
            # Another request may have added it meanwhile.
            connection.execute(
                insert_or(connection, reader).values(values).on_conflict_do_nothing()
            )
            added = _reader(connection, name)
        assert added is not None, "it was added"
        return added

    def reader(self, name: str) -> Reader | None:
        """Return a reader, after following the merges since the last call; None if nobody has the name."""
        with self._database.read() as connection:
            found = _reader(connection, name) if name.isprintable() else None
            is_behind = found is not None and bool(_merges(connection, found, 1))
        if is_behind:
            with (
                suppress(DatabaseBusyError, NotWritableError),
                self._database.write() as connection,
            ):
                if (found := _reader(connection, name)) is not None:
                    _follow_merges(connection, found)
        return found

    def owner(self) -> Reader:
        """Return the reader of the pages, without adding it or following merges: a GET changes nothing."""
        with self._database.read() as connection:
            stored = _reader(connection, OWNER)
            if stored is not None:
                return stored
            read_before = _first_read_before(connection)
        return Reader(
            reader_no=0, name=OWNER, read_before=read_before, last_change_no=0
        )

    def of_stories(self, who: Reader, ids: Collection[str]) -> dict[str, ReaderItem]:
        """Return the stories with these ids as the reader has them."""
        with self._database.read() as connection:
            rows = rows_with(connection, select(*_PLACE), story.c.id, ids)
            return {item.story: item for item in _marked(connection, who, rows)}

    def items(
        self, who: Reader, stream: StoryStream, limit: int
    ) -> tuple[list[ReaderItem], str | None]:
        """Return a page of a stream, the newest bump first, and the cursor of the next page; None at the end.

        A page may be short if few stories match.
        """
        with self._database.read() as connection:
            return _page(connection, who, stream, limit)

    def items_with(self, who: Reader, numbers: Collection[int]) -> list[ReaderItem]:
        """Return the live stories with these numbers, or those into which they were merged."""
        with self._database.read() as connection:
            return _marked(connection, who, _live(connection, numbers))

    def edit(
        self,
        who: Reader,
        numbers: Collection[int],
        *,
        read: bool | None = None,
        starred: bool | None = None,
        labels: Mapping[str, bool] = NO_LABELS,
    ) -> None:
        """Mark stories; `labels`: True for those to add, False for those to take off.

        Raises UsageError for too many starred or labelled stories, or too many labels.
        """
        added = {label for label, is_added in labels.items() if is_added}
        with self._database.write() as connection:
            changed: Changed = {}
            for one in _marked(connection, who, _live(connection, numbers)):
                is_read = one.is_read if read is None else read
                is_starred = one.is_starred if starred is None else starred
                labelled = (one.labels - labels.keys()) | added
                if added and len(labelled) > MOST_LABELS_OF_STORY:
                    raise UsageError(
                        f"a story has at most {MOST_LABELS_OF_STORY} labels"
                    )
                item = one._replace(
                    is_read=is_read, is_starred=is_starred, labels=labelled
                )
                changed[one.number] = item, one.updated
            _store(connection, who, changed)
            if added and len(_labels(connection, who)) > MOST_LABELS:
                raise UsageError(f"there are {MOST_LABELS} labels; remove some first")
            _keep_within(connection, who, may_refuse=bool(starred or added))

    def labels(self, who: Reader) -> list[str]:
        """Return the labels that the reader has given to live stories, by name."""
        with self._database.read() as connection:
            return sorted(_labels(connection, who))

    def rename_label(self, who: Reader, label: str, name: str | None) -> None:
        """Give a label another name, which may be that of another label; None takes it off all stories."""
        own = read_mark.c.reader == who.reader_no, read_mark.c.labels.is_not(None)
        with self._database.write() as connection:
            changed = []
            for row in connection.execute(
                select(read_mark.c.story, read_mark.c.labels).where(*own)
            ):
                labels = _read_labels(row.labels)
                if label not in labels:
                    continue
                labels -= {label}
                if name is not None:
                    labels |= {name}
                changed.append({"of": row.story, "written": _written_labels(labels)})
            if changed:
                mark = update(read_mark).where(
                    *own, read_mark.c.story == bindparam("of")
                )
                connection.execute(mark.values(labels=bindparam("written")), changed)
            _drop_empty(connection, who)

    def mark_all_read(
        self, who: Reader, stream: StoryStream, until: dt.datetime
    ) -> None:
        """Mark the stories of a stream as read that were bumped up to the second of `until`.

        All stories take one row; of another stream those among about the newest 100,000 unread stories, at
        most MOST_MARKS. The writer waits for none of the searches.
        """
        end = min(until, self._now()).replace(microsecond=999_999)
        if stream == StoryStream():
            with self._database.write() as connection:
                _read_before(connection, who, end)
            return
        unread = replace(
            stream, is_read=False, until=end + dt.timedelta(microseconds=1)
        )
        for _ in range(_MARKED_PAGES):
            found, after = self.items(who, unread, MOST_MARKS // _MARKED_PAGES)
            self.edit(
                who, {one.number for one in found if one.updated <= end}, read=True
            )
            if after is None:
                return
            unread = replace(unread, after=after)

    def folders(
        self, ids: Collection[str]
    ) -> tuple[dict[str, str], dict[str, set[str]]]:
        """Return, by story, the id of the source that founded it ("" without), and the folders of all."""
        founded: dict[str, str] = dict.fromkeys(ids, "")
        of_all: dict[str, set[str]] = {one: set() for one in ids}
        with self._database.read() as connection:
            founded |= _founded_by(connection, ids)
            folders = {
                one: row.folder
                for one, row in _sources(connection).items()
                if row.folder
            }
            named = select(article.c.story, article.c.source).distinct()
            for row in (
                rows_with(connection, named, article.c.story, ids) if folders else ()
            ):
                if row.source in folders:
                    of_all[row.story].add(folders[row.source])
        return founded, of_all

    def sources(self, ids: Collection[str] | None = None) -> list[SourceView]:
        """Return the sources with these ids, or all, by folder and name; without their health."""
        with self._database.read() as connection:
            named = select(source.c.id)
            chosen = chosen_sources(
                connection, named if ids is None else named.where(source.c.id.in_(ids))
            )
        same = ("id", "site_url", "folder")
        found = [
            SourceView(
                name=one.shown_name,
                url=one.polled_url,
                **{key: getattr(one, key) for key in same},
            )
            for one in chosen
        ]
        return sorted(
            found, key=lambda one: (one.folder or "", one.name.casefold(), one.id)
        )

    def matching(self, wanted: StoryFilter, ids: Collection[str]) -> set[str]:
        """Return those of the live stories that match a filter."""
        with self._database.read() as connection:
            return story_list.StoryMatcher(connection, wanted).matching(connection, ids)


def reader_name(text: str) -> str:
    """Return a name in the form in which it is stored. Raises UsageError if it cannot be one."""
    name = " ".join(text.split()).lower()
    if not name or len(name) > _NAME_CHARS or not name.isprintable():
        raise UsageError(
            f"the name of a reader has 1 to {_NAME_CHARS} printable characters"
        )
    return name


def label_name(text: str) -> str:
    """Return the name of a label in the form in which it is stored. Raises UsageError if it cannot be one."""
    name = " ".join(text.split())
    if not name or len(name) > _NAME_CHARS or not name.isprintable() or "/" in name:
        raise UsageError(
            f"the name of a label has 1 to {_NAME_CHARS} printable characters, and no slash"
        )
    return name


def in_view(chosen: Select[Any], who: Reader, view: View) -> Select[Any]:
    """Return a selection of stories, or of articles with them, without those that the reader has not so."""
    is_of_story = and_(
        read_mark.c.reader == who.reader_no, read_mark.c.story == story.c.story_no
    )
    marked = chosen.outerjoin(read_mark, is_of_story)
    if view == "saved":
        return marked.where(read_mark.c.is_starred)
    is_late = and_(read_mark.c.read_to.is_(None), story.c.bumped_at > who.read_before)
    return marked.where(or_(is_late, story.c.bumped_at > read_mark.c.read_to))


def _first_read_before(connection: Connection) -> dt.datetime:
    """Return the bump up to which a new reader has read all stories."""
    live = select(story.c.bumped_at).where(story.c.redirect_to.is_(None))
    newest = live.order_by(story.c.bumped_at.desc()).offset(FIRST_UNREAD).limit(1)
    return connection.scalar(newest) or _UNREAD


def _reader(connection: Connection, name: str) -> Reader | None:
    columns = [reader.c[one] for one in Reader.__struct_fields__]
    row = connection.execute(select(*columns).where(reader.c.name == name)).first()
    return None if row is None else Reader(**row._mapping)


# --- pages of streams --------------------------------------------------------------------------------------


def _page(
    connection: Connection, who: Reader, stream: StoryStream, limit: int
) -> tuple[list[ReaderItem], str | None]:
    after = stream.after or (
        story_list.cursor_at(stream.until, 0) if stream.until else None
    )
    begin = story_list.read_cursor(after) if after is not None else None
    oldest = stream.since or _UNREAD
    if stream.is_read is False and not stream.is_kept:
        oldest = max(oldest, who.read_before + dt.timedelta(microseconds=1))
    found: list[ReaderItem] = []
    for _ in () if stream.is_kept else range(_STEPS):
        wanted = replace(stream.wanted, after=after)
        rows, after = story_list.places(connection, wanted, _A_STEP)
        fits = _of_origin(
            connection,
            stream.founded_by,
            {row.id for row in rows if row.bumped_at >= oldest},
        )
        marked = _marked(connection, who, [row for row in rows if row.id in fits])
        found += [one for one in marked if stream.is_read in (None, one.is_read)]
        is_over = after is None or story_list.read_cursor(after)[0] < oldest
        if len(found) > limit or is_over:
            break
        if len(rows) < _A_STEP:  # `places` is bounded, too
            return found, after
    else:
        if not stream.is_kept:
            return found, after
    if len(found) <= limit:
        found += [
            one
            for one in _by_marks(connection, who, stream)
            if stream.is_read in (None, one.is_read)
            and (begin is None or (one.updated, one.number) < begin)
        ]
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], last and story_list.cursor_at(last.updated, last.number)


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
        chosen = read_mark.c.read_to == _UNREAD
    else:
        return []
    numbers = select(read_mark.c.story).where(
        read_mark.c.reader == who.reader_no, chosen
    )
    items = _marked(
        connection, who, _live(connection, connection.scalars(numbers).all())
    )
    # A story that was merged keeps its marks, so that the merge can be undone; those of the other one count.
    if stream.label is not None:
        items = [item for item in items if stream.label in item.labels]
    if stream.is_starred:
        items = [item for item in items if item.is_starred]
    newest = (
        dt.datetime.max.replace(tzinfo=dt.UTC) if stream.is_kept else who.read_before
    )
    items = [one for one in items if (stream.since or _UNREAD) <= one.updated <= newest]
    ids = [one.story for one in items]
    # Starred stories stay where others are muted: the reader chose them.
    wanted = replace(stream.wanted, mutes=()) if stream.is_starred else stream.wanted
    fits = (
        story_list.StoryMatcher(connection, wanted).matching(connection, ids)
        if items
        else set()
    )
    fits = _of_origin(connection, stream.founded_by, fits)
    items.sort(key=lambda one: (one.updated, one.number), reverse=True)
    return [one for one in items if one.story in fits]


def _marked(
    connection: Connection, who: Reader, rows: Iterable[Row[Any]]
) -> list[ReaderItem]:
    """Return rows of `story_list.places` with their marks, in the same order."""
    places = list(rows)
    own: Select[Any] = select(read_mark).where(read_mark.c.reader == who.reader_no)
    numbers = (row.story_no for row in places)
    marks = {
        row.story: row for row in rows_with(connection, own, read_mark.c.story, numbers)
    }
    items = []
    for row in places:
        mark = marks.get(row.story_no)
        is_read = row.bumped_at <= ((mark and mark.read_to) or who.read_before)
        is_starred = mark is not None and mark.is_starred
        labels = _read_labels(mark and mark.labels)
        items.append(
            ReaderItem(row.story_no, row.id, row.bumped_at, is_read, is_starred, labels)
        )
    return items


def _labels(connection: Connection, who: Reader) -> frozenset[str]:
    """Return the labels of a reader, but for those that only closed and merged stories have."""
    marked = select(read_mark.c.labels).join(
        story, story.c.story_no == read_mark.c.story
    )
    live = marked.where(
        story.c.redirect_to.is_(None), read_mark.c.reader == who.reader_no
    )
    written = connection.scalars(live.where(read_mark.c.labels.is_not(None)).distinct())
    return frozenset().union(*map(_read_labels, written))


def _read_labels(written: str | None) -> frozenset[str]:
    return frozenset(written.split("\n")) if written else frozenset()


def _written_labels(labels: Iterable[str]) -> str | None:
    return "\n".join(sorted(labels)) or None


_PLACE = (story.c.story_no, story.c.id, story.c.bumped_at)


def _live(connection: Connection, numbers: Iterable[int]) -> list[Row[Any]]:
    """Return the places of the live stories with these numbers, or of their successors, each once."""
    named: Select[Any] = select(*_PLACE, story.c.redirect_to)
    rows = list(rows_with(connection, named, story.c.story_no, numbers))
    live = {row.id: row for row in rows if row.redirect_to is None}
    successors = {row.redirect_to for row in rows if row.redirect_to} - live.keys()
    still = select(*_PLACE).where(story.c.redirect_to.is_(None))
    return [*live.values(), *rows_with(connection, still, story.c.id, successors)]


def _sources(connection: Connection) -> dict[str, Row[Any]]:
    """Return the id and the folder of each source, by `article.source`."""
    named = func.coalesce(source.c.folder_name, source.c.id).label("named")
    chosen: Select[Any] = select(named, source.c.id, source.c.folder)
    return {row.named: row for row in connection.execute(chosen)}


def _founded_by(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Return the id of the source that founded each story, for those that have one."""
    sources = _sources(connection)
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
    founded = _founded_by(connection, ids)
    return {one for one in ids if founded.get(one, "") == source_id}


# --- marking -----------------------------------------------------------------------------------------------


def _keep_within(connection: Connection, who: Reader, *, may_refuse: bool) -> None:
    """Mark all older stories as read above MOST_MARKS marks; refuse more than MOST_KEPT kept stories."""
    own = read_mark.c.reader == who.reader_no
    count = count_rows(connection, read_mark, own)
    kept = count_rows(connection, read_mark, own, _IS_KEPT) if count > MOST_KEPT else 0
    if may_refuse and kept > MOST_KEPT:
        raise UsageError(
            f"{MOST_KEPT:,} stories are starred or labelled; remove some stars or labels first"
        )
    if count - kept > MOST_MARKS:
        marked = select(story.c.bumped_at).join(
            read_mark, read_mark.c.story == story.c.story_no
        )
        mine = marked.where(read_mark.c.reader == who.reader_no, not_(_IS_KEPT))
        middle = (
            mine.order_by(story.c.bumped_at.desc()).offset(MOST_MARKS // 2).limit(1)
        )
        _read_before(connection, who, connection.execute(middle).scalar_one())


def _store(connection: Connection, who: Reader, items: Changed) -> None:
    """Write the marks of stories; `items` are by number, with the time up to which they are read or not."""
    own = delete(read_mark).where(read_mark.c.reader == who.reader_no)
    change_with(connection, own, read_mark.c.story, items)
    rows = []
    for number, (item, until) in items.items():
        read_to: dt.datetime | None = until if item.is_read else _UNREAD
        if (until <= who.read_before) == item.is_read:
            read_to = None
        if read_to is not None or item.is_starred or item.labels:
            mark = {"story": number, "read_to": read_to, "is_starred": item.is_starred}
            rows.append(
                {
                    "reader": who.reader_no,
                    **mark,
                    "labels": _written_labels(item.labels),
                }
            )
    for part in in_parts(rows):
        connection.execute(insert(read_mark), part)


def _read_before(connection: Connection, who: Reader, end: dt.datetime) -> None:
    """Mark all stories as read that were bumped up to `end`."""
    past = select(story.c.story_no).where(
        story.c.story_no == read_mark.c.story, story.c.bumped_at <= end
    )
    own = read_mark.c.reader == who.reader_no
    connection.execute(update(read_mark).where(own, past.exists()).values(read_to=None))
    _drop_empty(connection, who)
    later = update(reader).where(
        reader.c.reader_no == who.reader_no, reader.c.read_before < end
    )
    connection.execute(later.values(read_before=end))


def _drop_empty(connection: Connection, who: Reader) -> None:
    """Delete the marks that say nothing any more."""
    own = delete(read_mark).where(read_mark.c.reader == who.reader_no)
    connection.execute(own.where(read_mark.c.read_to.is_(None), not_(_IS_KEPT)))


# --- merges ------------------------------------------------------------------------------------------------


def _merges(connection: Connection, who: Reader, limit: int) -> Sequence[Row[Any]]:
    """Return the newest merges since the reader's last visit, the newest first."""
    is_merge = change.c.kind == literal_column("'merged'")  # as the index says it
    columns = (change.c.change_no, change.c.story, change.c.others, change.c.bumped_at)
    since: Select[Any] = select(*columns).where(
        is_merge, change.c.change_no > who.last_change_no
    )
    return connection.execute(
        since.order_by(change.c.change_no.desc()).limit(limit)
    ).all()


def _follow_merges(connection: Connection, who: Reader) -> None:
    merges = _merges(connection, who, _MOST_MERGES)[::-1]
    ids = {row.story for row in merges}.union(
        *(row.others.split(",") for row in merges if row.others)
    )
    rows = rows_with(connection, select(*_PLACE), story.c.id, ids)
    items = {one.story: one for one in _marked(connection, who, rows)}
    own = select(read_mark.c.story, read_mark.c.read_to).where(
        read_mark.c.reader == who.reader_no
    )
    read_to = {
        row.story: row.read_to
        for row in rows_with(
            connection, own, read_mark.c.story, (one.number for one in items.values())
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
            connection.scalar(before) if all(one.is_read for one in merged) else None
        )
        is_read = (
            bumped_before is not None
            and bumped_before.replace(microsecond=0) <= was_read_to
        )
        # The fractions of the two times are different serial numbers.
        is_last = target.updated.replace(microsecond=0) <= row.bumped_at
        end = target.updated if is_last else row.bumped_at.replace(microsecond=999_999)
        is_starred = target.is_starred or any(one.is_starred for one in merged)
        labels = target.labels.union(*(one.labels for one in merged))
        target = target._replace(is_read=is_read, is_starred=is_starred, labels=labels)
        items[row.story] = target._replace(is_read=is_read and is_last)
        read_to[target.number] = end if is_read else _UNREAD
        changed[target.number] = (target, end)
    _store(connection, who, changed)
    own_row = update(reader).where(reader.c.reader_no == who.reader_no)
    connection.execute(
        own_row.values(
            last_change_no=merges[-1].change_no if merges else who.last_change_no
        )
    )
