"""Finds stories and articles by ids as people type them: prefixes, typing errors, the wrong kind of id."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal

from sqlalchemy import Column, Connection, Select, Table, select

from aggregator.model.core import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, story

_SAME_BEGINNING = 2  # characters; about a thousand of a million ids share them
_MOST_COMPARED = 20_000
_MOST_SUGGESTED = 3
_SIMILARITY = 0.7  # ratio of difflib; an id with two typing errors has more


class IdSuggestion(FrozenStruct, frozen=True, kw_only=True):
    """An id that may have been meant."""

    kind: Literal["story", "article"]
    id: str
    title: str
    story: str  # the story of an article; for a story its own id


def newest_stories(database: Database, beginning: str, limit: int) -> list[tuple[str, str]]:
    """Return (id, headline) of the stories whose ids begin with `beginning`, the newest bump first."""
    with database.read() as connection:
        wanted = select(story.c.id, story.c.title).where(story.c.redirect_to.is_(None))
        wanted = _beginning(wanted, story.c.id, beginning).order_by(story.c.bumped_at.desc()).limit(limit)
        return [(row.id, row.title) for row in connection.execute(wanted)]


def suggest_ids(connection: Connection, word: str) -> tuple[IdSuggestion, ...]:
    """Return what `word` may mean: the story or article with this id, else those with similar ids."""
    word = word.strip().lower()
    if not (word.isascii() and word.isalnum()):
        return ()
    exact = _named(connection, [word])
    if exact:
        return exact
    near: list[str] = []
    for column in (story.c.id, article.c.id):
        same = _beginning(select(column), column, word[:_SAME_BEGINNING]).limit(_MOST_COMPARED)
        ids = list(connection.execute(same).scalars())
        longer = [one for one in ids if one.startswith(word)] if len(word) > _SAME_BEGINNING else []
        near += longer[:_MOST_SUGGESTED] or get_close_matches(
            word, ids, n=_MOST_SUGGESTED, cutoff=_SIMILARITY
        )
    return _named(connection, near)[:_MOST_SUGGESTED]


def _named(connection: Connection, ids: Sequence[str]) -> tuple[IdSuggestion, ...]:
    found: list[IdSuggestion] = []
    of_both: tuple[tuple[Literal["story", "article"], Table, Column[Any]], ...] = (
        ("story", story, story.c.id),
        ("article", article, article.c.story),
    )
    for kind, table, its_story in of_both:
        named = select(table.c.id, table.c.title, its_story.label("story")).where(table.c.id.in_(ids))
        rows = connection.execute(named.order_by(table.c.id))
        found += [IdSuggestion(kind=kind, **row._mapping) for row in rows]
    return tuple(found)


def _beginning(statement: Select[Any], column: Column[Any], beginning: str) -> Select[Any]:
    """Restrict to ids that begin with `beginning`, as a range, which the index supports on both databases.

    The end of the range is a letter or a digit, too: the order of other characters depends on the locale.
    """
    open_end = beginning.rstrip("z")
    if beginning:
        statement = statement.where(column >= beginning)
    if open_end:
        after = "a" if open_end[-1] == "9" else chr(ord(open_end[-1]) + 1)
        statement = statement.where(column < open_end[:-1] + after)
    return statement
