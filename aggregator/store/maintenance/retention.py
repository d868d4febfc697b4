"""Retention: which rows are old, and what stays of them. pipeline/placement/retention.py runs it.

Nothing records how far it is: an old story is found by its oldest article, which has a text until that is
deleted, and a row until it is deleted itself. `erase.delete_articles` deletes both.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    select,
    text,
    update,
)

from aggregator.model.core import MergedStory
from aggregator.store import codecs
from aggregator.store.maintenance import erase
from aggregator.store.maintenance.erase import DeletedArticle, DeletedPart
from aggregator.store.tables import (
    article,
    change,
    command,
    counter_value,
    delete_some,
    entry,
    rejected_input,
    rows_with,
    set_counter,
    story,
    story_log,
    webhook,
)

_MERGING = "index_merging"  # counter: 1 while the full-text index is being merged
_CHECKED_AT, _STEADY_FROM = "retained_at", "steady_from"  # counters: seconds since 1970
_ENTRIES = "entries_to"  # counter: the last entry of which only what its article lacks is left


class OldStory(NamedTuple):
    """A story whose articles are all old."""

    story_no: int
    id: str
    title: str


# --- what is old -------------------------------------------------------------------------------------------


def steady_since(connection: Connection, now: dt.datetime, most: dt.timedelta) -> dt.datetime:
    """Return since when the clock has run without a gap of `most` between two calls; stores this call."""
    at = int(now.timestamp())
    last, since = counter_value(connection, _CHECKED_AT), counter_value(connection, _STEADY_FROM)
    if not 0 <= at - last <= most.total_seconds():
        since = at
        set_counter(connection, _STEADY_FROM, since)
    set_counter(connection, _CHECKED_AT, at)
    return dt.datetime.fromtimestamp(since, dt.UTC)


def is_steady(connection: Connection, now: dt.datetime, most: dt.timedelta) -> bool:
    """Whether the clock has run for `most` without such a gap, by the calls of `steady_since`.

    If not, deletions by age wait: the clock may be wrong and jump back. True if there was no call yet.
    """
    last, since = counter_value(connection, _CHECKED_AT), counter_value(connection, _STEADY_FROM)
    at, seconds = now.timestamp(), most.total_seconds()
    return last == 0 or (at - last <= seconds and at - since >= seconds)


def newest(connection: Connection) -> int:
    """Return the highest inbox number of an article; 0 without articles."""
    return connection.execute(select(func.max(article.c.inbox_no))).scalar() or 0


_NEXT_PLACED = (
    select(article.c.inbox_no, article.c.placed_at)
    .where(article.c.inbox_no >= bindparam("number"), article.c.placed_at <= bindparam("now"))
    .order_by(article.c.inbox_no)
    .limit(1)
)
_PARTS = 32  # samples of each step of `placed_before`


def placed_before(connection: Connection, moment: dt.datetime, now: dt.datetime) -> int:
    """Return the inbox number up to which articles were placed before `moment`.

    Numbers and times rise together, except where articles were placed under a wrong clock: they are treated
    as old as their neighbours. So the bound is where the fewest samples are on the wrong side, and the search
    continues between the two samples at the bound. A period under a wrong clock moves the bound by about its
    own length only.
    """
    low, high = 0, newest(connection) + 1
    while high - low > 1:
        points = range(low + max(1, (high - low) // _PARTS), high, max(1, (high - low) // _PARTS))
        rows = [connection.execute(_NEXT_PLACED, {"number": at, "now": now}).first() for at in points]
        older = [row is not None and row.inbox_no < high and row.placed_at < moment for row in rows]
        wrong = sum(older)  # for a bound before all samples
        fewest, split = wrong, 0
        for count, is_older in enumerate(older, start=1):
            wrong += -1 if is_older else 1
            if wrong < fewest:
                fewest, split = wrong, count
        last = rows[split - 1] if split else None
        low, high = (
            low if last is None else max(last.inbox_no, points[split - 1]),
            points[split] if split < len(points) else high,
        )
    return low


def next_story(connection: Connection, what: DeletedPart, upto: int) -> OldStory | None:
    """Return the next story without an article above inbox number `upto` that has texts ("text"), or any."""
    # The oldest article leads to it. Those of stories that still grow are passed over; they are few.
    oldest = select(article.c.story).where(*_is_old(what, upto)).order_by(article.c.inbox_no).limit(1)
    row = connection.execute(_OLD.where(story.c.id == oldest.scalar_subquery())).first()
    return None if row is None else OldStory(*row)


def count_stories(connection: Connection, what: DeletedPart, upto: int) -> int:
    """Count the stories that `next_story` returns, one after the other."""
    found = select(func.count(article.c.story.distinct())).where(*_is_old(what, upto))
    return connection.execute(found).scalar_one()


def _is_old(what: DeletedPart, upto: int) -> list[ColumnElement[bool]]:
    conditions = [article.c.inbox_no <= upto, upto >= _LAST_OF_STORY]
    return [*conditions, article.c.text.is_not(None)] if what == "text" else conditions


_ITS_STORY = story.alias("its_story")
_LAST_OF_STORY = (
    select(_ITS_STORY.c.last_inbox_no).where(_ITS_STORY.c.id == article.c.story).scalar_subquery()
)
_OLD: Select[Any] = select(*(story.c[name] for name in OldStory._fields))


# --- stories -----------------------------------------------------------------------------------------------


def articles_with_text(connection: Connection, story_id: str, limit: int) -> list[DeletedArticle]:
    """Return the articles of a story whose texts are not deleted, in the order of placing."""
    columns = [article.c[name] for name in DeletedArticle.__struct_fields__]
    chosen = select(*columns).where(article.c.story == story_id, article.c.text.is_not(None))
    rows = connection.execute(chosen.order_by(article.c.inbox_no).limit(limit))
    return [DeletedArticle(**row._mapping) for row in rows]


def drop_terms(connection: Connection, story_id: str) -> bool:
    """Delete the terms of the articles of a story; return whether there were any."""
    with_terms = article.c.story == story_id, func.length(article.c.terms) > 0
    return connection.execute(update(article).where(*with_terms).values(terms=b"")).rowcount > 0


def keep_merged_text(connection: Connection, old: OldStory, merged: MergedStory) -> None:
    """Store the final merged text of a story before its texts are deleted."""
    erase.erase_summaries(connection, [old.id])  # the final text lacks what one outlet had alone
    values = {"count_state": None, "text": "", "merged_story": codecs.compress_struct(merged)}
    erase.rewrite(connection, story.c.story_no, {old.story_no: values})


def final_text(connection: Connection, id: str) -> dict[str, Any] | None:  # noqa: A002 - as people type
    """Return the columns of the merged text of a story that cannot be rendered again; None for others."""
    columns = story.c.text, story.c.merged_story
    is_gone = exists().where(article.c.story == story.c.id, article.c.text.is_(None))
    chosen = select(*columns).where(story.c.id == id, story.c.merged_story.is_not(None), is_gone)
    row = connection.execute(chosen).mappings().first()
    return None if row is None else dict(row)


def keep_final_text(connection: Connection, id: str, columns: Mapping[str, Any]) -> None:  # noqa: A002 - as above
    """Write the columns from `final_text` back."""
    connection.execute(update(story).where(story.c.id == id).values(**columns))


def slim_entries(connection: Connection, ids: Collection[str]) -> None:
    """Delete payload and addresses of the placed entries of these articles; the rows stay for the counts."""
    # The state is compared here: SQLite, which has no statistics, would read the index of all placed entries.
    rows = rows_with(connection, select(entry.c.entry_no, entry.c.state), entry.c.article, ids)
    numbers = [row.entry_no for row in rows if row.state == "done"]
    erase.rewrite(
        connection, entry.c.entry_no, {n: {"payload": b"", "url": None, "page_url": None} for n in numbers}
    )


def last_to_first(connection: Connection, story_id: str, limit: int) -> list[str]:
    """Return the last articles of a story, the one of the headline last: copies go before their originals."""
    is_title = article.c.id == select(story.c.title_article).where(story.c.id == story_id).scalar_subquery()
    members = select(article.c.id).where(article.c.story == story_id)
    ordered = members.order_by(case((is_title, 1), else_=0), article.c.inbox_no.desc())
    return list(connection.execute(ordered.limit(limit)).scalars())


def settle_entries(connection: Connection, limit: int) -> int:
    """Drop the payload of the next finished entries and rewrite their rows. Return their number.

    What a placed entry declared is in its article.
    """
    after = counter_value(connection, _ENTRIES)
    columns = [entry.c[name] for name in ("entry_no", "state", "verdict", "page_verdict", "url", "page_url")]
    chosen = select(*columns, article.c.url.label("known"))
    chosen = chosen.outerjoin(article, article.c.id == entry.c.article).where(entry.c.entry_no > after)
    rows = connection.execute(chosen.order_by(entry.c.entry_no).limit(limit)).all()
    waiting = next((at for at, row in enumerate(rows) if row.state in _WAITS), len(rows))
    if waiting < limit:
        return 0
    erase.rewrite(connection, entry.c.entry_no, {row.entry_no: _settled(row) for row in rows})
    set_counter(connection, _ENTRIES, rows[-1].entry_no)
    return len(rows)


def _settled(row: Any) -> dict[str, Any]:
    """Clear the columns that the article has, too. `doctor` reads the entries whose page failed."""
    is_plain = (row.state, row.verdict, row.page_verdict) == ("done", "ok", None)
    values: dict[str, Any] = {"payload": b""} if is_plain else {}
    if row.state == "done" and row.known is not None:
        values |= {name: None for name in ("url", "page_url") if getattr(row, name) == row.known}
    return values


_WAITS: Final = frozenset({"page", "ready"})


def drop_history(connection: Connection, ids: Collection[str]) -> None:
    """Delete the log lines and changes of stories."""
    for table in (story_log, change):
        connection.execute(delete(table).where(table.c.story.in_(sorted(ids))))


# --- short-lived rows --------------------------------------------------------------------------------------


def drop_changes(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete the oldest changes before `before` that all webhooks have examined. Return their number."""
    last_change_no = connection.execute(
        select(func.min(webhook.c.last_change_no)).where(webhook.c.is_configured)
    ).scalar()
    chosen = select(change.c.change_no, change.c.at).order_by(change.c.change_no).limit(limit)
    last = 0
    for row in connection.execute(chosen):
        if row.at >= before or (last_change_no is not None and row.change_no > last_change_no):
            break
        last = row.change_no
    return connection.execute(delete(change).where(change.c.change_no <= last)).rowcount if last else 0


