"""Deletion of articles (`forget`, retention): which articles a name means, which are old, what is deleted.

Hashes (identity keys, observations), ids and numbers stay, so that the same article is recognised and
refused. The caller computes the affected stories again (pipeline/placement/erase.py).
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from aggregator.cluster.entry_identity import url_key
from aggregator.extract.outlets import outlet_of
from aggregator.extract.urls import canonical_url
from aggregator.model.core import Entry, Evidence, FrozenStruct, StoryText
from aggregator.store import codecs
from aggregator.store.intake import tombstones
from aggregator.store.intake.identify import NOBODY
from aggregator.store.search import index
from aggregator.store.stories import articles, story_links
from aggregator.store.stories.article_views import is_of_outlets
from aggregator.store.stories.articles import ArticleDetails, StoredArticle, stored_with
from aggregator.store.tables import (
    INDEXED_ADDRESS,
    VALUES_AT_ONCE,
    article,
    change,
    change_with,
    command,
    counter_value,
    delete_some,
    entry,
    identity_key,
    in_parts,
    is_indexed,
    outbox,
    outlet_line,
    rejected_input,
    rows_with,
    set_counter,
    sketch,
    story,
    story_log,
    story_summary,
    tombstone,
    webhook,
)

_MERGED_PAGES = 500  # of the full-text index, in one transaction: about 2 MB
STALE_ROWS: Final = "index_stale"  # counter: rows taken out of the full-text index since it was last merged
_GIVEN_UP = "an article of the story was erased before it was sent"


DeletedPart = Literal["text", "all"]


class EraseTarget(FrozenStruct, frozen=True, kw_only=True):
    """The articles that a name means, including articles that wait or were refused."""

    kind: Literal["address", "article", "outlet", "source"]
    articles: tuple[str, ...]


class EraseSummary(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Numbers of rows to erase. `emptied` stories lose all articles; `copies` of the articles stay."""

    articles: int = 0
    entries: int = 0
    stories: int = 0
    emptied: int = 0
    copies: int = 0


# --- target ------------------------------------------------------------------------------------------------


def resolve_target(connection: Connection, name: str, *, is_source: bool = False) -> EraseTarget:
    """Return the articles of an address, an id or an outlet, ordered by id; none if the name is unknown.

    An address has a scheme. An outlet means all of its articles, placed and waiting. `is_source`: the name is
    `entry.source`; an article that another source had first stays.
    """
    if is_source:
        return EraseTarget(kind="source", articles=_of_source(connection, name))
    if "://" in name:
        return EraseTarget(kind="address", articles=_of_address(connection, name))
    known = (select(column).where(column == name).limit(1) for column in _IDS)
    if any(connection.execute(one).first() is not None for one in known):
        return EraseTarget(kind="article", articles=(name,))
    return EraseTarget(kind="outlet", articles=_of_outlet(connection, name))


def _of_address(connection: Connection, address: str) -> tuple[str, ...]:
    canonical = canonical_url(address)
    forms = {address} | ({canonical} if canonical else set())
    found: set[str] = set()
    if canonical is not None:
        owner = select(identity_key.c.article).where(identity_key.c.key == url_key(canonical))
        owners = set(connection.execute(owner).scalars()) - {NOBODY}
        roots = select(article.c.root_article).where(article.c.id.in_(owners))
        found |= owners | set(
            connection.execute(select(article.c.id).where(article.c.root_article.in_(roots))).scalars()
        )
    # An entry that only links to the address (of a search engine) does not have its identity key.
    its = (article.c.url, article.c.id), (entry.c.url, entry.c.article), (entry.c.page_url, entry.c.article)
    for column, its_article in its:  # separate queries, each with its own index
        chosen = select(its_article).where(column.in_(forms))
        if max(map(len, forms)) <= INDEXED_ADDRESS:
            chosen = chosen.where(is_indexed(column.name))
        found |= set(connection.execute(chosen).scalars())
    return tuple(sorted(found))


def _of_source(connection: Connection, name: str) -> tuple[str, ...]:
    placed = select(article.c.id).where(article.c.source == name)
    unplaced = (
        select(entry.c.article)
        .outerjoin(article, article.c.id == entry.c.article)
        .where(entry.c.source == name, article.c.id.is_(None))
        .where(or_(entry.c.verdict.is_(None), entry.c.verdict != tombstones.VERDICT))
    )
    return tuple(sorted(connection.execute(placed.union(unplaced)).scalars()))


