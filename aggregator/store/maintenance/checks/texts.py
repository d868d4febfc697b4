"""Values that are computed from the text of an article: hash, id, and the bands for near-duplicates.

Bands are checked in both directions. Which bands an article has depends on the articles before it (a full
band takes no more, many copies add none), so a missing band is damage only if the band has much room.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
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
from aggregator.store.codecs import IS_GONE, TEXT, DamagedText
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import retention
from aggregator.store.maintenance.checks.finding import CheckScope, CheckStep, Fault, of_row, pairs
from aggregator.store.maintenance.checks.values import chosen_ranges, ranges
from aggregator.store.stories import articles
from aggregator.store.tables import article, lsh_band, sketch

_NAMES = ("inbox_no", "id", "root_article", "generation", "title", "text_hash", "signature", "copy_of")
_COLUMNS: Final = (*(article.c[name] for name in _NAMES), TEXT, IS_GONE.label("is_gone"))
_FULL_SHARE: Final = 0.5  # of `band_cap`: a band with fewer articles had room for one more (chosen)
_AT_ONCE: Final = 50_000  # LSH keys read in one transaction
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
                    continue  # see values.py
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
    stored = articles.stored_bands(connection, row.inbox_no, own)
    missing = set(own) - stored
    if not missing:
        return
    is_copy = row.copy_of is not None and not stored and held is None
    if is_copy and articles.has_copies(connection, row.copy_of, tuning.indexed_copies):
        return  # after the first copies the others are stored without bands
    chosen = select(lsh_band.c.band, func.count()).where(lsh_band.c.band.in_(sorted(missing)))
    taken = Counter(pairs(connection, chosen.group_by(lsh_band.c.band)))
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
        numbers = found[:, 1]
        inside = (numbers >= 0) & (numbers <= newest)
        for band, n in found[numbers < 0].tolist():
            yield _stray(band, n)
        np.add.at(counts, numbers[inside], 1)
        np.add.at(sums, numbers[inside], _mixed(found[inside, 0]))
    for low, high in ranges(database, article.c.inbox_no):
        chosen = select(article.c.inbox_no, article.c.signature).where(
            article.c.inbox_no.between(low, min(high, newest))
        )
        with database.read() as connection:
            rows = connection.execute(chosen).all()
            for row in rows:
                n, own = row.inbox_no, keys_of(row.signature, count=tuning.bands, rows=tuning.rows)
                is_whole = counts[n] == len(own) and sums[n] == _mixed(np.array(own, dtype=np.int64)).sum()
                if not is_whole and len(articles.stored_bands(connection, n, own)) < counts[n]:
                    yield from _strays_of(connection, n, own)
                counts[n] = 0
        step(len(rows))
    for n in np.flatnonzero(counts).tolist():
        with database.read() as connection:
            if connection.execute(select(article.c.inbox_no).where(article.c.inbox_no == n)).first() is None:
                yield from _strays_of(connection, n, ())


def _all_keys(database: Database) -> Iterator[npt.NDArray[np.int64]]:
    """Yield pairs of band and inbox number, in order."""
    band, n = -(1 << 63), -1
    while True:
        with database.read() as connection:
            after = {"band": band, "number": n, "most": _AT_ONCE}
            rows = connection.execute(_NEXT_KEYS, after).all()
        if not rows:
            return
        yield np.array([tuple(row) for row in rows], dtype=np.int64)
        band, n = rows[-1]


_NEXT_KEYS = text(
    "SELECT band, article FROM lsh_band WHERE (band, article) > (:band, :number) "
    "ORDER BY band, article LIMIT :most"
)


def _mixed(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Hash each band, so that the sums of different sets of bands differ."""
    mixed = keys.astype(np.uint64) * _MIXED
    return mixed ^ (mixed >> np.uint64(29))


def _strays_of(connection: Connection, n: int, own: Sequence[int]) -> Iterator[Fault]:
    """Yield stray bands of article `n`. It reads the whole table, which has no index of articles."""
    for band in connection.execute(select(lsh_band.c.band).where(lsh_band.c.article == n)).scalars():
        if band not in own:
            yield _stray(band, n)


def _stray(band: int, n: int) -> Fault:
    what = "bands belong to an article that does not exist, or do not match its signature"
    return of_row(what, f"{band} {n}", "stray bands")
