"""In-memory index of sampled shingles of the newest articles: finds texts that share a passage.

A *sketch* holds the minimum hash of every run of shingles (winnowing, Schleimer et al. 2003). Two texts that share a
run of `window` + 2 words share a hash of their sketches, so copies, cuts and excerpts are found. A sketch also holds
the smallest hashes of the whole text (bottom-k, Broder 1997), because a short text has few runs, and a few changed
words could hide it.

A stored sketch is an array of little-endian 32-bit numbers: first the number of hashes in the whole sketch, then the
hashes that are *stored*, 30 bits each, ascending. Hashes that enough other articles have are not stored.

The stored hashes are in the database, so this index can always be built again. It is one array of entries, ordered by
2^18 buckets; the entries of the newest articles are inserted many at once. An entry has 20 bits for the article,
counted from the first article of the index, and 12 bits of the hash; the other 18 bits of the hash are the bucket. No
entry expires. Instead, a new index is built when this one has `AHEAD` inbox numbers more than the reach.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.shingles import Flags, Hashes, distinct, winnow

_TAG_BITS = 12
_BUCKET_BITS = 18
_TAG = (1 << _TAG_BITS) - 1
_HASH = np.uint64((1 << _TAG_BITS + _BUCKET_BITS) - 1)
# The most articles that an index can tell apart
_ARTICLES = 1 << 20
# The least number of entries that are inserted at once, because each insertion moves all later entries (chosen)
_LEAST_INSERTED = 4_096
# The least share of the index that is inserted at once, for the same reason
_INSERTED_SHARE = 1 / 256
# Loading in parts of this size limits its memory to about 60 MB
_ROWS_AT_ONCE = 30_000
# The number of hashes of a sketch is kept in 16 bits, but `sketch_hashes` (1,000) is the usual limit
_MOST_HASHES = (1 << 16) - 1
AHEAD = 50_000  # inbox numbers; building takes 3 s with the default reach
MOST_REACH = _ARTICLES - AHEAD - 1

Ints = npt.NDArray[np.int64]
Hashes32 = npt.NDArray[np.uint32]


def sketch(sequence: Hashes, tuning: CopyTuning) -> bytes:
    """Return the whole sketch of a text, given its shingles in text order; at most the `sketch_hashes` smallest hashes.

    The lower bits are stored, because the hashes are minima and their upper bits are mostly zeros.
    """
    smallest = distinct(sequence)[: tuning.smallest_hashes]
    minima = distinct(np.concatenate([winnow(sequence, tuning.window), smallest]))
    hashes = distinct(minima[: tuning.sketch_hashes] & _HASH).astype("<u4")
    return len(hashes).to_bytes(4, "little") + hashes.tobytes()


def hashes_of_sketch(blob: bytes) -> Hashes32:
    """Return the hashes in a stored sketch."""
    return np.frombuffer(blob, "<u4")[1:] if blob else np.empty(0, np.uint32)


def filter_sketch(blob: bytes, flags: Flags) -> bytes:
    """Return the sketch with only those stored hashes where `flags` is True; b"" if there is none."""
    return blob[:4] + hashes_of_sketch(blob)[flags].tobytes() if flags.any() else b""


class SketchOverlap(NamedTuple):
    """An article that shares hashes with the looked-up sketch."""

    number: int
    share: float  # shared part of the smaller sketch, 0..1: an estimate of containment
    is_longer: bool  # its whole sketch has more hashes than the looked-up sketch


class SketchLookup(NamedTuple):
    """The result of a look-up: pairs of a hash (its place in the sketch) and an article that has it."""

    places: Ints
    numbers: Ints
    # The number of hashes in the whole sketch of the article, for every pair
    wholes: npt.NDArray[np.uint16]
    size: int  # hashes of the looked-up sketch

    def overlaps(self, least: int, cap: int) -> list[SketchOverlap]:
        """Return the articles that share at least `least` hashes, the largest share first.

        Hashes that `cap` or more articles have are ignored. A sketch with fewer hashes than `least` must share
        all of them.
        """
        is_distinctive = self.holders() < cap
        counts = Counter(self.numbers[is_distinctive[self.places]].tolist())
        wholes = dict(zip(self.numbers.tolist(), self.wholes.tolist(), strict=True))
        overlaps = []
        for number, shared in counts.items():
            if shared >= min(least, self.size):
                share = shared / min(wholes[number], self.size)
                overlaps.append(
                    SketchOverlap(number, share, is_longer=wholes[number] > self.size)
                )
        return sorted(overlaps, key=lambda overlap: (-overlap.share, overlap.number))

    def holders(self, *, other_than: int = 0) -> Ints:
        """Return how many articles have each hash, not counting the article `other_than`."""
        return np.bincount(self.places[self.numbers != other_than], minlength=self.size)


class PassageIndex:
    """The sketches of the articles above number `after`."""

    def __init__(
        self, *, reach: int, after: int = 0, rows: Iterable[tuple[int, bytes]] = ()
    ) -> None:
        """Load `rows` (number and sketch) of all articles above `after`, in any order.

        Raises ValueError for a reach that is not between 1 and MOST_REACH.
        """
        if not 0 < reach <= MOST_REACH:
            raise ValueError(
                f"a reach of {reach} articles is not between 1 and {MOST_REACH}"
            )
        self._reach = reach
        self._after = after
        # Where each bucket begins in `_entries`, and where the last bucket ends
        self._starts = np.zeros((1 << _BUCKET_BITS) + 1, np.int64)
        self._entries = np.empty(0, np.uint32)
        # Articles by hash that are not in `_entries` yet
        self._fresh: dict[int, list[int]] = {}
        self._fresh_count = 0
        # The number of hashes in the whole sketch of each article. numpy asks for huge pages for arrays of 4 MiB, so an
        # array of larger numbers would take at least 2 MiB at its first use.
        self._wholes = np.zeros(_ARTICLES, dtype=np.uint16)
        rows = iter(rows)
        while part := list(islice(rows, _ROWS_AT_ONCE)):
            self._insert(*np.concatenate([self._hashes(*row) for row in part], axis=1))

    def covers(self, number: int) -> bool:
        """Return whether a text with this number can be looked up here; otherwise another index must be built."""
        return 0 < number - self._reach - self._after <= AHEAD

    def add(self, number: int, blob: bytes) -> None:
        """Add the sketch of an article that is not in the index; an article that is too old is ignored."""
        hashes, places = self._hashes(number, blob)
        for hash_, at in zip(hashes.tolist(), places.tolist(), strict=True):
            self._fresh.setdefault(hash_, []).append(at)
        self._fresh_count += len(hashes)
        if self._fresh_count >= max(
            _LEAST_INSERTED, _INSERTED_SHARE * len(self._entries)
        ):
            self._insert_fresh()

    def remove(self, number: int, blob: bytes) -> None:
        """Remove the sketch of an article from the index."""
        hashes, places = self._hashes(number, blob)
        if not len(hashes):
            return
        self._insert_fresh()
        of_hash, spots = self._spots(hashes)
        gone = spots[self._entries[spots] >> _TAG_BITS == places[of_hash]]
        self._entries = np.delete(self._entries, gone)
        buckets = np.searchsorted(self._starts, gone, side="right") - 1
        self._starts[1:] -= np.cumsum(np.bincount(buckets, minlength=1 << _BUCKET_BITS))

    def _hashes(self, number: int, blob: bytes) -> Hashes32:
        """Return a row of the hashes of a sketch, and a row with its article's place in the index.

        The rows are empty for an article that the index does not cover. Also record the size of the whole sketch.
        """
        at = number - self._after
        if not blob or not 0 < at < _ARTICLES:
            return np.empty((2, 0), np.uint32)
        self._wholes[at] = min(int.from_bytes(blob[:4], "little"), _MOST_HASHES)
        hashes = hashes_of_sketch(blob)
        return np.stack([hashes, np.full(len(hashes), at, np.uint32)])

    def _insert_fresh(self) -> None:
        hashes = np.fromiter(self._fresh, np.uint32, len(self._fresh))
        places = list(self._fresh.values())
        self._insert(
            np.repeat(hashes, list(map(len, places))),
            np.fromiter(chain(*places), np.uint32),
        )
        self._fresh = {}
        self._fresh_count = 0

    def _insert(self, hashes: Hashes32, places: Hashes32) -> None:
        """Insert entries, each at the end of its bucket."""
        order = np.argsort(hashes >> _TAG_BITS, kind="stable")
        buckets = hashes[order] >> _TAG_BITS
        entries = hashes[order] & _TAG | places[order] << _TAG_BITS
        self._entries = np.insert(self._entries, self._starts[buckets + 1], entries)
        self._starts[1:] += np.cumsum(np.bincount(buckets, minlength=1 << _BUCKET_BITS))

    def look_up(self, number: int, blob: bytes) -> SketchLookup:
        """Return which articles before `number`, within the reach, have hashes of a sketch."""
        hashes = hashes_of_sketch(blob)
        of_hash, spots = self._spots(hashes)
        fresh = [self._fresh.get(hash_, ()) for hash_ in hashes.tolist()]
        of_fresh = np.repeat(np.arange(len(hashes)), list(map(len, fresh)))
        articles = self._entries[spots].astype(np.int64) >> _TAG_BITS
        # Pairs of a hash (its place) and an article of the index that has it
        places = np.concatenate([of_hash, of_fresh])
        at = np.concatenate([articles, np.fromiter(chain(*fresh), np.int64)])
        numbers = at + self._after
        is_recent = (number - self._reach <= numbers) & (numbers < number)
        return SketchLookup(
            places[is_recent],
            numbers[is_recent],
            self._wholes[at[is_recent]],
            len(hashes),
        )

    def _spots(self, hashes: Hashes32) -> tuple[Ints, Ints]:
        """Return pairs of a hash (its place) and the spot of an entry that has it."""
        buckets = hashes >> _TAG_BITS
        starts = self._starts[buckets]
        lengths = self._starts[buckets + 1] - starts
        of_hash = np.repeat(np.arange(len(hashes)), lengths)
        # The place of the first pair of each hash
        first = np.cumsum(lengths) - lengths
        spots = np.arange(len(of_hash)) + (starts - first)[of_hash]
        is_hash = (self._entries[spots] ^ hashes[of_hash]) & _TAG == 0
        return of_hash[is_hash], spots[is_hash]
