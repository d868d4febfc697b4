"""In-memory index of live stories by term: finds the candidate stories of an article.

The keys of a story are the first 32 ids of its trimmed mean, those of an article its first 32 terms. Stories
are ranked by the number of shared keys; the best that the window may admit are compared (pair_model.py).
A posting list of more than `max_postings` stories is skipped and not cut: its word is common, and a cut would
depend on the order of arrival.

In memory a story is one row of a table (dates, inbox number, keys) and its postings; its mean is read when a
look-up needs it, and the last ones used stay.

Everything in the index is derived from story rows and can be rebuilt from them. Results depend on the rows
alone: ties are ordered by story number, never by slot. ADR 40 explains the limit on memory.
"""

import itertools
from array import array
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from aggregator.cluster.copies.shingles import first_of_equal
from aggregator.cluster.events.centroid import ScoringInput, read_columns, read_summary
from aggregator.cluster.events.scorer import Candidate
from aggregator.cluster.events.term_codec import HASH_BITS, Ints, Words, ids_of, read
from aggregator.cluster.events.weights import MINUTES_A_DAY, EventModel

Flags = npt.NDArray[np.bool_]

_BUCKET_BITS: Final = 18
_NO_KEY: Final = (1 << 24) - 1  # after the last key of a story; no bucket has this number
_INITIAL_CAPACITY: Final = 1024
_ROWS_AT_ONCE: Final = 10_000  # of one load step: limits its memory to about 60 MB
_POSTED_AT_ONCE: Final = 100_000  # stories whose postings are added at once: takes about 100 MB
_EXAMINED_AT_ONCE: Final = 2_000  # stories whose dates are read before it is asked which have most votes
_NEVER: Final = 1 << 30  # later than any date, in minutes (the year 4011)


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
        """Add each slot to the list of the bucket at the same position. Slots must ascend."""
        order = np.argsort(buckets, kind="stable")
        buckets = buckets[order]
        starts = np.flatnonzero(np.diff(buckets, prepend=-1))
        values = slots[order].astype(np.uint32).tobytes()
        ends = np.append(starts, len(buckets))[1:].tolist()
        for bucket, start, end in zip(buckets[starts].tolist(), starts.tolist(), ends, strict=True):
            entries = self._lists[bucket]
            if entries is None:
                self._lists[bucket] = array("I", values[4 * start : 4 * end])
            else:
                entries.frombytes(values[4 * start : 4 * end])

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

    def look_up(self, buckets: Iterable[int], longest: int) -> Words:
        """Return all slots in these lists, with repeats; lists longer than `longest` are skipped."""
        lists = (self._lists[bucket] for bucket in buckets)
        joined = b"".join(slots for slots in lists if slots is not None and len(slots) <= longest)
        return np.frombuffer(joined, dtype=np.uint32)


ReadStories = Callable[[Iterable[int]], Iterable[IndexedStory]]


