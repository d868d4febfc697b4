"""Deciding again: placed articles as they were handed in, and taking over what was decided aside."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update

from aggregator.model.core import CleanArticle, Entry, Evidence, FrozenStruct, Published
from aggregator.store import codecs
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.maintenance import retention
from aggregator.store.stories import corrections
from aggregator.store.stories.article_text import TEXT, refuse_damaged
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.stories.stories import StoryState
from aggregator.store.tables import (
    across,
    article,
    bond,
    correction,
    counter,
    entry,
    entry_link,
    live_blog,
    lsh_band,
    revision,
    sketch,
    story,
)

_ROWS_AT_ONCE = 500
# What a decision about an article writes into its row.
_DECIDED = ("role", "weighs", "copy_of", "evidence", "wire", "details", "signature", "terms", "body_words")


class ReplayedArticle(FrozenStruct, frozen=True, kw_only=True):
    """A placed article as it was when it waited for its place."""

    waiting: InboxEntry
    clean: CleanArticle


class GroupedArticle(FrozenStruct, frozen=True, kw_only=True):
    """Where an article is, and what is compared of it."""

    n: int
    id: str
    story: str


def first_seen_since(connection: Connection, since: dt.datetime | None) -> int:
    """The lowest inbox number of the articles accepted at `since` or later; one past the last without any.

    Never one whose text is kept no more: what it told of cannot be decided again.
    """
    worded = retention.reached(connection, "texts")
    least = worded + 1 if worded else 0
    if since is None:
        return least
    found = connection.execute(select(func.min(article.c.n)).where(article.c.seen >= since)).scalar_one()
    return max(least, found if found is not None else newest(connection) + 1)


def newest(connection: Connection) -> int:
    """The highest inbox number of an article; 0 without any."""
    found: int | None = connection.execute(select(func.max(article.c.n))).scalar_one()
    return found or 0


def last_decided(connection: Connection) -> int:
    """The highest inbox number that was decided about, also of entries that were refused; 0 without."""
    decided = select(func.max(entry.c.inbox_no)).where(entry.c.state.in_(("done", "refused")))
    return max(newest(connection), connection.execute(decided).scalar_one() or 0)


def rewritten(connection: Connection) -> str:
    """Another word whenever an article was given other words."""
    return str(connection.execute(select(func.max(revision.c.replaced_at))).scalar_one())


def first_article(connection: Connection) -> str | None:
    """The id of the article that was placed first: it tells one database from another at the same address."""
    return connection.execute(select(article.c.id).order_by(article.c.n).limit(1)).scalar()


def constraints_digest(connection: Connection) -> str:
    """Another word whenever the corrections in force are others."""
    digest = hashlib.blake2b(digest_size=8)
    for one in corrections.all_constraints(connection):
        digest.update(f"{one.correction} {one.article} {one.relation} {one.side}\n".encode())
    return digest.hexdigest()


def count_from(connection: Connection, n: int) -> int:
    """How many articles have this inbox number or a higher one."""
    statement = select(func.count()).select_from(article).where(article.c.n >= n)
    return int(connection.execute(statement).scalar_one())


def placed_from(connection: Connection, n: int, limit: int) -> list[ReplayedArticle]:
    """The next articles, in the order of their inbox numbers, from `n` on.

    Raises DamagedError where a text cannot be read: without it others would get another place.
    """
    chosen = select(article, TEXT.label("words")).where(article.c.n >= n)
    rows = connection.execute(chosen.order_by(article.c.n).limit(limit))
    return [_again(row) for row in rows]


def _again(row: Any) -> ReplayedArticle:
    refuse_damaged(row.words, row.id)
    details = codecs.unpack(row.details, ArticleDetails)
    published = None
    if row.published is not None:
        published = Published(
            time=row.published,
            precision=row.published_precision or "minute",
            origin=row.published_origin or "feed",
            zone_assumed=row.zone_assumed,
        )
    # Without its address: what the address says of the outlet is in the row, where it was believed.
    entry = Entry(source=row.source, title=row.title, outlet=row.outlet, author=row.author)
    return ReplayedArticle(
        waiting=InboxEntry(
            n=row.n,
            inbox_no=row.n,
            article=row.id,
            revises=False,
            bumps_by_clock=False,
            accepted_at=row.effective,  # what its time is worked out from; a revision may have set it
            entry=entry,
            page_url=row.url,
        ),
        clean=CleanArticle(
            verdict=row.verdict,
            title=row.title,
            text=row.words,
            lead=row.lead,
            language=row.language,
            author=row.author,
            outlet=row.outlet,
            published=published,
            modified=details.modified,
            wire=None if details.wire and details.wire.kind == "copy" else details.wire,
            is_container=row.role == "container",
            timed=details.timed,
            canonical_url=details.canonical_url,
            noarchive=details.noarchive,
            nosnippet=details.nosnippet,
            tdm_reserved=details.tdm_reserved,
            media=details.media,
            truncated=details.truncated,
            repeated=details.repeated,
        ),
    )


# --- the scratch database ----------------------------------------------------------------------------------


def seed(live: Connection, scratch: Connection, n: int, step: Callable[[], None], *, corrected: bool) -> None:
    """Copy what was placed before inbox number `n`, with its stories as they are, and the corrections.

    A look goes over those of them only that later articles touch. `step` is called after each part.
    """
    if corrected:
        _copy(live, scratch, correction, select(correction), step)
        _copy(live, scratch, bond, select(bond), step)
    if n == 0:
        return
    _copy(live, scratch, story, select(story), step)
    scratch.execute(update(story).values(touched_no=-1))
    # Stories of later articles only say which ids are taken; none is live, and none leads anywhere.
    kept = select(article.c.story).where(article.c.n < n)
    for row in live.execute(select(counter).where(counter.c.name.in_(("story", "bump")))):
        scratch.execute(update(counter).where(counter.c.name == row.name).values(value=row.value))
    _copy(live, scratch, article, select(article).where(article.c.n < n), step)
    scratch.execute(update(story).where(story.c.id.not_in(kept)).values(redirect_to=""))
    _copy(live, scratch, lsh_band, select(lsh_band).where(lsh_band.c.article < n), step)
    _copy(live, scratch, sketch, select(sketch).where(sketch.c.article < n), step)
    _copy(live, scratch, across, select(across).where(across.c.article < n), step)
    _copy(live, scratch, live_blog, select(live_blog).where(live_blog.c.article < n), step)
    _copy(live, scratch, entry_link, select(entry_link).where(entry_link.c.article < n), step)


def _copy(source: Connection, target: Connection, table: Table, rows: Any, step: Callable[[], None]) -> None:
    found = source.execute(rows.execution_options(yield_per=_ROWS_AT_ONCE))
    for part in found.mappings().partitions(_ROWS_AT_ONCE):
        target.execute(insert(table), [dict(row) for row in part])
        step()


def torn_stories(live: Connection, n: int) -> list[str]:
    """The stories that have articles on both sides of inbox number `n`."""
    later = select(article.c.story).where(article.c.n >= n)
    statement = select(article.c.story).where(article.c.n < n, article.c.story.in_(later)).distinct()
    return sorted(live.execute(statement).scalars())


# --- taking over -------------------------------------------------------------------------------------------


def grouping(connection: Connection) -> list[GroupedArticle]:
    """Every article's home, in the order of inbox numbers."""
    rows = connection.execute(select(article.c.n, article.c.id, article.c.story).order_by(article.c.n))
    return [GroupedArticle(**row._mapping) for row in rows]


