"""Changes stories that have rows: articles move, stories become one, a text is another one or is gone."""

from collections.abc import Sequence

from msgspec.structs import replace

from aggregator.extract.entry_identity import story_id
from aggregator.grouping.changes import Merge, Move, Remove, Revise
from aggregator.grouping.live_window import LiveWindow
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.growing_stories import GrowingStories, live_row
from aggregator.grouping.write.story_row import Effect
from aggregator.grouping.write.story_store import StoryStore
from aggregator.model.article import Article
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import erase
from aggregator.store.stories import (
    article_views,
    articles,
    related_stories,
    stories,
)
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.stories import StoryRow


class Regrouper:
    """Carries out changes, before which nothing waits to be written. For one thread of the writer."""

    def __init__(
        self,
        store: StoryStore,
        stream: NewsStream,
        window: LiveWindow,
        growing: GrowingStories,
    ) -> None:
        self._store = store
        self._stream = stream
        self._window = window
        self._growing = growing

    def move(self, unit_of_work: UnitOfWork, move: Move) -> str:
        """Move articles of one story; return the id of their story afterwards."""
        connection = unit_of_work.connection
        (story,) = set(articles.assigned_stories(connection, move.articles).values())
        members = articles.members(connection, story)
        moving = [member for member in members if member.id in move.articles]
        is_left_empty = len(moving) == len(members)
        if not is_left_empty or (move.target is None and move.revived is not None):
            origin = live_row(connection, story)
            return self._take_out(
                unit_of_work, move, origin, moving, is_left_empty=is_left_empty
            )
        if move.target is None:
            return story
        merge = Merge(
            stories=(story, move.target),
            at_no=move.at_no,
            reason="",
            bump=move.bump,
            silent=move.silent,
        )
        return self.merge(unit_of_work, merge)

    def _take_out(
        self,
        unit_of_work: UnitOfWork,
        move: Move,
        origin: StoryRow,
        moving: Sequence[Article],
        *,
        is_left_empty: bool,
    ) -> str:
        """Move articles out of a story, which redirects if nothing is left; return their story afterwards."""
        connection = unit_of_work.connection
        rows = [origin]
        if move.target is not None:
            rows.append(live_row(connection, move.target))
        effect = Effect(
            at_no=move.at_no,
            bump=move.bump or max(row.bumped_at for row in rows),
            is_correction=move.bump is not None,
            kind="corrected" if move.bump else None,
        )
        target = self._take_in(
            unit_of_work, move, origin, moving, effect, is_left_empty=is_left_empty
        )
        if is_left_empty:
            _redirect(unit_of_work, origin, target.id, reason="empty")
        else:
            # Both stories find their own when they are rendered
            related_stories.erase(connection, [origin.id])
            self._store.restate(unit_of_work, origin, effect)
        self._regrouped(unit_of_work, [origin, target])
        return target.id

    def _take_in(
        self,
        unit_of_work: UnitOfWork,
        move: Move,
        origin: StoryRow,
        moving: Sequence[Article],
        effect: Effect,
        *,
        is_left_empty: bool,
    ) -> StoryRow:
        """Write the story to which articles of `origin` move, and return a row of it."""
        connection = unit_of_work.connection
        founder = move.founder or min(moving, key=lambda member: member.inbox_no).id
        effect = replace(effect, founder=founder)
        if move.target is not None:
            if move.bump is None:  # the change stream names no article of a correction
                effect = replace(effect, article=founder)
            return self._add_to(unit_of_work, move, move.target, effect)
        founding = stories.foundings(connection, founder)
        kind = "merged" if is_left_empty else "split"
        effect = replace(effect, founding=founding, others=(origin.id,), kind=kind)
        if move.revived is not None:
            stories.revive(connection, move.revived)
            return self._add_to(unit_of_work, move, move.revived, effect)
        story = story_id(founder, founding)
        shown = article_views.views_of(connection, move.articles)
        row = self._store.store_members(
            unit_of_work, None, story, moving, shown, effect=effect
        )
        article_writes.move(connection, move.articles, story)
        return row

    def _add_to(
        self, unit_of_work: UnitOfWork, move: Move, story: str, effect: Effect
    ) -> StoryRow:
        row = live_row(unit_of_work.connection, story)
        article_writes.move(unit_of_work.connection, move.articles, story)
        self._store.restate(unit_of_work, row, effect)
        return row

    def merge(self, unit_of_work: UnitOfWork, merge: Merge) -> str:
        """Merge stories; return the id that stays."""

        def rank(row: StoryRow) -> tuple[bool, bool, int, int]:
            is_kept = row.id == merge.keeps
            return not is_kept, row.container_only, -row.report_count, row.story_no

        connection = unit_of_work.connection
        rows = sorted((live_row(connection, id_) for id_ in merge.stories), key=rank)
        winner, *losers = rows
        effect = _effect_of_merge(connection, merge, winner, losers)
        for loser in losers:
            article_writes.move_all(connection, loser.id, winner.id)
        self._store.restate(unit_of_work, winner, effect)
        detail: dict[str, str | float] = {}
        if merge.reason:
            detail["reason"] = merge.reason
        if merge.score is not None and merge.need is not None:
            detail |= {"score": merge.score, "need": merge.need}
        for loser in losers:
            _redirect(unit_of_work, loser, winner.id, **detail)
        self._regrouped(unit_of_work, rows)
        return winner.id

    def revise(
        self, unit_of_work: UnitOfWork, revise: Revise, *, is_shown: bool
    ) -> str:
        """Compute the row of a story again, of which an article has another text.

        `is_shown`: another headline bumps stories, so the change stream has the time of the text.
        """
        article = revise.article
        row = live_row(unit_of_work.connection, article.story)
        effect = Effect(at_no=revise.at_no, bump=row.bumped_at)
        if revise.is_news:
            effect = replace(effect, bump=article.effective_at, article=article.id)
            if article.bump_by_clock:
                effect = replace(effect, bump=unit_of_work.now)
            if is_shown:
                effect = replace(effect, unbumped=article.effective_at)
        self._store.restate(unit_of_work, row, effect)
        self._regrouped(unit_of_work, [row])
        unit_of_work.log(row.id, "revised", article=article.id)
        return row.id

    def remove(self, unit_of_work: UnitOfWork, remove: Remove) -> str:
        """Compute the row of a story again of which articles are gone; without any, only its id stays."""
        connection = unit_of_work.connection
        members = articles.members(connection, remove.story)
        if members and remove.articles:
            erase.hide_title(connection, remove.story, remove.articles)
        row = live_row(connection, remove.story)
        if members:
            at_no = max(member.inbox_no for member in members)
            effect = Effect(at_no=at_no, bump=row.bumped_at)
            self._store.restate(unit_of_work, row, effect)
        else:
            erase.close_story(connection, row.id)
        self._regrouped(unit_of_work, [row])
        return row.id if members else ""

    def _regrouped(self, unit_of_work: UnitOfWork, rows: Sequence[StoryRow]) -> None:
        """Bring memory up to date after articles have changed their stories, or their roles in them."""
        self._stream.regrouped()
        self._growing.forget(*(row.id for row in rows))
        self._window.renew(unit_of_work, [(row.story_no, row.id) for row in rows])


