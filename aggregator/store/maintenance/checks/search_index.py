"""The full-text index against the articles: which are in it, and by which words."""

from array import array
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, select, text

from aggregator.model.errors import AggregatorError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.checks.finding import CheckScope, CheckStep, Fault, Remedy, merge_faults
from aggregator.store.maintenance.checks.values import ranges
from aggregator.store.search import index
from aggregator.store.tables import article

_OTHER_WORDS: Final = "articles stand in the full-text index with other words"
_TORN: Final = ("malformed", "corrupt", "SQL logic error")  # what SQLite says of an index that is damaged
_SIXTY_FOUR_BITS: Final = (1 << 64) - 1
_AT_ONCE: Final = 500
# SQLite keeps no list of them, but each is marked with its day.
_LISTED: Final = {
    "sqlite": "SELECT rowid FROM article_search WHERE article_search MATCH 'marks : \"_d\" *' ORDER BY rowid",
    "postgresql": "SELECT n FROM article_search ORDER BY n",
}


def faults(database: Database, extent: CheckScope, step: CheckStep) -> Iterator[Fault]:
    """Articles that are not in it, or are in it and not there; and words, as far as `extent` says."""
    try:
        yield from merge_faults(_listed(database))
        yield from merge_faults(_worded(database, extent, step))
    except AggregatorError as error:
        if not database.is_sqlite or not any(sign in str(error) for sign in _TORN):
            raise
        yield Fault(what="the full-text index cannot be read", rows=1, remedy="search anew", keys=("all",))


def _listed(database: Database) -> Iterator[Fault | None]:
    with database.read() as connection:
        last, rest = index.indexed_to(connection), index.unindexed_to(connection)
        due = select(article.c.n).where(article.c.n > rest, article.c.n <= last).order_by(article.c.n)
        there = iter(_streamed(connection, due))
        held = iter(_streamed(connection, text(_LISTED[connection.dialect.name])))
        wanted, found = next(there, None), next(held, None)
        while wanted is not None or found is not None:
            if found is not None and found <= rest:  # waits to be indexed anew
                found = next(held, None)
            elif found is None or (wanted is not None and wanted < found):
                yield _missing(wanted)
                wanted = next(there, None)
            elif wanted is None or found < wanted:
                yield _stray(database, found)
                found = next(held, None)
            else:
                wanted, found = next(there, None), next(held, None)


def _streamed(connection: Connection, chosen: Any) -> Iterator[int]:
    rows = connection.execute(chosen, execution_options={"stream_results": True, "yield_per": 5000})
    yield from rows.scalars()


def _missing(n: int | None) -> Fault:
    return Fault(what="articles are missing in the full-text index", rows=1, keys=(str(n),), remedy="search")


def _stray(database: Database, n: int) -> Fault:
    """On SQLite a row leaves only by the words that it has: unknown ones need the index made anew."""
    remedy: Remedy = "search anew" if database.is_sqlite else "search"
    return Fault(
        what="the full-text index holds articles that are not there", rows=1, keys=(str(n),), remedy=remedy
    )


def _worded(database: Database, extent: CheckScope, step: CheckStep) -> Iterator[Fault | None]:
    """SQLite finds articles by words, not words by their article: it is asked for all of them, or none."""
    if database.is_sqlite:
        if extent.every == 1:
            yield from _all_words(database, step)
        return
    for chunk, (low, high) in enumerate(ranges(database, article.c.n)):
        if not extent.has(chunk):
            continue
        with database.read() as connection:
            rows = index.rows_between(connection, low, high)
            for row in rows:
                if _has_other_words(connection, row):
                    yield Fault(what=_OTHER_WORDS, rows=1, keys=(str(row.n),), remedy="search")
        step(len(rows))


def _has_other_words(connection: Connection, row: Row[Any]) -> bool:
    values = index.tsvector_row(row)
    return connection.execute(_OTHERS, values).first() is not None


_OTHERS: Final = text(
    "SELECT 1 FROM article_search WHERE n = :n AND (is_long <> :l OR words <> CAST(:w AS tsvector))"
)


# --- SQLite's words ----------------------------------------------------------------------------------------


_WORDS: Final = "CREATE VIRTUAL TABLE temp.word USING fts5vocab(main, article_search, instance)"


def _all_words(database: Database, step: CheckStep) -> Iterator[Fault | None]:
    """Each word with its article and place, summed up by article: 8 bytes each, however large the index.

    One state of the database, because a revision changes both sides.
    """
    with database.read() as connection:
        last = index.indexed_to(connection)
        held = array("Q", bytes(8 * (last + 1)))
        connection.execute(text(_WORDS))
        try:
            found = connection.execute(text("SELECT doc, term, col, offset FROM temp.word"))
            for doc, term, column, place in found.yield_per(10_000):
                if 0 <= doc <= last:
                    held[doc] = (held[doc] + hash((term, column, place))) & _SIXTY_FOUR_BITS
        finally:
            connection.execute(text("DROP TABLE temp.word"))
        for start in range(0, last + 1, _AT_ONCE):
            rows = index.rows_between(connection, start, start + _AT_ONCE - 1)
            for row in rows:
                if held[row.n] and held[row.n] != _summed(row):  # 0: it is not in the index
                    yield Fault(what=_OTHER_WORDS, rows=1, keys=(str(row.n),), remedy="search anew")
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