def story_numbers(connection: Connection) -> dict[str, int]:
    """Id to running number of the stories that have not given way."""
    rows = connection.execute(select(story.c.id, story.c.n).where(story.c.redirect_to.is_(None)))
    return {row.id: row.n for row in rows}


def founder_of(connection: Connection, story_id: str) -> str:
    """The article that founded a story."""
    return str(connection.execute(select(story.c.founder).where(story.c.id == story_id)).scalar_one())


def state_of(connection: Connection, story_id: str) -> StoryState:
    """What the row of a story says."""
    columns = [story.c[name] for name in StoryState.__struct_fields__]
    row = connection.execute(select(*columns).where(story.c.id == story_id)).one()
    return StoryState(**row._mapping)


_TAKE = (
    update(article)
    .where(article.c.n == bindparam("article_n"))
    .values({"story": bindparam("home"), **{name: bindparam(name) for name in _DECIDED}})
)


def take_over(
    live: Connection, scratch: Connection, names: Mapping[str, str], step: Callable[[], None]
) -> int:
    """Write what was decided aside about the articles; returns how many changed.

    `names`: id of a story aside to its id here. `step` is called after each part.
    """
    changed = 0
    columns = [article.c[name] for name in ("n", "id", "story", *_DECIDED)]
    for part in _parts(scratch, select(*columns).order_by(article.c.n)):
        first, last = part[0]["n"], part[-1]["n"]
        rows = live.execute(select(*columns).where(article.c.n.between(first, last))).mappings()
        known = {row["n"]: dict(row) for row in rows}
        fresh = []
        for row in part:
            decided = row | {"story": names[row["story"]], "evidence": _renamed(row["evidence"], names)}
            if row["n"] in known and known[row["n"]] != decided:
                fresh.append(decided)
        changed += len(fresh)
        if fresh:
            live.execute(
                _TAKE,
                [
                    {"article_n": row["n"], "home": row["story"], **{k: row[k] for k in _DECIDED}}
                    for row in fresh
                ],
            )
            _take_keys(live, scratch, [row["n"] for row in fresh])
            retention.begin_again(live, before=fresh[0]["n"])
        step()
    return changed


