"""What corrections say, as labels: the user's own measure of how good the grouping is.

A person who corrected a story looked at it. So the articles that corrections in force name are labelled with
the story that they are in today.
"""

from collections.abc import Iterator

import msgspec

from aggregator.model.core import ArticleView
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views, articles, corrections


def labels(database: Database) -> dict[str, str]:
    """Article to story, for every article that a correction in force names."""
    with database.read() as connection:
        return articles.homes(connection, corrections.bound_articles(connection))


def labelled_records(database: Database) -> Iterator[bytes]:
    """One line of an evaluation set for each labelled article, in the order of their ids, with its text."""
    with database.read() as connection:
        homes = articles.homes(connection, corrections.bound_articles(connection))
        for view in article_views.views_with_text(connection, homes):
            yield _record(view, homes[view.id])


def _record(view: ArticleView, story: str) -> bytes:
    record = {
        "id": view.id,
        "lang": view.language,
        "source": view.outlet,
        "url": view.url,
        "published": view.published,
        "title": view.title,
        "text": view.text,
        "cluster": story,
    }
    return msgspec.json.encode(record) + b"\n"