_IDS: Final[tuple[Column[str], ...]] = (article.c.id, entry.c.article, tombstone.c.article)


def _of_outlet(connection: Connection, name: str) -> tuple[str, ...]:
    key = name.casefold()
    chosen = select(article.c.id).where(is_of_outlets(connection, [name]))
    found = set(connection.execute(chosen).scalars())
    unplaced = select(entry.c.article, entry.c.payload).where(
        entry.c.state != "done", or_(entry.c.verdict.is_(None), entry.c.verdict != tombstones.VERDICT)
    )
    for row in connection.execute(unplaced.execution_options(yield_per=VALUES_AT_ONCE)):
        given = codecs.decompress_struct(row.payload, Entry)
        outlet = outlet_of(given)
        if outlet is not None and key in (outlet.key.casefold(), outlet.name.casefold()):
            found.add(row.article)
    return tuple(sorted(found))


def summarise_erasure(connection: Connection, ids: Collection[str]) -> EraseSummary:
    """Count the rows that erasing these articles would affect."""
    articles = rows_with(connection, select(article.c.story), article.c.id, ids)
    lost = Counter(row.story for row in articles)
    has_text = or_(entry.c.verdict.is_(None), entry.c.verdict != tombstones.VERDICT)
    entries = rows_with(connection, select(entry.c.entry_no).where(has_text), entry.c.article, ids)
    copies = rows_with(connection, select(article.c.id), article.c.copy_of, ids)
    sizes = select(article.c.story, func.count().label("size")).group_by(article.c.story)
    stories = rows_with(connection, sizes, article.c.story, lost)
    return EraseSummary(
        articles=lost.total(),
        entries=sum(1 for _ in entries),
        copies=len({row.id for row in copies} - set(ids)),
        stories=len(lost),
        emptied=sum(row.size == lost[row.story] for row in stories),
    )


# --- one batch ---------------------------------------------------------------------------------------------


def rows_of(connection: Connection, ids: Collection[str]) -> list[StoredArticle]:
    """Return those of the articles that are placed, in the order of placing."""
    return stored_with(connection, article.c.id, ids)


def orphaned_copies(connection: Connection, ids: Collection[str]) -> list[StoredArticle]:
    """Return the copies and excerpts of these articles that are not among them, in the order of placing."""
    return [one for one in stored_with(connection, article.c.copy_of, ids) if one.id not in ids]


def set_original(connection: Connection, id: str, copy_of: str | None, role: str) -> None:  # noqa: A002
    """Make article `id` a copy of another one (None: an original)."""
    values = {"copy_of": copy_of, "role": role}
    connection.execute(update(article).where(article.c.id == id).values(**values))


def stories_of(connection: Connection, ids: Collection[str]) -> dict[str, set[str]]:
    """Return, by article, every story that it is or was in."""
    found: dict[str, set[str]] = {one: set() for one in ids}
    for its_id, its_story in (
        (article.c.id, article.c.story),
        (story_log.c.article, story_log.c.story),
        (change.c.article, change.c.story),
    ):
        chosen = select(its_id.label("id"), its_story.label("story")).distinct()
        for row in rows_with(connection, chosen, its_id, ids):
            found[row.id].add(row.story)
    return found


def with_redirects(connection: Connection, stories: Collection[str]) -> set[str]:
    """Return these stories, their successors, and all stories that redirect to either."""
    redirecting = select(story.c.redirect_to).where(story.c.redirect_to.is_not(None))
    targets = {row.redirect_to for row in rows_with(connection, redirecting, story.c.id, stories)}
    found = {*stories, *targets} - {""}
    return found | {row.id for row in rows_with(connection, select(story.c.id), story.c.redirect_to, found)}


