"""Rows that follow from others, put right: what `db check --repair` does to them in SQL.

Each function takes what a fault names (`checks/fault.py`) and looks again before it changes anything: what is
well, or not there any more, stays as it is. So a repair that comes late, or twice, does no harm.

Stories that a wrong clock put first for ever: pulled back once the clock is right again.
"""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, exists, func, not_, select, text, update

from aggregator.model.core import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.search import index
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.tables import (
    across,
    article,
    change,
    counter,
    entry,
    entry_link,
    identity_key,
    in_parts,
    live_blog,
    lsh_band,
    outlet_line,
    revision,
    sighting,
    sketch,
    story,
    tombstone,
)


class ClockTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `clock` of config/tuning.yaml; units stand there."""

    ahead_seconds: float
    ahead_share: float
    ahead_least: int
    look_seconds: float


def pull_back(connection: Connection, now: dt.datetime, tuning: ClockTuning) -> int:
    """Give stories whose last bump is in the future the time `now`, in the order that they have; how many.

    None where they are too many: then the clock is wrong now, and was not before.
    """
    live = story.c.redirect_to.is_(None)
    prefetcher = (live, story.c.updated > now + dt.timedelta(seconds=tuning.ahead_seconds))
    newest = select(story.c.updated).where(live).order_by(story.c.updated.desc()).limit(1)
    last: dt.datetime | None = connection.execute(newest).scalar()
    if last is None or last <= now + dt.timedelta(seconds=tuning.ahead_seconds):
        return 0
    count = connection.execute(select(func.count()).select_from(story).where(*prefetcher)).scalar_one()
    all_live = connection.execute(select(func.count()).select_from(story).where(live)).scalar_one()
    if count > max(tuning.ahead_least, tuning.ahead_share * all_live):
        return 0
    order = select(story.c.n).where(*prefetcher).order_by(story.c.updated, story.c.n)
    ledger = Ledger(connection)
    for n in connection.execute(order).scalars().all():
        # As every bump: to the second, and told apart by the fraction.
        moment = now.replace(microsecond=ledger.number("bump") % 1_000_000)
        connection.execute(update(story).where(story.c.n == n).values(updated=moment))
    ledger.close()
    return count


class FutureBumpRepair:
    """Looks for such stories now and then. For the writer of stories alone."""

    def __init__(self, database: Database, tuning: ClockTuning) -> None:
        self._database = database
        self._tuning = tuning
        self._next_run_at = 0.0

    def run(self, now: dt.datetime) -> int:
        """Pull back what is ahead of `now`; how many stories that were. Looks every `look_seconds` only."""
        if time.monotonic() < self._next_run_at:
            return 0
        self._next_run_at = time.monotonic() + self._tuning.look_seconds
        return self._database.transact(lambda connection: pull_back(connection, now, self._tuning))


_CHILDREN: Final = (sketch, across, live_blog, entry_link, outlet_line)
_USED: Final[Mapping[str, tuple[Any, ...]]] = {
    "entry": (entry.c.n,),
    "inbox": (entry.c.inbox_no, article.c.n),
    "story": (story.c.n,),
    "change": (change.c.n,),
}


class DerivedColumns(FrozenStruct, frozen=True, kw_only=True):
    """What the row of a story says that follows from its articles alone."""

    sums: bytes
    standing: bytes
    article_count: int
    outlet_count: int
    report_count: int
    container_only: bool
    first_published: Any
    last_published: Any
    last_inbox_no: int


def counters(connection: Connection, names: Sequence[str]) -> int:
    """The next number of each kind is one that was never given."""
    mended = 0
    for name in names:
        highest = max(connection.execute(select(func.max(column))).scalar() or 0 for column in _USED[name])
        behind = counter.c.name == name, counter.c.value < highest
        mended += connection.execute(update(counter).where(*behind).values(value=highest)).rowcount
    return mended


def without_article(connection: Connection, table: Any, ids: Sequence[str]) -> int:
    """Keys or looks that lead to nothing: without them the article is taken in when it comes again."""
    mended = 0
    for part in in_parts(sorted(ids)):
        lost = (
            table.c.article.in_(part),
            not_(exists().where(article.c.id == table.c.article)),
            not_(exists().where(tombstone.c.article == table.c.article)),
            not_(exists().where(entry.c.article == table.c.article)),
        )
        mended += connection.execute(delete(table).where(*lost)).rowcount
    return mended


def keys(connection: Connection, ids: Sequence[str]) -> int:
    """Identity keys of articles that are not there."""
    return without_article(connection, identity_key, ids)


def delete_observations(connection: Connection, ids: Sequence[str]) -> int:
    """Looks of articles that are not there."""
    return without_article(connection, sighting, ids)


def orphans(connection: Connection, _keys: Sequence[str]) -> int:
    """Rows that were made of articles, and links to stories, that are not there."""
    mended = 0
    for table in _CHILDREN:
        gone = not_(exists().where(article.c.n == table.c.article))
        mended += connection.execute(delete(table).where(gone)).rowcount
    lost = not_(exists().where(story.c.id == entry_link.c.story))
    mended += connection.execute(delete(entry_link).where(lost)).rowcount
    former = not_(exists().where(article.c.id == revision.c.article))
    return mended + connection.execute(delete(revision).where(former)).rowcount


def redirects(connection: Connection, ids: Sequence[str]) -> int:
    """A story that gave way to one that gave way itself leads to where that led; a ring leads nowhere."""
    mended = 0
    for id_ in ids:
        met, at = {id_}, _target(connection, id_)
        while at and (further := _target(connection, at)) is not None and at not in met:
            met.add(at)
            at = further
        if at in met:
            continue
        mended += connection.execute(update(story).where(story.c.id == id_).values(redirect_to=at)).rowcount
    return mended


def _target(connection: Connection, id_: str) -> str | None:
    found: str | None = connection.execute(select(story.c.redirect_to).where(story.c.id == id_)).scalar()
    return found


def links(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Copies of an article that is not there are originals from now on; returns their stories."""
    twin = article.alias("twin")
    stories: set[str] = set()
    for part in in_parts(sorted(ids)):
        lost = article.c.id.in_(part), not_(exists().where(twin.c.id == article.c.copy_of))
        rows = connection.execute(select(article.c.id, article.c.role, article.c.story).where(*lost)).all()
        for row in rows:
            role = "report" if row.role in ("copy", "excerpt") else row.role
            connection.execute(update(article).where(article.c.id == row.id).values(copy_of=None, role=role))
            stories.add(row.story)
    return sorted(stories)


