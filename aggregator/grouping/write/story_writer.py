"""Carries out changes of stories (changes.py), in a placing transaction: rows, log, change stream, window."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from msgspec.structs import replace

from aggregator.extract.entry_identity import story_id
from aggregator.grouping.changes import (
    Change,
    Copy,
    Found,
    Join,
    Merge,
    Move,
    Remove,
    Revise,
)
from aggregator.grouping.live_window import LiveWindow
from aggregator.grouping.pairs.weights import EventModel
from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write import growing_stories
from aggregator.grouping.write.copy_families import compared_members
from aggregator.grouping.write.growing_stories import GrowingStories, live_row
from aggregator.grouping.write.story_row import Effect, StoryRows
from aggregator.model.core import Article, ArticleView
from aggregator.model.read_model import ChangeKind
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import erase
from aggregator.store.stories import article_views, articles, related_stories, stories
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.placement_batch import LogKind
from aggregator.store.stories.stories import Membership, NewStory, StoryRow, StoryState
from aggregator.stories.lead import summary
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
        self._options = options
        self._story_tuning = story_tuning
        self._stream = stream
        self._rows = StoryRows(options, story_tuning, story_cap=model.tuning.story_cap)
        self.window = window
        self.growing = GrowingStories()

    def apply(self, unit_of_work: UnitOfWork, change: Change) -> str:
        """Carry out a change; return the story in which its articles are then ("" for a closed one)."""
        match change:
            case Found():
                return self._place(unit_of_work, change.article, None, change.founding)
            case Join() | Copy():
                return self._place(unit_of_work, change.article, change.story)
        # What follows reads the rows of stories and articles
        unit_of_work.ledger.write()
        match change:
            case Revise():
                return self._revise(unit_of_work, change)
            case Move():
                return self._move(unit_of_work, change)
            case Merge():
                return self._merge(unit_of_work, change)
            case Remove():
                return self._remove(unit_of_work, change)

    # --- a new article ------------------------------------------------------------------------------------

    def _place(
        self,
        unit_of_work: UnitOfWork,
        new: StoredArticle,
        joined: StoryRow | None,
        founding: int = 0,
    ) -> str:
        """Write a new article and its story, which is `joined` or a new one."""
        redates = False
        if joined is None:
            membership = stories.membership_of(
                [new], {new.id}, [article_views.view_of(new)]
            )
        else:
            before = self.growing.membership(unit_of_work, joined)
            membership = growing_stories.grown(unit_of_work, new, before)
            redates = not before.span.is_dated and _redates(unit_of_work, new)
        bump = _bump_of(unit_of_work, new, membership)
        effect = Effect(
            at_no=new.inbox_no,
            bump=bump,
            redates=redates,
            founder=new.id,
            founding=founding,
            article=new.id,
        )
        state = self._rows.after(unit_of_work, joined, membership, effect)
        number = self._store(
            unit_of_work, joined, new.story, state, membership=membership, effect=effect
        )
        if joined is not None and joined.container_only and not state.container_only:
            _compare_no_more(unit_of_work, joined.id)
        unit_of_work.ledger.articles.append(new)
        _log_placed(unit_of_work, new, is_first=joined is None)
        self.growing.remember(state.as_row(number, new.story), membership)
        self.window.take(unit_of_work, number, new, is_new=joined is None)
        return new.story

    # --- articles that move -------------------------------------------------------------------------------

    def _move(self, unit_of_work: UnitOfWork, move: Move) -> str:
        """Move articles; return the id of their story afterwards."""
        connection = unit_of_work.connection
        origin = live_row(connection, _single_story(connection, move.articles))
        members = articles.members(connection, origin.id)
        moving = [member for member in members if member.id in move.articles]
        is_left_empty = len(moving) == len(members)
        if not is_left_empty or (move.target is None and move.revived is not None):
            return self._take_out(
                unit_of_work, move, origin, moving, is_left_empty=is_left_empty
            )
        if move.target is None:
            return origin.id
        pair = origin.id, move.target
        merge = Merge(
            stories=pair,
            at_no=move.at_no,
            reason="",
            bump=move.bump,
            silent=move.silent,
        )
        return self._merge(unit_of_work, merge)

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
        target = None if move.target is None else live_row(connection, move.target)
        left = came = _effect_of_move(
            move, [origin] if target is None else [origin, target]
        )
        if target is None:
            kind: ChangeKind = "merged" if is_left_empty else "split"
            came = replace(left, others=(origin.id,), kind=kind)
        number, story = self._take_in(unit_of_work, move, target, moving, came)
        if is_left_empty:
            _redirect(unit_of_work, origin, story, reason="empty")
        else:
            # Both stories find their own when they are rendered
            related_stories.erase(connection, [origin.id])
            self._restate(unit_of_work, origin, left)
        self._regrouped(unit_of_work, [(origin.story_no, origin.id), (number, story)])
        return story

    def _take_in(
        self,
        unit_of_work: UnitOfWork,
        move: Move,
        target: StoryRow | None,
        moving: Sequence[Article],
        effect: Effect,
    ) -> tuple[int, str]:
        """Write the story to which articles move; return its number and id."""
        connection = unit_of_work.connection
        founder = move.founder or min(moving, key=lambda member: member.inbox_no).id
        named = None if target is None or move.bump else founder  # in the change stream
        founding = 0 if target else stories.foundings(connection, founder)
        effect = replace(effect, founder=founder, founding=founding, article=named)
        if move.revived is not None:
            stories.revive(connection, move.revived)
            target = live_row(connection, move.revived)
        if target is not None:
            article_writes.move(connection, move.articles, target.id)
            self._restate(unit_of_work, target, effect)
            return target.story_no, target.id
        story = story_id(founder, founding)
        shown = article_views.views_of(connection, move.articles)
        number = self._store_members(
            unit_of_work, None, story, moving, shown, effect=effect
        )
        article_writes.move(connection, move.articles, story)
        return number, story

    def _regrouped(
        self, unit_of_work: UnitOfWork, changed: Sequence[tuple[int, str]]
    ) -> None:
        """Bring memory up to date after articles have changed their stories, or their roles in them."""
        self._stream.regrouped()
        self.growing.forget(*(story for _, story in changed))
        self.window.renew(unit_of_work, changed)

    def _merge(self, unit_of_work: UnitOfWork, merge: Merge) -> str:
        """Merge stories; return the id that stays."""
        connection = unit_of_work.connection
        rows = [live_row(connection, id_) for id_ in merge.stories]
        rows.sort(
            key=lambda row: (
                row.id != merge.keeps,
                row.container_only,
                -row.report_count,
                row.story_no,
            )
        )
        winner, *losers = rows
        effect = _effect_of_merge(connection, merge, winner, losers)
        for loser in losers:
            article_writes.move_all(connection, loser.id, winner.id)
        self._restate(unit_of_work, winner, effect)
        for loser in losers:
            _redirect(unit_of_work, loser, winner.id, **_detail_of(merge))
        self._regrouped(unit_of_work, [(row.story_no, row.id) for row in rows])
        return winner.id

    # --- articles that change or go -----------------------------------------------------------------------

    def _revise(self, unit_of_work: UnitOfWork, revise: Revise) -> str:
        """Compute the row of a story again, of which an article has another text."""
        article = revise.article
        row = live_row(unit_of_work.connection, article.story)
        effect = Effect(at_no=revise.at_no, bump=row.bumped_at)
        if revise.is_news:
            bump = unit_of_work.now if article.bump_by_clock else article.effective_at
            unbumped = (
                article.effective_at if "headline" in self._options.bumps else None
            )
            effect = Effect(
                at_no=revise.at_no, bump=bump, unbumped=unbumped, article=article.id
            )
        self._restate(unit_of_work, row, effect)
        self._regrouped(unit_of_work, [(row.story_no, row.id)])
        unit_of_work.ledger.log(unit_of_work.now, row.id, "revised", article=article.id)
        return row.id

    def _remove(self, unit_of_work: UnitOfWork, remove: Remove) -> str:
        """Compute the row of a story again of which articles are gone; without any, only its id stays."""
        connection = unit_of_work.connection
        row = live_row(connection, remove.story)
        members = articles.members(connection, row.id)
        if members:
            if remove.articles:
                erase.hide_title(connection, row.id, remove.articles)
                row = live_row(connection, row.id)
            at_no = max(member.inbox_no for member in members)
            self._restate(unit_of_work, row, Effect(at_no=at_no, bump=row.bumped_at))
        else:
            erase.close_story(connection, row.id)
        self._regrouped(unit_of_work, [(row.story_no, row.id)])
        return row.id if members else ""

    # --- rows ---------------------------------------------------------------------------------------------

    def _restate(self, unit_of_work: UnitOfWork, row: StoryRow, effect: Effect) -> None:
        """Write a story anew with the articles that are in it now."""
        connection = unit_of_work.connection
        members = articles.members(connection, row.id)
        shown = article_views.views_for_title(
            connection, row.id, len(members), row.title_article
        )
        self._store_members(unit_of_work, row, row.id, members, shown, effect=effect)

    def _store_members(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        members: Sequence[Article],
        shown: Sequence[ArticleView],
        *,
        effect: Effect,
    ) -> int:
        """Write a story with exactly these members and return its number.

        `shown`: those from which headline and summary are chosen.
        """
        connection, compared = unit_of_work.connection, compared_members(members)
        membership = stories.membership_of(members, compared, shown)
        state = self._rows.after(unit_of_work, row, membership, effect)
        if (
            effect.unbumped is not None
            and row is not None
            and state.bumped_at == row.bumped_at
        ):
            effect = replace(effect, bump=effect.unbumped)
        number = self._store(
            unit_of_work, row, story, state, membership=membership, effect=effect
        )
        unit_of_work.ledger.write()
        _set_compared(connection, members, compared)
        return number

    def _store(
        self,
        unit_of_work: UnitOfWork,
        row: StoryRow | None,
        story: str,
        state: StoryState,
        *,
        membership: Membership,
        effect: Effect,
    ) -> int:
        """Add the row of a story, which was `row`, to those that are written; return its number."""
        ledger = unit_of_work.ledger
        if row is None:
            number = ledger.number("story")
            ledger.stories.append(
                NewStory(number, story, effect.founder, effect.founding, state)
            )
        else:
            number = row.story_no
            ledger.states[story] = state
        self.window.note_change(effect.at_no)
        words = self._options.summary_words
        ledger.summaries[story] = partial(
            summary, membership.shown, words, self._story_tuning, state.title
        )
        ledger.change(
            unit_of_work.now,
            story,
            row,
            state,
            bump=effect.bump,
            article=effect.article,
            others=effect.others,
            kind=effect.kind,
        )
        return number


def _log_placed(
    unit_of_work: UnitOfWork, new: StoredArticle, *, is_first: bool
) -> None:
    kind: LogKind = "created" if is_first else "joined"
    score = new.evidence.score if new.evidence else None
    unit_of_work.ledger.log(
        unit_of_work.now, new.story, kind, article=new.id, role=new.role, score=score
    )


def _bump_of(
    unit_of_work: UnitOfWork, new: StoredArticle, membership: Membership
) -> dt.datetime:
    """Return the time to which a new article bumps its story."""
    if new.bump_by_clock:
        return unit_of_work.now
    if new.published is None and membership.span.is_dated:
        return membership.span.last
    return (
        new.effective_at
        if new.published is None
        else min(new.published, new.effective_at)
    )


def _redates(unit_of_work: UnitOfWork, new: StoredArticle) -> bool:
    """Return whether a new article of an undated story gives it its first date, which replaces its bumps."""
    if new.bump_by_clock or new.published is None:
        return False
    unit_of_work.ledger.write_story(new.story)
    return not articles.was_bumped_by_clock(unit_of_work.connection, new.story)


def _set_compared(
    connection: Connection, members: Iterable[Article], compared: Collection[str]
) -> None:
    """Let later articles be compared with these members, and with no others."""
    came = [
        member.id
        for member in members
        if member.id in compared and not member.is_compared
    ]
    went = [
        member.id
        for member in members
        if member.id not in compared and member.is_compared
    ]
    article_writes.set_compared(connection, came, is_compared=True)
    article_writes.set_compared(connection, went, is_compared=False)


def _compare_no_more(unit_of_work: UnitOfWork, story: str) -> None:
    """Let the live blogs and roundups of a story give way to its first report."""
    unit_of_work.ledger.write()
    _set_compared(
        unit_of_work.connection, articles.members(unit_of_work.connection, story), ()
    )


def _effect_of_move(move: Move, rows: Sequence[StoryRow]) -> Effect:
    """Return what a move does to each of the stories that it changes, of which `rows` have bumps."""
    return Effect(
        at_no=move.at_no,
        bump=move.bump or max(row.bumped_at for row in rows),
        is_correction=move.bump is not None,
        kind="corrected" if move.bump else None,
    )


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


def _detail_of(merge: Merge) -> dict[str, str | float]:
    """Return why stories were merged, for their logs."""
    detail: dict[str, str | float] = {}
    if merge.reason:
        detail["reason"] = merge.reason
    if merge.score is not None and merge.need is not None:
        detail |= {"score": merge.score, "need": merge.need}
    return detail


def _redirect(
    unit_of_work: UnitOfWork, loser: StoryRow, winner: str, **detail: str | float | None
) -> None:
    """Redirect the id of `loser`, which has no articles any more, permanently."""
    stories.redirect_story(unit_of_work.connection, loser.id, winner)
    ledger, now = unit_of_work.ledger, unit_of_work.now
    ledger.log(now, winner, "merged", article=None, other=loser.id, **detail)
    ledger.log(now, loser.id, "merged", article=None, into=winner, **detail)


def _single_story(connection: Connection, ids: Iterable[str]) -> str:
    """Return the story in which all these articles are. Raises ValueError if they are in several."""
    found = set(articles.assigned_stories(connection, ids).values())
    if len(found) != 1:
        raise ValueError(f"the articles that move are in {len(found)} stories")
    return found.pop()


def _has_bump_time(connection: Connection, row: StoryRow) -> bool:
    """Return whether the bump of a story is more than the time at which undated files were read."""
    return articles.has_date(connection, row.id) or articles.was_bumped_by_clock(
        connection, row.id
    )
