"""In-memory index of sampled shingles of the newest articles: finds texts that share a passage.

A *sketch* holds the minimum hash of every run of shingles (winnowing, Schleimer et al. 2003). A text that
shares a run of `window` + 2 words with another shares a hash with its sketch. So cuts and excerpts are found
for which MinHash is too coarse. A stored sketch is an array of little-endian 32-bit numbers: first the number
of hashes of the text, then the hashes that are *stored*, 30 bits each, ascending. Fewer are stored than the
text has when a copy of it stores them already (a group of reprints has one entry for a shingle), or when
`cap` articles do.

The stored hashes are in the row of the article, so this index can always be rebuilt from rows. It is a list
of entries for each of 2^18 buckets. An entry is 20 bits of the article's number and 12 bits of the hash. The
full number is restored from the 20 bits because a look-up covers only the newest `reach` numbers; older
entries that were not swept yet do not count.
"""

import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.cluster.copies.shingles import Hashes, distinct, winnow

_TAG_BITS: Final = 12
_BUCKET_BITS: Final = 18
_SLOT_BITS: Final = 20
_TAG: Final = (1 << _TAG_BITS) - 1
_SLOT: Final = (1 << _SLOT_BITS) - 1
_HASH: Final = np.uint64((1 << _TAG_BITS + _BUCKET_BITS) - 1)
_SWEPT_AT_ONCE: Final = 3  # buckets for each new number: a full round takes 87,382 numbers
_MOST_HASHES: Final = 65_535  # in one sketch: the count has 16 bits
_ROWS_AT_ONCE: Final = 60_000  # of one load step: limits its memory to about 100 MB
MOST_REACH: Final = (1 << _SLOT_BITS) - (1 << _BUCKET_BITS) // _SWEPT_AT_ONCE - 10_000  # a margin

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]
Row = tuple[int, bytes]  # number of the article, stored sketch


def sketch(sequence: Hashes, *, window: int, limit: int) -> bytes:
    """Return the stored sketch of a text's shingles in text order: the `limit` smallest hashes at most.

    The lower bits are stored: the hashes are minima of their runs, so their upper bits are mostly zeros.
    """
    chosen = winnow(sequence, window)[: min(limit, _MOST_HASHES)]
    hashes = distinct(chosen & _HASH).astype("<u4")
    return len(hashes).to_bytes(4, "little") + hashes.tobytes()


def held(blob: bytes) -> Words:
    """Return the hashes in a stored sketch."""
    return np.frombuffer(blob, "<u4")[1:] if blob else np.empty(0, np.uint32)


def filter_sketch(blob: bytes, flags: Flags) -> bytes:
    """Return the sketch with only those stored hashes where `flags` is True."""
    return blob[:4] + held(blob)[flags].tobytes()


class SketchOverlap(NamedTuple):
    """An article that shares hashes with the looked-up sketch."""

    number: int
    shared: int
    whole: int  # hashes of its text

    def share_of(self, hashes: int) -> float:
        """Return the shared part of the smaller sketch, 0..1: an estimate of containment."""
        return self.shared / max(1, min(self.whole, hashes))


class SketchLookup(NamedTuple):
    """The result of a look-up: pairs of a hash (its place in the sketch) and an article that has it."""

    places: Ints
    numbers: Ints
    wholes: Ints  # hashes of that article's text, for every pair
    full: Flags  # for every hash: whether `cap` or more articles have it

    def overlaps(self, least: int) -> list[SketchOverlap]:
        """Return the articles that share at least `least` hashes, by number; full hashes are ignored."""
        informative = ~self.full[self.places]
        numbers, first, counts = np.unique(self.numbers[informative], return_index=True, return_counts=True)
        wholes = self.wholes[informative][first]
        enough = counts >= least
        columns = zip(numbers[enough].tolist(), counts[enough].tolist(), wholes[enough].tolist(), strict=True)
        return [SketchOverlap(number, shared, whole) for number, shared, whole in columns]

    def occurs_in(self, numbers: Iterable[int]) -> Flags:
        """Return for every hash whether one of these articles has it."""
        flags = np.zeros(len(self.full), dtype=bool)
        flags[self.places[np.isin(self.numbers, list(numbers))]] = True
        return flags


