"""The sample articles that come with the program, and their stories, which come after all real ones."""

import datetime as dt
from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from aggregator.config.shipped import shipped
from aggregator.store.tables import read_rows, read_value, write_sql

_DAYS_BEFORE = 3
# The stories of the folder `:name`
_STORIES = """
    SELECT article.story FROM article JOIN entry ON entry.article = article.id WHERE entry.source = :name
    """


@cache
def samples_folder() -> Path:
    """Return the folder of the sample articles."""
    return shipped("examples/articles").resolve()


def shown_samples(connection: Connection) -> str | None:
    """Return the name of the folder of the sample articles; None if no story is of them."""
    name = _name(connection)
    if name is None or not read_rows(connection, f"{_STORIES} LIMIT 1", name=name):
        return None
    return name


def _name(connection: Connection) -> str | None:
    named = "SELECT name FROM folder WHERE path = :path"
    name: str | None = read_value(connection, named, path=str(samples_folder()))
    return name


def rank_last(connection: Connection) -> None:
    """Set the bumps of samples before those of all other stories, in the same order.

    They are moved by whole days, so that each stays unique, and by so many that no number of reports lifts
    them above the others on the front page (store/read/front_page_rows.py: 39 hours at most).
    """
    name = _name(connection)
    if name is None:
        return
    bumps = "SELECT bumped_at FROM story WHERE redirect_to IS NULL AND id"
    first = f"{bumps} NOT IN ({_STORIES}) ORDER BY bumped_at LIMIT 1"
    last = f"{bumps} IN ({_STORIES}) ORDER BY bumped_at DESC LIMIT 1"
    oldest = read_value(connection, first, name=name)
    newest = read_value(connection, last, name=name)
    if oldest is None or newest is None:
        return
    if newest < oldest - dt.timedelta(days=_DAYS_BEFORE - 1):
        return
    earlier = dt.timedelta(days=(newest - oldest).days + _DAYS_BEFORE)
    for table, key, of in (
        ("story", "story_no", "id"),
        ("change", "change_no", "story"),
    ):
        bumped = f"SELECT {key}, bumped_at FROM {table} WHERE {of} IN ({_STORIES})"  # noqa: S608
        move = f"UPDATE {table} SET bumped_at = :moment WHERE {key} = :number"  # noqa: S608
        for number, bumped_at in read_rows(connection, bumped, name=name):
            moment = bumped_at - earlier
            write_sql(connection, move, moment=moment, number=number)
