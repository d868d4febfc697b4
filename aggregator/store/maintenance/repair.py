"""Repair of derived rows, the SQL part of `db check --repair`, and of bumps in the future.

Each repair takes the keys of a finding (`checks/finding.py`) and checks again before it changes a row, so a
late or repeated repair changes nothing that is correct.
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
    article,
    change,
    counter,
    cross_language,
    entry,
    identity_key,
    in_parts,
    live_blog,
    live_blog_link,
    lsh_band,
    observation,
    outlet_line,
    revision,
    sketch,
    story,
    tombstone,
)


class ClockTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `clock` of config/tuning.yaml, which gives the units."""

    ahead_seconds: float
    ahead_share: float
    ahead_min: int
    check_seconds: float


def pull_back(connection: Connection, now: dt.datetime, tuning: ClockTuning) -> int:
    """Set bumps that are in the future to `now`, in the same order. Return the number of stories.

    Such bumps were written under a wrong clock. With too many of them the present clock is assumed wrong, and
    nothing changes.
    """
    live = story.c.redirect_to.is_(None)
    in_future = (live, story.c.bumped_at > now + dt.timedelta(seconds=tuning.ahead_seconds))
    newest = select(story.c.bumped_at).where(live).order_by(story.c.bumped_at.desc()).limit(1)
    last: dt.datetime | None = connection.execute(newest).scalar()
    if last is None or last <= now + dt.timedelta(seconds=tuning.ahead_seconds):
        return 0
    count = connection.execute(select(func.count()).select_from(story).where(*in_future)).scalar_one()
    all_live = connection.execute(select(func.count()).select_from(story).where(live)).scalar_one()
    if count > max(tuning.ahead_min, tuning.ahead_share * all_live):
        return 0
    order = select(story.c.story_no).where(*in_future).order_by(story.c.bumped_at, story.c.story_no)
    ledger = Ledger(connection)
    for n in connection.execute(order).scalars().all():
        # Like every bump: to the second, with a serial number as microseconds.
        moment = now.replace(microsecond=ledger.number("bump") % 1_000_000)
        connection.execute(update(story).where(story.c.story_no == n).values(bumped_at=moment))
    ledger.close()
    return count


class FutureBumpRepair:
    """Calls `pull_back` every `check_seconds`. Only the writer uses it."""

    def __init__(self, database: Database, tuning: ClockTuning) -> None:
        self._database = database
        self._tuning = tuning
        self._next_run_at = 0.0

    def run(self, now: dt.datetime) -> int:
        """Run `pull_back` if it is due. Return the number of changed stories."""
        if time.monotonic() < self._next_run_at:
            return 0
        self._next_run_at = time.monotonic() + self._tuning.check_seconds
        return self._database.transact(lambda connection: pull_back(connection, now, self._tuning))


_CHILDREN: Final = (sketch, cross_language, live_blog, live_blog_link, outlet_line)
_USED: Final[Mapping[str, tuple[Any, ...]]] = {
    "entry": (entry.c.entry_no,),
    "inbox": (entry.c.inbox_no, article.c.inbox_no),
    "story": (story.c.story_no,),
    "change": (change.c.change_no,),
}


class DerivedColumns(FrozenStruct, frozen=True, kw_only=True):
    """The columns of a story that are computed from its articles."""

    centroid: bytes
    count_state: bytes
    article_count: int
    outlet_count: int
    unknown_outlet_count: int
    report_count: int
    container_only: bool
    first_published: Any
    last_published: Any
    last_inbox_no: int


def raise_counters(connection: Connection, names: Sequence[str]) -> int:
    """Raise counters to the highest number in use. Return the number of changed rows."""
    mended = 0
    for name in names:
        highest = max(connection.execute(select(func.max(column))).scalar() or 0 for column in _USED[name])
        behind = counter.c.name == name, counter.c.value < highest
        mended += connection.execute(update(counter).where(*behind).values(value=highest)).rowcount
    return mended


def _delete_without_article(connection: Connection, table: Any, ids: Sequence[str]) -> int:
    """Delete rows of missing articles, which are then accepted when they arrive again."""
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


def delete_identity_keys(connection: Connection, ids: Sequence[str]) -> int:
    """Delete the identity keys of articles that do not exist. Return the number of deleted rows."""
    return _delete_without_article(connection, identity_key, ids)


def delete_observations(connection: Connection, ids: Sequence[str]) -> int:
    """Delete the observations of articles that do not exist. Return the number of deleted rows."""
    return _delete_without_article(connection, observation, ids)


