"""Retention: which rows are old, and what is deleted from them. pipeline/placement/retention.py runs it.

The progress of each stage is a counter ("packed_to", ...): an inbox number of articles, or of the last
article of stories. So the next rows are found by an index, whatever the size of the database.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import (
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

from aggregator.model.core import Evidence, MergedStory
from aggregator.store import codecs
from aggregator.store.maintenance import erase
from aggregator.store.search import index
from aggregator.store.stories import copy_keys
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.tables import (
    article,
    change,
    command,
    counter,
    counter_value,
    delete_some,
    entry,
    rejected_input,
    revision,
    rows_with,
    set_counter,
    sketch,
    story,
    story_log,
    webhook,
)

RetentionStage = Literal[
    "packed", "unrendered", "unlinked", "stripped", "texts", "stories", "entries", "settled"
]
STAGES: Final[tuple[RetentionStage, ...]] = (
    "packed",
    "unrendered",
    "unlinked",
    "stripped",
    "texts",
    "stories",
)
_OF_STORIES: Final = frozenset({"unrendered", "stripped", "texts", "stories"})
_LATE = "late:"  # counters: followed by the number of a story that stages have passed but not processed
_LATE_AT_ONCE = 200
_STALE, _MERGING = "index_stale", "index_merging"  # counters: rows removed since the last merge; 1: merging
_CHECKED_AT, _STEADY_FROM = "retained_at", "steady_from"  # counters: seconds since 1970


class OldArticle(NamedTuple):
    """An article that a stage processes."""

    inbox_no: int
    id: str
    text: str
    signature: bytes


class OldStory(NamedTuple):
    """A story that a stage processes. `is_final_text`: texts are deleted, so it cannot be rendered again."""

    story_no: int
    id: str
    title: str
    last_inbox_no: int
    centroid: bytes
    is_rendered: bool
    is_final_text: bool


# --- progress ----------------------------------------------------------------------------------------------


def reached(connection: Connection, stage: RetentionStage) -> int:
    """Return the inbox number up to which this stage is done."""
    return counter_value(connection, f"{stage}_to")


def reach(connection: Connection, stage: RetentionStage, n: int) -> None:
    """Store that this stage is done up to inbox number `n`."""
    set_counter(connection, f"{stage}_to", n)


def begin_again(connection: Connection, *, before: int) -> None:
    """Set stages back: from number `before` on articles have terms and bands again."""
    stages: tuple[RetentionStage, ...] = ("unlinked", "stripped", "settled")
    for stage in stages:
        if reached(connection, stage) >= before:
            reach(connection, stage, before - 1)


def progress(connection: Connection) -> dict[str, int]:
    """Return the progress of each stage by its name."""
    names: dict[str, str] = {f"{stage}_to": stage for stage in STAGES}
    rows = connection.execute(select(counter.c.name, counter.c.value).where(counter.c.name.in_(names)))
    return dict.fromkeys(names.values(), 0) | {names[row.name]: row.value for row in rows}


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


def due(connection: Connection, stage: RetentionStage, upto: int) -> int:
    """Count the articles or stories that this stage has not processed, up to inbox number `upto`."""
    after = reached(connection, stage)
    if stage in _OF_STORIES:
        rows = story.c.last_inbox_no.between(after + 1, upto), story.c.redirect_to.is_(None)
        return connection.execute(select(func.count()).select_from(story).where(*rows)).scalar_one()
    within = article.c.inbox_no.between(after + 1, upto)
    return connection.execute(select(func.count()).select_from(article).where(within)).scalar_one()


def next_articles(connection: Connection, stage: RetentionStage, upto: int, limit: int) -> list[OldArticle]:
    """Return the next articles of a stage, up to inbox number `upto`."""
    within = article.c.inbox_no.between(reached(connection, stage) + 1, upto)
    return [OldArticle(*row) for row in connection.execute(_OLD_ARTICLES.where(within).limit(limit))]


def next_stories(connection: Connection, stage: RetentionStage, upto: int, limit: int) -> list[OldStory]:
    """Return the next stories of a stage whose last article is at most inbox number `upto`."""
    within = story.c.last_inbox_no.between(reached(connection, stage) + 1, upto)
    rows = connection.execute(_OLD.where(within).order_by(story.c.last_inbox_no).limit(limit))
    return [OldStory(*row) for row in rows]


_OLD_ARTICLES = select(article.c.inbox_no, article.c.id, codecs.TEXT, article.c.signature).order_by(
    article.c.inbox_no
)
_OLD: Select[Any] = select(
    *(story.c[name] for name in ("story_no", "id", "title", "last_inbox_no", "centroid")),
    story.c.merged_story.is_not(None),
    and_(story.c.merged_story.is_not(None), exists().where(article.c.story == story.c.id, codecs.IS_GONE)),
).where(story.c.redirect_to.is_(None))


# --- late stories ------------------------------------------------------------------------------------------

_PASSED = select(func.max(counter.c.value)).where(
    counter.c.name.in_([f"{stage}_to" for stage in sorted(_OF_STORIES)])
)


def note_late(connection: Connection, number: int, last_inbox_no: int) -> None:
    """Store story `number` as late if a stage has already passed its last inbox number.

    This happens when its newest article was erased, or when it was split off from another story.
    """
    if last_inbox_no <= (connection.execute(_PASSED).scalar() or 0):
        set_counter(connection, f"{_LATE}{number}", number)


def late(connection: Connection) -> dict[int, OldStory | None]:
    """Return some of the late stories by their numbers; None: it is not live any more."""
    noted = select(counter.c.value).where(counter.c.name.like(f"{_LATE}%")).order_by(counter.c.value)
    numbers = connection.execute(noted.limit(_LATE_AT_ONCE)).scalars().all()
    rows = connection.execute(_OLD.where(story.c.story_no.in_(numbers)))
    return dict.fromkeys(numbers) | {row[0]: OldStory(*row) for row in rows}


def done_with(connection: Connection, stage: RetentionStage, old: OldStory) -> None:
    """Store that this stage is done with a story, whether it was late or not."""
    drop_late(connection, old.story_no)
    if old.last_inbox_no > reached(connection, stage):
        reach(connection, stage, old.last_inbox_no)


def drop_late(connection: Connection, number: int) -> None:
    """Remove a story from the late ones."""
    connection.execute(delete(counter).where(counter.c.name == f"{_LATE}{number}"))


# --- articles ----------------------------------------------------------------------------------------------


def pack(connection: Connection, old: Sequence[OldArticle]) -> None:
    """Compress the texts of these articles. The full-text index keeps title, lead and tokens of filters."""
    articles_with_text = [one for one in old if one.text]
    indexed = [one.inbox_no for one in articles_with_text if index.take_out(connection, one.inbox_no)]
    kept = select(article.c.inbox_no, article.c.evidence).where(
        article.c.inbox_no.in_([one.inbox_no for one in articles_with_text])
    )
    evidence = {row.inbox_no: _pressed(row.evidence) for row in connection.execute(kept)}
    packed = {
        one.inbox_no: {
            "text": "",
            "compressed_text": codecs.compress_text(one.text),
            "evidence": evidence[one.inbox_no],
        }
        for one in articles_with_text
    }
    erase.rewrite(connection, article.c.inbox_no, packed)
    _put_back(connection, indexed)


def _pressed(evidence: bytes) -> bytes:
    try:
        return codecs.compress_packed(evidence)
    except codecs.UNREADABLE:
        return evidence


def _put_back(connection: Connection, indexed: Sequence[int]) -> None:
    for n in indexed:
        index.put_back(connection, n)
    if indexed:
        set_counter(connection, _STALE, counter_value(connection, _STALE) + len(indexed))


def unlink(connection: Connection, keys: Mapping[int, Collection[int]]) -> None:
    """Remove articles from the index of copies. `keys`: the bands that each may be stored with, by number."""
    numbers = sorted(keys)
    copy_keys.remove(connection, keys)
    connection.execute(delete(sketch).where(sketch.c.article.in_(numbers)))
    connection.execute(update(article).where(article.c.inbox_no.in_(numbers)).values(signature=b""))


def articles_with_text(connection: Connection, story_id: str, limit: int) -> list[OldArticle]:
    """Return the articles of a story whose texts are not deleted, in the order of placing."""
    chosen = _OLD_ARTICLES.where(article.c.story == story_id, ~codecs.IS_GONE)
    return [OldArticle(*row) for row in connection.execute(chosen.limit(limit))]


def drop_texts(connection: Connection, old: Sequence[OldArticle]) -> None:
    """Delete the texts of these articles. Titles and decisions stay."""
    numbers, ids = [one.inbox_no for one in old], [one.id for one in old]
    indexed = [n for n in numbers if index.take_out(connection, n)]
    kept = select(article.c.inbox_no, article.c.details, article.c.evidence).where(
        article.c.inbox_no.in_(numbers)
    )
    rows = {
        row.inbox_no: {
            "text": "",
            "compressed_text": codecs.GONE,
            "lead": "",
            "terms": b"",
            "details": _without_text(row.details),
            "evidence": _shortened(row.evidence),
        }
        for row in connection.execute(kept).all()
    }
    erase.rewrite(connection, article.c.inbox_no, rows)
    connection.execute(delete(revision).where(revision.c.article.in_(ids)))
    _put_back(connection, indexed)


def _without_text(details: bytes) -> bytes:
    """Damaged details are dropped, because they may hold text."""
    try:
        known = codecs.unpack(details, ArticleDetails)
    except codecs.UNREADABLE:
        return codecs.pack(ArticleDetails())
    return codecs.pack(msgspec.structs.replace(known, timed=(), repeated=(), media=()))


def _shortened(evidence: bytes) -> bytes:
    try:
        known = codecs.unpack(evidence, Evidence)
    except codecs.UNREADABLE:
        return evidence
    shortened = msgspec.structs.replace(known, reasons=(), shared=(), runner_up=None, excerpts=())
    return codecs.pack_compressed(shortened)


# --- stories -----------------------------------------------------------------------------------------------


def clear_merged_texts(connection: Connection, old: Sequence[OldStory]) -> None:
    """Delete the merged texts of these stories; from now on they are rendered on demand."""
    rendered = [one for one in old if one.is_rendered]
    erase.rewrite(connection, story.c.story_no, {one.story_no: _without_merged_text(one) for one in rendered})


def freeze_stories(connection: Connection, old: Sequence[OldStory], centroids: Mapping[int, bytes]) -> None:
    """Delete the terms and the merged texts of stories that no article joins any more.

    `centroids`: by number of the story, without terms.
    """
    _drop_terms(connection, [one.id for one in old])
    values = {
        one.story_no: {"centroid": centroids[one.story_no], "count_state": None, **_without_merged_text(one)}
        for one in old
    }
    erase.rewrite(connection, story.c.story_no, values)


def _without_merged_text(old: OldStory) -> dict[str, Any]:
    return {"text": ""} if old.is_final_text else {"text": "", "merged_story": None}


def keep_merged_text(
    connection: Connection, old: OldStory, centroid: bytes, merged: MergedStory | None
) -> None:
    """Store the final merged text of a story before its texts are deleted.

    `merged`: the final text; None: the stored one. `centroid` is without terms.
    """
    _drop_terms(connection, [old.id])
    final = {} if merged is None else {"merged_story": codecs.compress_struct(merged)}
    if merged is not None:  # it lacks what one outlet had alone
        erase.erase_summaries(connection, [old.id])
    erase.rewrite(
        connection,
        story.c.story_no,
        {old.story_no: {"centroid": centroid, "count_state": None, "text": "", **final}},
    )


def final_text(connection: Connection, id: str) -> dict[str, Any] | None:  # noqa: A002 - as people type
    """Return the columns of the merged text of a story that cannot be rendered again; None for others."""
    columns = story.c.text, story.c.merged_story
    is_gone = exists().where(article.c.story == story.c.id, codecs.IS_GONE)
    chosen = select(*columns).where(story.c.id == id, story.c.merged_story.is_not(None), is_gone)
    row = connection.execute(chosen).mappings().first()
    return None if row is None else dict(row)


def keep_final_text(connection: Connection, id: str, columns: Mapping[str, Any]) -> None:  # noqa: A002 - as above
    """Write the columns from `final_text` back."""
    connection.execute(update(story).where(story.c.id == id).values(**columns))


def _drop_terms(connection: Connection, ids: Collection[str]) -> None:
    with_terms = article.c.story.in_(sorted(ids)), func.length(article.c.terms) > 0
    connection.execute(update(article).where(*with_terms).values(terms=b""))  # see `settle_articles`


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
    after = reached(connection, "entries")
    columns = [entry.c[name] for name in ("entry_no", "state", "verdict", "page_verdict", "url", "page_url")]
    chosen = select(*columns, article.c.url.label("known"))
    chosen = chosen.outerjoin(article, article.c.id == entry.c.article).where(entry.c.entry_no > after)
    rows = connection.execute(chosen.order_by(entry.c.entry_no).limit(limit)).all()
    waiting = next((at for at, row in enumerate(rows) if row.state in _WAITS), len(rows))
    if waiting < limit:
        return 0
    erase.rewrite(connection, entry.c.entry_no, {row.entry_no: _settled(row) for row in rows})
    reach(connection, "entries", rows[-1].entry_no)
    return len(rows)


def _settled(row: Any) -> dict[str, Any]:
    """Clear the columns that the article has, too. `doctor` reads the entries whose page failed."""
    is_plain = (row.state, row.verdict, row.page_verdict) == ("done", "ok", None)
    values: dict[str, Any] = {"payload": b""} if is_plain else {}
    if row.state == "done" and row.known is not None:
        values |= {name: None for name in ("url", "page_url") if getattr(row, name) == row.known}
    return values


def settle_articles(connection: Connection, limit: int) -> int:
    """Rewrite the rows of the next articles of closed stories, which have shrunk. Return their number.

    SQLite only: see erase.rewrite.
    """
    if connection.dialect.name != "sqlite":
        return 0
    within = article.c.inbox_no.between(reached(connection, "settled") + 1, reached(connection, "stripped"))
    chosen = select(article.c.inbox_no).where(within).order_by(article.c.inbox_no).limit(limit)
    numbers = connection.execute(chosen).scalars().all()
    if numbers:
        erase.rewrite(connection, article.c.inbox_no, {n: {} for n in numbers})
        reach(connection, "settled", numbers[-1])
    return len(numbers)


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
    if not is_under_way and counter_value(connection, _STALE) < least:
        return False
    if not is_under_way:
        set_counter(connection, _STALE, 0)
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

    @property
    def used(self) -> int:
        """Return the bytes of tables and indexes."""
        return self.file - self.free


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
