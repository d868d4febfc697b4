"""Finds texts that share a passage: sampled shingles of the newest articles, in memory.

A *sketch* holds the least hash of every run of shingles (winnowing): whoever shares a run of `window` + 2
words with a text shares a hash with its sketch, so cuts and excerpts are found that MinHash is too coarse
for. A stored sketch is a row of 32-bit numbers, little endian: first how many hashes the text had, then those
that the article *holds*, 30 bits each, in rising order. It holds fewer than it had where a copy of it holds
them already (a family of reprints has one entry a shingle) or where enough articles do (`cap`).

What is held stands in the row. So the index here equals the rows at any moment, whatever came, went or was
undone: it is a list of entries for each of 2^18 buckets, an entry being 20 bits of the article's number and
12 of the hash. Numbers come back whole because only `reach` of them are asked at a time; an answer counts
nothing older, whatever the sweep has left lying about. (placing.md, section 4, has what this structure was
compared with.)
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.cluster.copies.shingles import Hashes, winnow

_TAG_BITS: Final = 12
_BUCKET_BITS: Final = 18
_SLOT_BITS: Final = 20
_TAG: Final = (1 << _TAG_BITS) - 1
_SLOT: Final = (1 << _SLOT_BITS) - 1
_HASH: Final = np.uint64((1 << _TAG_BITS + _BUCKET_BITS) - 1)
_SWEPT_AT_ONCE: Final = 3  # buckets for each number that passed: a round takes 87,382 of them
_MOST_HASHES: Final = 65_535  # of one sketch: their count is kept in 16 bits
_ROWS_AT_ONCE: Final = 60_000  # of a load: bounds what it needs for a moment to about 100 MB
MOST_REACH: Final = (1 << _SLOT_BITS) - (1 << _BUCKET_BITS) // _SWEPT_AT_ONCE - 10_000  # some air

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]
Row = tuple[int, bytes]  # number of the article, stored sketch


def sketch(sequence: Hashes, *, window: int, limit: int) -> bytes:
    """The sketch of a text's shingles in their order, as it is stored; at most `limit` hashes, the least.

    The lower bits are kept: those chosen are the least of their runs, so their upper bits are mostly zeros.
    """
    chosen = winnow(sequence, window)[: min(limit, _MOST_HASHES)]
    return _pack_sketch(np.unique(chosen & _HASH).astype("<u4"))


def held(blob: bytes) -> Words:
    """The hashes that a stored sketch holds."""
    return np.frombuffer(blob, "<u4")[1:] if blob else np.empty(0, np.uint32)


def filter_sketch(blob: bytes, flags: Flags) -> bytes:
    """The sketch with those of its held hashes only where `flags` is True."""
    return blob[:4] + held(blob)[flags].tobytes()


def _pack_sketch(hashes: Words) -> bytes:
    return len(hashes).to_bytes(4, "little") + hashes.tobytes()


class SketchOverlap(NamedTuple):
    """An article that shares hashes with the one in question."""

    number: int
    shared: int
    whole: int  # hashes that its text had

    def share_of(self, hashes: int) -> float:
        """The part that is shared of the smaller of the two sketches, 0..1: containment, roughly."""
        return self.shared / max(1, min(self.whole, hashes))


class SketchLookup(NamedTuple):
    """What is known of the hashes of one sketch: pairs of a hash (its place) and an article that holds it."""

    places: Ints
    numbers: Ints
    wholes: Ints  # of that article, for every pair
    full: Flags  # of every hash: whether `cap` or more articles hold it

    def overlaps(self, least: int) -> list[SketchOverlap]:
        """The articles that share at least `least` hashes, by number; hashes that are full say nothing."""
        informative = ~self.full[self.places]
        numbers, first, counts = np.unique(self.numbers[informative], return_index=True, return_counts=True)
        wholes = self.wholes[informative][first]
        enough = counts >= least
        found = zip(numbers[enough].tolist(), counts[enough].tolist(), wholes[enough].tolist(), strict=True)
        return [SketchOverlap(number, shared, whole) for number, shared, whole in found]

    def occurs_in(self, numbers: Iterable[int]) -> Flags:
        """For every hash whether one of these articles holds it."""
        flags = np.zeros(len(self.full), dtype=bool)
        flags[self.places[np.isin(self.numbers, list(numbers))]] = True
        return flags


_NO_ROWS: Final = np.empty(0, np.int64)
EMPTY_LOOKUP: Final = SketchLookup(
    _NO_ROWS, _NO_ROWS, _NO_ROWS, np.empty(0, np.bool_)
)  # of a text without shingles


class PassageIndex:
    """The sketches of the newest `reach` numbers. Holds what it is given and nothing else."""

    def __init__(self, *, reach: int, cap: int, rows: Iterable[Row] = (), after: int = -1) -> None:
        """Load `rows`, in any order: all there are of numbers above `after`."""
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
        """Whether all that `look_up` needs for this number was given and not yet swept."""
        return number - self._reach > self._after

    def add(self, number: int, blob: bytes) -> None:
        """Put in the sketch of an article that is not there; one too old to be asked is passed over."""
        if not blob or number <= self._after:
            return
        slot = number & _SLOT
        self._whole[slot] = int.from_bytes(blob[:4], "little")
        lists, upper = self._lists, slot << _TAG_BITS
        for hash_ in held(blob).tolist():
            bucket = hash_ >> _TAG_BITS
            known = lists[bucket]
            if known is None:
                lists[bucket] = array("I", (upper | hash_ & _TAG,))
            else:
                known.append(upper | hash_ & _TAG)

    def remove(self, number: int, blob: bytes) -> None:
        """Take out what `add` put in."""
        if number <= self._after:
            return
        upper = (number & _SLOT) << _TAG_BITS
        for hash_ in held(blob).tolist():
            bucket, entry = hash_ >> _TAG_BITS, upper | hash_ & _TAG
            known = self._lists[bucket]
            if known is not None and entry in known:
                known.remove(entry)
                if not known:
                    self._lists[bucket] = None

    def look_up(self, number: int, blob: bytes) -> SketchLookup:
        """What the articles before `number`, and not further back than the reach, hold of this sketch."""
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
        """Let the hand go on over a few buckets for each number since the last sweep; changes no answer."""
        passed = 0 if self._swept_to is None else max(0, newest - self._swept_to)
        self._swept_to = newest
        self._after = max(self._after, newest - self._reach)
        for _ in range(min(_SWEPT_AT_ONCE * passed, len(self._lists))):
            self._sweep_bucket(self._hand, newest)
            self._hand = (self._hand + 1) % len(self._lists)

    def entries(self, newest: int) -> list[tuple[int, int]]:
        """All (number, hash) held within the reach of `newest`, sorted; slow, for tests and figures."""
        found = []
        for bucket, known in enumerate(self._lists):
            for entry in known or ():
                number = newest - ((newest - (entry >> _TAG_BITS)) & _SLOT)
                if number > newest - self._reach:
                    found.append((number, bucket << _TAG_BITS | entry & _TAG))
        return sorted(found)

    def _sweep_bucket(self, bucket: int, newest: int) -> None:
        known = self._lists[bucket]
        if known is None:
            return
        slots = (np.frombuffer(known, dtype=np.uint32) >> _TAG_BITS).astype(np.int64)
        live = (newest - slots) & _SLOT < self._reach
        if not live.all():
            left = np.frombuffer(known, dtype=np.uint32)[live]
            self._lists[bucket] = array("I", left.tobytes()) if len(left) else None

    def _load(self, numbers: Sequence[int], blobs: Sequence[bytes]) -> None:
        hashes, rows, wholes = _concatenate(blobs)
        slots = (np.array(numbers, dtype=np.int64) & _SLOT).astype(np.uint32)
        self._whole[slots] = wholes
        # Bucket above entry in one 64-bit number, so that sorting brings together what is of one bucket.
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
                known = lists[bucket]
                if known is None:
                    lists[bucket] = array("I", data[begin:end])
                else:
                    known.frombytes(data[begin:end])
            begin = end


def scan(rows: Iterable[Row], number: int, blob: bytes, *, reach: int, cap: int) -> SketchLookup:
    """What `PassageIndex(rows).look_up(number, blob)` answers, bit for bit, without building it.

    For a command that asks once or twice: reading is all that it costs.
    """
    hashes = held(blob)
    wanted = np.zeros(1 << _BUCKET_BITS, dtype=bool)
    wanted[hashes >> _TAG_BITS] = True
    found: list[tuple[Ints, Ints, Ints]] = []
    recent = (row for row in rows if number - reach <= row[0] < number)
    for numbers, blobs in _chunks(recent, 10_000):
        theirs, at, wholes = _concatenate(blobs)
        likely = np.flatnonzero(wanted[theirs >> _TAG_BITS])
        hits = likely[np.isin(theirs[likely], hashes)]
        places = np.searchsorted(hashes, theirs[hits])
        found.append((places, np.array(numbers, dtype=np.int64)[at[hits]], wholes[at[hits]]))
    columns = [np.concatenate(column) for column in zip(*found, strict=True)] or [np.empty(0, np.int64)] * 3
    return _make_lookup(columns[0], columns[1], columns[2], len(hashes), cap)


def _make_lookup(places: Ints, numbers: Ints, wholes: Ints, count: int, cap: int) -> SketchLookup:
    return SketchLookup(places, numbers, wholes, np.bincount(places, minlength=count) >= cap)


def _concatenate(blobs: Sequence[bytes]) -> tuple[Words, Ints, Ints]:
    """All held hashes in a row, the place of the sketch that each is from, and the whole of each sketch."""
    values = np.frombuffer(b"".join(blobs), dtype="<u4")
    lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs)) // 4
    starts = np.cumsum(lengths) - lengths
    is_hash = np.ones(len(values), dtype=bool)
    is_hash[starts] = False
    return values[is_hash], np.repeat(np.arange(len(blobs)), lengths - 1), values[starts].astype(np.int64)


def _chunks(rows: Iterable[Row], size: int) -> Iterator[tuple[list[int], list[bytes]]]:
    numbers: list[int] = []
    blobs: list[bytes] = []
    for number, blob in rows:
        if blob:
            numbers.append(number)
            blobs.append(blob)
        if len(numbers) == size:
            yield numbers, blobs
            numbers, blobs = [], []
    if numbers:
        yield numbers, blobs
