"""The sample articles that come with the program, and their stories, which come after all real ones."""

import datetime as dt
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, bindparam, select, update

from aggregator.config.shipped import shipped
from aggregator.store.tables import article, change, entry, folder, has_row, story

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


def rank_last(connection: Connection) -> bool:
    """Set the bumps of samples before those of all other stories, in the same order; return if any changed.

    They are moved by whole days, so that each stays unique, and by so many that no number of reports lifts
    them above the others on the front page (store/read/front_page.py: 39 hours at most).
    """
    name = _name(connection)
    if name is None:
        return False
    of_samples = connection.scalars(
        _STORIES.where(entry.c.source == name).distinct()
    ).all()
    live = select(story.c.story_no, story.c.bumped_at).where(
        story.c.redirect_to.is_(None)
    )
    others = live.where(story.c.id.not_in(of_samples)).order_by(story.c.bumped_at)
    oldest = connection.execute(others.limit(1)).first()
    moving = connection.execute(live.where(story.c.id.in_(of_samples))).all()
    newest = max((row.bumped_at for row in moving), default=None)
    if oldest is None or newest is None:
        return False
    if newest < oldest.bumped_at - dt.timedelta(days=_DAYS_BEFORE - 1):
        return False
    earlier = dt.timedelta(days=(newest - oldest.bumped_at).days + _DAYS_BEFORE)
    changes = select(change.c.change_no, change.c.bumped_at).where(
        change.c.story.in_(of_samples)
    )
    for key, rows in (
        (story.c.story_no, moving),
        (change.c.change_no, connection.execute(changes).all()),
    ):
        connection.execute(
            update(key.table)
            .where(key == bindparam("number"))
            .values(bumped_at=bindparam("moved")),
            [
                {"number": number, "moved": bumped_at - earlier}
                for number, bumped_at in rows
            ],
        )
    return True