def take_links(
    live: Connection, scratch: Connection, names: Mapping[str, str], step: Callable[[], None]
) -> None:
    """Put the links of live blogs as they are aside in the place of those here.

    `names` as in `take_over`. What was placed here meanwhile keeps its links.
    """
    last = newest(scratch)
    for table in (entry_link, live_blog):
        live.execute(delete(table).where(table.c.article <= last))
    for part in _parts(scratch, select(live_blog).where(live_blog.c.article <= last)):
        live.execute(insert(live_blog), part)
        step()
    today = func.coalesce(story.c.redirect_to, story.c.id)
    columns = [entry_link.c.article, entry_link.c.position, today.label("story"), entry_link.c.score]
    aside = select(*columns).join(story, story.c.id == entry_link.c.story)
    for part in _parts(scratch, aside.where(entry_link.c.article <= last)):
        rows = [row | {"story": names[row["story"]]} for row in part if row["story"] in names]
        if rows:
            live.execute(insert(entry_link), rows)
        step()


def _parts(connection: Connection, statement: Any) -> Iterator[list[dict[str, Any]]]:
    found = connection.execute(statement.execution_options(yield_per=_ROWS_AT_ONCE))
    for part in found.mappings().partitions(_ROWS_AT_ONCE):
        yield [dict(row) for row in part]


def _renamed(evidence: bytes, names: Mapping[str, str]) -> bytes:
    """Evidence with the names that stories have here."""
    read = codecs.unpack(evidence, Evidence)
    rival = read.runner_up
    if rival is None or rival.story not in names or names[rival.story] == rival.story:
        return evidence
    renamed = msgspec.structs.replace(rival, story=names[rival.story])
    return codecs.press(msgspec.structs.replace(read, runner_up=renamed))


def _take_keys(live: Connection, scratch: Connection, numbers: Sequence[int]) -> None:
    """The copy keys of these articles, as they are aside."""
    for table in (lsh_band, sketch, across):
        live.execute(delete(table).where(table.c.article.in_(numbers)))
        rows = scratch.execute(select(table).where(table.c.article.in_(numbers))).mappings().all()
        if rows:
            live.execute(insert(table), [dict(row) for row in rows])
