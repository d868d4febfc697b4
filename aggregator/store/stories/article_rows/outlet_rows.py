"""The names of outlets in the rows of articles, and the line hashes of each outlet's newest articles."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from aggregator.store import codecs
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.tables import (
    insert_rows,
    outlet_line,
    read_rows,
    read_values,
    write_sql,
)


def own_name_of(connection: Connection, outlet: str) -> str | None:
    """Return the name that an outlet's own site gives it, read from its articles; None if no article has it."""
    for details in read_values(
        connection,
        "SELECT details FROM article WHERE outlet = :outlet AND outlet_name IS NOT NULL ORDER BY inbox_no",
        outlet=outlet,
    ):
        site_name = codecs.unpack(details, ArticleDetails).site_name
        if site_name is not None:
            return site_name
    return None


def unnamed_articles(connection: Connection, outlet: str) -> list[tuple[int, str]]:
    """Return number and story of an outlet's articles that have the outlet's key but not its name."""
    return read_rows(
        connection,
        "SELECT inbox_no, story FROM article WHERE outlet = :outlet AND outlet_name IS NULL",
        outlet=outlet,
    )


def set_outlet_name(connection: Connection, n: int, name: str) -> None:
    """Store the name of the outlet of article `n`."""
    write_sql(
        connection,
        "UPDATE article SET outlet_name = :name WHERE inbox_no = :n",
        name=name,
        n=n,
    )


def outlet_lines(connection: Connection, outlet: str) -> list[tuple[int, bytes]]:
    """Return inbox number and line hashes of the outlet's newest articles, oldest first."""
    return read_rows(
        connection,
        "SELECT article, lines FROM outlet_line WHERE outlet = :outlet ORDER BY article",
        outlet=outlet,
    )


def change_outlet_lines(
    connection: Connection,
    dropped: Iterable[tuple[str, int]],
    new: Mapping[tuple[str, int], bytes],
) -> None:
    """Delete the line hashes of articles, then add others, each by outlet and inbox number."""
    gone = "DELETE FROM outlet_line WHERE outlet = :outlet AND article = :number"
    for outlet, number in dropped:
        write_sql(connection, gone, outlet=outlet, number=number)
    added = [
        {"outlet": outlet, "article": number, "lines": lines}
        for (outlet, number), lines in new.items()
    ]
    insert_rows(connection, outlet_line, added)
