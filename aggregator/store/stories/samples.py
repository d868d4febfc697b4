"""The sample articles that come with the program, and their stories, which come after all real ones."""

import datetime as dt
from functools import cache
from pathlib import Path

from sqlalchemy import Column, ColumnElement, Connection, bindparam, select, update

from aggregator.config.shipped import shipped
from aggregator.store.tables import (
    IS_LIVE,
    article,
    change,
    entry,
    execute_each,
    folder,
    has_row,
    story,
)

_DAYS_BEFORE = 3
_STORIES = select(article.c.story).join(entry, entry.c.article == article.c.id)


@cache
def samples_folder() -> Path:
    """Return the folder of the sample articles."""
    return shipped("examples/articles").resolve()


def shown_samples(connection: Connection) -> str | None:
    """Return the name of the folder of the sample articles; None if no story is of them."""
    name = _name(connection)
    shown = _STORIES.where(entry.c.source == name).limit(1)
    return None if name is None or not has_row(connection, shown) else name


def _name(connection: Connection) -> str | None:
    named = select(folder.c.name).where(folder.c.path == str(samples_folder()))
    return connection.scalar(named)


def rank_last(connection: Connection) -> None:
    """Set the bumps of samples before those of all other stories, in the same order.

    They are moved by whole days, so that each stays unique, and by so many that no number of reports lifts
    them above the others on the front page (store/read/front_page.py: 39 hours at most).
    """
    name = _name(connection)
    if name is None:
        return
    samples = connection.scalars(
        _STORIES.where(entry.c.source == name).distinct()
    ).all()
    is_sample = story.c.id.in_(samples)
    bumps = select(story.c.bumped_at).where(IS_LIVE)
    first = bumps.where(~is_sample).order_by(story.c.bumped_at).limit(1)
    last = bumps.where(is_sample).order_by(story.c.bumped_at.desc()).limit(1)
    oldest = connection.scalar(first)
    newest = connection.scalar(last)
    if oldest is None or newest is None:
        return
    if newest < oldest - dt.timedelta(days=_DAYS_BEFORE - 1):
        return
    earlier = dt.timedelta(days=(newest - oldest).days + _DAYS_BEFORE)
    _move(connection, story.c.story_no, earlier, IS_LIVE, is_sample)
    _move(connection, change.c.change_no, earlier, change.c.story.in_(samples))


def _move(
    connection: Connection,
    key: Column[int],
    earlier: dt.timedelta,
    *conditions: ColumnElement[bool],
) -> None:
    """Set the bumps in rows of `key`'s table earlier."""
    bumped_at = key.table.c.bumped_at
    moved = [
        {"number": number, "moved": moment - earlier}
        for number, moment in connection.execute(
            select(key, bumped_at).where(*conditions)
        )
    ]
    statement = update(key.table).where(key == bindparam("number"))
    execute_each(connection, statement.values(bumped_at=bindparam("moved")), moved)
