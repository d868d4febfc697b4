"""Carry out changes of stories (changes.py), in a placing transaction: rows, log, change stream, window."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from aggregator.grouping.changes import Change, Merge, Move, Place, Remove, Revise
from aggregator.grouping.parts import InTransaction
from aggregator.grouping.write.story_row import Effect, StoryRows
from aggregator.model.article import Article, ArticleView
from aggregator.store.maintenance import erased_rows
from aggregator.store.stories import article_views, stored_articles, story_rows
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.story_rows import StoryRow


class StoryWriter(InTransaction):
    """Writes stories."""

    @property
    def _rows(self) -> StoryRows:
        return StoryRows(self._parts, self._unit_of_work)

    def apply(self, change: Change) -> str:
        """Carry out a change; return the story that its articles are in afterwards ("" if it was closed)."""
        match change:
            case Revise():
                return self._revise(change)
            case Move():
                return self._move(change)
            case Merge():
                return self._merge(change)
            case Remove():
                return self._remove(change)

    def place(self, place: Place) -> None:
        """Write a new article and its story, whose row follows from all its articles.

        If a large story has a copy like the new article, the others are not read, so that a flood stays cheap.
        """
        connection = self._connection
        new, joined = place.article, place.story
        shown = [article_views.view_of(new)]
        members: Sequence[Article | ArticleView] = shown
        container_only = new.is_container
        derived = None
        if joined is not None:
            before = article_views.views_for_title(
                connection, joined.id, joined.article_count, joined.title_article
            )
            shown = sorted([*before, *shown], key=attrgetter("effective_at"))
            container_only = joined.container_only and (
                new.is_container or not new.is_compared
            )
            if joined.article_count <= article_views.SHOWN_MEMBERS:
                members = shown
            elif joined.container_only or not stored_articles.repeats_another(
                connection, new
            ):
                members = [*stored_articles.members(connection, joined.id), new]
            else:
                derived = story_rows.with_another_copy(joined, new)
        is_dated = derived is not None or any(
            member.published is not None and member.id != new.id for member in members
        )
        row = self._rows.write(
            joined,
            self._placed_effect(place, is_dated=is_dated),
            members=members,
            shown=shown,
            container_only=container_only,
            derived=derived,
        )
        if joined is not None and joined.container_only and not row.container_only:
            # Live blogs and roundups give way to the first report.
            compared = [
                member.id for member in stored_articles.members(connection, new.story)
            ]
            article_writes.set_compared(connection, compared, is_compared=False)
        article_writes.insert_article(connection, new)
        self._unit_of_work.log(
            new.story,
            "created" if joined is None else "joined",
            article=new.id,
            role=new.role,
            score=new.evidence.score if new.evidence else None,
        )
        self._parts.window.take(connection, row.story_no, new, is_new=joined is None)

    def _move(self, move: Move) -> str:
        """Move articles of one story; return the id of their story afterwards."""
        connection = self._connection
        (story,) = set(
            stored_articles.assigned_stories(connection, move.articles).values()
        )
        members = stored_articles.members(connection, story)
        moving = [member for member in members if member.id in move.articles]
        if move.target is not None and move.is_revived:
            story_rows.revive(connection, move.target)
        if len(moving) == len(members):
            if move.target is None:
                return story
            merge = Merge(
                stories=(story, move.target),
                at_no=move.at_no,
                reason="empty" if move.is_revived else "",
                bump=move.bump,
                keeps=move.target if move.is_revived else None,
                silent=move.silent,
            )
            return self._merge(merge)
        origin = story_rows.row_of(connection, story)
        effect = Effect(
            at_no=move.at_no,
            bump=move.bump or origin.bumped_at,
            is_correction=move.bump is not None,
            kind="corrected" if move.bump else None,
        )
        founder = move.founder or moving[0].id  # the one that was placed first
        split = replace(effect, founder=founder, others=(origin.id,), kind="split")
        if move.target is None:
            split = replace(split, founding=story_rows.foundings(connection, founder))
            target = self._rows.found(split, moving)
            article_writes.move(connection, move.articles, target.id)
        else:
            target = story_rows.row_of(connection, move.target)
            joined = split if move.is_revived else effect
            if move.bump is None:  # else the change stream names no article
                bump = max(effect.bump, target.bumped_at)
                joined = replace(joined, article=founder, bump=bump)
            article_writes.move(connection, move.articles, target.id)
            self._rows.restate(target, joined)
        # Both stories get their own subjects when they are rendered
        story_rows.erase_subjects(connection, [origin.id])
        self._rows.restate(origin, effect)
        self._update_memory([origin, target])
        return target.id

    def _merge(self, merge: Merge) -> str:
        """Merge stories; return the id that stays."""

        def rank(row: StoryRow) -> tuple[bool, bool, int, int]:
            is_kept = row.id == merge.keeps
            return not is_kept, row.container_only, -row.report_count, row.story_no

        connection = self._connection
        rows = sorted(
            (story_rows.row_of(connection, id_) for id_ in merge.stories), key=rank
        )
        winner, *losers = rows
        # Take the last bump of the stories whose bump is more than the time when undated files were read
        counted = [row for row in rows if row.id not in merge.silent]
        timed = [
            row
            for row in counted
            if stored_articles.has_date(connection, row.id)
            or stored_articles.was_bumped_by_clock(connection, row.id)
        ] or counted
        effect = Effect(
            at_no=merge.at_no,
            bump=merge.bump or max(row.bumped_at for row in timed),
            is_correction=merge.bump is not None,
            redates=merge.bump is None and winner not in timed,
            others=tuple(row.id for row in losers),
            kind="merged",
        )
        for loser in losers:
            article_writes.move_all(connection, loser.id, winner.id)
        self._rows.restate(winner, effect)
        detail: dict[str, Any] = {}
        if merge.reason:
            detail["reason"] = merge.reason
        if merge.score is not None and merge.need is not None:
            detail |= {"score": merge.score, "need": merge.need}
        for loser in losers:
            # The loser has no articles any more; its id redirects permanently.
            story_rows.redirect_story(connection, loser.id, winner.id)
            self._unit_of_work.log(winner.id, "merged", other=loser.id, **detail)
            self._unit_of_work.log(loser.id, "merged", into=winner.id, **detail)
        self._update_memory(rows)
        return winner.id

    def _revise(self, revise: Revise) -> str:
        """Compute the row of a story again after an article got another text."""
        article = revise.article
        row = story_rows.row_of(self._connection, article.story)
        effect = Effect(at_no=revise.at_no, bump=row.bumped_at)
        if revise.is_news:
            effect = replace(
                effect,
                bump=article.effective_at,
                article=article.id,
                is_whole=revise.is_whole,
            )
            if article.bump_by_clock:
                effect = replace(effect, bump=self._unit_of_work.now)
            # The change stream then has the time of the text.
            if "headline" in self._parts.options.bumps:
                effect = replace(effect, unbumped=article.effective_at)
        self._rows.restate(row, effect)
        self._update_memory([row])
        self._unit_of_work.log(row.id, "revised", article=article.id)
        return row.id

    def _remove(self, remove: Remove) -> str:
        """Compute the row of a story again after articles were removed; without articles, only its id stays."""
        connection = self._connection
        members = stored_articles.members(connection, remove.story)
        if members and remove.articles:
            erased_rows.hide_title(connection, remove.story, remove.articles)
        row = story_rows.row_of(connection, remove.story)
        if members:
            at_no = max(member.inbox_no for member in members)
            effect = Effect(at_no=at_no, bump=row.bumped_at)
            self._rows.restate(row, effect)
        else:
            erased_rows.close_story(connection, row.id)
        self._update_memory([row])
        return row.id if members else ""

    def _update_memory(self, rows: Sequence[StoryRow]) -> None:
        """Bring memory up to date after articles have changed their stories, or their roles in them."""
        self._parts.stream.regrouped()
        changed = [(row.story_no, row.id) for row in rows]
        self._parts.window.renew(self._connection, changed)

    def _placed_effect(self, place: Place, *, is_dated: bool) -> Effect:
        """Return the effect of a new article on its story; `is_dated`: whether another article has a date."""
        new, joined = place.article, place.story
        redates = False
        bump = new.effective_at
        if new.bump_by_clock:
            bump = self._unit_of_work.now
        elif new.published is not None:
            bump = min(new.published, bump)
            # The first date of an undated story replaces its bumps.
            redates = (
                joined is not None
                and not is_dated
                and not stored_articles.was_bumped_by_clock(self._connection, joined.id)
            )
        elif joined is not None and is_dated:
            bump = joined.last_published
        return Effect(
            at_no=new.inbox_no,
            bump=bump,
            redates=redates,
            founder=new.id,
            founding=place.founding,
            article=new.id,
        )


class ChangesStories(InTransaction):
    """Base of what decides about changes of stories, which are carried out at once."""

    def _apply(self, change: Change) -> str:
        return StoryWriter(self._parts, self._unit_of_work).apply(change)
