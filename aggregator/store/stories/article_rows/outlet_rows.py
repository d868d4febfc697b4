"""Names of outlets in the rows of articles, and hashes of the lines of each outlet's newest articles."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select

from aggregator.store import codecs
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.tables import article, execute_each, outlet_line, update_rows


def own_name_of(connection: Connection, outlet: str) -> str | None:
    """Return the name that an outlet's own site gives it, which one of its articles has; None without any."""
    is_named = article.c.outlet == outlet, article.c.outlet_name.is_not(None)
    for row in connection.execute(
        select(article.c.details).where(*is_named).order_by(article.c.inbox_no)
    ):
        site_name = codecs.unpack(row.details, ArticleDetails).site_name
        if site_name is not None:
            return site_name
    return None


def unnamed_articles(connection: Connection, outlet: str) -> list[tuple[int, str]]:
    """Return number and story of the articles of an outlet of which only the key is known."""
    is_unnamed = article.c.outlet == outlet, article.c.outlet_name.is_(None)
    rows = connection.execute(
        select(article.c.inbox_no, article.c.story).where(*is_unnamed)
    )
    return [(row.inbox_no, row.story) for row in rows]


def set_outlet_name(connection: Connection, n: int, name: str) -> None:
    """Let article `n` show this name of its outlet."""
    update_rows(connection, article, article.c.inbox_no == n, outlet_name=name)


_OUTLET_LINES = (
    select(outlet_line.c.article, outlet_line.c.lines)
    .where(outlet_line.c.outlet == bindparam("outlet_key"))
    .order_by(outlet_line.c.article)
)
_DROP_LINES = delete(outlet_line).where(
    outlet_line.c.outlet == bindparam("outlet_key"),
    outlet_line.c.article == bindparam("number"),
)
_ADD_LINES = insert(outlet_line)


def outlet_lines(connection: Connection, outlet: str) -> list[tuple[int, bytes]]:
    """Return inbox number and line hashes of the outlet's newest articles, oldest first."""
    rows = connection.execute(_OUTLET_LINES, {"outlet_key": outlet})
    return [(row.article, row.lines) for row in rows]


def change_outlet_lines(
    connection: Connection,
    dropped: Iterable[tuple[str, int]],
    new: Mapping[tuple[str, int], bytes],
) -> None:
    """Delete the line hashes of articles, then add others, each by outlet and inbox number."""
    former = [{"outlet_key": outlet, "number": number} for outlet, number in dropped]
    execute_each(connection, _DROP_LINES, former)
    added = [
        {"outlet": outlet, "article": number, "lines": lines}
        for (outlet, number), lines in new.items()
    ]
    execute_each(connection, _ADD_LINES, added)
