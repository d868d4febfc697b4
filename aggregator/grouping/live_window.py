"""Keeps the window while articles are placed: reads it, renews changed stories, removes old ones."""

import logging
from collections.abc import Iterable

from aggregator.grouping.pairs.weights import EventModel
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.window import Window
from aggregator.store.engine.database import Connection
from aggregator.store.stories import live_stories, stored_articles, story_rows
from aggregator.store.stories.live_stories import LiveStory
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.unit_of_work import UnitOfWork

log = logging.getLogger(__name__)


class LiveWindow:
    """The window, and the last change of stories. For one thread of the writer."""

    def __init__(self, model: EventModel, stream: NewsStream) -> None:
        self._model = model
        self._stream = stream
        self._window: Window | None = None
        self._early_from: int | None = None  # see `sweep`
        self._last_change: int | None = None

    def current(self, connection: Connection) -> Window:
        """Return the live stories, which are read if they are not in memory."""
        undated_from = self._stream.undated_from(connection)
        if self._window is None:
            tuning = self._model.tuning
            newest = live_stories.newest_inbox_no(connection)
            # Keep stories that grew recently and those that an undated article may still join, within the memory limit.
            kept_from = min(newest - tuning.kept_reach, undated_from)
            held_from = max(newest - tuning.live_reach, kept_from)
            live = live_stories.grown_since(connection, held_from)
            self._window = Window(self._model, live)
        self._window.undated_from = undated_from
        return self._window

    def take(
        self, unit_of_work: UnitOfWork, number: int, new: StoredArticle, *, is_new: bool
    ) -> None:
        """Add a new article to its story, which it has founded if `is_new`."""
        if self._window is None:
            return
        story = LiveStory(number, new.story) if is_new else self._window.get(number)
        if story is None:  # a correction names an old story
            self.renew(unit_of_work, [(number, new.story)])
            return
        story.take(stored_articles.without_text(new))
        self._window.put(story)

    def renew(
        self, unit_of_work: UnitOfWork, changed: Iterable[tuple[int, str]]
    ) -> None:
        """Read the stories `changed` (number and id) again, because their articles or rows have changed."""
        if self._window is None:
            return
        gone = {id_: number for number, id_ in changed}
        for story in live_stories.named(unit_of_work.connection, [*gone]):
            self._window.put(story)
            del gone[story.id]
        for number in gone.values():
            if number in self._window:
                self._window.remove(number)

    def sweep(self, inbox_no: int) -> None:
        """Remove stories that an article of this number cannot join; changes no decision.

        Once a day it logs if they leave before `window_days` are over.
        """
        if self._window is None:
            return
        gone = self._window.sweep(inbox_no)
        # It moves once a day, and so does the warning.
        undated_from = self._window.undated_from
        is_early = inbox_no - self._model.tuning.live_reach > undated_from
        if gone and is_early and undated_from != self._early_from:
            self._early_from = undated_from
            log.warning(
                "stories leave the window before its %g days are over: `grouping.memory` holds those of %d "
                "articles; with more memory they stay longer",
                self._model.tuning.window_days,
                self._model.tuning.live_reach,
                extra={"event": "window_short"},
            )

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
