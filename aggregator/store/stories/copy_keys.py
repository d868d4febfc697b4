"""LSH keys of articles: rows of `lsh_band`, and packed blocks of `lsh_block`. Each key is in one of the two.

New keys are rows. With each batch, `pack` moves the next stretch of the key space into blocks, which take 9
bytes a key instead of 18 on SQLite and 80 on PostgreSQL, where each row has a header and an entry in the
index (ADR 47). A stretch is as long as keeps about one key in 16 a row, so the work for an article does not
depend on the number of articles. The transaction that packs is the one that places.

A block holds the keys from its `first_band` up to the next block's, all articles of a key together: two
bytes with the widths of both columns, `first_band` again, then for each pair the difference of its key from
that and its inbox number, little-endian, sorted. Keys of articles that retention has removed from the index
(up to `unlinked_to`) are ignored, and dropped when their block is packed the next time.
"""

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, delete, func, insert, select, text

from aggregator.store.tables import (
    article,
    counter_value,
    in_parts,
    lsh_band,
    lsh_block,
    rows_with,
    set_counter,
)

Ints = npt.NDArray[np.int64]

UNLINKED: Final = "unlinked_to"  # counter: retention has removed the articles up to this inbox number
_PACKED_TO: Final = "keys_packed_to"  # counter: the key at which the next stretch begins
# All keys are packed once while the articles grow by an eighth. With a 16th, 3 % instead of 6 % of the keys
# are rows, and packing takes up to twice the time (measured beside 10,000 articles).
_ROUND: Final = 8
_LEAST: Final = 512  # articles; of fewer the keys stay rows until there were as many (chosen)
# A row of so many fills a page of SQLite and a quarter of one of PostgreSQL; 2 % are left for articles that
# share the key at the end.
_BLOCK_BYTES: Final = 1_950
LOWEST: Final = -(1 << 63)  # of all keys
_BEYOND: Final = 1 << 63  # the first number above all keys
_ROWS_AT_ONCE: Final = 50_000  # of `next_keys` (limit of memory)
_BLOCKS_AT_ONCE: Final = 250
_HEADER: Final = struct.Struct("<BBq")  # of a block: bytes of a key, of a number, `first_band`
_BYTE: Final = 8  # bits; bytes of the widest column


class KeyPairs(NamedTuple):
    """Keys and the inbox numbers of their articles, sorted by both."""

    bands: Ints
    numbers: Ints

    def where(self, chosen: npt.NDArray[np.bool_]) -> "KeyPairs":
        """Return some of the pairs."""
        return KeyPairs(self.bands[chosen], self.numbers[chosen])

    def listed(self) -> list[tuple[int, int]]:
        """Return the pairs as rows."""
        return list(zip(self.bands.tolist(), self.numbers.tolist(), strict=True))


# --- looking up --------------------------------------------------------------------------------------------


def find(connection: Connection, bands: Collection[int], *, before: int, limit: int) -> list[tuple[int, int]]:
    """Return at most `limit` pairs (band, inbox number) of articles before `before`, in order."""
    # Plain SQL: SQLAlchemy needs 0.3 ms for 42 parameters, the database 0.05 ms.
    value = "?" if connection.dialect.name == "sqlite" else "%s"
    unlinked = counter_value(connection, UNLINKED) if bands else 0
    found: list[tuple[int, int]] = []
    for part in in_parts(sorted(set(bands))):
        statement = (
            f"SELECT band, article FROM lsh_band WHERE band IN ({', '.join([value] * len(part))})"  # noqa: S608
            f" AND article > {value} AND article < {value}"
        )
        rows = connection.exec_driver_sql(statement, (*part, unlinked, before)).fetchall()
        found += [(row[0], row[1]) for row in rows]
        for band, entries in _blocks_of(connection, part):
            if entries is not None and len(entries) > _HEADER.size:
                found += [(band, n) for n in _numbers_in(entries, band) if unlinked < n < before]
    return sorted(found)[:limit]


def stored_bands(connection: Connection, n: int, bands: Collection[int]) -> set[int]:
    """Return those of these bands that article `n` is stored with."""
    return {band for band, number in find(connection, bands, before=n + 1, limit=_BEYOND) if number == n}


