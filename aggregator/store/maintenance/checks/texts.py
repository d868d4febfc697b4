"""What is said of an article's text: its hash, its name, and by what later articles find it as their twin.

Keys are asked both ways. Which of its keys an article has depends on what was there when it came (a key that
is full takes no more, a flood of copies adds nothing), so one that is missing is damage only where there is
much room.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, bindparam, func, select, text

from aggregator.cluster.copies import sampled_shingles
from aggregator.cluster.copies.copy_check import CopyTuning
from aggregator.cluster.copies.minhash import keys_of
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.cluster.entry_identity import next_generation_id
from aggregator.cluster.fingerprint import text_hash
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import retention
from aggregator.store.maintenance.checks.finding import (
    CheckScope,
    CheckStep,
    Fault,
    Remedy,
    merge_faults,
    pairs,
)
from aggregator.store.maintenance.checks.values import ranges
from aggregator.store.stories import articles
from aggregator.store.stories.article_text import IS_GONE, TEXT, DamagedText
from aggregator.store.tables import article, lsh_band, sketch

_COLUMNS: Final = (
    *(
        article.c[name]
        for name in ("n", "id", "root", "generation", "title", "text_hash", "signature", "copy_of")
    ),
    TEXT,
    IS_GONE.label("is_gone"),
)
_AT_ONCE: Final = 50_000  # LSH keys read in one transaction
_MIXED: Final = np.uint64(0x9E3779B97F4A7C15)


def faults(
    database: Database, tuning: CopyTuning, full_share: float, extent: CheckScope, step: CheckStep
) -> Iterator[Fault]:
    """What does not fit, of the articles that are looked at."""
    yield from merge_faults(_text_faults(database, tuning, full_share, extent, step))


def _text_faults(
    database: Database, tuning: CopyTuning, full_share: float, extent: CheckScope, step: CheckStep
) -> Iterator[Fault | None]:
    for chunk, (low, high) in enumerate(ranges(database, article.c.n)):
        if not extent.has(chunk):
            continue
        with database.read() as connection:
            all_rows = connection.execute(select(*_COLUMNS).where(article.c.n.between(low, high))).all()
            rows = [row for row in all_rows if not isinstance(row.text, DamagedText)]  # of which others ask
            unlinked = retention.reached(connection, "unlinked")
            held = _sketches(connection, low, high)
            for row in rows:
                yield from _of_one(row)
                if row.n > unlinked and not row.is_gone:
                    yield _of_sketch(row, held.get(row.n), tuning)
            found = [row for row in rows if row.n > unlinked]
            yield from _without_keys(connection, found, held, tuning, full_share)
        step(len(rows))


def _of_one(row: Row[Any]) -> Iterator[Fault | None]:
    if not row.is_gone and row.text_hash != text_hash(row.title, row.text):
        yield _fault("articles have other words than the ones that were hashed", row.n, None)
    name = next_generation_id(row.root, row.generation) if row.generation else row.root
    if row.id != name:
        yield _fault("articles have an id that is not made of their identity", row.n, None)


def _sketches(connection: Connection, low: int, high: int) -> dict[int, bytes]:
    chosen = select(sketch.c.article, sketch.c.hashes).where(sketch.c.article.between(low, high))
    return pairs(connection, chosen)


def _of_sketch(row: Row[Any], held: bytes | None, tuning: CopyTuning) -> Fault | None:
    if not held:
        return None
    sequence = shingle_sequence(row.text[: tuning.text_chars])
    whole = sampled_shingles.sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes)
    is_part = held[:4] == whole[:4] and len(held) % 4 == 0
    if is_part and bool(np.isin(sampled_shingles.held(held), sampled_shingles.held(whole)).all()):
        return None
    return _fault("sampled shingles are not of their article's text", row.n, "bands")


def _without_keys(
    connection: Connection,
    rows: Sequence[Row[Any]],
    held: dict[int, bytes],
    tuning: CopyTuning,
    full_share: float,
) -> Iterator[Fault | None]:
    keys = {
        row.n: keys_of(row.signature, count=tuning.bands, rows=tuning.rows) for row in rows if row.signature
    }
    stored: dict[int, set[int]] = defaultdict(set)
    for n, own in keys.items():
        stored[n] = stored_keys(connection, n, own)
    for row in rows:
        missing = set(keys.get(row.n, ())) - stored[row.n]
        if not missing:
            continue
        if not stored[row.n] and row.n not in held and _is_one_of_many(connection, row, tuning):
            continue
        room = _room(connection, missing)
        if any(room[key] < tuning.band_cap * full_share for key in missing):
            yield _fault("articles are not found by keys of their text", row.n, "bands")


_STORED = select(lsh_band.c.band).where(
    lsh_band.c.band.in_(bindparam("bands", expanding=True)), lsh_band.c.article == bindparam("number")
)


def stored_keys(connection: Connection, n: int, keys: Sequence[int]) -> set[int]:
    """Those of its keys under which article `n` is found."""
    return set(connection.execute(_STORED, {"bands": keys, "number": n}).scalars())


def _is_one_of_many(connection: Connection, row: Row[Any], tuning: CopyTuning) -> bool:
    """Whether it is a copy beyond the first ones: a flood adds nothing to be found by."""
    return row.copy_of is not None and articles.has_copies(connection, row.copy_of, tuning.indexed_copies)


def _room(connection: Connection, keys: Sequence[int] | set[int]) -> Counter[int]:
    chosen = select(lsh_band.c.band, func.count()).where(lsh_band.c.band.in_(sorted(keys)))
    return Counter(pairs(connection, chosen.group_by(lsh_band.c.band)))


def _fault(what: str, n: int, remedy: Remedy | None) -> Fault:
    return Fault(what=what, rows=1, keys=(str(n),), remedy=remedy)


# --- keys that lead nowhere --------------------------------------------------------------------------------


class _KeySums(NamedTuple):
    """Of each article, by its number: how many keys there are, and their sum."""

    counts: npt.NDArray[np.int64]
    totals: npt.NDArray[np.uint64]


def strays(database: Database, tuning: CopyTuning, step: CheckStep) -> Iterator[Fault]:
    """LSH keys of articles that are not there, or that are not made of their text.

    All keys are read once, in their order; kept of them are a count and a sum for each article, 16 bytes.
    Only where these are not what the article's signature gives its rows are read.
    """
    with database.read() as connection:
        newest = connection.execute(select(func.max(article.c.n))).scalar() or 0
    sums = _KeySums(np.zeros(newest + 1, dtype=np.int64), np.zeros(newest + 1, dtype=np.uint64))
    lost: list[str] = []
    for found in _all_keys(database):
        numbers = found[:, 1]
        inside = (numbers >= 0) & (numbers <= newest)
        lost += [f"{band} {n}" for band, n in found[numbers < 0].tolist()]
        np.add.at(sums.counts, numbers[inside], 1)
        np.add.at(sums.totals, numbers[inside], _mixed(found[inside, 0]))
    yield from merge_faults(_compared(database, tuning, sums, lost, step))


def _all_keys(database: Database) -> Iterator[npt.NDArray[np.int64]]:
    """Pairs of key and article number, in their order."""
    after = (-(1 << 63), -1)
    while True:
        with database.read() as connection:
            rows = connection.execute(
                _NEXT_KEYS, {"band": after[0], "number": after[1], "most": _AT_ONCE}
            ).all()
        if not rows:
            return
        yield np.array([tuple(row) for row in rows], dtype=np.int64)
        after = (rows[-1][0], rows[-1][1])


_NEXT_KEYS = text(
    "SELECT band, article FROM lsh_band WHERE (band, article) > (:band, :number) "
    "ORDER BY band, article LIMIT :most"
)


def _mixed(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Each key as a number whose sum tells sets of keys apart."""
    mixed = keys.astype(np.uint64) * _MIXED
    return mixed ^ (mixed >> np.uint64(29))