def delete_orphans(connection: Connection, _keys: Sequence[str]) -> int:
    """Delete derived rows of missing articles, and links to missing stories. Return their number."""
    mended = 0
    for table in _CHILDREN:
        gone = not_(exists().where(article.c.inbox_no == table.c.article))
        mended += connection.execute(delete(table).where(gone)).rowcount
    lost = not_(exists().where(story.c.id == live_blog_link.c.story))
    mended += connection.execute(delete(live_blog_link).where(lost)).rowcount
    former = not_(exists().where(article.c.id == revision.c.article))
    return mended + connection.execute(delete(revision).where(former)).rowcount


def shorten_redirects(connection: Connection, ids: Sequence[str]) -> int:
    """Redirect stories to the end of their chain of redirects. Return their number. Skips cycles."""
    mended = 0
    for id_ in ids:
        visited, at = {id_}, _target(connection, id_)
        while at and (further := _target(connection, at)) is not None and at not in visited:
            visited.add(at)
            at = further
        if at in visited:
            continue
        mended += connection.execute(update(story).where(story.c.id == id_).values(redirect_to=at)).rowcount
    return mended


def _target(connection: Connection, id_: str) -> str | None:
    found: str | None = connection.execute(select(story.c.redirect_to).where(story.c.id == id_)).scalar()
    return found


def clear_lost_copies(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Turn copies of missing articles into reports. Return the ids of their stories."""
    match = article.alias("match")
    stories: set[str] = set()
    for part in in_parts(sorted(ids)):
        lost = article.c.id.in_(part), not_(exists().where(match.c.id == article.c.copy_of))
        rows = connection.execute(select(article.c.id, article.c.role, article.c.story).where(*lost)).all()
        for row in rows:
            role = "report" if row.role in ("copy", "excerpt") else row.role
            connection.execute(update(article).where(article.c.id == row.id).values(copy_of=None, role=role))
            stories.add(row.story)
    return sorted(stories)


def delete_stray_bands(connection: Connection, pairs: Sequence[str], bands_of: Any) -> int:
    """Delete bands ("BAND NUMBER") of a missing article, or that do not match its signature.

    `bands_of` returns the bands of a signature. Return the number of deleted rows.
    """
    mended = 0
    for pair in pairs:
        band, number = (int(part) for part in pair.split())
        signature = connection.execute(
            select(article.c.signature).where(article.c.inbox_no == number)
        ).scalar()
        if signature is None or band not in bands_of(signature):
            held = lsh_band.c.band == band, lsh_band.c.article == number
            mended += connection.execute(delete(lsh_band).where(*held)).rowcount
    return mended


def clear_merged_texts(connection: Connection, ids: Sequence[str]) -> int:
    """Clear the merged texts of these stories, which are then rendered again. Return their number."""
    values = {"text": None, "merged_story": None}
    return sum(
        connection.execute(
            update(story).where(story.c.id.in_(part), story.c.merged_story.is_not(None)).values(**values)
        ).rowcount
        for part in in_parts(sorted(ids))
    )


def write_story(connection: Connection, id_: str, derived: DerivedColumns) -> None:
    """Write the derived columns of a story; does not change its headline, bump and texts."""
    values = {name: getattr(derived, name) for name in DerivedColumns.__struct_fields__}
    connection.execute(update(story).where(story.c.id == id_).values(**values))


# --- the full-text index -----------------------------------------------------------------------------------


def index_articles(connection: Connection, numbers: Sequence[str]) -> int:
    """Index articles that are missing in the index; on PostgreSQL index all again. Return their number."""
    inbox_numbers = [int(one) for one in numbers]
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        for part in in_parts(sorted(inbox_numbers)):
            connection.execute(text("DELETE FROM article_search WHERE n = ANY(:numbers)"), {"numbers": part})
    mended = 0 if is_sqlite else len(inbox_numbers)
    for n in inbox_numbers:
        rows = index.rows_between(connection, n, n)
        if not rows or (is_sqlite and _is_indexed(connection, n)):
            continue
        index.put(connection, rows)
        mended += is_sqlite
    return mended


def _is_indexed(connection: Connection, n: int) -> bool:
    query = "SELECT rowid FROM article_search WHERE article_search MATCH 'marks : \"_d\" *' AND rowid = :n"
    return connection.execute(text(query), {"n": n}).first() is not None


def empty_index(connection: Connection) -> None:
    """Empty the full-text index and queue all articles for indexing. SQLite only."""
    connection.execute(text("INSERT INTO article_search(article_search) VALUES ('delete-all')"))
    index.reindex_all(connection)


def reindex(connection: Connection, names: Sequence[str]) -> int:
    """Rebuild SQLite indexes from their tables. Return their number. All other writers wait."""
    existing = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'")).scalars())
    indexes = [name for name in names if name in existing]
    for name in indexes:
        connection.exec_driver_sql(f'REINDEX "{name}"')
    return len(indexes)