def _effect_of_merge(
    connection: Connection, merge: Merge, winner: StoryRow, losers: Sequence[StoryRow]
) -> Effect:
    """Return what a merge does to the story that stays: it has the last bump of all that tell a time."""
    counted = [row for row in (winner, *losers) if row.id not in merge.silent]
    timed = [row for row in counted if _has_bump_time(connection, row)] or counted
    return Effect(
        at_no=merge.at_no,
        bump=merge.bump or max(row.bumped_at for row in timed),
        is_correction=merge.bump is not None,
        redates=merge.bump is None and winner not in timed,
        others=tuple(row.id for row in losers),
        kind="merged",
    )


def _has_bump_time(connection: Connection, row: StoryRow) -> bool:
    """Return whether the bump of a story is more than the time at which undated files were read."""
    return articles.has_date(connection, row.id) or articles.was_bumped_by_clock(
        connection, row.id
    )


def _redirect(
    unit_of_work: UnitOfWork, loser: StoryRow, winner: str, **detail: str | float | None
) -> None:
    """Redirect the id of `loser`, which has no articles any more, permanently."""
    stories.redirect_story(unit_of_work.connection, loser.id, winner)
    unit_of_work.log(winner, "merged", article=None, other=loser.id, **detail)
    unit_of_work.log(loser.id, "merged", article=None, into=winner, **detail)
