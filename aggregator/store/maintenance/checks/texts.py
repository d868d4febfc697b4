"""Values that are computed from the text of an article: hash, id, near-duplicate bands, full-text index.

Bands are checked in both directions. Which bands an article has depends on the articles before it (a full
band takes no more, many copies add none), so a missing band is damage only if the band has much room. Of the
full-text index: which articles it has, and with which words.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, func, select, text

from aggregator.cluster.copies import sampled_shingles
from aggregator.cluster.copies.copy_check import CopyTuning
from aggregator.cluster.copies.minhash import keys_of
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.cluster.entry_identity import next_generation_id
from aggregator.cluster.fingerprint import text_hash
from aggregator.model.errors import AggregatorError
from aggregator.store.codecs import IS_GONE, TEXT, DamagedText
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import retention
from aggregator.store.maintenance.checks.finding import CheckScope, CheckStep, Fault, of_row, pairs
from aggregator.store.maintenance.checks.references import chosen_ranges, ranges
from aggregator.store.search import index
from aggregator.store.stories import articles, copy_keys
from aggregator.store.stories.copy_keys import KeyPair
from aggregator.store.tables import article, lsh_band, sketch

_NAMES = ("inbox_no", "id", "root_article", "generation", "title", "text_hash", "signature", "copy_of")
_COLUMNS: Final = (*(article.c[name] for name in _NAMES), TEXT, IS_GONE.label("is_gone"))
_FULL_SHARE: Final = 0.5  # of `band_cap`: a band with fewer articles had room for one more (chosen)
_ANY_NUMBER: Final = (1 << 63) - 1
_MIXED: Final = np.uint64(0x9E3779B97F4A7C15)


def faults(database: Database, tuning: CopyTuning, extent: CheckScope, step: CheckStep) -> Iterator[Fault]:
    """Check the articles in the chunks of `extent`."""
    for low, high in chosen_ranges(database, article.c.inbox_no, extent):
        chosen = select(*_COLUMNS).where(article.c.inbox_no.between(low, high))
        sketches = select(sketch.c.article, sketch.c.hashes).where(sketch.c.article.between(low, high))
        with database.read() as connection:
            rows = connection.execute(chosen).all()
            unlinked = retention.reached(connection, "unlinked")
            held = pairs(connection, sketches)
            for row in rows:
                if isinstance(row.text, DamagedText):
                    continue  # references.py reports it
                yield from _of_one(row)
                if row.inbox_no > unlinked:
                    yield from _of_sketch(row, held.get(row.inbox_no), tuning)
                    yield from _of_bands(connection, row, held.get(row.inbox_no), tuning)
        step(len(rows))


def _of_one(row: Row[Any]) -> Iterator[Fault]:
    if not row.is_gone and row.text_hash != text_hash(row.title, row.text):
        yield of_row("articles have a hash that does not match their text", row.inbox_no, None)
    name = next_generation_id(row.root_article, row.generation) if row.generation else row.root_article
    if row.id != name:
        yield of_row("articles have an id that does not match their identity", row.inbox_no, None)


def _of_sketch(row: Row[Any], held: bytes | None, tuning: CopyTuning) -> Iterator[Fault]:
    if not held or row.is_gone:
        return
    sequence = shingle_sequence(row.text)
    whole = sampled_shingles.sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes)
    is_part = held[:4] == whole[:4] and len(held) % 4 == 0
    if not is_part or not np.isin(sampled_shingles.held(held), sampled_shingles.held(whole)).all():
        yield of_row("sampled shingles do not match the text of their article", row.inbox_no, "bands")


def _of_bands(
    connection: Connection, row: Row[Any], held: bytes | None, tuning: CopyTuning
) -> Iterator[Fault]:
    own = keys_of(row.signature, count=tuning.bands, rows=tuning.rows)
    stored = copy_keys.stored_bands(connection, row.inbox_no, own)
    missing = set(own) - stored
    if not missing:
        return
    is_copy = row.copy_of is not None and not stored and held is None
    if is_copy and articles.has_copies(connection, row.copy_of, tuning.indexed_copies):
        return  # after the first copies the others are stored without bands
    others = copy_keys.find(connection, missing, before=_ANY_NUMBER, limit=tuning.band_cap * len(own))
    taken = Counter(band for band, _ in others)
    if any(taken[key] < tuning.band_cap * _FULL_SHARE for key in missing):
        yield of_row("articles lack bands of their signature", row.inbox_no, "bands")


# --- stray bands -------------------------------------------------------------------------------------------


def strays(database: Database, tuning: CopyTuning, step: CheckStep) -> Iterator[Fault]:
    """Yield bands of articles that do not exist, or that do not match the signature.

    All bands are read once; a count and a sum per article (16 bytes) are compared with the signature, and
    rows are read only where these differ.
    """
    with database.read() as connection:
        newest = connection.execute(select(func.max(article.c.inbox_no))).scalar() or 0
    counts, sums = np.zeros(newest + 1, dtype=np.int64), np.zeros(newest + 1, dtype=np.uint64)
    for found in _all_keys(database):
        inside = np.array([pair for pair in found if pair[1] <= newest], dtype=np.int64).reshape(-1, 2)
        np.add.at(counts, inside[:, 1], 1)
        np.add.at(sums, inside[:, 1], _mixed(inside[:, 0]))
    for low, high in ranges(database, article.c.inbox_no):
        chosen = select(article.c.inbox_no, article.c.signature).where(
            article.c.inbox_no.between(low, min(high, newest))
        )
        with database.read() as connection:
            rows = connection.execute(chosen).all()
            for row in rows:
                n, own = row.inbox_no, keys_of(row.signature, count=tuning.bands, rows=tuning.rows)
                is_whole = counts[n] == len(own) and sums[n] == _mixed(np.array(own, dtype=np.int64)).sum()
                if not is_whole and len(copy_keys.stored_bands(connection, n, own)) < counts[n]:
                    yield from _strays_of(connection, n, own)
                counts[n] = 0
        step(len(rows))
    for n in np.flatnonzero(counts).tolist():
        with database.read() as connection:
            if connection.execute(select(article.c.inbox_no).where(article.c.inbox_no == n)).first() is None:
                yield from _strays_of(connection, n, ())


def _all_keys(database: Database) -> Iterator[list[KeyPair]]:
    """Yield pairs of band and inbox number, in order, each part in a transaction of its own."""
    last = copy_keys.BEFORE_ALL
    while True:
        with database.read() as connection:
            found = copy_keys.next_keys(connection, last)
        if not found:
            return
        yield found
        last = found[-1]


def _mixed(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Hash each band, so that the sums of different sets of bands differ."""
    mixed = keys.astype(np.uint64) * _MIXED
    return mixed ^ (mixed >> np.uint64(29))


