"""Copies of articles that are erased: what they are copies of instead, and by which keys they are found."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, insert, update

from aggregator.store.stories import articles
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.tables import article, change_with, sketch


def orphaned_copies(connection: Connection, ids: Collection[str]) -> list[StoredArticle]:
    """Return the copies and excerpts of these articles that are not among them, in the order of placing."""
    copies = articles.stored_with(connection, article.c.copy_of, ids)
    return [copy for copy in copies if copy.id not in ids]


def set_original(connection: Connection, ids: Iterable[str], copy_of: str | None, **role: str) -> None:
    """Make these articles copies of another one (None: originals), with another `role` if it is given."""
    change_with(connection, update(article).values(copy_of=copy_of, **role), article.c.id, ids)


def set_copy_keys(
    connection: Connection, n: int, former: Collection[int], bands: Collection[int], hashes: bytes
) -> None:
    """Replace the bands and sampled shingles of article `n`. `former`: all that it may be stored with."""
    articles.remove_bands(connection, {n: former})
    connection.execute(delete(sketch).where(sketch.c.article == n))
    articles.add_bands(connection, [(band, n) for band in sorted(set(bands))])
    if hashes:
        connection.execute(insert(sketch), [{"article": n, "hashes": hashes}])
