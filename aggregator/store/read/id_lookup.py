"""Ids of stories and articles as people type them: beginnings, slips, one kind taken for the other."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal

from sqlalchemy import Column, Connection, Select, select

from aggregator.model.core import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, story

_SAME_BEGINNING = 2  # characters: of a million ids about a thousand begin alike
_MOST_COMPARED = 20_000
_MOST_SUGGESTED = 3
_LIKENESS = 0.7  # of difflib; an id with two slips has more


class IdSuggestion(FrozenStruct, frozen=True, kw_only=True):
    """What somebody may have meant."""

    kind: Literal["story", "article"]
    id: str
    title: str
    story: str  # of an article its story, of a story itself


def newest_stories(database: Database, beginning: str, limit: int) -> list[tuple[str, str]]:
    """(id, headline) of the stories whose ids begin so, the newest bump first."""
    with database.read() as connection:
        wanted = select(story.c.id, story.c.title).where(story.c.redirect_to.is_(None))
        wanted = _beginning(wanted, story.c.id, beginning).order_by(story.c.updated.desc()).limit(limit)
        return [(row.id, row.title) for row in connection.execute(wanted)]


def suggest_ids(connection: Connection, word: str) -> tuple[IdSuggestion, ...]:
    """What somebody who typed `word` may have meant: what has that very id, else what has ids like it."""
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
        near += longer[:_MOST_SUGGESTED] or get_close_matches(word, ids, n=_MOST_SUGGESTED, cutoff=_LIKENESS)
    return _named(connection, near)[:_MOST_SUGGESTED]


def _named(connection: Connection, ids: Sequence[str]) -> tuple[IdSuggestion, ...]:
    stories = select(story.c.id, story.c.title, story.c.id.label("home")).where(story.c.id.in_(ids))
    articles = select(article.c.id, article.c.title, article.c.story.label("home")).where(
        article.c.id.in_(ids)
    )
    found: list[IdSuggestion] = []
    kinds: tuple[tuple[Literal["story", "article"], Select[Any]], ...] = (
        ("story", stories),
        ("article", articles),
    )
    for kind, statement in kinds:
        rows = connection.execute(statement.order_by("id"))
        found += [IdSuggestion(kind=kind, id=row.id, title=row.title, story=row.home) for row in rows]
    return tuple(found)


def _beginning(statement: Select[Any], column: Column[Any], beginning: str) -> Select[Any]:
    """Restrict to ids that begin so; as a range, which the index on ids answers on both databases.

    The end of the range is a letter or a digit too: where other characters stand is up to a server's locale.
    """
    open_end = beginning.rstrip("z")
    if beginning:
        statement = statement.where(column >= beginning)
    if open_end:
        after = "a" if open_end[-1] == "9" else chr(ord(open_end[-1]) + 1)
        statement = statement.where(column < open_end[:-1] + after)
    return statement
