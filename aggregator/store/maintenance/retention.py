"""What old rows are, and what is taken from them: the rows of `retention_job`.

How far each rung of the ladder has come is a counter: articles by their numbers, stories by the number of
their last article. So what is next is found by an index, whatever the size of the database.
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
    insert,
    select,
    text,
    update,
)

from aggregator.model.core import Evidence, MergedStory
from aggregator.store import codecs
from aggregator.store.maintenance import erase
from aggregator.store.maintenance.rewrite_rows import rewrite
from aggregator.store.search import index
from aggregator.store.stories import article_text
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.tables import (
    across,
    article,
    change,
    counter,
    entry,
    entry_link,
    hook,
    live_blog,
    lsh_band,
    refusal,
    request,
    revision,
    sketch,
    story,
    story_log,
)

Rung = Literal["packed", "untold", "unlinked", "stripped", "texts", "stories", "entries", "settled"]
RUNGS: Final[tuple[Rung, ...]] = ("packed", "untold", "unlinked", "stripped", "texts", "stories")
_OF_STORIES: Final = frozenset({"untold", "stripped", "texts", "stories"})
_LATE = "late:"  # counters: by its number a story that rungs have passed though it is not done
_LATE_AT_ONCE = 200
_STALE, _MERGING = "index_stale", "index_merging"  # counters: rows taken out since the last merge; 1 in one
_CHECKED_AT, _STEADY_FROM = "retained_at", "steady_from"  # counters: seconds since 1970


class OldArticle(NamedTuple):
    """An article whose turn has come."""

    n: int
    id: str
    text: str
    signature: bytes


class OldStory(NamedTuple):
    """A story whose turn has come. `is_final_text`: texts of it are gone, so it cannot be told as it was."""

    n: int
    id: str
    title: str
    last_inbox_no: int
    sums: bytes
    is_rendered: bool
    is_final_text: bool


# --- how far it is -----------------------------------------------------------------------------------------


def reached(connection: Connection, rung: Rung) -> int:
    """The number up to which this rung is done."""
    return _counted(connection, f"{rung}_to")


def reach(connection: Connection, rung: Rung, n: int) -> None:
    """This rung is done up to number `n`."""
    _count(connection, f"{rung}_to", n)


def begin_again(connection: Connection, *, before: int) -> None:
    """From number `before` on articles have terms and keys again: they are to be stripped once more."""
    rungs: tuple[Rung, ...] = ("unlinked", "stripped", "settled")
    for rung in rungs:
        if reached(connection, rung) >= before:
            reach(connection, rung, before - 1)


def progress(connection: Connection) -> dict[str, int]:
    """How far each rung has come, by its name."""
    names: dict[str, str] = {f"{rung}_to": rung for rung in RUNGS}
    rows = connection.execute(select(counter.c.name, counter.c.value).where(counter.c.name.in_(names)))
    return dict.fromkeys(names.values(), 0) | {names[row.name]: row.value for row in rows}


def steady_since(connection: Connection, now: dt.datetime, most: dt.timedelta) -> dt.datetime:
    """Since when the clock has gone on without a gap of `most` between two looks; this is a look."""
    at = int(now.timestamp())
    last, since = _counted(connection, _CHECKED_AT), _counted(connection, _STEADY_FROM)
    if not 0 <= at - last <= most.total_seconds():
        since = at
        _count(connection, _STEADY_FROM, since)
    _count(connection, _CHECKED_AT, at)
    return dt.datetime.fromtimestamp(since, dt.UTC)


def is_steady(connection: Connection, now: dt.datetime, most: dt.timedelta) -> bool:
    """Whether the clock has gone on for `most` without such a gap, by the looks of `steady_since`.

    Else what ends by time waits: the clock may be wrong, and jump back. True where nobody ever looked.
    """
    last, since = _counted(connection, _CHECKED_AT), _counted(connection, _STEADY_FROM)
    at, seconds = now.timestamp(), most.total_seconds()
    return last == 0 or (at - last <= seconds and at - since >= seconds)


def newest(connection: Connection) -> int:
    """The highest number of an article; 0 without any."""
    return connection.execute(select(func.max(article.c.n))).scalar() or 0


_NEXT_PLACED = (
    select(article.c.n, article.c.placed_at)
    .where(article.c.n >= bindparam("number"), article.c.placed_at <= bindparam("now"))
    .order_by(article.c.n)
    .limit(1)
)
_PARTS = 32  # into which numbers are cut, to see which of them are older


def placed_before(connection: Connection, moment: dt.datetime, now: dt.datetime) -> int:
    """The number up to which articles were placed before `moment`; numbers and times rise together.

    But for those that were placed while the clock was wrong: they are as old as their neighbours. So the
    bound is where the fewest of some samples are on the wrong side, then anew between the two at the bound:
    a stretch under a wrong clock moves it by about its own length, and not by all that came before or after.
    """
    low, high = 0, newest(connection) + 1
    while high - low > 1:
        points = range(low + max(1, (high - low) // _PARTS), high, max(1, (high - low) // _PARTS))
        rows = [connection.execute(_NEXT_PLACED, {"number": at, "now": now}).first() for at in points]
        older = [row is not None and row.n < high and row.placed_at < moment for row in rows]
        wrong = sum(older)  # where all of them are taken for younger
        fewest, split = wrong, 0
        for count, is_older in enumerate(older, start=1):
            wrong += -1 if is_older else 1
            if wrong < fewest:
                fewest, split = wrong, count
        last = rows[split - 1] if split else None
        low, high = (
            low if last is None else max(last.n, points[split - 1]),
            points[split] if split < len(points) else high,
        )
    return low


def due(connection: Connection, rung: Rung, upto: int) -> int:
    """How many articles or stories this rung has before it, up to number `upto`."""
    after = reached(connection, rung)
    if rung in _OF_STORIES:
        rows = story.c.last_inbox_no.between(after + 1, upto), story.c.redirect_to.is_(None)
        return connection.execute(select(func.count()).select_from(story).where(*rows)).scalar_one()
    within = article.c.n.between(after + 1, upto)
    return connection.execute(select(func.count()).select_from(article).where(within)).scalar_one()


def next_articles(connection: Connection, rung: Rung, upto: int, limit: int) -> list[OldArticle]:
    """The next articles of a rung, up to number `upto`."""
    columns = article.c.n, article.c.id, article_text.TEXT, article.c.signature
    within = article.c.n.between(reached(connection, rung) + 1, upto)
    rows = connection.execute(select(*columns).where(within).order_by(article.c.n).limit(limit))
    return [OldArticle(*row) for row in rows]


def next_stories(connection: Connection, rung: Rung, upto: int, limit: int) -> list[OldStory]:
    """The next stories of a rung whose last article is at most number `upto`."""
    within = story.c.last_inbox_no.between(reached(connection, rung) + 1, upto)
    rows = connection.execute(_OLD.where(within).order_by(story.c.last_inbox_no).limit(limit))
    return [OldStory(*row) for row in rows]


_OLD: Select[Any] = select(
    *(story.c[name] for name in ("n", "id", "title", "last_inbox_no", "sums")),
    story.c.merged.is_not(None),
    and_(story.c.merged.is_not(None), exists().where(article.c.story == story.c.id, article_text.IS_GONE)),
).where(story.c.redirect_to.is_(None))


# --- stories that were passed ------------------------------------------------------------------------------

_PASSED = select(func.max(counter.c.value)).where(
    counter.c.name.in_([f"{rung}_to" for rung in sorted(_OF_STORIES)])
)


def note_late(connection: Connection, number: int, last_inbox_no: int) -> None:
    """Story `number` ends at this inbox number by now: where a rung has passed that, it comes back to it.

    So it is when its newest article was forgotten, or when it was split off from another.
    """
    if last_inbox_no <= (connection.execute(_PASSED).scalar() or 0):
        _count(connection, f"{_LATE}{number}", number)


def late(connection: Connection) -> dict[int, OldStory | None]:
    """Some of the stories that were noted, by their numbers; None: it is no more."""
    noted = select(counter.c.value).where(counter.c.name.like(f"{_LATE}%")).order_by(counter.c.value)
    numbers = connection.execute(noted.limit(_LATE_AT_ONCE)).scalars().all()
    rows = connection.execute(_OLD.where(story.c.n.in_(numbers)))
    return dict.fromkeys(numbers) | {row[0]: OldStory(*row) for row in rows}


def done_with(connection: Connection, rung: Rung, old: OldStory) -> None:
    """This rung has nothing left to do for a story, whether it came to it in its turn or came back to it."""
    drop_late(connection, old.n)
    if old.last_inbox_no > reached(connection, rung):
        reach(connection, rung, old.last_inbox_no)


def drop_late(connection: Connection, number: int) -> None:
    """Take a story off that list."""
    connection.execute(delete(counter).where(counter.c.name == f"{_LATE}{number}"))


# --- articles ----------------------------------------------------------------------------------------------


def pack(connection: Connection, old: Sequence[OldArticle]) -> None:
    """Pack the texts of these articles; the index keeps headline, lead and marks of them."""
    articles_with_text = [one for one in old if one.text]
    indexed = [one.n for one in articles_with_text if index.take_out(connection, one.n)]
    kept = select(article.c.n, article.c.evidence).where(
        article.c.n.in_([one.n for one in articles_with_text])
    )
    evidence = {row.n: _pressed(row.evidence) for row in connection.execute(kept)}
    packed = {
        one.n: {"text": "", "packed": article_text.packed(one.text), "evidence": evidence[one.n]}
        for one in articles_with_text
    }
    rewrite(connection, article.c.n, packed)
    _put_back(connection, indexed)


def _pressed(evidence: bytes) -> bytes:
    try:
        return codecs.pressed(evidence)
    except codecs.UNREADABLE:
        return evidence  # `db check` names it


def _put_back(connection: Connection, indexed: Sequence[int]) -> None:
    for n in indexed:
        index.put_back(connection, n)
    if indexed:
        _count(connection, _STALE, _counted(connection, _STALE) + len(indexed))


def unlink(connection: Connection, old: Sequence[OldArticle], keys: Mapping[int, Collection[int]]) -> None:
    """Drop what finds these articles as the same text. `keys`: the LSH keys that each may be under."""
    numbers = [one.n for one in old]
    for one in old:
        if keys[one.n]:
            held = lsh_band.c.band.in_(sorted(keys[one.n])), lsh_band.c.article == one.n
            connection.execute(delete(lsh_band).where(*held))
    for table in (sketch, across):
        connection.execute(delete(table).where(table.c.article.in_(numbers)))
    connection.execute(update(article).where(article.c.n.in_(numbers)).values(signature=b""))


def articles_with_text(connection: Connection, story_id: str, limit: int) -> list[OldArticle]:
    """Articles of a story whose texts are not gone, in their order."""
    columns = article.c.n, article.c.id, article_text.TEXT, article.c.signature
    chosen = select(*columns).where(article.c.story == story_id, ~article_text.IS_GONE)
    return [OldArticle(*row) for row in connection.execute(chosen.order_by(article.c.n).limit(limit))]


def drop_texts(connection: Connection, old: Sequence[OldArticle]) -> None:
    """Take the words of these articles away, but for their headlines; what was decided of them stays."""
    numbers, ids = [one.n for one in old], [one.id for one in old]
    indexed = [n for n in numbers if index.take_out(connection, n)]
    kept = select(article.c.n, article.c.details, article.c.evidence).where(article.c.n.in_(numbers))
    rows = {
        row.n: {
            "text": "",
            "packed": article_text.GONE,
            "lead": "",
            "terms": b"",
            "details": _without_words(row.details),
            "evidence": _in_short(row.evidence),
        }
        for row in connection.execute(kept).all()
    }
    rewrite(connection, article.c.n, rows)
    connection.execute(delete(revision).where(revision.c.article.in_(ids)))
    for table in (live_blog, entry_link):
        connection.execute(delete(table).where(table.c.article.in_(numbers)))
    _put_back(connection, indexed)


def _without_words(details: bytes) -> bytes:
    """What is damaged may hold words, and goes as a whole."""
    try:
        known = codecs.unpack(details, ArticleDetails)
    except codecs.UNREADABLE:
        return codecs.pack(ArticleDetails())
    return codecs.pack(msgspec.structs.replace(known, timed=(), repeated=(), media=()))


def _in_short(evidence: bytes) -> bytes:
    try:
        known = codecs.unpack(evidence, Evidence)
    except codecs.UNREADABLE:
        return evidence  # `db check` names it
    return codecs.press(msgspec.structs.replace(known, reasons=(), shared=(), runner_up=None, excerpts=()))


# --- stories -----------------------------------------------------------------------------------------------


def clear_merged_texts(connection: Connection, old: Sequence[OldStory]) -> None:
    """Take the merged texts of these stories away: they are told when somebody reads them."""
    told = [one for one in old if one.is_rendered]
    rewrite(connection, story.c.n, {one.n: _without_merged_text(one) for one in told})


def freeze_stories(connection: Connection, old: Sequence[OldStory], lights: Mapping[int, bytes]) -> None:
    """No article joins these stories any more; `lights`: by number their sums without terms.

    Their members' terms go, and their merged texts.
    """
    _drop_terms(connection, [one.id for one in old])
    light = {one.n: {"sums": lights[one.n], "standing": None, **_without_merged_text(one)} for one in old}
    rewrite(connection, story.c.n, light)


def _without_merged_text(old: OldStory) -> dict[str, Any]:
    return {"text": ""} if old.is_final_text else {"text": "", "merged": None}


def keep_merged_text(connection: Connection, old: OldStory, light: bytes, merged: MergedStory | None) -> None:
    """The texts of a story begin to go. `merged`: what stays of its merged text; None: what is there."""
    _drop_terms(connection, [old.id])
    told = {} if merged is None else {"merged": codecs.compress_struct(merged)}
    rewrite(connection, story.c.n, {old.n: {"sums": light, "standing": None, "text": "", **told}})


def final_text(connection: Connection, id: str) -> dict[str, Any] | None:  # noqa: A002 - as people type
    """What a story tells, where texts of it are gone and it cannot be told again."""
    columns = story.c.text, story.c.merged, story.c.disagreement_count
    is_gone = exists().where(article.c.story == story.c.id, article_text.IS_GONE)
    chosen = select(*columns).where(story.c.id == id, story.c.merged.is_not(None), is_gone)
    row = connection.execute(chosen).mappings().first()
    return None if row is None else dict(row)


def keep_final_text(connection: Connection, id: str, words: Mapping[str, Any]) -> None:  # noqa: A002 - as above
    """Let story `id` tell again what `final_text` found."""
    connection.execute(update(story).where(story.c.id == id).values(**words))


def _drop_terms(connection: Connection, ids: Collection[str]) -> None:
    weighty = article.c.story.in_(sorted(ids)), func.length(article.c.terms) > 0
    connection.execute(update(article).where(*weighty).values(terms=b""))  # settled later


def slim_entries(connection: Connection, ids: Collection[str]) -> None:
    """What is left of the entries of these articles is that they came."""
    some = entry.c.article.in_(sorted(ids)), entry.c.state == "done"
    numbers = connection.execute(select(entry.c.n).where(*some)).scalars().all()
    rewrite(connection, entry.c.n, {n: {"payload": b"", "url": None, "page_url": None} for n in numbers})


def last_to_first(connection: Connection, story_id: str, limit: int) -> list[str]:
    """The last articles of a story, so that none loses its original before its turn; its headline's last."""
    is_title = article.c.id == select(story.c.title_article).where(story.c.id == story_id).scalar_subquery()
    members = select(article.c.id).where(article.c.story == story_id)
    ordered = members.order_by(case((is_title, 1), else_=0), article.c.n.desc())
    return list(connection.execute(ordered.limit(limit)).scalars())


