"""Hashes of the lines of each outlet's newest articles (extract/learned_boilerplate.py)."""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select

from aggregator.store.tables import outlet_line

_ROWS = (
    select(outlet_line.c.article, outlet_line.c.lines)
    .where(outlet_line.c.outlet == bindparam("outlet_key"))
    .order_by(outlet_line.c.article)
)
_ADD = insert(outlet_line)
_DROP = delete(outlet_line).where(
    outlet_line.c.outlet == bindparam("outlet_key"), outlet_line.c.article == bindparam("number")
)


def lines_of(connection: Connection, outlet: str) -> list[tuple[int, bytes]]:
    """Return inbox number and line hashes of the outlet's newest articles, oldest first."""
    return [(row.article, bytes(row.lines)) for row in connection.execute(_ROWS, {"outlet_key": outlet})]


def add(connection: Connection, outlet: str, number: int, lines: bytes) -> None:
    """Add the line hashes of an article."""
    connection.execute(_ADD, {"outlet": outlet, "article": number, "lines": lines})


def drop(connection: Connection, outlet: str, numbers: Iterable[int]) -> None:
    """Delete the line hashes of these articles."""
    rows = [{"outlet_key": outlet, "number": number} for number in numbers]
    if rows:
        connection.execute(_DROP, rows)