def delete_articles(
    connection: Connection,
    gone: Sequence[StoredArticle],
    bands: Mapping[int, Collection[int]],
    what: DeletedPart,
) -> None:
    """Delete the texts of these articles ("text"), or their rows with all dependent rows ("all").

    Titles and decisions outlive the texts. `bands`: those each article may be stored with.
    """
    ids, numbers = [one.id for one in gone], [one.inbox_no for one in gone]
    indexed = [n for n in numbers if index.take_out(connection, n)]
    if indexed:
        set_counter(connection, STALE_ROWS, counter_value(connection, STALE_ROWS) + len(indexed))
    articles.remove_bands(connection, bands)
    if what == "all":
        change_with(connection, update(article).values(original=None), article.c.original, ids)
        change_with(connection, delete(article), article.c.id, ids)  # dependent rows cascade
        return
    for derived in (sketch, outlet_line):
        change_with(connection, delete(derived), derived.c.article, numbers)
    kept = select(article.c.inbox_no, article.c.details, article.c.evidence)
    rows = rows_with(connection, kept, article.c.inbox_no, numbers)
    without_text = {
        row.inbox_no: {
            "lead": "",
            "text": None,
            "details": _without_text(row.details),
            "signature": b"",
            "terms": b"",
            "evidence": _shortened(row.evidence),
        }
        for row in rows
    }
    rewrite(connection, article.c.inbox_no, without_text)
    for n in indexed:
        index.put_back(connection, n)


def _without_text(details: bytes) -> bytes:
    """Damaged details are dropped, because they may hold text."""
    try:
        known = codecs.unpack(details, ArticleDetails)
    except codecs.UNREADABLE:
        return codecs.pack(ArticleDetails())
    return codecs.pack(msgspec.structs.replace(known, repeated=(), media=()))


def _shortened(evidence: bytes) -> bytes:
    try:
        known = codecs.unpack(evidence, Evidence)
    except codecs.UNREADABLE:
        return evidence
    shortened = msgspec.structs.replace(known, reasons=(), shared=(), runner_up=None, excerpts=())
    return codecs.pack_compressed(shortened)


def set_copy_keys(
    connection: Connection, n: int, former: Collection[int], bands: Collection[int], hashes: bytes
) -> None:
    """Replace the bands and sampled shingles of article `n`. `former`: all that it may be stored with."""
    articles.remove_bands(connection, {n: former})
    connection.execute(delete(sketch).where(sketch.c.article == n))
    articles.add_bands(connection, [(band, n) for band in sorted(set(bands))])
    if hashes:
        connection.execute(insert(sketch), [{"article": n, "hashes": hashes}])


def blank_entries(connection: Connection, ids: Collection[str], at: dt.datetime) -> None:
    """Erase the text of all entries of these articles and refuse those that wait."""
    for part in in_parts(sorted(ids)):
        _blank(connection, entry.c.article.in_(part), at)


def blank_entry(connection: Connection, n: int, at: dt.datetime) -> None:
    """Erase the text of entry `n` and refuse it."""
    _blank(connection, entry.c.entry_no == n, at)


def _blank(connection: Connection, which: ColumnElement[bool], at: dt.datetime) -> None:
    names: set[str] = set()
    columns = entry.c.entry_no, entry.c.source, entry.c.url, entry.c.payload
    for row in connection.execute(select(*columns).where(which)).all():
        given = codecs.decompress_struct(row.payload, Entry) if row.payload else Entry(source=row.source)
        names |= {name for name in (row.url, given.url, given.guid) if name}
        empty = codecs.compress_struct(Entry(source=row.source))
        connection.execute(_BLANK, {"entry_n": row.entry_no, "empty": empty, "now": at})
    change_with(connection, delete(rejected_input), rejected_input.c.item, names)


_BLANK = (
    update(entry)
    .where(entry.c.entry_no == bindparam("entry_n"))
    .values(
        state="refused",
        url=None,
        payload=bindparam("empty"),
        page=None,
        page_url=None,
        page_charset=None,
        page_robots=None,
        page_due_at=None,
        done_at=func.coalesce(entry.c.done_at, bindparam("now", type_=entry.c.done_at.type)),
        outcome="refused",
        verdict=tombstones.VERDICT,
        reason=tombstones.REASON,
        page_verdict=None,
    )
)


# --- stories -----------------------------------------------------------------------------------------------

_BLANK_STORY: dict[str, Any] = {
    "title": "",
    "title_article": None,
    "summary": "",
    "text": None,
    "rendered": None,
    "count_state": None,
}


def hide_title(connection: Connection, id: str) -> None:  # noqa: A002 - the word that people type
    """Clear the headline of a live story, because it was the title of an erased article."""
    connection.execute(update(story).where(story.c.id == id).values(title="", title_article=None, summary=""))


