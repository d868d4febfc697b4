"""`recluster`: reading placed articles as input again, and copying decisions from a scratch database."""

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update

from aggregator.model.core import Authority, CleanArticle, Entry, Evidence, FrozenStruct, Published
from aggregator.store import codecs
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.maintenance import erase
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.stories.stories import StoryState
from aggregator.store.tables import (
    article,
    correction,
    count_rows,
    counter,
    link_constraint,
    lsh_band,
    sketch,
    source_history,
    source_period,
    story,
    stream_period,
)

_ROWS_AT_ONCE = 500
# Columns of an article that a decision writes, or reading its text again.
_DECIDED = (
    "role",
    "is_compared",
    "copy_of",
    "reuses",
    "counts_as_report",
    "is_little_known",
    "follows",
    "evidence",
    "nearest",
    "wire",
    "details",
    "signature",
    "terms",
    "body_words",
    "date_counts",
    "kind",
    "kind_evidence",
    "lead",
    "language",
)


# Columns that have the name of a field of the extracted article.
_EXTRACTED = ("verdict", "title", "lead", "language", "author", "outlet")


class ReplayedArticle(FrozenStruct, frozen=True, kw_only=True):
    """A placed article as input of another placing."""

    waiting: InboxEntry
    clean: CleanArticle


class GroupedArticle(NamedTuple):
    """The assigned story of an article, for a comparison."""

    inbox_no: int
    id: str
    story: str


def first_seen_since(connection: Connection, since: dt.datetime | None) -> int:
    """Return the lowest inbox number of an article seen at `since` or later; one past the last if none.

    Articles whose text was deleted by retention are skipped, because they cannot be decided again.
    """
    without_text = select(func.max(article.c.inbox_no)).where(article.c.text.is_(None))
    last = connection.execute(without_text).scalar()
    least = 0 if last is None else last + 1
    if since is None:
        return least
    found = connection.execute(
        select(func.min(article.c.inbox_no)).where(article.c.seen_at >= since)
    ).scalar_one()
    return max(least, found if found is not None else erase.newest_article(connection) + 1)


def count_from(connection: Connection, n: int) -> int:
    """Count the articles with this inbox number or a higher one."""
    return count_rows(connection, article, article.c.inbox_no >= n)


def placed_from(connection: Connection, n: int, limit: int) -> list[ReplayedArticle]:
    """Return the next articles from inbox number `n` on, in order."""
    chosen = select(article).where(article.c.inbox_no >= n)
    rows = connection.execute(chosen.order_by(article.c.inbox_no).limit(limit))
    return [_replayed(row) for row in rows]


def _replayed(row: Any) -> ReplayedArticle:
    details = codecs.unpack(row.details, ArticleDetails)
    if details.wire and details.wire.kind == "copy":
        details = msgspec.structs.replace(details, wire=None)  # decided again
    published = row.published and Published(
        time=row.published,
        precision=row.published_precision or "minute",
        origin=row.published_origin or "feed",
        timezone_assumed=row.timezone_assumed,
    )
    # Without its address: an outlet that was derived from the address is in the row.
    authority: Authority = "foreign" if row.is_polled else "handed"
    entry = Entry(
        source=row.source, title=row.title, outlet=row.outlet, author=row.author, authority=authority
    )
    is_kind_of_original = (row.kind_evidence or "").startswith("copy of ")  # decided again
    return ReplayedArticle(
        waiting=InboxEntry(
            entry_no=row.inbox_no,
            inbox_no=row.inbox_no,
            article=row.id,
            is_revision=False,
            bump_by_clock=False,
            accepted_at=row.seen_at,
            entry=entry,
            effective_at=row.effective_at,  # a revision may have set it
            page_url=row.url,
        ),
        clean=CleanArticle(
            **{name: getattr(row, name) for name in _EXTRACTED},
            text=row.text,
            published=published,
            is_container=row.role == "container",
            kind="report" if is_kind_of_original else row.kind,
            kind_evidence=None if is_kind_of_original else row.kind_evidence,
            **msgspec.structs.asdict(details),
        ),
    )


# --- the scratch database ----------------------------------------------------------------------------------