def _compared(
    database: Database,
    tuning: CopyTuning,
    sums: _KeySums,
    lost: list[str],
    step: CheckStep,
) -> Iterator[Fault | None]:
    for low, high in ranges(database, article.c.n):
        if low >= len(sums.counts):
            return
        with database.read() as connection:
            chosen = select(article.c.n, article.c.signature).where(article.c.n.between(low, high))
            rows = connection.execute(chosen).all()
            for row in rows:
                own = keys_of(row.signature, count=tuning.bands, rows=tuning.rows)
                if row.n < len(sums.counts) and not _is_whole(own, sums.counts[row.n], sums.totals[row.n]):
                    among = stored_keys(connection, row.n, own)
                    if len(among) < sums.counts[row.n]:
                        lost += _strange(connection, row.n, own)
                if row.n < len(sums.counts):
                    sums.counts[row.n] = 0
        step(len(rows))
    for n in np.flatnonzero(sums.counts).tolist():  # of an article that was not met
        with database.read() as connection:
            if connection.execute(select(article.c.n).where(article.c.n == n)).first() is None:
                lost += _strange(connection, n, ())
    if lost:
        what = "copy keys are of an article that is not there, or not of its text"
        yield Fault(what=what, rows=len(lost), keys=tuple(lost[:10_000]), remedy="keys of copies")


def _is_whole(own: Sequence[int], count: int, total: np.uint64) -> bool:
    return count == len(own) and total == _mixed(np.array(own, dtype=np.int64)).sum()


def _strange(connection: Connection, n: int, own: Sequence[int]) -> list[str]:
    """Reads the whole table: by its number alone an article has no index there."""
    rows = connection.execute(select(lsh_band.c.band).where(lsh_band.c.article == n)).scalars()
    return [f"{band} {n}" for band in rows if band not in own]
