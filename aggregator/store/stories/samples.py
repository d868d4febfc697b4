"""Stories of the sample articles, which come after all real ones."""

import datetime as dt

from sqlalchemy import Connection, bindparam, select, update

from aggregator.store.tables import article, change, entry, folder, story

_DAYS_BEFORE = 3
_NAMES = select(folder.c.name).where(folder.c.first_start.is_not(None))  # only samples have a first start
_STORIES = select(article.c.story).join(entry, entry.c.article == article.c.id)


def shown_samples(connection: Connection) -> str | None:
    """Return the name of the folder of the sample articles; None if no story is of them."""
    for name in connection.execute(_NAMES).scalars():
        if connection.execute(_STORIES.where(entry.c.source == name).limit(1)).first() is not None:
            return str(name)
    return None


def rank_last(connection: Connection) -> bool:
    """Set the bumps of samples before those of all other stories, in the same order; return if any changed.

    They are moved by whole days, so that each stays unique, and by so many that no number of reports lifts
    them above the others on the front page (store/read/front_page.py: 39 hours at most).
    """
    names = connection.execute(_NAMES).scalars().all()
    if not names:
        return False
    of_samples = connection.execute(_STORIES.where(entry.c.source.in_(names)).distinct()).scalars().all()
    live = select(story.c.story_no, story.c.bumped_at).where(story.c.redirect_to.is_(None))
    others = live.where(story.c.id.not_in(of_samples)).order_by(story.c.bumped_at)
    oldest = connection.execute(others.limit(1)).first()
    moving = connection.execute(live.where(story.c.id.in_(of_samples))).all()
    newest = max((row.bumped_at for row in moving), default=None)
    if oldest is None or newest is None:
        return False
    if newest < oldest.bumped_at - dt.timedelta(days=_DAYS_BEFORE - 1):
        return False
    earlier = dt.timedelta(days=(newest - oldest.bumped_at).days + _DAYS_BEFORE)
    changes = select(change.c.change_no, change.c.bumped_at).where(change.c.story.in_(of_samples))
    for key, rows in (
        (story.c.story_no, moving),
        (change.c.change_no, connection.execute(changes).all()),
    ):
        connection.execute(
            update(key.table).where(key == bindparam("number")).values(bumped_at=bindparam("moved")),
            [{"number": number, "moved": bumped_at - earlier} for number, bumped_at in rows],
        )
    return True