def close_story(connection: Connection, id: str) -> None:  # noqa: A002
    """Close a story without articles. The row keeps the id, so that it is never given again."""
    counts = dict.fromkeys(("article_count", "outlet_count", "unknown_outlet_count", "report_count"), 0)
    empty = {**_BLANK_STORY, **counts, "redirect_to": ""}
    ended = or_(story.c.id == id, story.c.redirect_to == id)
    numbers = connection.execute(select(story.c.story_no).where(ended)).scalars().all()
    rewrite(connection, story.c.story_no, dict.fromkeys(numbers, empty))
    story_links.erase(connection, [id])


def erase_summaries(connection: Connection, ids: Collection[str]) -> None:
    """Delete the machine-written texts of these stories, which were made of their articles."""
    numbers = [row.story_no for row in rows_with(connection, select(story.c.story_no), story.c.id, ids)]
    change_with(connection, delete(story_summary), story_summary.c.story, numbers)


def blank_merged_stories(connection: Connection, ids: Collection[str]) -> None:
    """Erase the text of those of these stories that redirect; undoing a merge computes it again."""
    ended = update(story).where(story.c.redirect_to.is_not(None))
    change_with(connection, ended.values(**_BLANK_STORY), story.c.id, ids)


def titles_of(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return the headlines of these stories and the titles of their articles: titles that may stay."""
    live = select(story.c.title).where(story.c.redirect_to.is_(None))
    rows = chain(
        rows_with(connection, live, story.c.id, ids),
        rows_with(connection, select(article.c.title), article.c.story, ids),
    )
    return {row.title for row in rows} - {""}


def blank_history(
    connection: Connection, ids: Collection[str], stories: Collection[str], kept: Collection[str]
) -> None:
    """Erase headlines that are not in `kept` from the log and the changes of `stories` and articles `ids`."""
    change_with(connection, update(change).values(title="", article=None), change.c.article, ids)
    lines = select(story_log.c.log_no, story_log.c.detail).where(story_log.c.kind == "headline")
    for row in list(rows_with(connection, lines, story_log.c.story, stories)):
        cleaned = _without_titles(row.detail, kept)
        if cleaned != row.detail:
            its_own = update(story_log).where(story_log.c.log_no == row.log_no)
            connection.execute(its_own.values(detail=cleaned))
    changes = select(change.c.change_no, change.c.title, change.c.title_before)
    for one in list(rows_with(connection, changes, change.c.story, stories)):
        values = {
            "title": one.title if one.title in kept else "",
            "title_before": one.title_before if one.title_before in kept else None,
        }
        if values != {"title": one.title, "title_before": one.title_before}:
            connection.execute(update(change).where(change.c.change_no == one.change_no).values(**values))


def _without_titles(detail: str | None, kept: Collection[str]) -> str | None:
    if detail is None:
        return None
    given = json.loads(detail)
    for name in ("before", "after"):
        if name in given and given[name] not in kept:
            given[name] = ""
    return json.dumps(given, ensure_ascii=False, sort_keys=True)


def stop_deliveries(connection: Connection, stories: Collection[str], at: dt.datetime) -> None:
    """Give up the waiting deliveries about these stories."""
    values = {"state": "given_up", "body": None, "problem": _GIVEN_UP, "done_at": at}
    waiting = update(outbox).where(outbox.c.body.is_not(None)).values(**values)
    change_with(connection, waiting, outbox.c.story, stories)


def drop_answers(connection: Connection) -> None:
    """Delete the answered `recluster` commands: their results have headlines."""
    answered = command.c.kind == "recluster", command.c.state != "waiting"
    connection.execute(delete(command).where(*answered))


def blank_command(connection: Connection, n: int) -> None:
    """Erase the payload of command `n`: an address often contains the headline."""
    connection.execute(update(command).where(command.c.command_no == n).values(payload="{}"))


# --- remains of deleted rows -------------------------------------------------------------------------------


def merge_index(connection: Connection, *, is_first: bool, pages: int = _MERGED_PAGES) -> bool:
    """Merge `pages` of the full-text index, so that words of deleted rows go. Return whether more remains.

    FTS5 keeps the words of a deleted row until it merges. On Postgres VACUUM removes them.
    """
    if connection.dialect.name != "sqlite":
        return False
    if is_first:
        set_counter(connection, STALE_ROWS, 0)
    counted = text("SELECT total_changes()")
    before = connection.execute(counted).scalar_one()
    connection.execute(
        text("INSERT INTO article_search(article_search, rank) VALUES ('merge', :pages)"),
        {"pages": -pages if is_first else pages},
    )
    return bool(connection.execute(counted).scalar_one() - before >= 2)  # less than 2: nothing was merged


# --- updates that shrink rows ------------------------------------------------------------------------------


def rewrite(connection: Connection, key: Column[Any], values: Mapping[Any, Mapping[str, Any]]) -> None:
    """Write `values` (column to value, by `key`) into rows to which no other rows cascade.

    On SQLite rows are deleted and inserted again, so that pages are filled: it does not merge the pages of
    rows that an UPDATE made smaller. Measured, a row that lost nine tenths of its bytes continued to fill
    half a page. PostgreSQL writes a new row version in any case.
    """
    table = key.table
    assert isinstance(table, Table)
    keys = sorted(values)
    if connection.dialect.name != "sqlite":
        for one in keys:
            if values[one]:
                connection.execute(update(table).where(key == one).values(**values[one]))
        return
    connection.execute(text("PRAGMA defer_foreign_keys=ON"))  # to the end of this transaction
    for part in in_parts(keys):
        rows = [dict(row) for row in connection.execute(select(table).where(key.in_(part))).mappings()]
        connection.execute(delete(table).where(key.in_(part)))
        for row in rows:
            row.update(values[row[key.name]])
        if rows:
            connection.execute(insert(table), sorted(rows, key=lambda row: row[key.name]))


# === retention: which rows are old, and what stays of them (pipeline/placement/retention.py runs it) ========

# Nothing records how far it is: an old story is found by its oldest article, which has a text until that is
# deleted, and a row until it is deleted itself.

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


def newest_article(connection: Connection) -> int:
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
    low, high = 0, newest_article(connection) + 1
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


def articles_with_text(connection: Connection, story_id: str, limit: int) -> list[StoredArticle]:
    """Return the articles of a story whose texts are not deleted, in the order of placing."""
    with_text = select(article.c.id).where(article.c.story == story_id, article.c.text.is_not(None))
    ids = connection.execute(with_text.order_by(article.c.inbox_no).limit(limit)).scalars().all()
    return rows_of(connection, ids)


def drop_terms(connection: Connection, story_id: str) -> bool:
    """Delete the terms of the articles of a story; return whether there were any."""
    with_terms = article.c.story == story_id, func.length(article.c.terms) > 0
    return connection.execute(update(article).where(*with_terms).values(terms=b"")).rowcount > 0


def keep_text(connection: Connection, old: OldStory, text: StoryText) -> None:
    """Store what a story shows for good, before the texts of its articles are deleted."""
    erase_summaries(connection, [old.id])  # the final text lacks what one outlet had alone
    values = {"count_state": None, "text": "", "rendered": codecs.compress_struct(text)}
    rewrite(connection, story.c.story_no, {old.story_no: values})


def slim_entries(connection: Connection, ids: Collection[str]) -> None:
    """Delete payload and addresses of the placed entries of these articles; the rows stay for the counts."""
    # The state is compared here: SQLite, which has no statistics, would read the index of all placed entries.
    rows = rows_with(connection, select(entry.c.entry_no, entry.c.state), entry.c.article, ids)
    numbers = [row.entry_no for row in rows if row.state == "done"]
    rewrite(
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
    rewrite(connection, entry.c.entry_no, {row.entry_no: _settled(row) for row in rows})
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


def merge_stale_index(connection: Connection, least: int, pages: int) -> bool:
    """Merge `pages` of SQLite's full-text index once `least` of its rows are stale. Return whether it did.

    FTS5 keeps the words of deleted rows until it merges. On Postgres autovacuum removes them.
    """
    if connection.dialect.name != "sqlite":
        return False
    is_under_way = bool(counter_value(connection, _MERGING))
    if not is_under_way and counter_value(connection, STALE_ROWS) < least:
        return False
    more = merge_index(connection, is_first=not is_under_way, pages=pages)
    set_counter(connection, _MERGING, int(more))
    return True
