"""The full-text index compared with the articles: which articles it has, and with which words."""

from array import array
from collections.abc import Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Row, select, text

from aggregator.model.errors import AggregatorError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.checks.finding import CheckScope, CheckStep, Fault, of_row
from aggregator.store.maintenance.checks.values import chosen_ranges
from aggregator.store.search import index
from aggregator.store.tables import article

_OTHER_WORDS: Final = "articles are in the full-text index with other words"
_DAMAGED: Final = ("malformed", "corrupt", "SQL logic error")  # in messages of SQLite about a damaged index
_SIXTY_FOUR_BITS: Final = (1 << 64) - 1
_AT_ONCE: Final = 500
# FTS5 has no list of its rows without their words, but each row has a token of its day.
_LISTED: Final = {
    "sqlite": "SELECT rowid FROM article_search WHERE article_search MATCH 'marks : \"_d\" *' ORDER BY rowid",
    "postgresql": "SELECT n FROM article_search ORDER BY n",
}


def faults(database: Database, extent: CheckScope, step: CheckStep) -> Iterator[Fault]:
    """Yield missing and stray rows of the index, and rows with other words in the chunks of `extent`."""
    try:
        yield from _listed(database)
        yield from _worded(database, extent, step)
    except AggregatorError as error:
        if not database.is_sqlite or not any(sign in str(error) for sign in _DAMAGED):
            raise
        yield of_row("the full-text index cannot be read", "all", "search")


def _listed(database: Database) -> Iterator[Fault]:
    with database.read() as connection:
        last, rest = index.indexed_to(connection), index.unindexed_to(connection)
        due = (
            select(article.c.inbox_no)
            .where(article.c.inbox_no > rest, article.c.inbox_no <= last)
            .order_by(article.c.inbox_no)
        )
        placed = ((n, "placed") for n in _streamed(connection, due))
        indexed = ((n, "indexed") for n in _streamed(connection, text(_LISTED[connection.dialect.name])))
        for n, rows in groupby(merge(placed, indexed), key=itemgetter(0)):
            sides = [side for _, side in rows]
            if sides == ["placed"]:
                yield of_row("articles are not in the full-text index", n, "search")
            elif sides == ["indexed"] and n > rest:  # else it waits to be indexed again
                yield of_row("the full-text index has articles that do not exist", n, "search")


def _streamed(connection: Connection, chosen: Any) -> Iterator[int]:
    rows = connection.execute(chosen, execution_options={"stream_results": True, "yield_per": 5000})
    yield from rows.scalars()


def _worded(database: Database, extent: CheckScope, step: CheckStep) -> Iterator[Fault]:
    """FTS5 finds articles by words, not words by article: on SQLite the whole index is read, or nothing."""
    if database.is_sqlite:
        if extent.every == 1:
            yield from _all_words(database, step)
        return
    for low, high in chosen_ranges(database, article.c.inbox_no, extent):
        with database.read() as connection:
            rows = index.rows_between(connection, low, high)
            for row in rows:
                if connection.execute(_OTHERS, index.tsvector_row(row)).first() is not None:
                    yield of_row(_OTHER_WORDS, row.inbox_no, "search")
        step(len(rows))


_OTHERS: Final = text(
    "SELECT 1 FROM article_search WHERE n = :n AND (is_long <> :l OR words <> CAST(:w AS tsvector))"
)


# --- SQLite's words ----------------------------------------------------------------------------------------


_WORDS: Final = "CREATE VIRTUAL TABLE temp.word USING fts5vocab(main, article_search, instance)"


def _all_words(database: Database, step: CheckStep) -> Iterator[Fault]:
    """Compare a sum of hashes of (word, column, position) per article: 8 bytes each.

    It reads one state of the database, because a revision changes both sides.
    """
    with database.read() as connection:
        last = index.indexed_to(connection)
        sums = array("Q", bytes(8 * (last + 1)))
        connection.execute(text(_WORDS))
        try:
            found = connection.execute(text("SELECT doc, term, col, offset FROM temp.word"))
            for doc, term, column, place in found.yield_per(10_000):
                if 0 <= doc <= last:
                    sums[doc] = (sums[doc] + hash((term, column, place))) & _SIXTY_FOUR_BITS
        finally:
            connection.execute(text("DROP TABLE temp.word"))
        for start in range(0, last + 1, _AT_ONCE):
            rows = index.rows_between(connection, start, start + _AT_ONCE - 1)
            for row in rows:
                if sums[row.inbox_no] and sums[row.inbox_no] != _summed(row):  # 0: it is not in the index
                    yield of_row(_OTHER_WORDS, row.inbox_no, "search")
            step(len(rows))


def _summed(row: Row[Any]) -> int:
    values = index.fts5_row(row)
    return (
        sum(
            hash((word, column, place))
            for column, words in (("title", values["t"]), ("body", values["b"]), ("marks", values["m"]))
            for place, word in enumerate(words.split())
        )
        & _SIXTY_FOUR_BITS
    )
