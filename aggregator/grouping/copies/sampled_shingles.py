"""In-memory index of sampled shingles of the newest articles: finds texts that share a passage.

A *sketch* holds the minimum hash of every run of shingles (winnowing, Schleimer et al. 2003). A text that
shares a run of `window` + 2 words with another shares a hash with its sketch. So copies, cuts and excerpts
are found. It also holds the smallest hashes of the whole text (bottom-k, Broder 1997): a long text has them
anyway, a short one has few runs, and a few changed words could hide it.

A stored sketch is an array of little-endian 32-bit numbers: first the number of hashes of the text, then the
hashes that are *stored*, 30 bits each, ascending. Hashes that enough other articles have are left out.

The stored hashes are in the row of the article, so this index can always be built again from rows. It is a
list of entries for each of 2^18 buckets. An entry has 20 bits for the article, counted from the first one of
the index, and 12 bits of the hash. No entry expires: an index that has taken `AHEAD` articles more than a
look-up covers is built again.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.shingles import Flags, Hashes, distinct, winnow

_TAG_BITS = 12
_BUCKET_BITS = 18
_TAG = (1 << _TAG_BITS) - 1
_HASH = np.uint64((1 << _TAG_BITS + _BUCKET_BITS) - 1)
_ARTICLES = 1 << 20  # that an index can tell apart
_ROWS_AT_ONCE = 100_000  # of a load: limits its memory to about 80 MB
AHEAD = 50_000  # inbox numbers; building takes 3 s with the default reach
MOST_REACH = _ARTICLES - AHEAD - 1

Ints = npt.NDArray[np.int64]
Hashes32 = npt.NDArray[np.uint32]


def sketch(sequence: Hashes, tuning: CopyTuning) -> bytes:
    """Return the whole sketch of a text's shingles in text order: the `sketch_hashes` smallest at most.

    The lower bits are stored: the hashes are minima, so their upper bits are mostly zeros.
    """
    smallest = distinct(sequence)[: tuning.smallest_hashes]
    minima = distinct(np.concatenate([winnow(sequence, tuning.window), smallest]))
    hashes = distinct(minima[: tuning.sketch_hashes] & _HASH).astype("<u4")
    return len(hashes).to_bytes(4, "little") + hashes.tobytes()


def held(blob: bytes) -> Hashes32:
    """Return the hashes in a stored sketch."""
    return np.frombuffer(blob, "<u4")[1:] if blob else np.empty(0, np.uint32)


def filter_sketch(blob: bytes, flags: Flags) -> bytes:
    """Return the sketch with only those stored hashes where `flags` is True; b"" if there is none."""
    return blob[:4] + held(blob)[flags].tobytes() if flags.any() else b""


class SketchOverlap(NamedTuple):
    """An article that shares hashes with the looked-up sketch."""

    number: int
    share: float  # shared part of the smaller sketch, 0..1: an estimate of containment
    is_longer: bool  # its text has more hashes than the looked-up one


class SketchLookup(NamedTuple):
    """The result of a look-up: pairs of a hash (its place in the sketch) and an article that has it."""

    places: Ints
    numbers: Ints
    wholes: Ints  # hashes of that article's text, for every pair
    own: int  # hashes of the looked-up sketch

    def overlaps(self, least: int, cap: int) -> list[SketchOverlap]:
        """Return the articles that share at least `least` hashes, those with the largest share first.

        Hashes that `cap` or more articles have are ignored. Who has fewer than `least` shares all of them.
        """
        is_telling = self.holders() < cap
        counts = Counter(self.numbers[is_telling[self.places]].tolist())
        wholes = dict(zip(self.numbers.tolist(), self.wholes.tolist(), strict=True))
        overlaps = []
        for number, shared in counts.items():
            if shared >= min(least, self.own):
                share = shared / min(wholes[number], self.own)
                overlaps.append(SketchOverlap(number, share, is_longer=wholes[number] > self.own))
        return sorted(overlaps, key=lambda overlap: (-overlap.share, overlap.number))

    def holders(self, *, other_than: int = 0) -> Ints:
        """Return for every hash how many articles have it, without the article `other_than`."""
        return np.bincount(self.places[self.numbers != other_than], minlength=self.own)


class PassageIndex:
    """The sketches of the articles above number `after`."""

    def __init__(self, *, reach: int, after: int = 0, rows: Iterable[tuple[int, bytes]] = ()) -> None:
        """Load `rows` (number and sketch): those of all articles above `after`, in any order.

        Raise ValueError for a reach that is not between 1 and MOST_REACH.
        """
        if not 0 < reach <= MOST_REACH:
            raise ValueError(f"a reach of {reach} articles is not between 1 and {MOST_REACH}")
        self._reach, self._after = reach, after
        self._buckets: list[array[int] | None] = [None] * (1 << _BUCKET_BITS)
        self._wholes = np.zeros(_ARTICLES, dtype=np.uint32)
        rows = iter(rows)
        while part := list(islice(rows, _ROWS_AT_ONCE)):
            self._load(part)

    def _load(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Add the sketches of many articles at once, in a quarter of the time."""
        buckets, entries = np.concatenate([self._entries(*row) for row in rows], axis=1)
        order = np.argsort(buckets, kind="stable")
        entries = entries[order]
        different, starts = np.unique(buckets[order], return_index=True)
        ends = np.append(starts, len(entries))[1:]
        for bucket, start, end in zip(different.tolist(), starts.tolist(), ends.tolist(), strict=True):
            self._append(bucket, entries[start:end])

    def covers(self, number: int) -> bool:
        """Return whether a text with this number can be looked up here, or another index must be built."""
        return 0 < number - self._reach - self._after <= AHEAD

    def add(self, number: int, blob: bytes) -> None:
        """Add the sketch of an article that is not in the index; an article that is too old is ignored."""
        buckets, entries = self._entries(number, blob)
        for place, bucket in enumerate(buckets.tolist()):
            self._append(bucket, entries[place : place + 1])

    def remove(self, number: int, blob: bytes) -> None:
        """Remove a sketch that `add` added."""
        buckets, entries = self._entries(number, blob)
        for bucket, entry in zip(buckets.tolist(), entries.tolist(), strict=True):
            in_bucket = self._buckets[bucket]
            if in_bucket is not None and entry in in_bucket:
                in_bucket.remove(entry)

    def _append(self, bucket: int, entries: Hashes32) -> None:
        in_bucket = self._buckets[bucket]
        if in_bucket is None:
            self._buckets[bucket] = array("I", entries.tobytes())
        else:
            in_bucket.frombytes(entries.tobytes())

    def _entries(self, number: int, blob: bytes) -> Hashes32:
        """Return a row of the buckets of a sketch and one of its entries, and note the hashes of its text.

        They are empty for an article that is not one of the index.
        """
        at = number - self._after
        if not blob or not 0 < at < _ARTICLES:
            return np.empty((2, 0), np.uint32)
        self._wholes[at] = int.from_bytes(blob[:4], "little")
        hashes = held(blob)
        return np.array((hashes >> _TAG_BITS, hashes & _TAG | np.uint32(at << _TAG_BITS)), np.uint32)

    def look_up(self, number: int, blob: bytes) -> SketchLookup:
        """Look up a sketch among the articles before `number`, within the reach."""
        hashes = held(blob)
        places, at = self._articles_with(hashes)
        is_recent = (number - self._reach <= at + self._after) & (at + self._after < number)
        places, at = places[is_recent], at[is_recent]
        return SketchLookup(places, at + self._after, self._wholes[at].astype(np.int64), len(hashes))

    def _articles_with(self, hashes: Hashes32) -> tuple[Ints, Ints]:
        """Return pairs of a hash (its place) and an article of the index that has it."""
        buckets = [self._buckets[bucket] or b"" for bucket in (hashes >> _TAG_BITS).tolist()]
        lengths = np.fromiter(map(len, buckets), np.int64, len(buckets))
        places = np.repeat(np.arange(len(hashes)), lengths)
        entries = np.frombuffer(b"".join(buckets), np.uint32)
        is_hash = (entries ^ hashes[places]) & _TAG == 0
        return places[is_hash], (entries[is_hash] >> _TAG_BITS).astype(np.int64)
