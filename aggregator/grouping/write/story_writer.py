"""Carries out changes of stories (changes.py), in a placing transaction: rows, log, change stream, window."""

import datetime as dt

from aggregator.grouping.changes import Change, Merge, Move, Place, Remove, Revise
from aggregator.grouping.live_window import LiveWindow
from aggregator.grouping.pairs.weights import EventModel
from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write import growing_stories
from aggregator.grouping.write.growing_stories import GrowingStories
from aggregator.grouping.write.regrouper import Regrouper
from aggregator.grouping.write.story_row import Effect, StoryRows
from aggregator.grouping.write.story_store import StoryStore
from aggregator.store.stories import article_views, articles, stories
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.stories import Membership, StoryRow
from aggregator.stories.tuning import StoryTuning


class StoryWriter:
    """Writes stories. For one thread of the writer."""

    def __init__(
        self,
        model: EventModel,
        story_tuning: StoryTuning,
        options: StoryOptions,
        stream: NewsStream,
        window: LiveWindow,
    ) -> None:
        self.window = window
        self.growing = GrowingStories()
        self._has_headline_bumps = "headline" in options.bumps
        rows = StoryRows(options, story_tuning, story_cap=model.tuning.story_cap)
        self._store = StoryStore(rows, window)
        self._regrouper = Regrouper(self._store, stream, window, self.growing)

    def apply(self, unit_of_work: UnitOfWork, change: Change) -> str:
        """Carry out a change; return the story in which its articles are then ("" for a closed one)."""
        if isinstance(change, Place):
            self._place(unit_of_work, change)
            return change.article.story
        # What follows reads the rows of stories and articles
        unit_of_work.ledger.write()
        match change:
            case Revise():
                return self._regrouper.revise(
                    unit_of_work, change, is_shown=self._has_headline_bumps
                )
            case Move():
                return self._regrouper.move(unit_of_work, change)
            case Merge():
                return self._regrouper.merge(unit_of_work, change)
            case Remove():
                return self._regrouper.remove(unit_of_work, change)

    def _place(self, unit_of_work: UnitOfWork, place: Place) -> None:
        """Write a new article and its story."""
        new = place.article
        joined = place.story
        membership, redates = self._membership(unit_of_work, new, joined)
        effect = Effect(
            at_no=new.inbox_no,
            bump=_bump_of(unit_of_work, new, membership),
            redates=redates,
            founder=new.id,
            founding=place.founding,
            article=new.id,
        )
        row = self._store.store(unit_of_work, joined, new.story, membership, effect)
        if joined is not None and joined.container_only and not row.container_only:
            self._store.compare_no_more(unit_of_work, joined.id)
        unit_of_work.ledger.articles.append(new)
        unit_of_work.log(
            new.story,
            "created" if joined is None else "joined",
            article=new.id,
            role=new.role,
            score=new.evidence.score if new.evidence else None,
        )
        self.growing.remember(row, membership)
        self.window.take(unit_of_work, row.story_no, new, is_new=joined is None)

    def _membership(
        self, unit_of_work: UnitOfWork, new: StoredArticle, joined: StoryRow | None
    ) -> tuple[Membership, bool]:
        """Return the state of a story with a new article, and whether that gives it its first date."""
        if joined is None:
            view = article_views.view_of(new)
            return stories.membership_of([new], {new.id}, [view]), False
        before = self.growing.membership(unit_of_work, joined)
        membership = growing_stories.grown(unit_of_work, new, before)
        return membership, not before.span.is_dated and _redates(unit_of_work, new)


def _bump_of(
    unit_of_work: UnitOfWork, new: StoredArticle, membership: Membership
) -> dt.datetime:
    """Return the time to which a new article bumps its story."""
    if new.bump_by_clock:
        return unit_of_work.now
    if new.published is not None:
        return min(new.published, new.effective_at)
    return membership.span.last if membership.span.is_dated else new.effective_at


def _redates(unit_of_work: UnitOfWork, new: StoredArticle) -> bool:
    """Return whether a new article of an undated story gives it its first date, which replaces its bumps."""
    if new.bump_by_clock or new.published is None:
        return False
    unit_of_work.ledger.write_story(new.story)
    return not articles.was_bumped_by_clock(unit_of_work.connection, new.story)