_LAST_BLOCK: Final = (
    "SELECT column1, (SELECT entries FROM lsh_block WHERE first_band <= column1 "
    "ORDER BY first_band DESC LIMIT 1) FROM (VALUES {}) AS wanted"
)


def _blocks_of(connection: Connection, bands: Sequence[int]) -> Sequence[Any]:
    """Return each band with the block that may hold it: the last one that begins at or before it, or None."""
    value = "(?)" if connection.dialect.name == "sqlite" else "(CAST(%s AS bigint))"
    statement = _LAST_BLOCK.format(", ".join([value] * len(bands)))
    return connection.exec_driver_sql(statement, tuple(bands)).fetchall()


def _numbers_in(entries: bytes, band: int) -> list[int]:
    """Return the inbox numbers under a band. Searched as bytes: numpy would take longer than the database."""
    wide, narrow, first = _HEADER.unpack_from(entries)
    if (band - first) >> (_BYTE * wide):
        return []
    wanted, size = (band - first).to_bytes(wide, "little"), wide + narrow
    at = entries.find(wanted, _HEADER.size)
    if at < 0 or not _is_sound(entries):
        return []
    while at >= 0 and (at - _HEADER.size) % size:  # not a key, but bytes of two columns
        at = entries.find(wanted, at + 1)
    found = []
    while at >= 0 and entries.startswith(wanted, at):
        found.append(int.from_bytes(entries[at + wide : at + size], "little"))
        at += size
    return found


def next_keys(connection: Connection, low: int = LOWEST) -> tuple[KeyPairs, int | None]:
    """Return the next stored pairs from key `low` on, all of a key, and the key after; None: all are read."""
    chosen = select(lsh_block).where(lsh_block.c.first_band >= _floor(connection, low))
    ordered = chosen.order_by(lsh_block.c.first_band).limit(_BLOCKS_AT_ONCE + 1)
    blocks = [*connection.execute(ordered)]
    end = blocks.pop().first_band if len(blocks) > _BLOCKS_AT_ONCE else _BEYOND
    waiting = select(lsh_band).where(lsh_band.c.band.between(low, end - 1))
    waiting = waiting.order_by(lsh_band.c.band, lsh_band.c.article).limit(_ROWS_AT_ONCE)
    rows = connection.execute(waiting).all()
    if len(rows) == _ROWS_AT_ONCE and rows[0].band < rows[-1].band:
        end = rows[-1].band
    pairs = _live(rows, [one.entries for one in blocks], counter_value(connection, UNLINKED))
    return pairs.where((pairs.bands >= low) & (pairs.bands <= end - 1)), None if end == _BEYOND else end


def all_keys(connection: Connection) -> Iterator[KeyPairs]:
    """Yield all stored pairs, in order."""
    at: int | None = LOWEST
    while at is not None:
        pairs, at = next_keys(connection, at)
        yield pairs


# --- changes -----------------------------------------------------------------------------------------------