def copy_keys(connection: Connection, pairs: Sequence[str], keys_of: Any) -> int:
    """LSH keys ("KEY NUMBER") of an article that is not there, or that are not of its text.

    `keys_of` gives the keys of a signature.
    """
    mended = 0
    for pair in pairs:
        band, number = (int(part) for part in pair.split())
        signature = connection.execute(select(article.c.signature).where(article.c.n == number)).scalar()
        if signature is None or band not in keys_of(signature):
            held = lsh_band.c.band == band, lsh_band.c.article == number
            mended += connection.execute(delete(lsh_band).where(*held)).rowcount
    return mended


def clear_merged_texts(connection: Connection, ids: Sequence[str]) -> int:
    """The merged texts of these stories are told again."""
    values = {"text": None, "merged": None}
    return sum(
        connection.execute(
            update(story).where(story.c.id.in_(part), story.c.merged.is_not(None)).values(**values)
        ).rowcount
        for part in in_parts(sorted(ids))
    )


def write_story(connection: Connection, id_: str, worked: DerivedColumns) -> None:
    """Write what follows from a story's articles; its headline, order and texts stay."""
    values = {name: getattr(worked, name) for name in DerivedColumns.__struct_fields__}
    connection.execute(update(story).where(story.c.id == id_).values(**values))


# --- the full-text index -----------------------------------------------------------------------------------


def indexed(connection: Connection, numbers: Sequence[str]) -> int:
    """Index these articles where they are missing; on Postgres also where they stand with other words."""
    wanted = [int(one) for one in numbers]
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        for part in in_parts(sorted(wanted)):
            connection.execute(text("DELETE FROM article_search WHERE n = ANY(:numbers)"), {"numbers": part})
    mended = 0 if is_sqlite else len(wanted)
    for n in wanted:
        rows = index.rows_between(connection, n, n)
        if not rows or (is_sqlite and _is_listed(connection, n)):
            continue
        index.put(connection, rows)
        mended += is_sqlite
    return mended


def _is_listed(connection: Connection, n: int) -> bool:
    asked = "SELECT rowid FROM article_search WHERE article_search MATCH 'marks : \"_d\" *' AND rowid = :n"
    return connection.execute(text(asked), {"n": n}).first() is not None


def index_emptied(connection: Connection) -> None:
    """Empty the full-text index and let all articles wait for it; only on SQLite, which needs that."""
    connection.execute(text("INSERT INTO article_search(article_search) VALUES ('delete-all')"))
    index.reindex_all(connection)


def reindex(connection: Connection, names: Sequence[str]) -> int:
    """Make indexes of the file anew, of their tables. SQLite only; all other writers wait."""
    known = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'")).scalars())
    wanted = [name for name in names if name in known]
    for name in wanted:
        connection.exec_driver_sql(f'REINDEX "{name}"')
    return len(wanted)