_NO_ROWS: Final = np.empty(0, np.int64)
EMPTY_LOOKUP: Final = SketchLookup(
    _NO_ROWS, _NO_ROWS, _NO_ROWS, np.empty(0, np.bool_)
)  # of a text without shingles


class PassageIndex:
    """The sketches of the newest `reach` article numbers."""

    def __init__(self, *, reach: int, cap: int, rows: Iterable[Row] = (), after: int = -1) -> None:
        """Load `rows`, in any order: all rows with numbers above `after`.

        Raise ValueError for a reach that is not between 1 and MOST_REACH.
        """
        if not 0 < reach <= MOST_REACH:
            raise ValueError(f"a reach of {reach} articles is not between 1 and {MOST_REACH}")
        self._reach, self._cap = reach, cap
        self._lists: list[array[int] | None] = [None] * (1 << _BUCKET_BITS)
        self._whole = np.zeros(1 << _SLOT_BITS, dtype=np.uint16)
        self._hand = 0
        self._swept_to: int | None = None
        self._after = after
        for numbers, blobs in _chunks(rows, _ROWS_AT_ONCE):
            self._load(numbers, blobs)

    def covers(self, number: int) -> bool:
        """Return whether the index still has all entries that `look_up` needs for this number."""
        return number - self._reach > self._after

    def add(self, number: int, blob: bytes) -> None:
        """Add the sketch of an article that is not in the index; an article that is too old is ignored."""
        if not blob or number <= self._after:
            return
        slot = number & _SLOT
        self._whole[slot] = int.from_bytes(blob[:4], "little")
        lists, upper = self._lists, slot << _TAG_BITS
        for hash_ in held(blob).tolist():
            bucket = hash_ >> _TAG_BITS
            entries = lists[bucket]
            if entries is None:
                lists[bucket] = array("I", (upper | hash_ & _TAG,))
            else:
                entries.append(upper | hash_ & _TAG)

    def remove(self, number: int, blob: bytes) -> None:
        """Remove a sketch that `add` added."""
        if number <= self._after:
            return
        upper = (number & _SLOT) << _TAG_BITS
        for hash_ in held(blob).tolist():
            bucket, entry = hash_ >> _TAG_BITS, upper | hash_ & _TAG
            entries = self._lists[bucket]
            if entries is not None and entry in entries:
                entries.remove(entry)
                if not entries:
                    self._lists[bucket] = None

    def look_up(self, number: int, blob: bytes) -> SketchLookup:
        """Look up a sketch among the articles before `number`, within the reach."""
        hashes = held(blob)
        lists = [self._lists[bucket] or b"" for bucket in (hashes >> _TAG_BITS).tolist()]
        entries = np.frombuffer(b"".join(lists), dtype=np.uint32)
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        hits = np.flatnonzero((entries ^ np.repeat(hashes, lengths)) & _TAG == 0)
        places = np.searchsorted(np.cumsum(lengths), hits, side="right")
        slots = (entries[hits] >> _TAG_BITS).astype(np.int64)
        numbers = number - 1 - ((number - 1 - slots) & _SLOT)
        recent = numbers >= number - self._reach
        places, numbers, slots = places[recent], numbers[recent], slots[recent]
        return _make_lookup(places, numbers, self._whole[slots].astype(np.int64), len(hashes), self._cap)

    def sweep(self, newest: int) -> None:
        """Remove expired entries from a few buckets for each number since the last sweep.

        Changes no look-up, since expired entries are ignored anyway.
        """
        passed = 0 if self._swept_to is None else max(0, newest - self._swept_to)
        self._swept_to = newest
        self._after = max(self._after, newest - self._reach)
        for _ in range(min(_SWEPT_AT_ONCE * passed, len(self._lists))):
            self._sweep_bucket(self._hand, newest)
            self._hand = (self._hand + 1) % len(self._lists)

    def _sweep_bucket(self, bucket: int, newest: int) -> None:
        entries = self._lists[bucket]
        if entries is None:
            return
        slots = (np.frombuffer(entries, dtype=np.uint32) >> _TAG_BITS).astype(np.int64)
        live = (newest - slots) & _SLOT < self._reach
        if not live.all():
            left = np.frombuffer(entries, dtype=np.uint32)[live]
            self._lists[bucket] = array("I", left.tobytes()) if len(left) else None

    def _load(self, numbers: Sequence[int], blobs: Sequence[bytes]) -> None:
        hashes, rows, wholes = _concatenate(blobs)
        slots = (np.array(numbers, dtype=np.int64) & _SLOT).astype(np.uint32)
        self._whole[slots] = wholes
        # One 64-bit number, the bucket above the entry: sorting groups the entries by bucket.
        pairs = np.empty((len(hashes), 2), dtype="<u4")
        pairs[:, 0] = (slots << _TAG_BITS)[rows] | hashes & _TAG
        pairs[:, 1] = hashes >> _TAG_BITS
        pairs.reshape(-1).view("<u8").sort()
        data = pairs[:, 0].tobytes()
        counts = np.bincount(pairs[:, 1], minlength=1 << _BUCKET_BITS)
        places = (4 * np.cumsum(counts)).tolist()
        lists, begin = self._lists, 0
        for bucket, end in enumerate(places):
            if end > begin:
                entries = lists[bucket]
                if entries is None:
                    lists[bucket] = array("I", data[begin:end])
                else:
                    entries.frombytes(data[begin:end])
            begin = end


