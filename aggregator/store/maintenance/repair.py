"""Repair of derived rows, the SQL part of `db check --repair`, and of bumps in the future.

Each repair takes the keys of a finding (`checks/finding.py`) and checks again before it changes a row, so a
late or repeated repair changes nothing that is correct.
"""

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import BigInteger, Connection, func, literal_column, select, text, update

from aggregator.store.maintenance import erase
from aggregator.store.maintenance.checks.references import HIGHEST_NUMBERS, ORPHANS
from aggregator.store.search import index
from aggregator.store.stories import copy_keys
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.tables import article, change_with, counter, story

_AHEAD = dt.timedelta(minutes=1)  # by which a story's last bump may be ahead of the clock (chosen)
_AHEAD_SHARE = 0.05  # of the stories that are pulled back at most; if more are ahead, the clock is wrong now


class ClockTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `clock` of config/tuning.yaml, which gives the units."""

    ahead_min: int
    check_seconds: float


def pull_back(connection: Connection, now: dt.datetime, tuning: ClockTuning) -> int:
    """Set bumps that are in the future to `now`, in the same order. Return the number of stories.

    Such bumps were written under a wrong clock. With too many of them the present clock is assumed wrong, and
    nothing changes.
    """
    live = story.c.redirect_to.is_(None)
    in_future = (live, story.c.bumped_at > now + _AHEAD)
    newest = select(story.c.bumped_at).where(live).order_by(story.c.bumped_at.desc()).limit(1)
    last: dt.datetime | None = connection.execute(newest).scalar()
    if last is None or last <= now + _AHEAD:
        return 0
    count = connection.execute(select(func.count()).select_from(story).where(*in_future)).scalar_one()
    all_live = connection.execute(select(func.count()).select_from(story).where(live)).scalar_one()
    if count > max(tuning.ahead_min, _AHEAD_SHARE * all_live):
        return 0
    order = select(story.c.story_no).where(*in_future).order_by(story.c.bumped_at, story.c.story_no)
    ledger = Ledger(connection)
    for n in connection.execute(order).scalars().all():
        # Like every bump: to the second, with a serial number as microseconds.
        moment = now.replace(microsecond=ledger.number("bump") % 1_000_000)
        connection.execute(update(story).where(story.c.story_no == n).values(bumped_at=moment))
    ledger.close()
    return count


def raise_counters(connection: Connection, names: Sequence[str]) -> int:
    """Raise counters to the highest number in use. Return the number of changed rows."""
    mended = 0
    for name in names:
        highest = literal_column(f"({HIGHEST_NUMBERS[name]})", BigInteger)
        behind = counter.c.name == name, counter.c.value < highest
        mended += connection.execute(update(counter).where(*behind).values(value=highest)).rowcount
    return mended


def delete_orphans(connection: Connection, tables: Sequence[str]) -> int:
    """Delete derived rows of these tables that refer to nothing. Return their number.

    Identity keys and observations: their articles are then accepted when they arrive again.
    """
    return sum(
        connection.execute(text(f"DELETE FROM {one.table} WHERE {one.condition}")).rowcount  # noqa: S608
        for one in ORPHANS
        if one.table in tables
    )


def shorten_redirects(connection: Connection, ids: Sequence[str]) -> int:
    """Redirect stories to the end of their chain of redirects. Return their number. Skips cycles."""
    mended = 0
    for id_ in ids:
        chain = [id_]
        while (target := _target(connection, chain[-1])) and target not in chain:
            chain.append(target)
        if not target and len(chain) > 1:
            values = {"redirect_to": chain[-1] if target is None else target}
            mended += connection.execute(update(story).where(story.c.id == id_).values(**values)).rowcount
    return mended


def _target(connection: Connection, id_: str) -> str | None:
    return connection.execute(select(story.c.redirect_to).where(story.c.id == id_)).scalar()


def clear_lost_copies(connection: Connection, id_: str) -> None:
    """Turn the copies of missing articles in a story into reports."""
    match = article.alias("match")
    chosen = select(article.c.id, article.c.role).where(
        article.c.story == id_,
        article.c.copy_of.is_not(None),
        ~select(match.c.id).where(match.c.id == article.c.copy_of).exists(),
    )
    for row in connection.execute(chosen).all():
        erase.set_original(connection, row.id, None, "container" if row.role == "container" else "report")


def delete_stray_bands(
    connection: Connection, pairs: Sequence[str], bands_of: Callable[[bytes], Sequence[int]]
) -> int:
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
            mended += copy_keys.remove(connection, {number: [band]})
    return mended


def clear_merged_texts(connection: Connection, ids: Sequence[str]) -> int:
    """Clear the merged texts of these stories, which are then rendered again. Return their number."""
    rendered = update(story).where(story.c.merged_story.is_not(None))
    return change_with(connection, rendered.values(text=None, merged_story=None), story.c.id, ids)


def rebuild_search(connection: Connection, _keys: Sequence[str]) -> int:
    """Empty the full-text index and queue all articles for indexing, the newest first."""
    is_sqlite = connection.dialect.name == "sqlite"
    emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
    connection.execute(text(emptied if is_sqlite else "DELETE FROM article_search"))
    index.reindex_all(connection)
    return 1


def reindex(connection: Connection, names: Sequence[str]) -> int:
    """Rebuild SQLite indexes from their tables. Return their number. All other writers wait."""
    existing = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'")).scalars())
    indexes = [name for name in names if name in existing]
    for name in indexes:
        connection.exec_driver_sql(f'REINDEX "{name}"')
    return len(indexes)
