"""Whether the rows of a database agree with each other: `aggregator db check`. Reads only.

What is asked must hold between any two transactions. Derived rows that may lag behind for a moment (the
full-text index, merged texts) are asked only as far as they say that they are.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select, text

from aggregator.model import Noun
from aggregator.store import search
from aggregator.store.database import Database
from aggregator.store.tables import article, entry, revision, sketch, story, tombstone

_MOST_NAMED = 20  # lines of the database's own check


class Fault(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """Something that does not hold, in words, and of how many rows."""

    what: str
    rows: int


def faults(database: Database) -> Iterator[Fault]:
    """All that is wrong; nothing where all is well."""
    with database.read() as connection:
        yield from _of_the_file(connection)
        for what, rows in _questions():
            count = connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
            if count:
                yield Fault(what=what, rows=count)
        yield from _of_the_index(connection)


def _of_the_file(connection: Connection) -> Iterator[Fault]:
    """What SQLite says of its file, and of rows that refer to others. Postgres sees to both by itself."""
    if connection.dialect.name != "sqlite":
        return
    for row in connection.execute(text(f"PRAGMA integrity_check({_MOST_NAMED})")):
        if row[0] != "ok":
            yield Fault(what=f"the file is damaged: {row[0]}", rows=1)
    referring = [row[0] for row in connection.execute(text("PRAGMA foreign_key_check"))]
    for name in sorted(set(referring)):
        yield Fault(what=f"rows of {name} refer to what is not there", rows=referring.count(name))


def _questions() -> Iterator[tuple[str, Select[Any]]]:
    """What is wrong about each row that is found."""
    known = select(article.c.id)
    yield (
        "entries were placed and have no article",
        select(entry.c.n).where(entry.c.state == "done", entry.c.article.not_in(known)),
    )
    yield (
        "entries have a state that does not fit the rest of them",
        select(entry.c.n).where(
            or_(
                entry.c.state.not_in(("page", "ready", "done", "refused")),
                and_(entry.c.state.in_(("ready", "done")), entry.c.inbox_no.is_(None)),
                and_(entry.c.state == "page", or_(entry.c.inbox_no.is_not(None), entry.c.url.is_(None))),
                and_(entry.c.state.in_(("done", "refused")), entry.c.outcome.is_(None)),
            )
        ),
    )
    yield (
        "articles were placed under a number that no entry has",
        select(article.c.n).where(article.c.n.not_in(select(entry.c.inbox_no).where(entry.c.inbox_no > 0))),
    )
    yield (
        "articles are in a story that gave way",
        select(article.c.n)
        .join(story, story.c.id == article.c.story)
        .where(story.c.redirect_to.is_not(None)),
    )
    live = story.c.redirect_to.is_(None)
    sizes = select(article.c.story, func.count().label("size")).group_by(article.c.story).subquery()
    counted = select(story.c.n).outerjoin(sizes, sizes.c.story == story.c.id).where(live)
    yield ("stories have no article", counted.where(sizes.c.size.is_(None)))
    yield (
        "stories count other articles than they have",
        counted.where(sizes.c.size.is_not(None), sizes.c.size != story.c.article_count),
    )
    alive = select(story.c.id).where(live)
    yield (
        "stories gave way to one that is not there, or gave way itself",
        select(story.c.n).where(story.c.redirect_to != "", story.c.redirect_to.not_in(alive)),
    )
    yield (
        "articles are said to be copies of one that is not there",
        select(article.c.n).where(article.c.copy_of.is_not(None), article.c.copy_of.not_in(known)),
    )
    yield (
        "former texts are of an article that is not there",
        select(revision.c.number).where(revision.c.article.not_in(known)),
    )
    yield (
        "articles were forgotten and are there",
        select(tombstone.c.article).where(tombstone.c.article.in_(known)),
    )
    numbers = select(article.c.n)
    yield (
        "copy keys are of an article that is not there",
        select(sketch.c.article).where(sketch.c.article.not_in(numbers)),
    )


def _of_the_index(connection: Connection) -> Iterator[Fault]:
    """Articles that the full-text index says it has and has not, or the other way round."""
    listed = "SELECT n FROM article_search"
    if connection.dialect.name == "sqlite":  # it keeps no list of them, but each is marked with its day
        listed = "SELECT rowid FROM article_search WHERE article_search MATCH 'marks : \"_d\" *'"
    held = set(connection.execute(text(listed)).scalars())
    last, rest = search.indexed_to(connection), search.unindexed_to(connection)
    chosen = select(article.c.n).where(article.c.n <= last, article.c.n > rest)
    due = set(connection.execute(chosen).scalars())
    if due - held:
        yield Fault(what="articles are missing in the full-text index", rows=len(due - held))
    if wrong := {n for n in held if n > rest} - due:
        yield Fault(what="the full-text index holds articles that are not there", rows=len(wrong))