def _strays_of(connection: Connection, n: int, own: Sequence[int]) -> Iterator[Fault]:
    """Yield stray bands of article `n`. It reads all keys: there is no index of articles."""
    what = "bands belong to an article that does not exist, or do not match its signature"
    stored = connection.execute(select(lsh_band.c.band).where(lsh_band.c.article == n)).scalars()
    for band in sorted(set(stored) - set(own)):
        yield of_row(what, f"{band} {n}", "stray bands")


_OTHER_WORDS: Final = "articles are in the full-text index with other words"
_DAMAGED: Final = ("malformed", "corrupt", "SQL logic error")  # in messages of SQLite about a damaged index
_SIXTY_FOUR_BITS: Final = (1 << 64) - 1
_NUMBERS_AT_ONCE: Final = 500
# FTS5 has no list of its rows without their words, but each row has a token of its day.
_LISTED: Final = {
    "sqlite": "SELECT rowid FROM article_search WHERE article_search MATCH 'marks : \"_d\" *' ORDER BY rowid",
    "postgresql": "SELECT n FROM article_search ORDER BY n",
}


def index_faults(database: Database, extent: CheckScope, step: CheckStep) -> Iterator[Fault]:
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
        for start in range(0, last + 1, _NUMBERS_AT_ONCE):
            rows = index.rows_between(connection, start, start + _NUMBERS_AT_ONCE - 1)
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
