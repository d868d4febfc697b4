"""The window: the live stories in memory, each with the reports that an article is compared with.

A story is found by the heaviest terms of the mean of its compared reports; an inverted list has the stories of each
term. Stories are ranked by the number of terms that they share with an article; the best stories that its date or
inbox number admits are compared report by report (pair_model.py). A list of more than `max_postings` stories (or
`max_postings_share`, if that is more) is skipped: its word is common, and a cut would depend on the order of arrival.

Everything here is read from the rows of stories and articles, and can be read again. Results depend on the
rows alone: ties are ordered by story number, never by place in memory.
"""

from array import array
from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np

from aggregator.grouping.pairs.term_codec import (
    Terms,
    hashes_of,
    heaviest,
    ids_of,
    read,
    weights_of,
)
from aggregator.grouping.pairs.weights import MINUTES_A_DAY, EventModel
from aggregator.grouping.stream import NewsStream
from aggregator.model.article import Article
from aggregator.store.engine.database import Connection
from aggregator.store.stories import live_stories, stored_articles, story_rows
from aggregator.store.stories.live_stories import LiveStory
from aggregator.store.stories.stored_articles import StoredArticle


def mean_terms(story: LiveStory, model: EventModel, limit: int) -> Terms:
    """Return the heaviest terms of the mean of a story's compared reports, packed, the heaviest first."""
    count = len(story.reports)
    if count == 1:
        # The terms of a report are stored with the heaviest first.
        return read(story.reports[0].terms)[:limit]
    words = read(b"".join(report.terms for report in story.reports))
    ids, places = np.unique(ids_of(words), return_inverse=True)
    sums = np.bincount(places, weights_of(words)).astype(np.int64)
    mean = (sums + count // 2) // max(count, 1)
    return heaviest(ids.astype(np.int64), mean, model.field_weights, limit)


class Window:
    """The live stories by number, and by the terms of their means."""

    def __init__(self, model: EventModel, stories: Iterable[LiveStory] = ()) -> None:
        self._model = model
        self._tuning = model.tuning
        self._reach = int(model.tuning.window_days * MINUTES_A_DAY)
        # If the article or a story has no date, the story is compared only if it grew at this inbox number or later,
        # because an undated article is as old as its arrival. This is set before a look-up (0: only
        # `undated_reach` is a limit).
        self.undated_from = 0
        self.has_polled = False  # whether a feed has been read
        self._stories: dict[int, LiveStory] = {}
        self._postings: dict[int, array[int]] = {}  # numbers of stories by key
        for story in stories:
            self.put(story)

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
        self.has_polled |= any(report.is_polled for report in story.reports)
        former = self._stories.get(story.number)
        before = set(former.keys if former is not None else ())
        keys = _keys(mean_terms(story, self._model, self._tuning.key_terms))
        story.keys = array("I", keys)
        self._stories[story.number] = story
        self._take_out(story.number, before.difference(keys))
        for key in set(keys) - before:
            self._postings.setdefault(key, array("I")).append(story.number)

    def remove(self, number: int) -> None:
        """Remove a story. Raises KeyError if it is not in the window."""
        self._take_out(number, self._stories.pop(number).keys)

    def _take_out(self, number: int, keys: Iterable[int]) -> None:
        for key in keys:
            numbers = self._postings[key]
            numbers.remove(number)
            if not numbers:
                del self._postings[key]

    def is_live(self, number: int, now: int) -> bool:
        """Return whether a story is in the window and live for an article of the inbox number `now`."""
        story = self._stories.get(number)
        return story is not None and self._is_live(story.last_inbox_no, now)

    def _is_live(self, last_inbox_no: int, now: int) -> bool:
        """Return whether a story that grew last at `last_inbox_no` is live at `now`.

        After `kept_reach` inbox numbers, it is live only if it also grew within `window_days`.
        """
        age = now - last_inbox_no
        return age <= self._tuning.live_reach and (
            age <= self._tuning.kept_reach or last_inbox_no >= self.undated_from
        )

    def candidates(self, article: Article) -> list[LiveStory]:
        """Return the stories that may be open to the article and share most terms with it, best first."""
        oldest = max(article.inbox_no - self._tuning.undated_reach, self.undated_from)
        date = article.stated_minutes

        def may_be_open(story: LiveStory) -> bool:
            # Dates are compared first, because they exclude most stories while old posts are read.
            if date is None or not story.dates:
                is_of_time = story.last_inbox_no >= oldest
            else:
                is_of_time = self._is_near(story, date, date)
            return is_of_time and self._is_live(story.last_inbox_no, article.inbox_no)

        return self._best(
            _keys(read(article.terms)[: self._tuning.key_terms]), may_be_open
        )

    def neighbours(self, number: int) -> list[LiveStory]:
        """Return other stories that may be near this story in time and share most terms with it, best first.

        Raises KeyError if the story is not in the window.
        """
        centre = self._stories[number]

        def may_be_near(story: LiveStory) -> bool:
            older, newer = sorted((story.last_inbox_no, centre.last_inbox_no))
            if story is centre or not self._is_live(older, newer):
                return False
            if centre.dates and story.dates:
                return self._is_near(story, centre.dates[0], centre.dates[-1])
            return (
                newer - older <= self._tuning.undated_reach
                and older >= self.undated_from
            )

        return self._best(centre.keys, may_be_near)

    def sweep(self, newest: int) -> None:
        """Remove the stories that an article of the inbox number `newest` cannot join.

        Look-ups do not return these stories anyway.
        """
        gone = [
            number
            for number, story in self._stories.items()
            if not self._is_live(story.last_inbox_no, newest)
        ]
        for number in gone:
            self.remove(number)

    def _is_near(self, story: LiveStory, first: int, last: int) -> bool:
        """Return whether the span of a story's dates is within the window of the span `first` to `last`, in minutes."""
        dates = story.dates
        reach = self._reach
        return dates[0] - reach <= last and first <= dates[-1] + reach

    def _best(
        self, keys: Iterable[int], is_wanted: Callable[[LiveStory], bool]
    ) -> list[LiveStory]:
        """Return the `candidates` wanted stories that have most of these keys; in a tie, newer stories come first."""
        tuning = self._tuning
        longest = max(
            tuning.max_postings, int(len(self._stories) * tuning.max_postings_share)
        )
        lists = (self._postings[key] for key in keys if key in self._postings)
        joined = b"".join(numbers for numbers in lists if len(numbers) <= longest)
        numbers, votes = np.unique(
            np.frombuffer(joined, dtype=np.uint32), return_counts=True
        )
        ranked = numbers[np.lexsort((numbers, votes))[::-1]].tolist()
        wanted = filter(is_wanted, map(self._stories.__getitem__, ranked))
        return list(islice(wanted, tuning.candidates))


def _keys(terms: Terms) -> list[int]:
    """Return the sorted keys of terms: their hashes without the last bit, whatever their fields."""
    keys: list[int] = np.unique(hashes_of(ids_of(terms)) >> np.uint32(1)).tolist()
    return keys


class LiveWindow:
    """Reads the window, renews changed stories and removes old stories. For one thread of the writer.

    It also keeps the inbox number of the last change of any story.
    """

    def __init__(self, model: EventModel, stream: NewsStream) -> None:
        self._model = model
        self._stream = stream
        self._window: Window | None = None
        self._last_change: int | None = None

    def current(self, connection: Connection) -> Window:
        """Return the live stories, which are read if they are not in memory."""
        undated_from = self._stream.undated_from(connection)
        if self._window is None:
            tuning = self._model.tuning
            newest = live_stories.newest_inbox_no(connection)
            # Keep recently grown stories, and stories that an undated article may still join, within the memory limit.
            held_from = max(
                newest - tuning.live_reach,
                min(newest - tuning.kept_reach, undated_from),
            )
            self._window = Window(
                self._model, live_stories.grown_since(connection, held_from)
            )
        self._window.undated_from = undated_from
        return self._window

    def take(
        self, connection: Connection, number: int, new: StoredArticle, *, is_new: bool
    ) -> None:
        """Add a new article to its story; `is_new`: the article founded the story."""
        if self._window is None:
            return
        story = LiveStory(number, new.story) if is_new else self._window.get(number)
        if story is None:  # a correction names an old story
            self.renew(connection, [(number, new.story)])
            return
        story.take(stored_articles.without_text(new))
        self._window.put(story)

    def renew(self, connection: Connection, changed: Iterable[tuple[int, str]]) -> None:
        """Read the stories `changed` (number and id) again, because their articles or rows have changed."""
        if self._window is None:
            return
        gone = {id_: number for number, id_ in changed}
        for story in live_stories.find_live(connection, [*gone]):
            self._window.put(story)
            del gone[story.id]
        for number in gone.values():
            if self._window.get(number) is not None:
                self._window.remove(number)

    def sweep(self, inbox_no: int) -> None:
        """Remove stories that an article of this number cannot join. This changes no decision."""
        if self._window is not None:
            self._window.sweep(inbox_no)

    def note_change(self, at_no: int) -> None:
        """Record that the articles of a story changed at this inbox number."""
        if self._last_change is not None:
            self._last_change = max(self._last_change, at_no)

    def last_change(self, connection: Connection) -> int:
        """Return the inbox number of the last change to the articles of any story."""
        if self._last_change is None:
            self._last_change = story_rows.last_membership_change(connection)
        return self._last_change

    def begin_after(self, inbox_no: int) -> None:
        """Treat everything placed up to this inbox number as reassessed."""
        self._last_change = inbox_no