def seed(live: Connection, scratch: Connection, n: int, step: Callable[[], None], *, corrected: bool) -> None:
    """Copy what was placed before inbox number `n`, with its stories, and the corrections.

    The second look then examines only stories that later articles change. `step` is called after each part.
    """
    if corrected:
        _copy(live, scratch, correction, select(correction), step)
        _copy(live, scratch, link_constraint, select(link_constraint), step)
    if n == 0:
        return
    _copy(live, scratch, story, select(story), step)
    scratch.execute(update(story).values(membership_changed_no=-1))
    # Stories of later articles are copied to reserve their ids: closed, without a successor.
    kept = select(article.c.story).where(article.c.inbox_no < n)
    for row in live.execute(select(counter).where(counter.c.name.in_(("story", "bump")))):
        scratch.execute(update(counter).where(counter.c.name == row.name).values(value=row.value))
    _copy(live, scratch, article, select(article).where(article.c.inbox_no < n), step)
    scratch.execute(update(story).where(story.c.id.not_in(kept)).values(redirect_to=""))
    _copy(live, scratch, lsh_band, select(lsh_band).where(lsh_band.c.article < n), step)
    _copy(live, scratch, sketch, select(sketch).where(sketch.c.article < n), step)
    _copy(live, scratch, stream_period, select(stream_period).where(stream_period.c.last_inbox_no < n), step)
    sources = _sources_before(live, n)
    if sources:
        scratch.execute(insert(source_history), sources)


def counted_up_to(live: Connection, n: int) -> int:
    """Return the inbox number up to which `seed` counts the articles of sources, if it begins before `n`.

    Matches are stored by period: it is the end of the period of `n`. Decisions read none of its counts before
    that.
    """
    counted = stream_period.c.number <= _closed_periods(live, n) + 1
    return live.execute(select(func.max(stream_period.c.last_inbox_no)).where(counted)).scalar() or 0


def _closed_periods(live: Connection, n: int) -> int:
    """Return the number of the last stream period that was closed before inbox number `n`; 0 for none."""
    before = select(func.max(stream_period.c.number)).where(stream_period.c.last_inbox_no < n)
    return live.execute(before).scalar() or 0


def _sources_before(live: Connection, n: int) -> list[dict[str, Any]]:
    """Return the history of sources for placing from inbox number `n` on."""
    closed = _closed_periods(live, n)
    since_closed, since_counted = _counts_after(live, closed), _counts_after(live, closed + 1)
    none = (0, 0)
    return [
        {
            "source": row.source,
            "articles": row.closed_articles - since_counted.get(row.source, none)[0],
            "matched": row.closed_matched - since_counted.get(row.source, none)[1],
            "closed_articles": row.closed_articles - since_closed.get(row.source, none)[0],
            "closed_matched": row.closed_matched - since_closed.get(row.source, none)[1],
        }
        for row in live.execute(select(source_history).order_by(source_history.c.source))
    ]


def _counts_after(live: Connection, period: int) -> dict[str, tuple[int, int]]:
    """Return (articles, matched articles) by source in the closed periods after this one."""
    columns = source_period.c.source, func.sum(source_period.c.articles), func.sum(source_period.c.matched)
    counts = select(*columns).where(source_period.c.period > period).group_by(source_period.c.source)
    return {row[0]: (int(row[1]), int(row[2])) for row in live.execute(counts)}


def _copy(source: Connection, target: Connection, table: Table, rows: Any, step: Callable[[], None]) -> None:
    for part in _parts(source, rows):
        target.execute(insert(table), part)
        step()


def split_stories(live: Connection, n: int) -> list[str]:
    """Return the stories that have articles on both sides of inbox number `n`."""
    later = select(article.c.story).where(article.c.inbox_no >= n)
    statement = select(article.c.story).where(article.c.inbox_no < n, article.c.story.in_(later)).distinct()
    return sorted(live.execute(statement).scalars())


# --- applying decisions ------------------------------------------------------------------------------------


def grouping(connection: Connection) -> list[GroupedArticle]:
    """Return the assigned story of every article, in the order of inbox numbers."""
    columns = [article.c[name] for name in GroupedArticle._fields]
    return [GroupedArticle(*row) for row in connection.execute(select(*columns).order_by(article.c.inbox_no))]


def story_numbers(connection: Connection) -> dict[str, int]:
    """Return the numbers of live stories by id."""
    rows = connection.execute(select(story.c.id, story.c.story_no).where(story.c.redirect_to.is_(None)))
    return {row.id: row.story_no for row in rows}