def add(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Add pairs (band, inbox number)."""
    if pairs:
        values = "?, ?" if connection.dialect.name == "sqlite" else "%s, %s"
        connection.exec_driver_sql(f"INSERT INTO lsh_band (band, article) VALUES ({values})", [*pairs])  # noqa: S608


def remove(connection: Connection, keys: Mapping[int, Collection[int]]) -> int:
    """Remove those of these bands that articles are stored with, by inbox number. Return their number.

    Neither table has an index of articles.
    """
    removed = remove_rows(connection, keys)
    bands = sorted({band for held in keys.values() for band in held})
    for part in in_parts(bands):
        for entries in {row[1] for row in _blocks_of(connection, part)} - {None}:
            pairs = _decoded([entries])
            gone = [band in keys.get(n, ()) for band, n in pairs.listed()]
            if any(gone):
                removed += sum(gone)
                _rewrite(connection, entries, pairs.where(~np.array(gone)))
    return removed


def remove_rows(connection: Connection, keys: Mapping[int, Collection[int]]) -> int:
    """As `remove`, without the blocks: for articles that `UNLINKED` removes from these."""
    removed = 0
    for n, bands in keys.items():
        for part in in_parts(sorted(set(bands))):
            held = lsh_band.c.article == n, lsh_band.c.band.in_(part)
            removed += connection.execute(delete(lsh_band).where(*held)).rowcount
    return removed


def remove_articles(connection: Connection, numbers: Collection[int]) -> None:
    """Remove all keys of articles whose keys are not known. This reads both tables."""
    connection.execute(delete(lsh_band).where(lsh_band.c.article.in_(numbers)))
    gone = np.array(sorted(numbers), dtype=np.int64)

    def without(pairs: KeyPairs) -> KeyPairs:
        return pairs.where(~np.isin(pairs.numbers, gone))

    _filter_blocks(connection, without)


def forget_unlinked(connection: Connection) -> None:
    """Drop the keys that are ignored, before `UNLINKED` is set back. This reads all blocks."""
    unlinked = counter_value(connection, UNLINKED)
    _filter_blocks(connection, lambda pairs: pairs.where(pairs.numbers > unlinked))


def _filter_blocks(connection: Connection, change: Callable[[KeyPairs], KeyPairs]) -> None:
    begins = connection.execute(select(lsh_block.c.first_band)).scalars().all()
    for one in rows_with(connection, select(lsh_block), lsh_block.c.first_band, begins):
        pairs = _decoded([one.entries])
        kept = change(pairs)
        if len(kept.bands) < len(pairs.bands):
            _rewrite(connection, one.entries, kept)


def _rewrite(connection: Connection, entries: bytes, kept: KeyPairs) -> None:
    """Write the pairs that are kept of a block in its place."""
    first = _HEADER.unpack_from(entries)[2]
    connection.execute(_DELETE_BLOCKS, {"low": first, "last": first})
    _insert(connection, kept)


def pack(connection: Connection, newest: int, articles: int) -> None:
    """Pack the stretch of the key space that `articles` of all up to inbox number `newest` pay for.

    A round of all stretches takes as many articles as an eighth of the stored ones. So for each article less
    than two blocks are written, and half of the keys of a round, one in 16, are rows at a time.
    """
    unlinked = counter_value(connection, UNLINKED)
    stored = newest - unlinked
    if stored < _LEAST and connection.execute(_FLOOR, {"low": _BEYOND - 1}).scalar() is None:
        return
    low = counter_value(connection, _PACKED_TO)
    end = low + (articles * _ROUND * (_BEYOND - LOWEST) // max(stored, _LEAST))
    _pack_stretch(connection, low, end, unlinked)
    set_counter(connection, _PACKED_TO, end if end < _BEYOND else LOWEST)


def pack_all(connection: Connection) -> None:
    """Pack all keys, a thousand articles' at a time."""
    newest = connection.execute(select(func.max(article.c.inbox_no))).scalar() or 0
    unlinked = counter_value(connection, UNLINKED)
    stretches = 1 + newest // 1_000
    bounds = [LOWEST + part * (_BEYOND - LOWEST) // stretches for part in range(stretches + 1)]
    for low, end in pairwise(bounds):
        _pack_stretch(connection, low, end, unlinked)


def _pack_stretch(connection: Connection, low: int, end: int, unlinked: int) -> None:
    """Move rows with keys from `low` to below `end` into blocks; pack the blocks that begin there again."""
    within = {"low": low, "last": min(end, _BEYOND) - 1}
    rows = connection.execute(_ROWS, within).all()
    begins = within | {"low": _floor(connection, low)}  # that block, too: it may be half empty
    blocks = connection.execute(_BLOCKS, begins).scalars().all()
    connection.execute(_DELETE_BLOCKS, begins)
    _insert(connection, _live(rows, blocks, unlinked))
    connection.execute(_DELETE_ROWS, within)


_ROWS: Final = text(
    "SELECT band, article FROM lsh_band WHERE band BETWEEN :low AND :last ORDER BY band, article"
)
_DELETE_ROWS: Final = text("DELETE FROM lsh_band WHERE band BETWEEN :low AND :last")
_BLOCKS: Final = text(
    "SELECT entries FROM lsh_block WHERE first_band BETWEEN :low AND :last ORDER BY first_band"
)
_DELETE_BLOCKS: Final = text("DELETE FROM lsh_block WHERE first_band BETWEEN :low AND :last")
_INSERT_BLOCK: Final = insert(lsh_block)
_FLOOR: Final = text("SELECT max(first_band) FROM lsh_block WHERE first_band <= :low")


# --- blocks ------------------------------------------------------------------------------------------------


def _floor(connection: Connection, band: int) -> int:
    """Return where the block begins that may hold this band; the band itself without one."""
    first = connection.execute(_FLOOR, {"low": band}).scalar()
    return band if first is None else int(first)


def _live(rows: Sequence[Row[Any]], blocks: Sequence[bytes], unlinked: int) -> KeyPairs:
    """Return the pairs of rows, which are in order, and blocks without those that are ignored, in order."""
    new = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 2)
    packed = _decoded(blocks)
    spots = np.searchsorted(packed.bands, new[:, 0], side="right")  # the numbers of rows are higher
    pairs = KeyPairs(np.insert(packed.bands, spots, new[:, 0]), np.insert(packed.numbers, spots, new[:, 1]))
    return pairs.where(pairs.numbers > unlinked)


def _insert(connection: Connection, pairs: KeyPairs) -> None:
    """Write these pairs as blocks: as many as fit in each, all articles of a key in one."""
    bands, numbers = pairs
    if not len(bands):
        return
    offsets, narrow = bands.view(np.uint64), _width(int(numbers.max()))
    for wide in range(1, _BYTE + 1):  # the smallest that fits: the wider the keys, the fewer fit in a block
        count = (_BLOCK_BYTES - _HEADER.size) // (wide + narrow)
        starts = np.unique(np.searchsorted(bands, bands[::count]))
        ends = np.append(starts[1:], len(bands))
        if _width(int((offsets[ends - 1] - offsets[starts]).max())) <= wide:
            break
    keys = (offsets - np.repeat(offsets[starts], ends - starts)).astype("<u8").view(np.uint8)
    values = numbers.astype("<u8").view(np.uint8)
    table = np.concatenate((keys.reshape(-1, _BYTE)[:, :wide], values.reshape(-1, _BYTE)[:, :narrow]), axis=1)
    entries, size = table.tobytes(), wide + narrow
    blocks = [
        {
            "first_band": first,
            "entries": _HEADER.pack(wide, narrow, first) + entries[start * size : end * size],
        }
        for first, start, end in zip(*(one.tolist() for one in (bands[starts], starts, ends)), strict=True)
    ]
    connection.execute(_INSERT_BLOCK, blocks)


def _width(value: int) -> int:
    """Return how many bytes a value takes; at least one."""
    return max(1, (value.bit_length() + _BYTE - 1) // _BYTE)


def _decoded(blocks: Iterable[bytes]) -> KeyPairs:
    """Return the pairs of blocks, which are in order; only blocks of one shape are read at once."""
    parts = [KeyPairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))]
    for (wide, narrow), alike in groupby(filter(_is_sound, blocks), key=itemgetter(0, 1)):
        held, size = list(alike), wide + narrow
        table = np.frombuffer(b"".join(one[_HEADER.size :] for one in held), np.uint8).reshape(-1, size)
        offsets, numbers = (np.zeros((len(table), _BYTE), dtype=np.uint8) for _ in range(2))
        offsets[:, :wide], numbers[:, :narrow] = table[:, :wide], table[:, wide:]
        firsts = np.array([_HEADER.unpack_from(one)[2] for one in held], dtype=np.int64)
        lengths = [(len(one) - _HEADER.size) // size for one in held]
        bands = offsets.view("<i8").reshape(-1) + np.repeat(firsts, lengths)
        parts.append(KeyPairs(bands, numbers.view("<i8").reshape(-1)))
    return KeyPairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _is_sound(entries: bytes) -> bool:
    """Whether a block can be read; one that cannot has no keys, and `db check` reports it."""
    if len(entries) <= _HEADER.size or not 0 < entries[0] <= _BYTE or not 0 < entries[1] <= _BYTE:
        return False
    return (len(entries) - _HEADER.size) % (entries[0] + entries[1]) == 0


def check_block(entries: bytes) -> None:
    """Raise ValueError for a damaged block."""
    bands = _decoded([entries]).bands
    if not len(bands) or bands[0] != _HEADER.unpack_from(entries)[2] or (bands[1:] < bands[:-1]).any():
        raise ValueError("the keys of a block are not in order")