def settle_entries(connection: Connection, limit: int) -> int:
    """Let the rows of the next entries that are done lie close; returns how many.

    They came with all their words. What an accepted one declared is in its article, and nobody asks for it.
    """
    after = reached(connection, "entries")
    columns = [entry.c[name] for name in ("n", "state", "verdict", "page_verdict", "url", "page_url")]
    chosen = select(*columns, article.c.url.label("known"))
    chosen = chosen.outerjoin(article, article.c.id == entry.c.article).where(entry.c.n > after)
    rows = connection.execute(chosen.order_by(entry.c.n).limit(limit)).all()
    waiting = next((at for at, row in enumerate(rows) if row.state in _WAITS), len(rows))
    if waiting < limit:
        return 0
    rewrite(connection, entry.c.n, {row.n: _settled(row) for row in rows})
    reach(connection, "entries", rows[-1].n)
    return len(rows)


def _settled(row: Any) -> dict[str, Any]:
    """What its article has of an entry is empty in it; `doctor` shows those whose page was no good."""
    is_plain = (row.state, row.verdict, row.page_verdict) == ("done", "ok", None)
    values: dict[str, Any] = {"payload": b""} if is_plain else {}
    if row.state == "done" and row.known is not None:
        values |= {name: None for name in ("url", "page_url") if getattr(row, name) == row.known}
    return values


