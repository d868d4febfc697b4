"""The window: the live stories in memory, each with the reports that an article is compared with.

A story is found by the terms of the mean of its compared reports: the inverted list has its heaviest ones.
Stories are ranked by the number of terms that they share with an article; the best of those that its date or
inbox number admits are compared report by report (pair_model.py). A list of more than `max_postings` stories
is skipped and not cut: its word is common, and a cut would depend on the order of arrival.

Everything here is read from the rows of stories and articles, and can be read again. Results depend on the
rows alone: ties are ordered by story number, never by place in memory.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.grouping.pairs.term_codec import HASH_BITS, Ints, Words, heaviest, ids_of, read, weights_of
from aggregator.grouping.pairs.weights import MINUTES_A_DAY, EventModel
from aggregator.model.core import Article
from aggregator.store.stories.live_stories import LiveRows

Flags = npt.NDArray[np.bool_]

HELD_REPORTS: Final = 32  # most compared reports of a story in memory; its mean is that of these
_HASHES: Final = np.uint32((1 << HASH_BITS) - 1)
_NEVER: Final = 1 << 30  # later than any date, in minutes (the year 4011)


def decides_before(article: Article) -> tuple[bool, bool, int]:
    """Return the sort key of compared reports: reports decide what joins, those of known sources first."""
    return article.is_opinion, article.is_little_known, -article.inbox_no


class LiveStory:
    """A story that articles may join."""

    __slots__ = (
        *("article_count", "began", "compared_count", "dates", "id", "keys", "last_inbox_no", "number"),
        *("reports", "slot"),
    )

    def __init__(self, number: int, id: str, last_inbox_no: int = 0) -> None:  # noqa: A002 - as in its row
        """`number`: its running number; `last_inbox_no`: of the article that was placed last."""
        self.number = number
        self.id = id
        self.last_inbox_no = last_inbox_no
        self.article_count = 0
        self.compared_count = 0
        self.began: int | None = None  # first declared date of a compared report, in minutes
        self.dates = array("i")  # of all articles, declared or read, in minutes, sorted
        # The compared ones that decide before the others, HELD_REPORTS at most.
        self.reports: list[Article] = []
        self.keys = array("I")  # under which the window has it, in order: as a set they would take 2 KB
        self.slot: int | None = None  # its place there

    @property
    def is_container_only(self) -> bool:
        """Whether it has live blogs and roundups only."""
        return bool(self.reports) and self.reports[0].is_container

    def take(self, article: Article) -> None:
        """Add an article. With the first report the live blogs and roundups are compared no more."""
        self.article_count += 1
        self.last_inbox_no = max(self.last_inbox_no, article.inbox_no)
        if article.stated_minutes is not None:
            insort(self.dates, article.stated_minutes)
        if not article.is_compared:
            return
        if self.is_container_only and not article.is_container:
            self.reports, self.compared_count, self.began = [], 0, None
        self.compared_count += 1
        insort(self.reports, article, key=decides_before)
        del self.reports[HELD_REPORTS:]
        if article.minutes is not None:
            self.began = article.minutes if self.began is None else min(self.began, article.minutes)

    def is_near(self, minutes: int, reach: int) -> bool:
        """Return whether one of its dates is at most `reach` minutes away."""
        place = bisect_left(self.dates, minutes - reach)
        return place < len(self.dates) and self.dates[place] <= minutes + reach

    def mean_terms(self, model: EventModel, limit: int) -> Words:
        """Return the heaviest terms of the mean of its compared reports, packed, the heaviest first."""
        if len(self.reports) == 1:
            return read(self.reports[0].terms)[:limit]  # which are in this order
        words = np.concatenate([read(report.terms) for report in self.reports] or [read(b"")])
        ids, places = np.unique(ids_of(words), return_inverse=True)
        sums = np.bincount(places, weights=weights_of(words), minlength=len(ids)).astype(np.int64)
        count = len(self.reports)
        mean = (sums + count // 2) // max(count, 1)
        return heaviest(ids.astype(np.int64), mean, model.field_weights, limit)


def live_story(rows: LiveRows) -> LiveStory:
    """Return a story as its rows have it."""
    story = LiveStory(rows.number, rows.id, rows.last_inbox_no)
    story.article_count, story.compared_count = rows.article_count, len(rows.compared)
    stated = [report.stated_minutes for report in rows.compared]
    minutes = [*rows.other_minutes, *(minutes for minutes in stated if minutes is not None)]
    story.dates = array("i", sorted(minutes))
    declared = [report.minutes for report in rows.compared if report.minutes is not None]
    story.began = min(declared, default=None)
    story.reports = sorted(rows.compared, key=decides_before)[:HELD_REPORTS]
    return story


class Window:
    """The live stories by number, and by the terms of their means."""

    def __init__(self, model: EventModel, stories: Iterable[LiveStory] = ()) -> None:
        self._model = model
        # Inbox number from which a story is compared where it or the article has no date: an undated article
        # is as old as its arrival. Set before a look-up (0: `undated_reach` alone limits it).
        self.undated_from = 0
        self._stories: dict[int, LiveStory] = {}
        self._free: list[int] = []
        # By slot, so that thousands of stories are asked at once whether they are open.
        self._numbers, self._inboxes = array("q"), array("q")
        self._firsts, self._lasts = array("i"), array("i")  # dates
        self._postings: dict[int, array[int]] = {}  # slots by key
        for story in stories:
            self.put(story)

    def __len__(self) -> int:
        return len(self._stories)

    def __contains__(self, number: int) -> bool:
        return number in self._stories

    def numbers(self) -> list[int]:
        """Return the numbers of all stories, in order."""
        return sorted(self._stories)

    def story(self, number: int) -> LiveStory:
        """Return a story. Raises KeyError if it is not in the window."""
        return self._stories[number]

    def get(self, number: int) -> LiveStory | None:
        """Return a story; None if it is not in the window."""
        return self._stories.get(number)

    def put(self, story: LiveStory) -> None:
        """Add a story, or record that it has changed."""
        former = self._stories.get(story.number)
        before = set(former.keys) if former is not None else set()
        slot = self._new_slot() if former is None or former.slot is None else former.slot
        self._stories[story.number] = story
        self._set_columns(slot, story)
        keys = set(_keys(story.mean_terms(self._model, self._model.tuning.key_terms)))
        story.slot, story.keys = slot, array("I", sorted(keys))
        self._take_out(slot, before - keys)
        for key in keys - before:
            self._postings.setdefault(key, array("I")).append(slot)

    def _set_columns(self, slot: int, story: LiveStory) -> None:
        self._numbers[slot], self._inboxes[slot] = story.number, story.last_inbox_no
        self._firsts[slot] = story.dates[0] if story.dates else _NEVER
        self._lasts[slot] = story.dates[-1] if story.dates else -_NEVER

    def remove(self, number: int) -> None:
        """Remove a story. Raises KeyError if it is not in the window."""
        story = self._stories.pop(number)
        if story.slot is not None:
            self._take_out(story.slot, story.keys)
            self._free.append(story.slot)

    def is_live(self, number: int, now: int) -> bool:
        """Return whether a story is young enough for an article of the inbox number `now`."""
        story = self._stories.get(number)
        return story is not None and bool(self._are_live(np.array([story.last_inbox_no]), now)[0])

    def candidates(self, article: Article) -> list[LiveStory]:
        """Return the stories that share most terms with the article and may be open to it, best first."""
        terms = read(article.terms)[: self._model.tuning.key_terms]
        slots, votes = self._voted(_keys(terms))
        inboxes, firsts, lasts = self._columns(slots)
        open_ones = self._are_live(inboxes, article.inbox_no)
        oldest = max(article.inbox_no - self._model.tuning.undated_reach, self.undated_from)
        date = article.stated_minutes
        if date is None:
            open_ones &= inboxes >= oldest
        else:
            near = self._are_near(firsts, lasts, date, date)
            open_ones &= np.where(firsts == _NEVER, inboxes >= oldest, near)
        return self._best(slots, votes, open_ones)

    def neighbours(self, number: int) -> list[LiveStory]:
        """Return other stories that share most terms with this one and may be in its window, best first.

        Raises KeyError if the story is not in the window.
        """
        own, tuning = self._stories[number], self._model.tuning
        slots, votes = self._voted(own.keys)
        inboxes, firsts, lasts = self._columns(slots)
        older, newer = np.minimum(inboxes, own.last_inbox_no), np.maximum(inboxes, own.last_inbox_no)
        recent = (newer - older <= tuning.undated_reach) & (older >= self.undated_from)
        beside = recent
        if own.dates:
            near = self._are_near(firsts, lasts, own.dates[0], own.dates[-1])
            beside = np.where(firsts == _NEVER, recent, near)
        is_other = slots != own.slot
        return self._best(slots, votes, self._are_live(older, newer) & beside & is_other)

    def sweep(self, newest: int) -> list[int]:
        """Remove the stories that an article of the inbox number `newest` cannot join; return their numbers.

        No look-up returns them anyway.
        """
        numbers = np.array(sorted(self._stories), dtype=np.int64)
        inboxes = np.array([self._stories[number].last_inbox_no for number in numbers], dtype=np.int64)
        gone: list[int] = numbers[~self._are_live(inboxes, newest)].tolist()
        for number in gone:
            self.remove(number)
        return gone

    def _are_live(self, inboxes: Ints, now: Ints | int) -> Flags:
        """Return whether stories that grew last at `inboxes` are live at `now`."""
        tuning = self._model.tuning
        needed = (inboxes >= now - tuning.kept_reach) | (inboxes >= self.undated_from)
        live: Flags = (inboxes >= now - tuning.live_reach) & needed
        return live

    def _are_near(self, firsts: Ints, lasts: Ints, first: int, last: int) -> Flags:
        """Return whether dates of stories, in minutes, are within the window of dates `first` to `last`."""
        reach = int(self._model.tuning.window_days * MINUTES_A_DAY)
        near: Flags = (firsts - reach <= last) & (first <= lasts + reach)
        return near

    def _voted(self, keys: Iterable[int]) -> tuple[Ints, Ints]:
        """Return the slots of the stories under these keys, and under how many of them each is."""
        tuning = self._model.tuning
        longest = max(tuning.max_postings, int(len(self) * tuning.max_postings_share))
        lists = (self._postings.get(key) for key in keys)
        joined = b"".join(slots for slots in lists if slots is not None and len(slots) <= longest)
        slots, votes = np.unique(np.frombuffer(joined, dtype=np.uint32), return_counts=True)
        return slots.astype(np.int64), votes

    def _columns(self, slots: Ints) -> tuple[Ints, Ints, Ints]:
        """Return last inbox number, first and last date of the stories in these slots."""
        return (
            np.frombuffer(self._inboxes, np.int64)[slots],
            np.frombuffer(self._firsts, np.int32)[slots].astype(np.int64),
            np.frombuffer(self._lasts, np.int32)[slots].astype(np.int64),
        )

    def _best(self, slots: Ints, votes: Ints, chosen: Flags) -> list[LiveStory]:
        """Return the chosen stories with most votes; ties are won by the newer, reported close together."""
        numbers = np.frombuffer(self._numbers, np.int64)[slots[chosen]]
        order = np.lexsort((-numbers, -votes[chosen]))[: self._model.tuning.candidates]
        return [self._stories[number] for number in numbers[order].tolist()]

    def _new_slot(self) -> int:
        if self._free:
            return self._free.pop()
        for column in (self._numbers, self._inboxes, self._firsts, self._lasts):
            column.append(0)
        return len(self._numbers) - 1

    def _take_out(self, slot: int, keys: Iterable[int]) -> None:
        for key in keys:
            slots = self._postings[key]
            slots.remove(slot)
            if not slots:
                del self._postings[key]


def _keys(terms: Words) -> list[int]:
    """Return the hashes of terms, whatever their fields."""
    keys: list[int] = np.unique((ids_of(terms) & _HASHES) >> np.uint32(1)).tolist()
    return keys