def founder_of(connection: Connection, story_id: str) -> str:
    """Return the id of the article that founded a story."""
    founder: str = connection.execute(
        select(story.c.founding_article).where(story.c.id == story_id)
    ).scalar_one()
    return founder


def state_of(connection: Connection, story_id: str) -> StoryState:
    """Return the state in the row of a story."""
    columns = [story.c[name] for name in StoryState.__struct_fields__]
    row = connection.execute(select(*columns).where(story.c.id == story_id)).one()
    return StoryState(**row._mapping)


_TAKE = (
    update(article)
    .where(article.c.inbox_no == bindparam("article_n"))
    .values({"story": bindparam("assigned_story"), **{name: bindparam(name) for name in _DECIDED}})
)


def take_over(
    live: Connection, scratch: Connection, names: Mapping[str, str], step: Callable[[], None]
) -> int:
    """Write the decisions of the scratch database into the articles. Return how many changed.

    `names`: the id of a story in the live database by its id in the scratch database. `step` is called after
    each part.
    """
    changed = 0
    columns = [article.c[name] for name in ("inbox_no", "id", "story", *_DECIDED)]
    today = _ids_today(scratch, names)
    for part in _parts(scratch, select(*columns).order_by(article.c.inbox_no)):
        first, last = part[0]["inbox_no"], part[-1]["inbox_no"]
        rows = live.execute(select(*columns).where(article.c.inbox_no.between(first, last))).mappings()
        known = {row["inbox_no"]: dict(row) for row in rows}
        changes = []
        for row in part:
            decided = row | {
                "story": names[row["story"]],
                "evidence": _renamed(row["evidence"], today),
                "follows": today(row["follows"]),
            }
            if row["inbox_no"] in known and known[row["inbox_no"]] != decided:
                changes.append(decided)
        changed += len(changes)
        if changes:
            names_of = {"article_n": "inbox_no", "assigned_story": "story", **{one: one for one in _DECIDED}}
            live.execute(_TAKE, [{new: row[old] for new, old in names_of.items()} for row in changes])
            _take_keys(live, scratch, [row["inbox_no"] for row in changes])
        step()
    return changed


def _ids_today(scratch: Connection, names: Mapping[str, str]) -> Callable[[str | None], str | None]:
    """Return a function that gives the id in the live database of a story of the scratch database.

    Of a story that was merged there, it is that of its successor; None if neither is known.
    """

    @functools.cache
    def today(id_: str | None) -> str | None:
        if id_ is None or id_ in names:
            return names.get(id_ or "")
        successor = scratch.execute(select(story.c.redirect_to).where(story.c.id == id_)).scalar()
        return names.get(successor or "")

    return today


def take_stream_history(live: Connection, scratch: Connection, step: Callable[[], None]) -> None:
    """Replace the stream history by that of the scratch database, with which all articles were decided.

    What is placed next, and the next new grouping, are then decided with one history.
    """
    for table in (stream_period, source_history, source_period):
        live.execute(delete(table))
        _copy(scratch, live, table, select(table), step)


def _parts(connection: Connection, statement: Any) -> Iterator[list[dict[str, Any]]]:
    found = connection.execute(statement.execution_options(yield_per=_ROWS_AT_ONCE))
    for part in found.mappings().partitions(_ROWS_AT_ONCE):
        yield [dict(row) for row in part]


def _renamed(evidence: bytes, today: Callable[[str | None], str | None]) -> bytes:
    """Return evidence with the id of the runner-up in the live database."""
    read = codecs.unpack(evidence, Evidence)
    rival = read.runner_up
    name = None if rival is None else today(rival.story)
    if rival is None or name is None or name == rival.story:
        return evidence
    renamed = msgspec.structs.replace(rival, story=name)
    return codecs.pack_compressed(msgspec.structs.replace(read, runner_up=renamed))


def _take_keys(live: Connection, scratch: Connection, numbers: Sequence[int]) -> None:
    """Copy the bands and sketches of these articles from the scratch database."""
    for table in (lsh_band, sketch):
        live.execute(delete(table).where(table.c.article.in_(numbers)))
        rows = scratch.execute(select(table).where(table.c.article.in_(numbers))).mappings().all()
        if rows:
            live.execute(insert(table), [dict(row) for row in rows])