def settle_articles(connection: Connection, limit: int) -> int:
    """Let the rows of the next articles lie close whose stories nothing joins any more; returns how many.

    On Postgres there is nothing to do.
    """
    if connection.dialect.name != "sqlite":
        return 0
    within = article.c.n.between(reached(connection, "settled") + 1, reached(connection, "stripped"))
    chosen = select(article.c.n).where(within).order_by(article.c.n).limit(limit)
    numbers = connection.execute(chosen).scalars().all()
    if numbers:
        rewrite(connection, article.c.n, {n: {} for n in numbers})
        reach(connection, "settled", numbers[-1])
    return len(numbers)


_WAITS: Final = frozenset({"page", "ready"})


def drop_history(connection: Connection, ids: Collection[str]) -> None:
    """Take the logs and changes of stories away."""
    for table in (story_log, change):
        connection.execute(delete(table).where(table.c.story.in_(sorted(ids))))


# --- what is read for some time only -----------------------------------------------------------------------


def drop_changes(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete the oldest changes from before `before` that all webhooks have read; returns how many."""
    read_to = connection.execute(select(func.min(hook.c.read_to)).where(hook.c.is_on)).scalar()
    chosen = select(change.c.n, change.c.at).order_by(change.c.n).limit(limit)
    last = 0
    for row in connection.execute(chosen):
        if row.at >= before or (read_to is not None and row.n > read_to):
            break
        last = row.n
    return connection.execute(delete(change).where(change.c.n <= last)).rowcount if last else 0


def drop_commands(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete answered requests of commands from before `before`; returns how many."""
    answered = select(request.c.n).where(request.c.state != "waiting", request.c.done_at < before)
    some = connection.execute(answered.order_by(request.c.n).limit(limit)).scalars().all()
    return connection.execute(delete(request).where(request.c.n.in_(some))).rowcount if some else 0


def drop_rejected(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete what was noted before `before` of things that could not be read; returns how many."""
    old = select(refusal.c.source, refusal.c.item).where(refusal.c.at < before).order_by(refusal.c.at)
    some = connection.execute(old.limit(limit)).all()
    for row in some:
        is_it = refusal.c.source == row.source, refusal.c.item == row.item
        connection.execute(delete(refusal).where(*is_it))
    return len(some)


# --- the full-text index -----------------------------------------------------------------------------------


def merge_index(connection: Connection, least: int, pages: int) -> bool:
    """Merge some `pages` of SQLite's full-text index once `least` rows of it are stale; whether it did.

    It keeps the words of what was taken out until they are merged. Postgres sees to that by itself.
    """
    if connection.dialect.name != "sqlite":
        return False
    is_under_way = bool(_counted(connection, _MERGING))
    if not is_under_way and _counted(connection, _STALE) < least:
        return False
    if not is_under_way:
        _count(connection, _STALE, 0)
    more = erase.merge_index(connection, is_first=not is_under_way, pages=pages)
    _count(connection, _MERGING, int(more))
    return True


# --- room --------------------------------------------------------------------------------------------------


class FileSpace(NamedTuple):
    """What an SQLite file is made of, in bytes; `has_auto_vacuum`: its free pages can leave it bit by bit."""

    file: int
    free: int
    page: int
    has_auto_vacuum: bool

    @property
    def used(self) -> int:
        """Without free pages: what the rows and indexes take."""
        return self.file - self.free


def file_space(connection: Connection) -> FileSpace | None:
    """None on Postgres, which sees to free pages by itself and does not tell of them."""
    if connection.dialect.name != "sqlite":
        return None
    page, pages, free, mode = (
        int(connection.execute(text(f"PRAGMA {name}")).scalar_one())
        for name in ("page_size", "page_count", "freelist_count", "auto_vacuum")
    )
    return FileSpace(page * pages, page * free, page, mode == _INCREMENTAL)


_INCREMENTAL = 2


def _counted(connection: Connection, name: str) -> int:
    found = connection.execute(select(counter.c.value).where(counter.c.name == name)).scalar()
    return int(found or 0)


def _count(connection: Connection, name: str, value: int) -> None:
    if not connection.execute(update(counter).where(counter.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(counter).values(name=name, value=value))
