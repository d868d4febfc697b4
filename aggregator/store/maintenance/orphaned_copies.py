"""Copies of articles that are erased: what they are copies of instead, and by which keys they are found."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, update

from aggregator.store.stories import articles
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.tables import article, change_with


def orphaned_copies(
    connection: Connection, ids: Collection[str]
) -> list[StoredArticle]:
    """Return the copies and excerpts of these articles that are not among them, in the order of placing."""
    copies = articles.stored_with(connection, article.c.copy_of, ids)
    return [copy for copy in copies if copy.id not in ids]


def set_original(
    connection: Connection, ids: Iterable[str], copy_of: str | None, **role: str
) -> None:
    """Make these articles copies of another one (None: originals), with another `role` if it is given."""
    change_with(
        connection, update(article).values(copy_of=copy_of, **role), article.c.id, ids
    )