def scan(rows: Iterable[Row], number: int, blob: bytes, *, reach: int, cap: int) -> SketchLookup:
    """Return the same as `PassageIndex(rows).look_up(number, blob)` without building the index.

    For a command that looks up once or twice; the cost is one pass over the rows.
    """
    hashes = held(blob)
    wanted_buckets = np.zeros(1 << _BUCKET_BITS, dtype=bool)
    wanted_buckets[hashes >> _TAG_BITS] = True
    matches: list[tuple[Ints, Ints, Ints]] = []
    for numbers, blobs in _chunks(rows, 10_000):
        theirs, at, wholes = _concatenate(blobs)
        theirs_numbers = np.array(numbers, dtype=np.int64)
        recent = (theirs_numbers >= number - reach) & (theirs_numbers < number)
        likely = np.flatnonzero(wanted_buckets[theirs >> _TAG_BITS] & recent[at])
        hits = likely[np.isin(theirs[likely], hashes)]
        places = np.searchsorted(hashes, theirs[hits])
        matches.append((places, theirs_numbers[at[hits]], wholes[at[hits]]))
    columns = [np.concatenate(column) for column in zip(*matches, strict=True)] or [np.empty(0, np.int64)] * 3
    return _make_lookup(columns[0], columns[1], columns[2], len(hashes), cap)


def _make_lookup(places: Ints, numbers: Ints, wholes: Ints, count: int, cap: int) -> SketchLookup:
    return SketchLookup(places, numbers, wholes, np.bincount(places, minlength=count) >= cap)


def _concatenate(blobs: Sequence[bytes]) -> tuple[Words, Ints, Ints]:
    """Return the hashes of all sketches, the index of each hash's sketch, and the full counts."""
    values = np.frombuffer(b"".join(blobs), dtype="<u4")
    lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs)) // 4
    starts = np.cumsum(lengths) - lengths
    is_hash = np.ones(len(values), dtype=bool)
    is_hash[starts] = False
    return values[is_hash], np.repeat(np.arange(len(blobs)), lengths - 1), values[starts].astype(np.int64)


def _chunks(rows: Iterable[Row], size: int) -> Iterator[tuple[Sequence[int], Sequence[bytes]]]:
    """Yield numbers and sketches of the rows that have one."""
    rows = iter(rows)
    while some := list(itertools.islice(rows, size)):
        numbers, blobs = zip(*some, strict=True)
        if not all(blobs):
            held = [row for row in some if row[1]]
            numbers, blobs = zip(*held, strict=True) if held else ((), ())
        if blobs:
            yield numbers, blobs
