"""In-memory index of live stories by term: finds the candidate stories of an article.

The keys of a story are the first 32 ids of its trimmed mean, those of an article its first 32 terms. Stories
are ranked by the number of shared keys; the best 32 that the window may admit are scored exactly (scorer.py).
A posting list of more than `max_postings` stories is skipped and not cut: its word is common, and a cut would
depend on the order of arrival.

Everything in the index is derived from story rows and can be rebuilt from them. Results depend on the rows
alone: ties are ordered by story number, never by slot. ADR 4 explains the limit on memory.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from aggregator.cluster.events.centroid import CentroidSummary, read_summary
from aggregator.cluster.events.scorer import Candidate, ScoringInput
from aggregator.cluster.events.term_codec import HASH_BITS, Ints, ids_of, read
from aggregator.cluster.events.weights import MINUTES_A_DAY, EventModel

_BUCKET_BITS: Final = 18
_INITIAL_CAPACITY: Final = 1024
_NEVER: Final = 1 << 40  # later than any date, in minutes


class IndexedStory(NamedTuple):
    """The row of a live story."""

    number: int  # running number, ascending
    story: str
    blob: bytes  # centroid.to_bytes
    last_inbox: int  # inbox number of the newest member


class Postings:
    """Slots by bucket. A bucket is a hash of a key; two keys may share one."""

    def __init__(self) -> None:
        self._lists: list[array[int] | None] = [None] * (1 << _BUCKET_BITS)

    def load(self, slots: Ints, buckets: Ints) -> None:
        """Fill an empty index: add each slot once to the list of the bucket at the same position."""
        if not len(buckets):
            return
        pairs = np.sort(buckets << 32 | slots)
        pairs = pairs[np.diff(pairs, prepend=-1) != 0]
        starts = np.flatnonzero(np.diff(pairs >> 32, prepend=-1))
        filled = pairs[starts] >> 32
        values = (pairs & 0xFFFFFFFF).astype(np.uint32).tobytes()
        ends = np.append(starts, len(pairs))[1:].tolist()
        for bucket, start, end in zip(filled.tolist(), starts.tolist(), ends, strict=True):
            self._lists[bucket] = array("I", values[4 * start : 4 * end])

    def add(self, slot: int, buckets: Iterable[int]) -> None:
        """Add the slot to the lists of these buckets (each once)."""
        for bucket in buckets:
            slots = self._lists[bucket]
            if slots is None:
                self._lists[bucket] = array("I", (slot,))
            else:
                slots.append(slot)

    def remove(self, slot: int, buckets: Iterable[int]) -> None:
        """Remove the slot from the lists of these buckets."""
        for bucket in buckets:
            slots = self._lists[bucket]
            if slots is not None:
                slots.remove(slot)
                if not slots:
                    self._lists[bucket] = None

    def look_up(self, buckets: Iterable[int], longest: int) -> Ints:
        """Return all slots in these lists, with repeats; lists longer than `longest` are skipped."""
        lists = (self._lists[bucket] for bucket in buckets)
        joined = b"".join(slots for slots in lists if slots is not None and len(slots) <= longest)
        return np.frombuffer(joined, dtype=np.uint32).astype(np.int64)


class StoryIndex:
    """The live stories, by key."""

    def __init__(self, model: EventModel, rows: Iterable[IndexedStory] = ()) -> None:
        self._model = model
        # Inbox number from which a story is compared where it or the article has no date: an undated article
        # is as old as its arrival. Set before a look-up (0: `undated_reach` alone limits it).
        self.undated_from = 0
        self._postings = Postings()
        self._slot_of: dict[int, int] = {}
        self._free: list[int] = []
        self._stories: list[Candidate | None] = []
        self._first = np.zeros(_INITIAL_CAPACITY, dtype=np.int64)  # oldest date by slot; _NEVER: no date
        self._last = np.zeros(_INITIAL_CAPACITY, dtype=np.int64)
        self._inbox = np.zeros(_INITIAL_CAPACITY, dtype=np.int64)
        self._number = np.zeros(_INITIAL_CAPACITY, dtype=np.int64)
        self._load(rows)

    def _load(self, rows: Iterable[IndexedStory]) -> None:
        """Add all rows like `add_story`, but fill the lists at once."""
        heads: list[bytes] = []
        for row in rows:
            if row.number in self._slot_of:
                raise ValueError(f"story {row.number} occurs twice")
            slot = self._take_slot()
            self._slot_of[row.number] = slot
            heads.append(self._set(slot, row).trimmed[: 4 * self._model.tuning.key_terms])
        ids = ids_of(read(b"".join(heads)))
        buckets = ((ids & ((1 << HASH_BITS) - 1)) >> (HASH_BITS - _BUCKET_BITS)).astype(np.int64)
        self._postings.load(np.repeat(np.arange(len(heads)), [len(head) // 4 for head in heads]), buckets)

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, number: int) -> bool:
        return number in self._slot_of

    def add_story(self, row: IndexedStory) -> None:
        """Add a story. Raise ValueError when it is in the index already."""
        if row.number in self._slot_of:
            raise ValueError(f"story {row.number} is in the index already")
        slot = self._take_slot()
        self._slot_of[row.number] = slot
        summary = self._set(slot, row)
        self._postings.add(slot, self._buckets(summary.trimmed))

    def replace_story(self, row: IndexedStory) -> None:
        """Replace the entry of a changed story. Raise KeyError when it is not in the index."""
        slot = self._slot_of[row.number]
        old = self._buckets(self._at(slot).summary.trimmed)
        new = self._buckets(self._set(slot, row).trimmed)
        self._postings.remove(slot, sorted(old - new))
        self._postings.add(slot, sorted(new - old))

    def remove_story(self, number: int) -> None:
        """Remove a story. Raise KeyError when it is not in the index."""
        slot = self._slot_of.pop(number)
        self._postings.remove(slot, self._buckets(self._at(slot).summary.trimmed))
        self._stories[slot] = None
        self._free.append(slot)

    def story(self, number: int) -> Candidate:
        """Return the entry of a story. Raise KeyError when it is not in the index."""
        return self._at(self._slot_of[number])

    def get(self, number: int) -> Candidate | None:
        """Return the entry of a story; None if it is not in the index."""
        return self.story(number) if number in self else None

    def candidates(self, article: ScoringInput) -> list[Candidate]:
        """Return the stories that share most keys with the article and may be open to it, best first."""
        tuning = self._model.tuning
        hits = self._postings.look_up(self._buckets(article.terms), tuning.max_postings)
        slots, votes = _counted(hits)
        open_ones = self._may_be_open(slots, article)
        slots, votes = slots[open_ones], votes[open_ones]
        # Ties are won by the newer story, since events are reported close together.
        order = np.lexsort((-self._number[slots], -votes))[: tuning.candidates]
        return [self._at(slot) for slot in slots[order].tolist()]

    def neighbours(self, number: int) -> list[Candidate]:
        """Return other stories that share most keys with this one and may be in its window, best first.

        Raise KeyError when the story is not in the index.
        """
        tuning = self._model.tuning
        own = self._slot_of[number]
        story = self._at(own)
        hits = self._postings.look_up(self._buckets(story.summary.trimmed), tuning.max_postings)
        slots, votes = _counted(hits[hits != own])
        reach = int(tuning.window_days * MINUTES_A_DAY)
        live = np.abs(self._inbox[slots] - story.last_inbox) <= tuning.live_reach
        undated = (self._first[slots] == _NEVER) | (self._first[own] == _NEVER)
        recent = np.abs(self._inbox[slots] - story.last_inbox) <= tuning.undated_reach
        recent &= self._inbox[slots] >= self.undated_from
        near = (self._first[slots] - reach <= self._last[own]) & (
            self._first[own] <= self._last[slots] + reach
        )
        open_ones = np.flatnonzero(live & np.where(undated, recent, near))
        slots, votes = slots[open_ones], votes[open_ones]
        order = np.lexsort((-self._number[slots], -votes))[: tuning.candidates]
        return [self._at(slot) for slot in slots[order].tolist()]

    def sweep(self, oldest_inbox: int) -> list[int]:
        """Remove the stories that did not grow since inbox number `oldest_inbox`; return their numbers.

        They are beyond `live_reach`, so no look-up returns them anyway.
        """
        gone = [number for number, slot in sorted(self._slot_of.items()) if self._inbox[slot] < oldest_inbox]
        for number in gone:
            self.remove_story(number)
        return gone

    def _may_be_open(self, slots: Ints, article: ScoringInput) -> Ints:
        """Return those slots (as positions in `slots`) that a quick check of the window does not exclude."""
        tuning = self._model.tuning
        live = self._inbox[slots] >= article.inbox - tuning.live_reach
        recent = self._inbox[slots] >= max(article.inbox - tuning.undated_reach, self.undated_from)
        if article.minutes is None:
            return np.flatnonzero(live & recent)
        reach = int(tuning.window_days * MINUTES_A_DAY)
        undated = self._first[slots] == _NEVER
        near = (self._first[slots] - reach <= article.minutes) & (
            article.minutes <= self._last[slots] + reach
        )
        return np.flatnonzero(live & np.where(undated, recent, near))

    def _buckets(self, packed: bytes) -> set[int]:
        ids = ids_of(read(packed[: 4 * self._model.tuning.key_terms]))
        return {int(bucket) for bucket in (ids & ((1 << HASH_BITS) - 1)) >> (HASH_BITS - _BUCKET_BITS)}

    def _at(self, slot: int) -> Candidate:
        story = self._stories[slot]
        assert story is not None, "postings refer to a free slot"
        return story

    def _set(self, slot: int, row: IndexedStory) -> CentroidSummary:
        summary = read_summary(row.blob)
        self._stories[slot] = Candidate(row.number, row.story, row.last_inbox, summary)
        self._number[slot] = row.number
        self._inbox[slot] = row.last_inbox
        self._first[slot], self._last[slot] = _range(summary)
        return summary

    def _take_slot(self) -> int:
        if self._free:
            return self._free.pop()
        slot = len(self._stories)
        self._stories.append(None)
        if slot == len(self._number):
            for name in ("_first", "_last", "_inbox", "_number"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate((old, np.zeros_like(old))))
        return slot


_Value = TypeVar("_Value")


class StoryCache(Generic[_Value]):
    """What was read of live stories. A value is valid while the index has the same entry of its story."""

    def __init__(self, most: int) -> None:
        """`most`: stories in memory; those used last stay."""
        self._most = most
        self._kept: OrderedDict[int, tuple[Candidate, _Value]] = OrderedDict()

    def get(
        self, stories: Iterable[Candidate], read: Callable[[Sequence[Candidate]], Mapping[int, _Value]]
    ) -> dict[int, _Value]:
        """Return the value of each story by number; `read` is called for those that are not in memory."""
        by_number = {one.number: one for one in stories}
        found = {n: value for n, one in by_number.items() if (value := self.kept(one)) is not None}
        missing = [one for number, one in by_number.items() if number not in found]
        found |= read(missing) if missing else {}
        for number, value in found.items():
            self.put(by_number[number], value)
        return found

    def kept(self, story: Candidate) -> _Value | None:
        """Return the value of a story if it is in memory."""
        entry, value = self._kept.get(story.number, (None, None))
        return value if entry is story else None

    def put(self, story: Candidate, value: _Value) -> None:
        """Keep the value of a story, the entry of which the index has now."""
        self._kept[story.number] = story, value
        self._kept.move_to_end(story.number)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


def _counted(hits: Ints) -> tuple[Ints, Ints]:
    """Return the different values in order, and how often each occurs."""
    hits = np.sort(hits)
    starts = np.flatnonzero(np.diff(hits, prepend=-1))
    return hits[starts], np.diff(starts, append=len(hits))


def _range(summary: CentroidSummary) -> tuple[int, int]:
    dates = list(_ends(summary.times)) + list(_ends(summary.silent_times))
    return (min(dates), max(dates)) if dates else (_NEVER, -_NEVER)


def _ends(times: bytes) -> Iterator[int]:
    """Yield the first and the last date of a sorted list."""
    for piece in (times[:4], times[-4:]):
        if piece:
            yield int.from_bytes(piece, "little", signed=True)