def drop_commands(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete commands that were answered before `before`. Return their number."""
    answered = and_(command.c.state != "waiting", command.c.done_at < before)
    return delete_some(connection, command, answered, command.c.command_no, limit)


def drop_rejected(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete rejected inputs from before `before`. Return their number."""
    at = rejected_input.c.at
    return delete_some(connection, rejected_input, at < before, at, limit)


# --- the full-text index -----------------------------------------------------------------------------------


def merge_index(connection: Connection, least: int, pages: int) -> bool:
    """Merge `pages` of SQLite's full-text index once `least` of its rows are stale. Return whether it did.

    FTS5 keeps the words of deleted rows until it merges. On Postgres autovacuum removes them.
    """
    if connection.dialect.name != "sqlite":
        return False
    is_under_way = bool(counter_value(connection, _MERGING))
    if not is_under_way and counter_value(connection, erase.STALE_ROWS) < least:
        return False
    more = erase.merge_index(connection, is_first=not is_under_way, pages=pages)
    set_counter(connection, _MERGING, int(more))
    return True


# --- file size ---------------------------------------------------------------------------------------------


class FileSpace(NamedTuple):
    """Sizes of an SQLite file in bytes. `has_auto_vacuum`: free pages can be released in parts."""

    file: int
    free: int
    page: int
    has_auto_vacuum: bool


def file_space(connection: Connection) -> FileSpace | None:
    """Return the sizes of the SQLite file; None on Postgres."""
    if connection.dialect.name != "sqlite":
        return None
    page, pages, free, mode = (
        int(connection.execute(text(f"PRAGMA {name}")).scalar_one())
        for name in ("page_size", "page_count", "freelist_count", "auto_vacuum")
    )
    return FileSpace(page * pages, page * free, page, mode == _INCREMENTAL)


_INCREMENTAL = 2
