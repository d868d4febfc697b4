"""The sample articles that come with the program."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from aggregator.config.shipped import shipped_path
from aggregator.store.tables import has_rows, read_value


@cache
def samples_folder() -> Path:
    """Return the folder of the sample articles."""
    return shipped_path("examples/articles").resolve()


def shown_samples(connection: Connection) -> str | None:
    """Return the name of the folder of the sample articles; None if no stored article is from it."""
    name = read_value(
        connection,
        "SELECT name FROM folder WHERE path = :path",
        path=str(samples_folder()),
    )
    any_of_folder = """
        SELECT 1 FROM article JOIN entry ON entry.article = article.id WHERE entry.source = :name LIMIT 1
        """
    return name if name and has_rows(connection, any_of_folder, name=name) else None