class StoryIndex:
    """The live stories, by key."""

    def __init__(
        self, model: EventModel, rows: Iterable[IndexedStory] = (), *, read: ReadStories | None = None
    ) -> None:
        """`rows` have ascending numbers.

        `read` returns the present rows of stories by number: then `summaries_kept` of the tuning stay in
        memory, else all.
        """
        self._model = model
        # Inbox number from which a story is compared where it or the article has no date: an undated article
        # is as old as its arrival. Set before a look-up (0: `undated_reach` alone limits it).
        self.undated_from = 0
        self.read = read
        self._postings = Postings()
        columns = [("number", "<i8"), ("inbox", "<i8"), ("first", "<i4"), ("last", "<i4")]
        keys = ("keys", "u1", (model.tuning.key_terms, 3))  # buckets, 24 bits each
        self._rows = np.zeros(_INITIAL_CAPACITY, dtype=np.dtype([*columns, keys]))  # by slot
        self._used = 0  # slots that were ever used
        self._free: list[int] = []
        self._numbers = array("q")  # of the stories, ascending, ...
        self._slots = array("I")  # ... and their slots
        self._kept: OrderedDict[int, Candidate] = OrderedDict()  # by number, the last used at the end
        rows = iter(rows)
        posted, last = 0, deque[IndexedStory](maxlen=None if read is None else model.tuning.summaries_kept)
        while some := list(itertools.islice(rows, _ROWS_AT_ONCE)):
            self._load(some)
            last.extend(some)
            if self._used - posted >= _POSTED_AT_ONCE:
                self._post(posted)
                posted = self._used
        self._post(posted)
        for row in last:
            self._keep(_candidate(row))

    def _load(self, rows: Sequence[IndexedStory]) -> None:
        """Add all rows like `add_story`, without postings."""
        columns = read_columns([row.blob for row in rows], self._rows["keys"].shape[1])
        buckets = np.where(columns.has_term, _buckets(columns.terms), _NO_KEY)
        buckets.sort(axis=1)
        buckets[:, 1:][buckets[:, 1:] == buckets[:, :-1]] = _NO_KEY
        buckets.sort(axis=1)
        slots = np.arange(self._used, self._used + len(rows))
        self._used += len(rows)
        while self._used > len(self._rows):
            self._make_room()
        loaded = self._rows[slots[0] : self._used]
        loaded["number"] = [row.number for row in rows]
        loaded["inbox"] = [row.last_inbox for row in rows]
        loaded["first"] = np.where(columns.has_date, columns.dates, _NEVER).min(axis=1)
        loaded["last"] = np.where(columns.has_date, columns.dates, -_NEVER).max(axis=1)
        loaded["keys"] = _in_bytes(buckets)
        self._numbers.frombytes(loaded["number"].tobytes())
        self._slots.frombytes(slots.astype(np.uint32).tobytes())

    def _post(self, first: int) -> None:
        """Add the postings of all slots from `first` on."""
        buckets = self._keys(slice(first, self._used))
        used = buckets != _NO_KEY
        self._postings.load(np.repeat(np.arange(first, self._used), used.sum(axis=1)), buckets[used])

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, number: int) -> bool:
        return self._place(number) is not None

    def numbers(self) -> list[int]:
        """Return the numbers of all stories, in order."""
        return self._numbers.tolist()

    def add_story(self, row: IndexedStory) -> None:
        """Add a story. Raise ValueError when it is in the index already."""
        slot = self._take_slot(row.number)
        self._set(slot, row)
        self._postings.add(slot, self._buckets_at(slot))

    def replace_story(self, row: IndexedStory) -> None:
        """Replace the entry of a changed story. Raise KeyError when it is not in the index."""
        slot = self._slot(row.number)
        old = self._buckets_at(slot)
        self._set(slot, row)
        new = self._buckets_at(slot)
        self._postings.remove(slot, sorted(old - new))
        self._postings.add(slot, sorted(new - old))

    def remove_story(self, number: int) -> None:
        """Remove a story. Raise KeyError when it is not in the index."""
        slot = self._slot(number)
        place = bisect_left(self._numbers, number)
        del self._numbers[place], self._slots[place]
        self._release(slot)

    def story(self, number: int) -> Candidate:
        """Return the entry of a story. Raise KeyError when it is not in the index."""
        self._slot(number)
        return self._stories([number])[0]

    def get(self, number: int) -> Candidate | None:
        """Return the entry of a story; None if it is not in the index."""
        return self.story(number) if number in self else None

    def kept(self, number: int) -> Candidate | None:
        """Return the entry of a story if it is in memory; nothing is read."""
        return self._kept.get(number)

    def is_live(self, number: int, now: int) -> bool:
        """Whether an article of the inbox number `now` may join a story by its age in inbox numbers.

        False for a story that is not in the index.
        """
        place = self._place(number)
        if place is None:
            return False
        row = self._rows[self._slots[place]]
        return bool(self._are_live(row["inbox"], now))

    def candidates(self, article: ScoringInput) -> list[Candidate]:
        """Return the stories that share most keys with the article and may be open to it, best first."""
        hits = self._postings.look_up(self._buckets(article.terms), self._longest())
        return self._best(hits, partial(self._may_be_open, article))

    def neighbours(self, number: int) -> list[Candidate]:
        """Return other stories that share most keys with this one and may be in its window, best first.

        Raise KeyError when the story is not in the index.
        """
        slot = self._slot(number)
        hits = self._postings.look_up(self._buckets_at(slot), self._longest())
        return self._best(hits[hits != slot], partial(self._may_be_beside, self._rows[slot]))

    def _may_be_beside(self, own: np.void, slots: Ints) -> Flags:
        """Whether each story may be in the window of one whose row is `own`."""
        tuning, others = self._model.tuning, self._rows[slots]
        reach = int(tuning.window_days * MINUTES_A_DAY)
        older = np.minimum(others["inbox"], own["inbox"])
        live = self._are_live(older, np.maximum(others["inbox"], own["inbox"]))
        undated = (others["first"] == _NEVER) | (own["first"] == _NEVER)
        recent = np.abs(others["inbox"] - own["inbox"]) <= tuning.undated_reach
        recent &= older >= self.undated_from
        near = (others["first"] - reach <= own["last"]) & (own["first"] <= others["last"] + reach)
        beside: Flags = live & np.where(undated, recent, near)
        return beside

    def sweep(self, newest: int) -> list[int]:
        """Remove the stories that an article of the inbox number `newest` cannot join; return their numbers.

        No look-up returns them anyway.
        """
        slots = np.array(self._slots, dtype=np.int64)
        live = self._are_live(self._rows["inbox"][slots], newest)
        if live.all():
            return []
        numbers = np.array(self._numbers, dtype=np.int64)
        for slot in slots[~live].tolist():
            self._release(slot)
        self._numbers = array("q", numbers[live].tobytes())
        self._slots = array("I", slots[live].astype(np.uint32).tobytes())
        gone: list[int] = numbers[~live].tolist()
        return gone

    def _longest(self) -> int:
        """Return the length from which a list is skipped: a share of the stories once there are many."""
        tuning = self._model.tuning
        return max(tuning.max_postings, int(len(self) * tuning.max_postings_share))

    def _are_live(self, inbox: Ints, now: Ints | int) -> Flags:
        """Whether stories that grew last at `inbox` are live at `now`."""
        tuning = self._model.tuning
        needed = (inbox >= now - tuning.kept_reach) | (inbox >= self.undated_from)
        live: Flags = (inbox >= now - tuning.live_reach) & needed
        return live

    def _may_be_open(self, article: ScoringInput, slots: Ints) -> Flags:
        """Whether each story may be open to the article, by a quick check of the window."""
        tuning, stories = self._model.tuning, self._rows
        inbox = stories["inbox"][slots]
        live = self._are_live(inbox, article.inbox)
        recent = inbox >= max(article.inbox - tuning.undated_reach, self.undated_from)
        date = article.stated_minutes
        if date is None:
            return live & recent
        reach = int(tuning.window_days * MINUTES_A_DAY)
        first, last = stories["first"][slots], stories["last"][slots]
        near = (first - reach <= date) & (date <= last + reach)
        undated = first == _NEVER
        may_be_open: Flags = live & np.where(undated, recent, near)
        return may_be_open

    def _best(self, hits: Words, is_open: Callable[[Ints], Flags]) -> list[Candidate]:
        """Return the stories that occur most often in `hits`, of those that are open, best first."""
        slots, votes = _counted(hits)
        most, level = self._model.tuning.candidates, 1
        if len(slots) > _EXAMINED_AT_ONCE:  # most have one vote: first all that may be among the best
            held = np.cumsum(np.bincount(votes)[::-1])[::-1]  # with so many votes or more
            level = max(int(np.searchsorted(-held, -most, side="right")) - 1, 1)
        chosen = np.flatnonzero(votes >= level)
        found = chosen[is_open(slots[chosen])]
        while len(found) < most and level > 1:
            level -= 1
            chosen = np.flatnonzero(votes == level)
            found = np.concatenate((found, chosen[is_open(slots[chosen])]))
        # Ties are won by the newer story, since events are reported close together.
        numbers = self._rows["number"][slots[found]]
        order = np.lexsort((-numbers, -votes[found]))[:most]
        return self._stories(numbers[order].tolist())

    def _stories(self, numbers: Sequence[int]) -> list[Candidate]:
        """Return the entries of stories in the index; those that are not in memory are read."""
        missing = [number for number in numbers if number not in self._kept]
        if missing:
            assert self.read is not None, "without a reader all entries stay in memory"
            read = {row.number: _candidate(row) for row in self.read(missing)}
            found = [self._kept.get(number) or read[number] for number in numbers]
        else:
            found = [self._kept[number] for number in numbers]
        for one in found:
            self._keep(one)
        return found

    def _keep(self, story: Candidate) -> None:
        self._kept[story.number] = story
        if self.read is not None:
            self._kept.move_to_end(story.number)
            if len(self._kept) > self._model.tuning.summaries_kept:
                self._kept.popitem(last=False)

    def _buckets(self, packed: bytes) -> set[int]:
        return set(_buckets(read(packed[: 4 * self._model.tuning.key_terms])).tolist())

    def _keys(self, slots: int | slice) -> Ints:
        """Return the buckets of the keys of stories; unused places are _NO_KEY."""
        return self._rows["keys"][slots].astype(np.int64) @ (1, 1 << 8, 1 << 16)

    def _buckets_at(self, slot: int) -> set[int]:
        return set(self._keys(slot).tolist()) - {_NO_KEY}

    def _set(self, slot: int, row: IndexedStory) -> None:
        story = _candidate(row)
        summary = story.summary
        keys = np.full(self._rows["keys"].shape[1], _NO_KEY, dtype="<u4")
        buckets = sorted(self._buckets(summary.trimmed))
        keys[: len(buckets)] = buckets
        dates = summary.dates
        between = (int(dates[0]), int(dates[-1])) if len(dates) else (_NEVER, -_NEVER)
        self._rows[slot] = (row.number, row.last_inbox, *between, _in_bytes(keys))
        self._keep(story)

    def _place(self, number: int) -> int | None:
        place = bisect_left(self._numbers, number)
        return place if place < len(self._numbers) and self._numbers[place] == number else None

    def _slot(self, number: int) -> int:
        place = self._place(number)
        if place is None:
            raise KeyError(number)
        return self._slots[place]

    def _take_slot(self, number: int) -> int:
        place = bisect_left(self._numbers, number)
        if place < len(self._numbers) and self._numbers[place] == number:
            raise ValueError(f"story {number} is in the index already")
        if self._free:
            slot = self._free.pop()
        else:
            slot = self._used
            self._used += 1
        if slot == len(self._rows):
            self._make_room()
        self._numbers.insert(place, number)
        self._slots.insert(place, slot)
        return slot

    def _make_room(self) -> None:
        grown = np.zeros(2 * len(self._rows), dtype=self._rows.dtype)  # unused pages take no memory
        grown[: len(self._rows)] = self._rows
        self._rows = grown

    def _release(self, slot: int) -> None:
        self._postings.remove(slot, self._buckets_at(slot))
        self._kept.pop(int(self._rows["number"][slot]), None)
        self._free.append(slot)


def _candidate(row: IndexedStory) -> Candidate:
    return Candidate(row.number, row.story, row.last_inbox, read_summary(row.blob))


def _in_bytes(buckets: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """Return the three bytes of each bucket."""
    return buckets.astype("<u4").view(np.uint8).reshape(*buckets.shape, 4)[..., :3]


def _buckets(terms: Words) -> Ints:
    hashes = ids_of(terms) & ((1 << HASH_BITS) - 1)
    return (hashes >> (HASH_BITS - _BUCKET_BITS)).astype(np.int64)


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


def _counted(hits: Words) -> tuple[Ints, Ints]:
    """Return the different values in order, and how often each occurs."""
    hits = np.sort(hits)
    starts = np.flatnonzero(first_of_equal(hits))
    return hits[starts].astype(np.int64), np.diff(starts, append=len(hits))
