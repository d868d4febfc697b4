"""Values that are computed from the text of an article: hash, id, sampled shingles, full-text index.

Which shingles are stored of an article depends on the articles before it (a full one takes no more), so a
missing one of a text that copies none is damage only if it has much room. Of the full-text index: which
articles it has, and with which words.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select, text

from aggregator.extract.entry_identity import next_generation_id, text_hash
from aggregator.extract.learned_boilerplate import restore_lines
from aggregator.grouping.copies import sampled_shingles
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.shingles import shingle_sequence
from aggregator.model.errors import AggregatorError
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.search import index_rows, progress
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.tables import article, read_rows, sketch
from tests.support.deep_references import Finding, ranges

_NAMES = (
    "inbox_no",
    "id",
    "root_article",
    "generation",
    "title",
    "text_hash",
    "signature",
    "copy_of",
    "details",
)
_COLUMNS = (*(article.c[name] for name in _NAMES), article.c.text)
# Of the articles that a shingle may have: with fewer it had room (chosen)
_FULL_SHARE = 0.5


def faults(database: Database, tuning: CopyTuning) -> Iterator[Finding]:
    """Check the articles."""
    holders: Counter[int] = Counter()
    with database.read() as connection:
        for hashes in connection.execute(select(sketch.c.hashes)).scalars():
            holders.update(sampled_shingles.hashes_of_sketch(hashes).tolist())
    for low, high in ranges(database, article.c.inbox_no):
        chosen = select(*_COLUMNS).where(article.c.inbox_no.between(low, high))
        sketches = select(sketch.c.article, sketch.c.hashes).where(
            sketch.c.article.between(low, high)
        )
        with database.read() as connection:
            rows = connection.execute(chosen).all()
            held = dict(connection.execute(sketches).all())
            for row in rows:
                yield from _of_one(row)
                yield from _of_sketch(row, held.get(row.inbox_no), holders, tuning)


def _of_one(row: Row[Any]) -> Iterator[Finding]:
    if row.text is not None and row.text_hash != text_hash(row.title, _whole_text(row)):
        yield "articles have a hash that does not match their text", row.inbox_no
    name = (
        next_generation_id(row.root_article, row.generation)
        if row.generation
        else row.root_article
    )
    if row.id != name:
        yield "articles have an id that does not match their identity", row.inbox_no


def _whole_text(row: Row[Any]) -> str:
    """Return the text with the lines that are hidden, of which the hashes are."""
    return restore_lines(row.text, codecs.unpack(row.details, ArticleDetails).repeated)


def _of_sketch(
    row: Row[Any], held: bytes | None, holders: Counter[int], tuning: CopyTuning
) -> Iterator[Finding]:
    if row.text is None:
        return
    whole = sampled_shingles.sketch(shingle_sequence(_whole_text(row)), tuning)
    is_part = not held or (held[:4] == whole[:4] and len(held) % 4 == 0)
    stored = sampled_shingles.hashes_of_sketch(held or b"")
    if (
        not is_part
        or not np.isin(stored, sampled_shingles.hashes_of_sketch(whole)).all()
    ):
        yield "sampled shingles do not match the text of their article", row.inbox_no
        return
    if row.copy_of is not None:
        # Of copies and excerpts others hold them, whose texts may have been deleted since
        return
    missing = np.setdiff1d(sampled_shingles.hashes_of_sketch(whole), stored).tolist()
    if any(holders[hash_] < tuning.key_cap * _FULL_SHARE for hash_ in missing):
        yield "articles lack sampled shingles of their text", row.inbox_no


_OTHER_WORDS = "articles are in the full-text index with other words"
# In messages of SQLite about a damaged index
_DAMAGED = ("malformed", "corrupt", "SQL logic error")
_SIXTY_FOUR_BITS = (1 << 64) - 1
_NUMBERS_AT_ONCE = 500
# FTS5 has no list of its rows without their words, but each row has a token of its day.
_LISTED = {
    "sqlite": "SELECT rowid FROM article_search WHERE article_search MATCH '\"_d\" *'",
    "postgresql": "SELECT n FROM article_search",
}


def index_faults(database: Database) -> Iterator[Finding]:
    """Yield missing and stray rows of the index, and rows with other words."""
    try:
        yield from _listed(database)
        yield from _worded(database)
    except AggregatorError as error:
        if not database.is_sqlite or not any(sign in str(error) for sign in _DAMAGED):
            raise
        yield "the full-text index cannot be read", "all"


def _listed(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        last, rest = progress.indexed_to(connection), progress.unindexed_to(connection)
        due = select(article.c.inbox_no).where(
            article.c.inbox_no.between(rest + 1, last)
        )
        placed = {*connection.execute(due).scalars()}
        listed = text(_LISTED[connection.dialect.name])
        indexed = {*connection.execute(listed).scalars()}
    for number in placed - indexed:
        yield "articles are not in the full-text index", number
    for number in indexed - placed:
        if number > rest:  # else it waits to be indexed again
            yield "the full-text index has articles that do not exist", number


def _worded(database: Database) -> Iterator[Finding]:
    """FTS5 finds articles by words, not words by article: on SQLite the whole index is read."""
    if database.is_sqlite:
        yield from _all_words(database)
        return
    for low, high in ranges(database, article.c.inbox_no):
        with database.read() as connection:
            for row in _indexed_between(connection, low, high):
                if (
                    connection.execute(_OTHERS, index_rows.tsvector_row(row)).first()
                    is not None
                ):
                    yield _OTHER_WORDS, row.inbox_no


_OTHERS = text(
    "SELECT 1 FROM article_search WHERE n = :n AND (is_long <> :l OR words <> CAST(:w AS tsvector))"
)


def _indexed_between(connection: Connection, low: int, high: int) -> Sequence[Row[Any]]:
    """The articles of these numbers that should be indexed, with their indexed columns."""
    low, high = (
        max(low, progress.unindexed_to(connection) + 1),
        min(high, progress.indexed_to(connection)),
    )
    chosen = (
        f"{index_rows.INDEXED} WHERE inbox_no BETWEEN :low AND :high ORDER BY inbox_no"
    )
    return read_rows(connection, chosen, low=low, high=high)


# --- SQLite's words ----------------------------------------------------------------------------------------


_WORDS = (
    "CREATE VIRTUAL TABLE temp.word USING fts5vocab(main, article_search, instance)"
)


def _all_words(database: Database) -> Iterator[Finding]:
    """Compare a sum of hashes of (word, position) per article: 8 bytes each.

    It reads one state of the database, because a revision changes both sides.
    """
    with database.read() as connection:
        last = progress.indexed_to(connection)
        sums = array("Q", bytes(8 * (last + 1)))
        connection.execute(text(_WORDS))
        try:
            found = connection.execute(text("SELECT doc, term, offset FROM temp.word"))
            for doc, term, place in found.yield_per(10_000):
                if 0 <= doc <= last:
                    sums[doc] = (sums[doc] + hash((term, place))) & _SIXTY_FOUR_BITS
        finally:
            connection.execute(text("DROP TABLE temp.word"))
        for start in range(0, last + 1, _NUMBERS_AT_ONCE):
            rows = _indexed_between(connection, start, start + _NUMBERS_AT_ONCE - 1)
            for row in rows:
                # 0: it is not in the index
                if sums[row.inbox_no] and sums[row.inbox_no] != _summed(row):
                    yield _OTHER_WORDS, row.inbox_no


def _summed(row: Row[Any]) -> int:
    words = enumerate(index_rows.tokens_of(row))
    return sum(hash((word, place)) for place, word in words) & _SIXTY_FOUR_BITS
